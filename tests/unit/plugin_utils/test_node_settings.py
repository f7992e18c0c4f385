# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each key of a node: where it is inherited from, how levels are merged, what comes out, and what is wrong with it."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest

from ansible_collections.archetype.lab.plugins.plugin_utils import _inherit, _noted
from ansible_collections.archetype.lab.plugins.plugin_utils._blocks import BLOCKS
from ansible_collections.archetype.lab.plugins.plugin_utils._errors import LabFileError
from ansible_collections.archetype.lab.plugins.plugin_utils._model import Bind, Dns, Healthcheck, Stage, StageCommand, WaitFor
from ansible_collections.archetype.lab.plugins.plugin_utils._topology import load_topology
from ansible_collections.archetype.lab.tests.unit.plugin_utils.forms import BOOLEAN, LIST, MAPPING, digits

LEVELS = ("defaults", "kind", "group", "node")
"""From the least specific to the most specific."""


@pytest.fixture
def load(tmp_path):
    def call(text, environment=None, **files):
        for name, content in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(content)
        path = tmp_path / "t.clab.yml"
        path.write_text(text)
        return load_topology(str(path), environment or {})

    return call


@pytest.fixture
def node(load):
    """The node n of a topology where levels say what they are given: level -> YAML."""

    def call(environment=None, files=None, **levels):
        text = {level: "{" + levels.get(level, "") + "}" for level in LEVELS}
        image = "" if any(level.startswith("image:") for level in levels.values()) else "image: i, "
        defaults = text["defaults"].replace("{", f"{{kind: linux, {image}", 1)
        group = text["node"].replace("{", "{group: g, ", 1)
        topology = f"name: t\ntopology:\n  defaults: {defaults}\n  kinds: {{linux: {text['kind']}}}\n  groups: {{g: {text['group']}}}\n"
        return load(f"{topology}  nodes: {{n: {group}}}\n", environment, **(files or {})).nodes["n"]

    return call


@pytest.fixture
def errors(load, tmp_path):
    """The problems of a node n on line 4 with these settings, each without the name of the file."""

    def call(settings, above="", beside="", **files):
        text = f"name: t\n{above}\ntopology:\n  nodes: {{n: {{kind: linux, image: i, {settings}}}{beside}}}\n"
        with pytest.raises(LabFileError) as caught:
            load(text, **files)
        return [str(one).replace(f"{tmp_path}/t.clab.yml:", "").replace(str(tmp_path), "HERE") for one in caught.value.problems]

    return call


# the most specific level that says something has the whole say

WHOLE = {
    "cgroup-parent": ("cgroup_parent", [("/a", "/a"), ("/b", "/b")]),
    "cgroupns-mode": ("cgroupns_mode", [("host", "host"), ("private", "private")]),
    "cmd": ("cmd", [("a b", ("a", "b")), ("c", ("c",))]),
    "components": ("components", [("[{slot: A}]", ({"slot": "A"},)), ("[{slot: 1, type: x}]", ({"slot": 1, "type": "x"},))]),
    "cpu": ("cpu", [("1", 1.0), ("2.5", 2.5)]),
    "cpu-set": ("cpu_set", [("0-1", "0-1"), ("3", "3")]),
    "dns": ("dns", [("{servers: [192.0.2.1], search: [a]}", Dns(("192.0.2.1",), ("a",))), ("{options: [x]}", Dns(options=("x",)))]),
    "enforce-startup-config": ("enforce_startup_config", [("true", True), ("false", False)]),
    "entrypoint": ("entrypoint", [("/a", ("/a",)), ("/b", ("/b",))]),
    "extras": ("extras", [("{mysocket-proxy: a}", {"mysocket-proxy": "a"}), ("{k8s_kind: {}}", {"k8s_kind": {}})]),
    "healthcheck": (
        "healthcheck",
        [
            ("{test: [CMD, a], interval: 1, timeout: 2, start-period: 3, retries: 4}", Healthcheck(("CMD", "a"), 1.0, 2.0, 3.0, 4)),
            ("{test: [CMD-SHELL, b]}", Healthcheck(("CMD-SHELL", "b"))),
        ],
    ),
    "hostname": ("hostname", [("a", "a"), ("b.c", "b.c")]),
    "image": ("image", [("a", "a"), ("b:1", "b:1")]),
    "license": ("license", [('"a\\nb"', Bind("", "", "", True, "a\nb")), ('"c\\n"', Bind("", "", "", True, "c\n"))]),
    "link-apply-mode": ("link_apply_mode", [("live", "live"), ("restart", "restart")]),
    "memory": ("memory", [("1Gib", 2**30), ("1GB", 10**9)]),
    "network-mode": ("network_mode", [("none", "none"), ("host", "host")]),
    "pid-mode": ("pid_mode", [("host", "host"), ("container:x", "container:x")]),
    "privileged": ("privileged", [("true", True), ("false", False)]),
    "shm-size": ("shm_size", [("64mb", 64 * 10**6), ("1mib", 2**20)]),
    "startup-config": ("startup_config", [('"a\\nb"', Bind("", "", "", True, "a\nb")), ('"c\\n"', Bind("", "", "", True, "c\n"))]),
    "startup-delay": ("startup_delay", [("5", 5), ("7", 7)]),
    "suppress-startup-config": ("suppress_startup_config", [("true", True), ("false", False)]),
    "type": ("type", [("a", "a"), ("'b '", "b")]),
    "user": ("user", [("root", "root"), ("7", "7")]),
}


