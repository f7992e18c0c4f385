# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Boot recipes: what a node's own settings change of its kind's, what a poor server cannot give, and where configurations go."""

from __future__ import annotations

import dataclasses

import pytest

from ansible_collections.archetype.lab.plugins.plugin_utils._catalog import Catalog
from ansible_collections.archetype.lab.plugins.plugin_utils._kind_model import Boot, BootFile, Kind, Readiness, StartupConfig
from ansible_collections.archetype.lab.plugins.plugin_utils._model import Bind, NodeInterface
from ansible_collections.archetype.lab.plugins.plugin_utils._recipe import Abilities
from ansible_collections.archetype.lab.plugins.plugin_utils._recipe_values import NUMBERS, numbers_of, optional_devices
from ansible_collections.archetype.lab.plugins.plugin_utils._yaml import MapValue, load_yaml
from ansible_collections.archetype.lab.tests.unit.plugin_utils.recipes import FOLDER, MANAGED, ONLY_IPV4, Made, config, node

BOOT = Boot(
    entrypoint=("/init",),
    cmd=("--node", "{node}", "-e={env}", "{?mgmt_ipv6}-6"),
    user="0:0",
    env={"A": "kind", "B": "{hostname}", "SIX": "{?mgmt_ipv6}{mgmt_ipv6}"},
    env_each={"PORTS": ("{linux}={vendor}", ",")},
    capabilities=("NET_ADMIN", "SYS_RESOURCE?"),
    sysctls={"net.a": "1", "net.b": "{interfaces}"},
    devices=("/dev/kvm?", "/dev/net/tun"),
    system_paths="unconfined",
    shm_size=64,
    security_opts=("apparmor=unconfined",),
    folders=("/flash",),
    binds=("/lib/modules:/lib/modules:ro",),
    files=(BootFile("/flash/name", "{node}\n"), BootFile("/etc/ports", "{each}\n", "0600", "{index} {mac}")),
)
KIND = Kind(
    "own", "container", boot=BOOT, startup_config=StartupConfig("/flash/startup-config", "hostname {node}\n"), license_path="/lic/key"
)
PORTS = [NodeInterface("eth1", "Et1", "02:00:00:00:01:01"), NodeInterface("eth10", "Et10", "02:00:00:00:01:0a")]


def test_what_a_kind_says_holds_where_the_node_says_nothing():
    made = Made(node(KIND), interfaces=PORTS)
    assert not made.problems
    assert made["env"] == {"A": "kind", "B": "r1", "PORTS": "eth1=Et1,eth10=Et10", "SIX": "2001:db8::7"}
    assert made["entrypoint"] == ["/init"]
    assert made["cmd"] == ["--node", "r1", "-e=A=kind", "-e=B=r1", "-e=PORTS=eth1=Et1,eth10=Et10", "-e=SIX=2001:db8::7", "-6"]
    assert (made["user"], made["system_paths"], made["shm_size"], made["privileged"]) == ("0:0", "unconfined", 64, False)
    assert made["cap_add"] == ["NET_ADMIN", "SYS_RESOURCE"]
    assert made["sysctls"] == {"net.a": "1", "net.b": "2"}
    assert made["devices"] == ["/dev/kvm", "/dev/net/tun"]
    assert made["security_opts"] == ["apparmor=unconfined"]
    assert made.files == {
        "/etc/ports": "1 02:00:00:00:01:01\n10 02:00:00:00:01:0a\n",
        "/flash/name": "r1\n",
        "/flash/startup-config": "hostname r1\n",
    }
    assert [file["mode"] for file in made["files"]] == ["0600", "0644", "0644"]
    assert made["binds"] == [f"{FOLDER}/etc/ports:/etc/ports", f"{FOLDER}/flash:/flash", "/lib/modules:/lib/modules:ro"]
    assert made["interfaces"] == ["eth1", "eth10"]


