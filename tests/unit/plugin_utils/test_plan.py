# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan: its shape, the slices as the servers read them, MTUs, files, and all that is found before a server is touched."""

from __future__ import annotations

import base64
import json
import os
import time
from dataclasses import asdict, fields, replace

import pytest
from ansible.errors import AnsibleError
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.testing import patch_module_args
from ansible.plugins.loader import lookup_loader

from ansible_collections.archetype.lab.plugins.module_utils import _argspec as spec
from ansible_collections.archetype.lab.plugins.module_utils import _declared
from ansible_collections.archetype.lab.plugins.module_utils._declared import Declared
from ansible_collections.archetype.lab.plugins.plugin_utils._errors import LabFileError
from ansible_collections.archetype.lab.plugins.plugin_utils._lean import CONTAINER, PORT, whole
from ansible_collections.archetype.lab.plugins.plugin_utils._model import Bind, Management, PublishedPort
from ansible_collections.archetype.lab.plugins.plugin_utils._plan import ServerFacts, make_plan
from ansible_collections.archetype.lab.tests.unit.plugin_utils.planning import (
    lab_file,
    link,
    node,
    nothing_observed,
    observed_after,
    random_links,
    servers,
    shuffled,
    topology,
)

PINS = {"a": "srv1", "b": "srv1", "c": "srv2", "d": "srv3"}
LOCAL = link("a:eth1", "b:eth1")
CROSS = link("a:eth2", "c:eth1")
SEGMENT = link("a:eth3", "c:eth2", "d:eth1", segment="lan")
MADE = topology([LOCAL, CROSS, SEGMENT])


def plan_of(made=MADE, facts=None, observed=None, **lab):
    return make_plan(
        lab_file(made, **{"pins": {name: PINS[name] for name in made.nodes if name in PINS}, **lab}), facts or servers(3), observed or {}
    )


def measured(mtu, facts=None, **claims):
    """Every server has measured this MTU to every other."""
    facts = facts or servers(3)
    return {name: nothing_observed(mtu={one.address: mtu for one in facts.values() if one != facts[name]}, **claims) for name in facts}


def problems_of(*arguments, **keywords):
    with pytest.raises(LabFileError) as error:
        plan_of(*arguments, **keywords)
    return str(error.value)


def test_shape_of_the_plan():
    plan = plan_of(lock_file="x.lock.yml")
    assert set(plan) == {
        "format", "lab", "lock_file", "bridge", "overlay_mode", "device_group", "placement", "nodes", "links", "management", "waves",
        "slices", "notes",
    }  # fmt: skip
    assert set(plan["nodes"]["a"]) == {
        "kind", "type", "server", "container", "sandbox", "domain", "image", "shell", "console", "interfaces", "management",
    }  # fmt: skip
    assert set(plan["nodes"]["a"]["interfaces"][0]) == {"name", "vendor_name", "link", "port", "mac", "mtu"}
    assert plan["nodes"]["a"]["shell"] == "docker exec -it clab-x-a sh"
    cross = plan["links"][CROSS.key]
    assert set(cross) == {
        "type", "far", "proof", "probe", "enabled", "servers", "segment", "scope", "mtu", "asked_mtu", "vni", "tags", "tunnels",
        "endpoints",
    }  # fmt: skip
    assert (cross["type"], cross["far"], cross["proof"], cross["probe"]) == ("veth", None, "frames", "full")
    assert cross["servers"] == ["srv1", "srv2"]
    assert cross["scope"] == "cross"
    assert set(cross["tags"]) == set(cross["tunnels"]) == {"srv1", "srv2"}
    assert set(cross["endpoints"][0]) == {"node", "interface", "server", "port", "mac"}
    local = plan["links"][LOCAL.key]
    assert (local["scope"], local["vni"], local["tunnels"]) == ("local", None, {})
    assert plan["links"]["segment:lan"]["segment"] == "lan"
    assert json.loads(json.dumps(plan)) == plan