@pytest.mark.parametrize("key", WHOLE)
@pytest.mark.parametrize("levels", list(itertools.combinations(LEVELS, 2)), ids="-".join)
def test_the_more_specific_level_has_the_whole_say(node, key, levels):
    field, ((less, _value), (more, expected)) = WHOLE[key]
    assert getattr(node(**{levels[0]: f"{key}: {less}", levels[1]: f"{key}: {more}"}), field) == expected


@pytest.mark.parametrize("key", WHOLE)
@pytest.mark.parametrize("level", LEVELS)
def test_each_level_alone_is_inherited(node, key, level):
    field, ((text, expected), _more) = WHOLE[key]
    assert getattr(node(**{level: f"{key}: {text}"}), field) == expected


@pytest.mark.parametrize("key", [key for key in WHOLE if key not in ("dns", "extras", "healthcheck", "components")])
def test_an_empty_value_says_nothing(node, key):
    field, ((text, expected), _more) = WHOLE[key]
    empty = "~" if key in _inherit.FLAGS else "0" if key in _inherit.NUMBERS else "''"
    assert getattr(node(kind=f"{key}: {text}", node=f"{key}: {empty}"), field) == expected


def test_an_empty_mapping_says_that_there_is_nothing(node):
    assert node(kind="dns: {servers: [192.0.2.1]}", node="dns: {}").dns == Dns()
    assert node(kind="dns: {servers: [192.0.2.1]}", node="dns: ").dns == Dns(("192.0.2.1",))
    assert node(kind="extras: {mysocket-proxy: x}", node="extras: {}").extras == {}


# lists are united, mappings merged

UNITED = {
    "cap-add": ("cap_add", lambda found: found),
    "devices": ("devices", lambda found: tuple(f"/dev/{one}" for one in found)),
    "exec": ("exec", lambda found: tuple((one,) for one in found)),
    "security-opts": ("security_opts", lambda found: found),
    "volumes": ("volumes", lambda found: tuple(f"/{one}" for one in found)),
}
FORMS = {"devices": "/dev/{}", "volumes": "/{}"}


@pytest.mark.parametrize("key", UNITED)
def test_lists_are_united_and_the_least_specific_comes_first(node, key):
    field, expected = UNITED[key]
    form = FORMS.get(key, "{}")
    values = {"defaults": ["A", "S"], "kind": ["B", "S"], "group": ["C"], "node": ["D", "A"]}
    found = getattr(node(**{level: f"{key}: {json.dumps([form.format(one) for one in ones])}" for level, ones in values.items()}), field)
    order = ("A", "B", "C", "D", "S") if key == "cap-add" else ("A", "S", "B", "C", "D")
    assert found == expected(order)