def test_the_nodes_own_settings_win():
    own = node(
        KIND,
        entrypoint=("/mine",),
        cmd=("x",),
        user="1:1",
        env={"A": "node", "C": "{node}"},
        sysctls={"net.a": "2"},
        cap_add=("SYS_TIME",),
        devices=("/dev/kvm:/dev/kvm:r", "/dev/fuse"),
        shm_size=128,
        security_opts=("seccomp=unconfined",),
        binds=(Bind("/srv/modules", "/lib/modules"), Bind("/srv/ports", "/etc/ports", "ro")),
        startup_config=config("mine {node}\n"),
    )
    made = Made(own, interfaces=PORTS)
    assert (made["entrypoint"], made["cmd"], made["user"], made["shm_size"]) == (["/mine"], ["x"], "1:1", 128)
    assert made["env"] == {"A": "node", "B": "r1", "C": "{node}", "PORTS": "eth1=Et1,eth10=Et10", "SIX": "2001:db8::7"}
    assert made["sysctls"] == {"net.a": "2", "net.b": "2"}
    assert made["cap_add"] == ["NET_ADMIN", "SYS_RESOURCE", "SYS_TIME"]
    assert made["devices"] == ["/dev/net/tun", "/dev/kvm:/dev/kvm:r", "/dev/fuse"]
    assert made["security_opts"] == ["apparmor=unconfined", "seccomp=unconfined"]
    assert made["binds"] == ["/srv/ports:/etc/ports:ro", f"{FOLDER}/flash:/flash", "/srv/modules:/lib/modules"]
    assert made.files == {"/flash/name": "r1\n", "/flash/startup-config": "mine {node}\n"}


def test_an_entrypoint_of_ones_own_drops_the_kinds_command_as_docker_drops_the_images():
    made = Made(node(KIND, entrypoint=("/mine",)))
    assert (made["entrypoint"], made["cmd"]) == (["/mine"], None)


def test_a_folder_of_ones_own_takes_the_place_of_the_kinds_and_its_files_are_bound_into_it():
    made = Made(node(KIND, binds=(Bind("/srv/flash", "/flash"),)))
    assert "/srv/flash:/flash" in made["binds"]
    assert {"/flash/name", "/flash/startup-config"} <= made.own_binds


def test_what_the_environment_says_reaches_the_command():
    boot = Boot(env={"RAM": "1"}, cmd=("--ram", "{env:RAM}", "--cpu", "{env:CPU}"))
    assert Made(node(Kind("own", "vm", boot=boot), env={"RAM": "2"}))["cmd"] == ["--ram", "2", "--cpu", ""]


def test_the_layers_are_kind_image_lab_and_node(tmp_path):
    (tmp_path / "own.yml").write_text("name: own\nprovider: container\nboot: {env: {A: kind, B: kind, C: kind, D: kind}, user: kind}\n")
    (tmp_path / "image").write_text("boot: {env: {B: image, C: image, D: image}}")
    (tmp_path / "lab").write_text("boot: {env: {C: lab, D: lab, E: '{node}'}, user: lab}")
    image, lab = load_yaml(str(tmp_path / "image")), load_yaml(str(tmp_path / "lab"))
    assert isinstance(image, MapValue)
    assert isinstance(lab, MapValue)
    catalog = Catalog([str(tmp_path)], {"own": lab}, {"x:1": image})
    found = catalog.find("own")
    assert found is not None
    made = Made(node(catalog.resolve(found, "x:1"), env={"D": "node"}))
    assert made["env"] == {"A": "kind", "B": "image", "C": "lab", "D": "node", "E": "r1"}
    assert made["user"] == "lab"


# -- what a server cannot give --------------------------------------------------------------------------------------


def test_what_is_optional_is_left_out_where_the_server_has_none():
    lacking = Abilities(frozenset({"SYS_RESOURCE"}), frozenset({"/dev/kvm"}))
    made = Made(node(KIND), lacking=lacking)
    assert (made["cap_add"], made["devices"]) == (["NET_ADMIN"], ["/dev/net/tun"])
    assert optional_devices(KIND) == ["/dev/kvm"]


def test_what_a_user_asks_for_is_asked_for_whatever_the_server_has():
    lacking = Abilities(frozenset({"SYS_RESOURCE"}), frozenset({"/dev/kvm"}))
    made = Made(node(KIND, cap_add=("SYS_RESOURCE",), devices=("/dev/kvm",), privileged=True), lacking=lacking)
    assert (made["cap_add"], made["devices"], made["privileged"]) == (["NET_ADMIN", "SYS_RESOURCE"], ["/dev/net/tun", "/dev/kvm"], True)


def test_a_kind_is_privileged_only_where_the_server_can_give_everything():
    privileged = dataclasses.replace(KIND, boot=dataclasses.replace(BOOT, privileged=True))
    assert Made(node(privileged))["privileged"]
    assert not Made(node(privileged), lacking=Abilities(frozenset({"SYS_TIME"})))["privileged"]
    assert Made(node(privileged), lacking=Abilities(devices=frozenset({"/dev/kvm"})))["privileged"]