@pytest.mark.parametrize("managed", [False, True])
@pytest.mark.parametrize("mode", ["per_link", "shared"])
def test_slices_are_what_servers_read_field_by_field(mode, managed, tmp_path):
    (tmp_path / "conf").write_text("x")
    bound = node(
        "a", cmd=("sleep", "1"), env={"K": "v"}, exec=(("ip", "a"),), memory=2**20, cpu=0.5,
        binds=(Bind(str(tmp_path / "conf"), "/etc/conf", "ro", local=True),), ports=(PublishedPort(8080, 80),),
    )  # fmt: skip
    made = replace(MADE, nodes={**MADE.nodes, "a": bound}, management=Management(enabled=managed))
    for given in plan_of(made, overlay_mode=mode)["slices"].values():
        declared = completed(given)
        assert bool(declared["management"]) == managed
        read = Declared.from_params(declared)
        of_runs = {"hold": [], "taken_back": []}  # of the run that declares it, not of the plan
        assert json.loads(json.dumps(asdict(read))) == {**declared, **of_runs}
        for layer, cls in (("containers", "Container"), ("ports", "Port"), ("tunnels", "Tunnel"), ("links", "Link")):
            for one in declared[layer]:
                assert set(one) == {field.name for field in fields(getattr(_declared, cls))}
        _validate(given, declared)


def completed(declared):
    """A slice with all that servers take for granted; what they do must not be in it."""
    for layer, defaults in (("containers", CONTAINER), ("ports", PORT)):
        assert not [key for one in declared[layer] for key, value in one.items() if key in defaults and defaults[key] == value]
    return {
        **declared,
        "containers": [whole(one, CONTAINER) for one in declared["containers"]],
        "ports": [whole(one, PORT) for one in declared["ports"]],
    }


def _validate(given, declared):
    """Through the argument specs of the modules, strictly: nothing unknown, nothing missing, nothing changed but what is left out."""

    def layer(options):
        return {"type": "list", "elements": "dict", "options": options}

    wanted = {
        "lab": {"type": "str"}, "server": {"type": "str"}, "device_group": {"type": "int"},
        "bridge": {"type": "dict", "options": spec.bridge_options()},
        "containers": layer(spec.container_options()), "ports": layer(spec.port_options()),
        "tunnels": layer(spec.tunnel_options()), "links": layer(spec.link_options()),
        "management": {"type": "dict", "options": spec.management_options()},
        "vms": layer(spec.vm_options()), "access": layer(spec.access_options()),
    }  # fmt: skip
    for arguments in (given, declared):
        with patch_module_args(arguments):
            assert AnsibleModule(argument_spec=wanted).params == declared


def test_the_bridge_is_the_default_of_the_servers():
    assert plan_of()["bridge"] == asdict(_declared.Bridge())


def test_per_link_tunnels_reach_all_other_servers_of_the_link():
    plan = plan_of(observed=measured(1500))
    cross = plan["links"][CROSS.key]
    tunnels = {tunnel["link"]: tunnel for tunnel in plan["slices"]["srv1"]["tunnels"]}
    assert tunnels[CROSS.key] == {
        "name": cross["tunnels"]["srv1"], "vni": cross["vni"], "local": "198.18.0.1", "remotes": ["198.18.0.2"], "mtu": 1450,
        "link": CROSS.key, "tag": cross["tags"]["srv1"], "links": [], "dst_port": 4789, "group": plan["device_group"],
    }  # fmt: skip
    assert tunnels["segment:lan"]["remotes"] == ["198.18.0.2", "198.18.0.3"]
    assert [one["link"] for one in plan["slices"]["srv3"]["tunnels"]] == ["segment:lan"]