@pytest.mark.parametrize(("key", "prefix"), [("env", ""), ("labels", ""), ("sysctls", "net."), ("tmpfs", "/")])
def test_mappings_are_merged_key_by_key(node, key, prefix):
    keys = [f"{prefix}{letter}" for letter in "dkgn"]
    levels = {
        level: f"{key}: {{{', '.join(f'{one}: {value}' for one in keys[place:])}}}"
        for place, (level, value) in enumerate(zip(LEVELS, "1234", strict=True))
    }
    assert getattr(node(**levels), key) == dict(zip(keys, "1234", strict=True))


def test_variables_of_the_configuration_are_merged_in_depth(node):
    one = node(
        defaults="config: {vars: {a: 1, b: {c: 1, d: 1}}}", kind="config: {vars: {b: {d: 2}}}", node="config: {vars: {b: {e: [x]}, a: yes}}"
    )
    assert one.config_vars == {"a": True, "b": {"c": 1, "d": 2, "e": ["x"]}}


def test_ports_are_those_of_one_level(node):
    assert [one.server_port for one in node(kind="ports: ['1:1', '2:2']", group="ports: []", node="ports: ['3:3']").ports] == [3]
    assert [one.server_port for one in node(kind="ports: ['1:1', '2:2']", node="ports: []").ports] == [1, 2]


def test_aliases_and_fixed_addresses_are_the_nodes_own(node):
    above = "aliases: [x], mgmt-ipv4: 192.0.2.9, mgmt-ipv6: '2001:db8::9'"
    one = node(defaults=above, kind=above, group=above)
    assert (one.aliases, one.mgmt_ipv4, one.mgmt_ipv6) == ((), "", "")
    one = node(node="aliases: [x, y.example, x], mgmt-ipv4: 192.0.2.9, mgmt-ipv6: '2001:DB8:0::9'")
    assert (one.aliases, one.mgmt_ipv4, one.mgmt_ipv6) == (("x", "y.example"), "192.0.2.9", "2001:db8::9")


def test_credentials_are_merged_and_known_under_their_old_names(node):
    assert node().credentials is None
    assert node(defaults="credentials: {username: a, password: b}", node="credentials: {password: c}").credentials == ("a", "c")
    assert node(kind="username: a", node="password: c").credentials == ("a", "c")
    assert node(kind="username: old, credentials: {username: new, password: p}").credentials == ("new", "p")


def test_what_is_not_said_of_credentials_is_as_the_kind_has_it(load):
    text = "name: t\ntopology: {nodes: {n: {kind: nokia_srlinux, image: i, credentials: {username: me}}}}\n"
    one = load(text).nodes["n"]
    assert one.credentials == ("me", one.profile.connection.password)
    assert one.profile.connection.password


def test_the_key_for_a_node_is_beside_the_topology(node, tmp_path):
    assert node(node="credentials: {identity-file: keys/a}").identity_file == f"{tmp_path}/keys/a"
    assert node(node="credentials: {identity-file: ~/a}").identity_file == str(Path.home() / "a")


def test_every_key_is_tested_here_or_has_a_note_or_decides_what_a_node_is():
    binds_and_files = {"binds", "env-files"}
    elsewhere = {"kind", "group", "stages", "config", "credentials", *_inherit.NODE_ONLY, "ports"}
    noted = {"auto-remove", "certificate", "image-pull-policy", "position", "restart-policy", "runtime"}
    assert noted | {"link-apply-mode"} == set(_noted.NOTED)
    assert {*WHOLE, *UNITED, *_inherit.MAPS, *binds_and_files, *elsewhere, *noted} == _inherit.KEYS
    assert {key for key in _inherit.KEYS if key in BLOCKS} >= {"dns", "extras", "healthcheck", "stages"}


# environment