# -- start-up configurations and licenses ---------------------------------------------------------------------------


def kind_with(**fields):
    return Kind("own", "container", startup_config=StartupConfig(**{"path": "/cfg", **fields}), license_path="/lic/key")


def test_a_configuration_is_the_users_or_the_kinds_or_none():
    kind = kind_with(default="hostname {node}\n")
    assert Made(node(kind)).files == {"/cfg": "hostname r1\n"}
    assert Made(node(kind, startup_config=config("mine\n"))).files == {"/cfg": "mine\n"}
    assert Made(node(kind, suppress_startup_config=True)).files == {}
    assert Made(node(kind, suppress_startup_config=True, startup_config=config("mine\n"))).files == {}
    assert Made(node(kind_with(default=""))).files == {}
    assert Made(node(kind_with(path=""), startup_config=config("mine\n"))).files == {}


def test_a_configuration_that_is_enforced_is_and_others_are_not(tmp_path):
    kind = kind_with(default="x\n")
    assert Made(node(kind, startup_config=config("mine\n"), enforce_startup_config=True)).enforced == {"/cfg"}
    assert Made(node(kind, startup_config=config("mine\n"))).enforced == set()


def test_a_users_own_is_not_searched_for_placeholders_but_has_its_fields_filled_in():
    kind = kind_with(template=True)
    text = (
        'system { host-name {{ .ShortName }}; } {node} {"a":{"b":1}} '
        "{{.MgmtIPv4Address}}/{{ .MgmtIPv4PrefixLength }} {{ .Env.X }} {{ .Kind }}\n"
    )
    made = Made(node(kind, startup_config=config(text), env={"X": "y"}))
    assert not made.problems
    assert made.files == {"/cfg": 'system { host-name r1; } {node} {"a":{"b":1}} 198.51.100.7/24 y own\n'}
    raw = Made(node(kind_with(), startup_config=config("{{ .ShortName }}\n")))
    assert raw.files == {"/cfg": "{{ .ShortName }}\n"}


@pytest.mark.parametrize(
    "field",
    [
        "{{ .Nonsense }}",
        "{{ if .Env }}",
        "{{ if .ShortName }}",
        "{{ if eq .Kind 1 }}x{{ end }}",
        "{{ else }}",
        "{{- end }}",
        "{{ .TLSKey }}",
        "{{ range .Endpoints }}",
        "{{.ShortName | upper}}",
    ],
)
def test_what_cannot_be_filled_in_is_told_with_its_line(tmp_path, field):
    path = tmp_path / "r1.cfg"
    path.write_text(f"hostname\n\n  a {field}\n")
    made = Made(node(kind_with(template=True), startup_config=Bind(str(path), "", local=True)))
    (problem,) = made.problems
    assert (problem.file, problem.line) == (str(path), 3)
    assert problem.what == f"startup-config of node r1: {field.partition('x{{')[0]} cannot be filled in"


def test_bytes_that_are_no_text_are_delivered_as_they_are(tmp_path):
    path = tmp_path / "r1.cfg"
    path.write_bytes(b"\xff{{ .ShortName }}")
    made = Made(node(kind_with(template=True), startup_config=Bind(str(path), "", local=True)))
    assert not made.problems
    assert made.files["/cfg"].encode(errors="surrogateescape") == b"\xff{{ .ShortName }}"


def kind_that(provider="container", commands=(("first", "x"), ("second",)), **readiness):
    return Kind("own", provider, post_boot=commands, readiness=Readiness(**{"timeout": 300, **readiness}))


@pytest.mark.parametrize(
    ("kind", "declared"),
    [
        (kind_that(probe="log", pattern="up", packed_pattern="packed"), ([["first", "x"], ["second"]], 300, "up")),
        (kind_that("vm", probe="log", pattern="up", packed_pattern="packed"), ([], 0, "")),
        (kind_that(probe="tcp", pattern="up"), ([["first", "x"], ["second"]], 300, "")),
        (kind_that(commands=(), probe="log", pattern="up"), ([], 0, "")),
    ],
    ids=["log", "machine", "another probe", "no commands"],
)
def test_commands_of_a_kind_come_when_its_log_shows_that_the_node_is_ready_and_before_the_users(kind, declared):
    made = Made(node(kind, exec=(("mine",),)))
    assert (made["boot_commands"], made["boot_timeout"], made["ready_log"]) == declared
    assert made["exec"] == [["mine"]]