def test_shared_tunnels_carry_the_links_of_a_pair_and_leave_room_for_the_tag():
    made = topology([LOCAL, CROSS, link("b:eth2", "c:eth3"), SEGMENT])
    plan = plan_of(made, overlay_mode="shared", observed=measured(1500))
    shared, own = sorted(plan["slices"]["srv2"]["tunnels"], key=lambda one: one["link"])
    assert [one["key"] for one in shared["links"]] == [CROSS.key, "b:eth2--c:eth3"]
    assert [one["tag"] for one in shared["links"]] == [plan["links"][one["key"]]["tags"]["srv1"] for one in shared["links"]]
    assert (shared["link"], shared["tag"], shared["mtu"], shared["remotes"]) == ("", None, 1450, ["198.18.0.1"])
    assert (own["link"], own["links"], len(own["remotes"])) == ("segment:lan", [], 2)
    assert {link["mtu"] for key, link in plan["links"].items() if key != LOCAL.key} == {1446}
    assert plan["links"][CROSS.key]["vni"] == plan["links"]["b:eth2--c:eth3"]["vni"] == shared["vni"]


def test_a_server_without_nodes_has_an_empty_slice_so_that_what_is_there_goes():
    declared = plan_of(topology([LOCAL]))["slices"]["srv3"]
    assert [declared[layer] for layer in ("containers", "ports", "tunnels", "links")] == [[], [], [], []]


# MTU


@pytest.mark.parametrize(("path", "mode", "wanted"), [(1500, "per_link", 1450), (9000, "per_link", 8950), (1500, "shared", 1446)])
def test_mtu_of_links_between_servers_is_what_the_overlay_carries(path, mode, wanted):
    plan = plan_of(observed=measured(path), overlay_mode=mode)
    assert plan["links"][CROSS.key]["mtu"] == wanted
    assert plan["links"][LOCAL.key]["mtu"] == 9500
    assert {port["mtu"] for port in plan["slices"]["srv2"]["ports"]} == {wanted}
    assert plan["notes"] == []


def test_mtu_over_ipv6_leaves_room_for_the_larger_header():
    facts = {f"srv{number}": ServerFacts(f"2001:db8::{number}") for number in (1, 2, 3)}
    assert plan_of(facts=facts, observed=measured(1500, facts))["links"][CROSS.key]["mtu"] == 1430


def test_an_mtu_of_the_file_that_is_lowered_is_told_and_one_that_fits_is_kept():
    made = topology([link("a:eth1", "c:eth1", mtu=9000), link("a:eth2", "c:eth2", mtu=1400), link("a:eth3", "b:eth3", mtu=9000)])
    plan = plan_of(made, observed=measured(1500))
    assert [one["mtu"] for one in plan["links"].values()] == [1450, 1400, 9000]
    assert plan["notes"] == ["link a:eth1--c:eth1: MTU 9000 is lowered to 1450, what a tunnel between srv1 and srv2 carries"]
    assert {tunnel["mtu"] for tunnel in plan["slices"]["srv1"]["tunnels"]} == {1450}


def test_the_narrowest_pair_limits_a_segment_and_only_what_crosses_it():
    observed = measured(9000)
    observed["srv3"]["underlay"]["mtu"]["198.18.0.2"] = 1400
    plan = plan_of(observed=observed)
    assert plan["links"]["segment:lan"]["mtu"] == 1350
    assert plan["links"][CROSS.key]["mtu"] == 8950


def test_without_measurement_1500_is_assumed_and_told():
    plan = plan_of(topology([CROSS]))
    assert plan["links"][CROSS.key]["mtu"] == 1450
    assert plan["notes"] == ["the path MTU was not measured between srv1 and srv2; 1500 is assumed"]


# addresses


@pytest.mark.parametrize(
    ("addresses", "said"),
    [
        (
            ["127.0.0.1", "198.18.0.2"],
            "the underlay address of server srv1 is 127.0.0.1, a loopback address. Set lab_underlay_address of srv1",
        ),
        (["198.18.0.1", "::1"], "the underlay address of server srv2 is ::1, a loopback address"),
        (["198.18.0.1", "2001:db8::2"], "underlay addresses of both IPv4 (srv1) and IPv6 (srv2). Set lab_underlay_address to one family"),
        (["198.18.0.1", "198.18.0.1"], "servers srv1 and srv2 have the same underlay address 198.18.0.1"),
        (["198.18.0.1", "host.example"], "the underlay address of server srv2 is host.example, a name. Set lab_underlay_address"),
        (["198.18.0.1", ""], "server srv2 has no underlay address. Set lab_underlay_address"),
    ],
)
def test_addresses_that_cannot_be_used(addresses, said):
    facts = {f"srv{number}": ServerFacts(address) for number, address in enumerate(addresses, 1)}
    assert said in problems_of(topology([CROSS]), facts)