def test_files_of_variables_are_below_the_variables_of_every_level(node):
    files = {"a.env": "A=a\nB=a\nC=a\n", "b.env": "B=b\nC=b # more\nexport D='$A'\n"}
    one = node(files=files, defaults="env-files: [a.env], env: {C: env}", node="env-files: [b.env], env: {E: '1'}")
    assert one.env == {"A": "a", "B": "b", "C": "env", "D": "$A", "E": "1"}


def test_the_environment_of_the_controller_is_imported_where_it_is_asked_for(node):
    environment = {"HOME": "/h", "X": "controller"}
    assert node(environment, node="env: {__IMPORT_ENVS: true, X: own}").env == {"__IMPORT_ENVS": "true", "X": "own", "HOME": "/h"}
    assert node(environment, defaults="env: {__IMPORT_ENVS: true, D: d}", kind="env: {X: kind}").env == {
        "__IMPORT_ENVS": "true",
        "D": "d",
        "X": "kind",
        "HOME": "/h",
    }
    assert node(environment, node="env: {__IMPORT_ENVS: yes}").env == {"__IMPORT_ENVS": "yes"}


def test_labels_are_variables_too(node):
    one = node(kind="labels: {some.label-x: v}, env: {CLAB_LABEL_SOME_LABEL_X: mine}")
    assert (one.env, one.labels) == ({"CLAB_LABEL_SOME_LABEL_X": "v"}, {"some.label-x": "v"})


def test_a_missing_or_broken_file_of_variables_is_told(load, errors):
    topology = load("name: t\ntopology: {nodes: {n: {kind: linux, image: i, env-files: [no.env]}}}\n")
    assert [(one.line, one.column, one.what) for one in topology.missing] == [(2, 59, 'node n: missing env-file "no.env"')]
    files = {"bad.env": "A=1\nwhat is this\n"}
    assert errors("env-files: [bad.env]", **files) == [
        '4:50: node n: env-file "bad.env", line 2: this is not NAME=value. Write it as NAME=value'
    ]


# files that are not there stop a plan and not a look


def test_all_missing_files_are_told_apart_from_problems(load, tmp_path):
    text = (
        "name: t\ntopology:\n  nodes:\n    n:\n      kind: linux\n      image: i\n      binds: ['a.conf:/a', '/srv/b:/b']\n"
        "      startup-config: s.cfg\n      license: l.key\n      extras: {ceos-copy-to-flash: [f.txt]}\n"
    )
    topology = load(text)
    assert [f"{one.line}:{one.column}: {one.what}. {one.remedy}" for one in topology.missing] == [
        f'7:15: node n: missing bind source "a.conf". Relative paths are looked for in {tmp_path}',
        f'8:23: node n: missing startup-config "s.cfg". Relative paths are looked for in {tmp_path}',
        f'9:16: node n: missing license "l.key". Relative paths are looked for in {tmp_path}',
        f'10:37: node n: missing file of extras, ceos-copy-to-flash "f.txt". Relative paths are looked for in {tmp_path}',
    ]
    assert topology.nodes["n"].binds == (Bind("/srv/b", "/b"),)


@pytest.mark.parametrize("key", ["startup-config", "license"])
@pytest.mark.parametrize("url", ["https://x.example/y", "scp://root@x/lic.txt"])
def test_files_of_elsewhere_are_missing_until_somebody_downloads_them(load, key, url):
    topology = load(f"name: t\ntopology:\n  nodes:\n    n:\n      kind: linux\n      image: i\n      {key}: {url}\n")
    assert [(one.line, f"{one.what}. {one.remedy}") for one in topology.missing] == [
        (7, f'node n: {key} from "{url}" is not supported. Download it beside the topology')
    ]


def test_files_of_extras_are_found_beside_the_topology(load, tmp_path):
    text = "name: t\ntopology: {nodes: {n: {kind: linux, image: i, extras: {srl-agents: [__clabNodeName__.yml]}}}}\n"
    assert load(text, **{"n.yml": ""}).nodes["n"].extras == {"srl-agents": [f"{tmp_path}/n.yml"]}


# magic variables