def test_a_part_goes_into_the_default_and_a_whole_one_in_its_place():
    kind = kind_with(default="begin {node}\n{each}\n{partial}\nend\n", each="port {linux}")
    assert Made(node(kind), ["eth1", "eth2"]).files == {"/cfg": "begin r1\nport eth1\nport eth2\nend\n"}
    assert Made(node(kind)).files == {"/cfg": "begin r1\nend\n"}
    assert Made(node(kind, startup_config=config("a\nb\n", "/x/r1.Partial.cfg")), ["eth1"]).files == {
        "/cfg": "begin r1\nport eth1\na\nb\nend\n"
    }
    assert Made(node(kind, startup_config=config("a {node}\n", "/x/r1.cfg")), ["eth1"]).files == {"/cfg": "a {node}\n"}
    plain = kind_with(default="x\n")
    assert Made(node(plain, startup_config=config("a\n", "r1.partial.cfg"))).files == {"/cfg": "a\n"}


def test_a_form_that_the_device_does_not_start_with_is_applied_afterwards():
    kind = kind_with(accepts=r"\s*\{", default="base\n{partial}\n", part_path="/cli", part_apply=("apply", "{node}", "{enforce}"))
    whole = Made(node(kind, startup_config=config(' {"a": 1}\n'), exec=(("mine",),)))
    assert (whole.files, whole["boot_commands"], whole["exec"]) == ({"/cfg": ' {"a": 1}\n'}, [], [["mine"]])
    part = Made(node(kind, startup_config=config("set / a b\n"), exec=(("mine",),)))
    assert (part.files, part["boot_commands"], part["exec"]) == ({"/cli": "base\nset / a b\n"}, [["apply", "r1", ""]], [["mine"]])
    none = Made(node(kind, enforce_startup_config=True))
    assert (none.files, none["boot_commands"], none["exec"]) == ({"/cli": "base\n"}, [["apply", "r1", "1"]], [])


def test_what_is_on_the_server_is_bound_and_not_read():
    own = node(KIND, startup_config=Bind("/srv/r1.cfg", ""), license=Bind("/srv/key", ""))
    made = Made(own)
    assert f"{FOLDER}/flash:/flash" in made["binds"]
    assert {"/srv/r1.cfg:/flash/startup-config", "/srv/key:/lic/key:ro"} <= set(made["binds"])
    assert "/flash/startup-config" not in made.files


def test_a_license_goes_where_the_device_looks_for_it(tmp_path):
    (tmp_path / "key").write_text("secret")
    made = Made(node(KIND, license=Bind(str(tmp_path / "key"), "", local=True)))
    assert made.files["/lic/key"] == "secret"
    assert "/lic/key" in made.own_binds
    gone = Made(node(KIND, license=Bind(str(tmp_path / "gone"), "", local=True)))
    (problem,) = gone.problems
    assert "the license" in problem.what
    assert (problem.file, problem.line) == ("t.clab.yml", 3)


def test_files_of_extras_go_where_the_kind_has_them(tmp_path):
    (tmp_path / "agent.yml").write_text("agent: 1\n")
    ceos = Made(node("ceos", extras={"ceos-copy-to-flash": [str(tmp_path / "agent.yml")], "srl-agents": [str(tmp_path / "agent.yml")]}))
    assert ceos.files["/mnt/flash/agent.yml"] == "agent: 1\n"
    assert not [path for path in ceos.files if "appmgr" in path]
    srl = Made(node("srl", extras={"srl-agents": [str(tmp_path / "agent.yml")]}))
    assert srl.files["/etc/opt/srlinux/appmgr/agent.yml"] == "agent: 1\n"
    assert srl.own_binds == {"/etc/opt/srlinux", "/tmp/topology.yml"}
    assert Made(node("srl", extras={"srl-agents": [str(tmp_path / "gone.yml")]})).problems


def test_configurations_count_for_the_limit(tmp_path):
    (tmp_path / "big").write_bytes(b"x" * 100)
    made = Made(node(KIND, license=Bind(str(tmp_path / "big"), "", local=True)))
    assert made.reader.total >= 100
    made.reader.limit = 10
    made.reader.check_limit("t")
    assert made.problems


# -- types, numbers, addresses --------------------------------------------------------------------------------------