@pytest.mark.parametrize("address", ["127.0.0.1", "", "localhost"])
def test_one_server_needs_no_address(address):
    plan = make_plan(lab_file(MADE), {"only": ServerFacts(address)}, {})
    assert plan["slices"]["only"]["tunnels"] == []
    assert {one["mtu"] for one in plan["links"].values()} == {9500}


def test_a_name_is_resolved_by_what_the_server_says_of_itself():
    facts = {"srv1": ServerFacts("198.18.0.1"), "srv2": ServerFacts("host.example")}
    observed = {name: nothing_observed() for name in facts}
    observed["srv2"]["underlay"]["address"] = "198.18.0.2"
    assert plan_of(topology([CROSS]), facts, observed)["slices"]["srv1"]["tunnels"][0]["remotes"] == ["198.18.0.2"]


# files


def with_binds(*binds):
    return topology([LOCAL], nodes=[node("a", binds=binds)])


def test_files_and_folders_beside_the_topology_travel_in_the_slice(tmp_path):
    folder = tmp_path / "conf"
    (folder / "sub").mkdir(parents=True)
    (folder / "frr.conf").write_bytes(b"\x00\xff")
    (folder / "sub" / "run.sh").write_text("#!/bin/sh\n")
    (folder / "sub" / "run.sh").chmod(0o755)
    (folder / "key").write_text("secret\n")
    (folder / "key").chmod(0o600)
    (folder / "loop").symlink_to(folder)
    (tmp_path / "daemons").write_text("bgpd=yes\n")
    made = with_binds(
        Bind(str(tmp_path / "daemons"), "/etc/frr/daemons", local=True),
        Bind(str(folder), "/etc/frr", "ro", local=True),
        Bind("/lib/modules", "/lib/modules"),
    )
    container = plan_of(made)["slices"]["srv1"]["containers"][0]
    base = "/var/lib/archetype-lab/x/files/a/etc/frr"
    assert container["binds"] == [f"{base}:/etc/frr:ro", f"{base}/daemons:/etc/frr/daemons", "/lib/modules:/lib/modules"]
    files = {one["path"]: (base64.b64decode(one["content"]), one["mode"]) for one in container["files"]}
    assert files == {
        f"{base}/daemons": (b"bgpd=yes\n", "0644"),
        f"{base}/frr.conf": (b"\x00\xff", "0644"),
        f"{base}/key": (b"secret\n", "0600"),
        f"{base}/sub/run.sh": (b"#!/bin/sh\n", "0755"),
    }


def test_the_bind_of_a_file_wins_over_the_same_file_in_a_folder_around_it(tmp_path):
    (tmp_path / "frr").mkdir()
    (tmp_path / "frr" / "daemons").write_text("folder")
    (tmp_path / "own").write_text("own")
    made = with_binds(Bind(str(tmp_path / "own"), "/etc/frr/daemons", local=True), Bind(str(tmp_path / "frr"), "/etc/frr", local=True))
    (file,) = plan_of(made)["slices"]["srv1"]["containers"][0]["files"]
    assert base64.b64decode(file["content"]) == b"own"


def test_a_target_that_climbs_stays_in_its_folder(tmp_path):
    (tmp_path / "f").write_text("x")
    (file,) = plan_of(with_binds(Bind(str(tmp_path / "f"), "/../../../../etc/passwd", local=True)))["slices"]["srv1"]["containers"][0][
        "files"
    ]
    assert file["path"] == "/var/lib/archetype-lab/x/files/a/etc/passwd"