def test_magic_variables_are_put_in_where_containerlab_does(load, tmp_path):
    text = (
        "name: t\ntopology:\n  nodes:\n    n:\n      kind: linux\n      image: i\n      binds: ['__clabNodeName__.conf:/a']\n"
        "      exec: ['echo __clabNodeName__ __clabLabName__ __clabDir__ __clabNodeDir__']\n      env: {A: __clabNodeName__}\n"
    )
    one = load(text, **{"n.conf": ""}).nodes["n"]
    assert one.binds == (Bind(f"{tmp_path}/n.conf", "/a", local=True),)
    folder = "/var/lib/archetype-lab/t/folders"
    assert one.exec == (("echo", "n", "clab-t", folder, f"{folder}/n"),)
    assert one.env == {"A": "__clabNodeName__"}


def test_folders_of_the_lab_are_the_users_own_or_on_the_server(load, tmp_path):
    text = (
        "name: t\ntopology:\n  nodes:\n    n:\n      kind: linux\n      image: i\n"
        "      binds: ['__clabNodeDir__/conf:/a', '__clabNodeDir__/data:/b:ro', '__clabDir__/shared:/c', '__clabNodeDir__:/d']\n"
        "      startup-config: __clabNodeDir__/s.cfg\n"
    )
    one = load(text, **{"clab-t/n/conf": "", "clab-t/n/s.cfg": ""}).nodes["n"]
    folder = "/var/lib/archetype-lab/t/folders"
    assert one.binds == (
        Bind(f"{tmp_path}/clab-t/n/conf", "/a", local=True),
        Bind(f"{folder}/n/data", "/b", "ro", made=True),
        Bind(f"{folder}/shared", "/c", made=True),
        Bind(f"{tmp_path}/clab-t/n", "/d", local=True),
    )
    assert one.startup_config == Bind(f"{tmp_path}/clab-t/n/s.cfg", "", local=True)


def test_files_that_containerlab_writes_are_told_to_be_missing(load, tmp_path):
    text = "name: t\ntopology: {nodes: {n: {kind: linux, image: i, binds: ['__clabDir__/topology-data.json:/x']}}}\n"
    topology = load(text)
    assert topology.nodes["n"].binds == ()
    assert [(one.what, one.remedy) for one in topology.missing] == [
        (
            "node n: topology-data.json is a file that containerlab writes, and nobody here",
            f"Put one at {tmp_path}/clab-t/topology-data.json, or take the bind out",
        )
    ]
    assert load(text, **{"clab-t/topology-data.json": "{}"}).missing == ()


# volumes


def test_a_bind_without_a_source_is_a_volume(node):
    one = node(kind="binds: [/data, '/srv/x:/x']", node="volumes: ['named:/n:ro', /data, '/anonymous']")
    assert one.volumes == ("named:/n:ro", "/data", "/anonymous")
    assert one.binds == (Bind("/srv/x", "/x"),)


# stages


def test_stages_of_all_levels_are_united(load):
    text = """
name: t
topology:
  defaults: {kind: linux, image: i}
  groups:
    g: {stages: {create: {wait-for: [{node: a, stage: create}], exec: [{command: d, target: host}]}}}
  nodes:
    a: {}
    b: {stages: {configure: {exec: {on-exit: ['old form'], on-enter: [x]}}}}
    n:
      group: g
      stages:
        exit: {exec: [{command: 'e __clabNodeName__', phase: on-exit, target: host}]}
        create:
          wait-for: [{node: a, stage: create}, {node: b, stage: healthy}]
          exec: [{command: "c 'x y'", phase: on-exit}]
"""
    nodes = load(text).nodes
    assert nodes["n"].stages == (
        Stage(
            "create",
            (WaitFor("a", "create"), WaitFor("b", "healthy")),
            (StageCommand(("d",), "on-enter", "host"), StageCommand(("c", "x y"), "on-exit")),
        ),
        Stage("exit", (), (StageCommand(("e", "n"), "on-exit", "host"),)),
    )
    assert nodes["b"].stages == (Stage("configure", (), (StageCommand(("x",), "on-enter"), StageCommand(("old", "form"), "on-exit"))),)
    assert {name: (one.wave, one.hold) for name, one in nodes.items()} == {"a": (0, ""), "b": (0, "healthy"), "n": (1, "")}