TYPED = Kind(
    "own",
    "container",
    type="small",
    boot=Boot(
        types={"small": {"card": "1"}, "x-big": {"card": "2", "fast": "1"}, "l2": {"image": "l2"}},
        env={"CARD": "{card}", "FAST": "{?fast}yes", "TYPE": "{type}"},
    ),
)


@pytest.mark.parametrize(
    ("asked", "image", "env"),
    [
        ("", "x:1", {"CARD": "1", "TYPE": "small"}),
        ("x-big", "x:1", {"CARD": "2", "FAST": "yes", "TYPE": "x-big"}),
        ("XBIG", "x:1", {"CARD": "2", "FAST": "yes", "TYPE": "XBIG"}),
        ("", "repo/vios-L2:1", {"CARD": "", "TYPE": "l2"}),
        ("", "l2/repo:1", {"CARD": "1", "TYPE": "small"}),
        ("small", "l2:1", {"CARD": "1", "TYPE": "small"}),
    ],
)
def test_types_have_placeholders_of_their_own(asked, image, env):
    made = Made(node(TYPED, type=asked, image=image))
    assert not made.problems
    assert made["env"] == env


def test_a_type_that_the_kind_has_not_is_told():
    (problem,) = Made(node(TYPED, type="smal")).problems
    assert problem.what == 'node r1: kind own has no type "smal"'
    assert problem.remedy == 'Did you mean "small"? It has l2, small, x-big'


def test_numbers_are_the_nodes_own_whoever_else_comes():
    nodes = {f"r{place}": node(KIND, name=f"r{place}") for place in range(200)}
    numbers = numbers_of(nodes, "lab")
    assert len(set(numbers.values())) == 200
    assert all(NUMBERS[0] <= one <= NUMBERS[1] for one in numbers.values())
    few = {name: nodes[name] for name in ("r1", "r2", "r3")}
    more = {**few, "z": node(KIND, name="z"), "a": node(TYPED, name="a")}
    assert numbers_of(few, "lab").items() <= numbers_of(more, "lab").items()
    many = {f"r{place}": node(KIND, name=f"r{place}") for place in range(1100)}
    assert len(set(numbers_of(many, "lab").values())) == 1023


@pytest.mark.parametrize(
    ("management", "text"),
    [
        (MANAGED, "198.51.100.7/24 255.255.255.0 198.51.100.1 198.51.100.0/24 2001:db8::7/64 2001:db8::1 2001:db8::/64 02:00:00:00:00:07"),
        (ONLY_IPV4, "198.51.100.7/24 255.255.255.0 198.51.100.1 198.51.100.0/24 /   02:00:00:00:00:07"),
        (None, "/    /   "),
    ],
)
def test_management_addresses(management, text):
    written = (
        "{mgmt_ipv4}/{mgmt_ipv4_prefix} {mgmt_ipv4_netmask} {mgmt_ipv4_gateway} {mgmt_ipv4_subnet} "
        "{mgmt_ipv6}/{mgmt_ipv6_prefix} {mgmt_ipv6_gateway} {mgmt_ipv6_subnet} {mgmt_mac}"
    )
    made = Made(node(Kind("own", "container", boot=Boot(env={"A": written}))), management=management)
    assert made["env"] == {"A": text}


def test_credentials_are_the_nodes_or_the_kinds():
    kind = dataclasses.replace(KIND, boot=Boot(env={"A": "{username}:{password}"}))
    assert Made(node(kind))["env"] == {"A": ":"}
    assert Made(node(kind, credentials=("me", "pw{node}")))["env"] == {"A": "me:pw{node}"}


def test_it_is_the_same_every_time():
    one, other = Made(node(KIND), interfaces=PORTS), Made(node(KIND), interfaces=PORTS)
    assert one.declared == other.declared


@pytest.mark.parametrize(("mode", "kept"), [("", True), ("none", True), ("host", False), ("node:r2", False), ("container:web", False)])
def test_a_kinds_sysctls_of_the_network_are_for_nodes_that_have_a_network_of_their_own(mode, kept):
    kind = Kind("own", "container", boot=Boot(sysctls={"net.ipv4.ip_forward": "1", "kernel.msgmax": "9000"}))
    made = Made(node(kind, network_mode=mode, sysctls={"net.ipv4.tcp_ecn": "1"}))
    assert ("net.ipv4.ip_forward" in made["sysctls"]) is kept
    assert {"kernel.msgmax", "net.ipv4.tcp_ecn"} <= set(made["sysctls"])