def test_what_cannot_be_read_is_told_with_node_and_place(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    made = with_binds(Bind(str(tmp_path / "none"), "/n", local=True), Bind(str(tmp_path / "pipe"), "/p", local=True))
    said = problems_of(made)
    assert f"x.clab.yml:3:1: node a: the bind source {tmp_path}/none cannot be read: No such file or directory" in said
    assert f"{tmp_path}/pipe cannot be read: it is neither a file nor a folder" in said


def test_files_beyond_the_limit_are_refused(tmp_path):
    (tmp_path / "big").write_bytes(bytes(3 * 2**20))
    said = problems_of(with_binds(*(Bind(str(tmp_path / "big"), f"/{number}", local=True) for number in range(3))))
    assert "the files that nodes bind are 9.0 MiB, more than the 8 MiB that travel with a run. Put the large ones on the servers" in said


# preflight


def test_everything_that_is_wrong_on_servers_is_told_at_once():
    made = topology([LOCAL, CROSS], nodes=[node("a", binds=(Bind("/srv/data", "/data"),))])
    observed = measured(1500)
    for server in ("srv1", "srv2"):
        observed[server].update(images={"img": None}, binds={"/srv/data": False})
    observed["srv2"]["claims"]["containers"] = {"clab-x-c-sandbox": "foreign (no archetype-lab mark)"}
    observed["srv3"] = {"unreachable": True, "msg": "Connection refused"}
    said = problems_of(made, observed=observed)
    for line in (
        "x.lab.yml: server srv3 cannot be reached: Connection refused",
        "x.clab.yml:3:1: server srv1 has no image img, which node a needs. Load it there",
        "x.clab.yml:3:1: server srv2 has no image img, which node c needs",
        "x.clab.yml:3:1: server srv1 has no /srv/data, which node a binds to /data",
        "server srv2 has a container clab-x-c-sandbox already, which node c needs: foreign",
    ):
        assert line in said
    assert "server srv2 has no /srv/data" not in said


@pytest.mark.parametrize("result", [None, {}, {"failed": True, "msg": "no ovs"}, {"msg": "no ovs", "failed": False}, {"observed": None}])
def test_a_server_that_was_not_observed_is_not_taken_for_an_empty_one(result):
    observed = measured(1500)
    observed["srv2"] = result
    assert "server srv2 could not be observed" in problems_of(observed=observed)


def test_every_reason_why_a_server_could_not_be_observed_comes_with_what_to_do():
    observed = measured(1500)
    address = "198.18.0.1"
    observed["srv1"] = {"unreachable": True, "msg": "Task failed: no route to host."}
    observed["srv2"] = {
        "msg": "both; at once",
        "errors": [
            {"msg": "dockerd does not answer", "hint": "start it", "objects": []},
            {"msg": f"srv2 gets no answer from {address}", "hint": "see that it is up", "objects": [address]},
        ],
    }
    observed["srv3"] = {"msg": "The interpreter was not found."}
    remedy = "Prepare it with archetype.lab.prepare_servers; where sudo asks for a password, add --ask-become-pass"
    assert problems_of(observed=observed).splitlines() == [
        "x.lab.yml: server srv1 cannot be reached: no route to host. See that it is up and reachable by SSH",
        "x.lab.yml: server srv2 could not be observed: dockerd does not answer. Start it",
        f"x.lab.yml: server srv3 could not be observed: The interpreter was not found. {remedy}",
    ]


def test_a_plan_for_looking_only_goes_on_without_a_server():
    observed = measured(1500)
    whole = plan_of(observed=observed)
    observed["srv1"] = {"unreachable": True, "msg": "no route to host"}
    part = make_plan(lab_file(MADE, pins=PINS), servers(3), observed, complete=False)
    assert part["links"] == whole["links"]
    assert part["placement"] == whole["placement"]


def test_a_module_that_crashed_is_told_from_a_server_that_is_not_prepared():
    observed = measured(1500)
    observed["srv2"] = {"changed": False, "failed": False, "failed_when_suppressed_exception": "(traceback unavailable)"}
    assert "server srv2 could not be observed: it crashed; with ANSIBLE_DISPLAY_TRACEBACK=error" in problems_of(observed=observed)


def test_the_result_of_the_module_is_as_good_as_the_state_in_it():
    observed = measured(1500)
    wrapped = {server: {"changed": False, "observed": state} for server, state in observed.items()}
    assert plan_of(observed=wrapped) == plan_of(observed=observed)


def test_containers_of_the_lab_have_names_of_their_own():
    made = topology([link("a:eth1", "a-sandbox:eth1")])
    assert "node a-sandbox and the sandbox of node a would both be container clab-x-a-sandbox" in problems_of(made)


def test_problems_of_allocation_and_preflight_come_together():
    observed = measured(1500)
    observed["srv1"]["images"] = {"img": None}
    observed["srv1"]["claims"]["tags"] = {"100": "lab other"}
    said = problems_of(topology([LOCAL]), observed=observed, local_tags=(100, 100))
    assert "has no image img" in said
    assert "server srv1 has no tag left: 1 links want one of 100-100 (1 tags, 1 of them in use by others)" in said


# steadiness


def test_nodes_stay_where_they_run():
    before = plan_of(pins={"a": "srv3"})
    after = plan_of(topology([LOCAL, CROSS, SEGMENT, link("e:eth1", "f:eth1")]), observed=observed_after(before), pins={})
    assert before["placement"].items() <= after["placement"].items()


def test_a_node_that_has_two_containers_stays_where_it_runs():
    observed = measured(1500)
    for server, status in (("srv1", "exited"), ("srv2", "running"), ("srv3", "running")):
        observed[server]["containers"] = [{"lab": "x", "name": "clab-x-a", "node": "a", "status": status}]
    assert plan_of(observed=observed, pins={})["placement"]["a"] == "srv2"


def test_same_inputs_give_the_same_bytes():
    one, other = (json.dumps(plan_of(made, observed=measured(1500))) for made in (MADE, shuffled(MADE, 3)))
    assert one == other


def test_segments_with_one_endpoint_or_none_are_planned():
    plan = plan_of(topology([link("a:eth1", segment="one"), link(segment="none"), LOCAL]))
    assert plan["links"]["segment:none"]["tags"] == {}
    assert set(plan["links"]["segment:one"]["tags"]) == {"srv1"}


def test_a_large_lab_is_planned_in_seconds():
    made = topology(random_links(2_000, 1_000, 1))
    begin = time.process_time()
    plan = make_plan(lab_file(made), servers(10), {})
    assert time.process_time() - begin < 5
    assert len(plan["links"]) == 2_000


# the lookup


@pytest.fixture
def on_disk(tmp_path):
    (tmp_path / "demo.clab.yml").write_text(
        "name: demo\ntopology:\n  nodes:\n    a: {kind: linux, image: img}\n    b: {kind: linux, image: img}\n"
        "  links:\n    - endpoints: ['a:eth1', 'b:eth1']\n"
    )
    path = tmp_path / "demo.lab.yml"
    path.write_text("plugin: archetype.lab.topology\ntopology: demo.clab.yml\nservers: lab_servers\n")
    return path


def test_the_lookup_gives_one_plan(on_disk):
    lookup = lookup_loader.get("archetype.lab.plan")
    (plan,) = lookup.run([str(on_disk)], {}, servers={"srv1": "198.18.0.1", "srv2": "198.18.0.2"})
    assert plan["lab"] == "demo"
    assert set(plan["placement"]) == {"a", "b"}
    assert plan["lock_file"] == str(on_disk.with_name("demo.lock.yml"))


def test_the_lookup_tells_every_problem(on_disk):
    lookup = lookup_loader.get("archetype.lab.plan")
    with pytest.raises(AnsibleError) as error:
        lookup.run([str(on_disk)], {}, servers={"srv1": "127.0.0.1", "srv2": "::1"})
    assert "127.0.0.1, a loopback address" in str(error.value)
    assert "::1, a loopback address" in str(error.value)