# what is wrong

ERRORS = [
    ("mgmt-ipv4: 192.0.2.1/24", 'node n: mgmt-ipv4 "192.0.2.1/24" is not an IPv4 address. Write it without the length of a prefix'),
    ("mgmt-ipv4: '2001:db8::1'", 'node n: mgmt-ipv4 "2001:db8::1" is not an IPv4 address. Write it as one address'),
    ("mgmt-ipv6: 192.0.2.1", 'node n: mgmt-ipv6 "192.0.2.1" is not an IPv6 address. Write it as one address'),
    ("network-mode: hots", 'node n: network-mode is "hots". Did you mean "host"?'),
    ("network-mode: 'host:x'", 'node n: network-mode is "host:x". Did you mean "host"?'),
    (
        "network-mode: 'container:'",
        (
            'node n: network-mode "container:" names no container. '
            "Write it as container:<node>, or container:<name of a container on the node's server>"
        ),
    ),
    ("network-mode: 'container:n'", "node n: network-mode is the node's own. Name another node"),
    ("pid-mode: shared", 'node n: pid-mode is "shared". It is host or container:<name of another node>'),
    ("hostname: a_b", "node n: hostname \"a_b\" is not allowed. Use letters, digits, '-' and '.', at most 63"),
    ("aliases: [a b]", "node n: alias \"a b\" is not a host name. Use letters, digits, '.', '_' and '-'"),
    ("cpu-set: 0..3", 'node n: cpu-set "0..3" is not a list of CPUs. Write it as 0-1,4'),
    ("cgroup-parent: a b", 'node n: cgroup-parent "a b" is not the name of a cgroup. Write it as labs.slice or /labs'),
    ("cgroupns-mode: none", 'node n: cgroupns-mode is "none". It is one of host, private'),
    ("shm-size: much", 'node n: shm-size "much" is not an amount of memory. Write it as 512MB or 1Gib'),
    ("startup-delay: -1", 'startup-delay of node n must be a whole number from 0 to 86400, not "-1"' + digits(0)),
    ("startup-delay: 5s", 'startup-delay of node n must be a whole number from 0 to 86400, not "5s"' + digits(0)),
    ("tmpfs: {run: ''}", 'node n: tmpfs "run" is not a path in the node. Write it as /run'),
    ("tmpfs: {/run: 'a b'}", 'node n: "a b" are not options of a tmpfs. Write them as size=64m,mode=755'),
    ("volumes: ['/a:/b']", 'node n: volume "/a:/b" names a path of the server. Write it under binds'),
    ("volumes: ['a b:/b']", 'node n: "a b:/b" is not a volume. Write it as name:/path or /path'),
    ("security-opts: ['']", "node n: an entry of security-opts is empty. Write it as no-new-privileges"),
    ("link-apply-mode: lively", 'node n: link-apply-mode is "lively". Did you mean "live"?'),
    ("enforce-startup-config: maybe", 'enforce-startup-config of node n must be true or false, not "maybe"' + BOOLEAN),
    ("license: .", 'node n: license "." is a folder. Name a file'),
    ("dns: {servers: [one]}", '"one" in servers of dns of node n is not an IP address. Write it as 198.51.100.53'),
    ("dns: {sarch: [a]}", 'unknown key "sarch" in dns of node n. Did you mean "search"?'),
    ("dns: [a]", "dns of node n must be a mapping, not a list" + MAPPING),
    (
        "healthcheck: {test: [curl, x]}",
        (
            'test of healthcheck of node n begins with "curl", not with one of CMD, CMD-SHELL, NONE. '
            "Write it as [CMD, program, argument], or as [CMD-SHELL, 'a line for the shell']"
        ),
    ),
    ("healthcheck: {test: curl}", 'test of healthcheck of node n must be a list, not "curl"' + LIST),
    ("healthcheck: {interval: 5s}", 'interval of healthcheck of node n must be a whole number from 0 to 10000000, not "5s"' + digits(0)),
    ("extras: {srl-agent: [x]}", 'unknown key "srl-agent" in extras of node n. Did you mean "srl-agents"?'),
    ("config: {x: 1}", 'unknown key "x" in config of node n. Known keys are: vars'),
    ("credentials: {user: x}", 'unknown key "user" in credentials of node n. Did you mean "username"?'),
    ("certificate: {issue: x}", 'issue of certificate of node n must be true or false, not "x"' + BOOLEAN),
    ("components: {a: b}", "components of node n must be a list, not a mapping" + LIST),
    ("components: [a]", 'an entry of components of node n must be a mapping, not "a"' + MAPPING),
    ("stages: {creat: {}}", 'unknown key "creat" in stages of node n. Did you mean "create"?'),
    (
        "stages: {create: {wait-for: [{node: m}]}}",
        "wait-for of stage create of stages of node n needs node and stage. Write it as {node: r1, stage: healthy}",
    ),
    ("stages: {create: {wait-for: [{node: m, stage: helthy}]}}", '"helthy" is not a stage. Did you mean "healthy"?'),
    ("stages: {create: {wait-for: [{node: x, stage: exit}]}}", 'wait-for names the unknown node "x". Name a node of this file'),
    ("stages: {create: {wait-for: [{node: n, stage: exit}]}}", "node n waits for itself. Name another node"),
    (
        "stages: {create: {exec: [{phase: on-exit}]}}",
        "exec of stage create of stages of node n needs a command. Write it as {command: ip link, phase: on-exit}",
    ),
    (
        "stages: {create: {exec: [{command: x}]}}",
        (
            "node n: a command of stage create, on-enter, cannot run in the node, which does not run then. "
            "Give it target: host, or phase: on-exit"
        ),
    ),
    (
        "stages: {exit: {exec: {on-exit: [x]}}}",
        (
            "node n: a command of stage exit, on-exit, cannot run in the node, which does not run then. "
            "Give it target: host, or phase: on-enter"
        ),
    ),
    ("stages: {create: {exec: [{command: x, phase: later}]}}", '"later" is not a phase. It is one of on-enter, on-exit'),
    ("stages: {configure: {exec: [{command: x, target: hots}]}}", '"hots" is not a target. Did you mean "host"?'),
    (
        "stages: {configure: {exec: [{command: 'a \"b'}]}}",
        "node n: exec of stage configure cannot be split into words: a quote is not closed. Correct the quotes",
    ),
]


@pytest.mark.parametrize(("settings", "message"), ERRORS, ids=[settings for settings, _message in ERRORS])
def test_a_bad_setting_is_told_with_its_place_and_what_to_do(errors, settings, message):
    (found,) = errors(settings)
    place, _colon, said = found.partition(": ")
    line, column = place.split(":")
    assert (line, said) == ("4", message)
    assert int(column) > len("  nodes: {n: {kind: linux, image: i, ")


def test_all_bad_settings_are_told_at_once(errors):
    found = errors("hostname: a_b, cpu-set: x, shm-size: y, dns: [a], pid-mode: z, stages: {creat: {}}")
    assert len(found) == 6


def test_settings_that_nobody_inherits_are_checked_too(load):
    with pytest.raises(LabFileError) as caught:
        load("name: t\ntopology:\n  groups: {g: {dns: [a], stages: {x: {}}}}\n  nodes: {n: {kind: linux, image: i}}\n")
    assert [one.line for one in caught.value.problems] == [3, 3]


def test_a_wrong_block_of_a_level_is_told_once_however_many_inherit_it(load):
    nodes = ", ".join(f"n{number}: {{}}" for number in range(50))
    with pytest.raises(LabFileError) as caught:
        load(f"name: t\ntopology:\n  defaults: {{kind: linux, image: i, healthcheck: {{test: [x]}}}}\n  nodes: {{{nodes}}}\n")
    assert len(caught.value.problems) == 1
