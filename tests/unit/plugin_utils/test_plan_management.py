# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The management network in a plan: a segment like any other, with the servers themselves in it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from ansible_collections.archetype.lab.plugins.plugin_utils._declare_management import join
from ansible_collections.archetype.lab.plugins.plugin_utils._errors import LabFileError
from ansible_collections.archetype.lab.plugins.plugin_utils._identifiers import management_name
from ansible_collections.archetype.lab.plugins.plugin_utils._inventory import management_addresses
from ansible_collections.archetype.lab.plugins.plugin_utils._lean import PORT, whole
from ansible_collections.archetype.lab.plugins.plugin_utils._management import make_network
from ansible_collections.archetype.lab.plugins.plugin_utils._model import Bind, Far, Management, PublishedPort
from ansible_collections.archetype.lab.plugins.plugin_utils._placement import read_lock, render_lock
from ansible_collections.archetype.lab.plugins.plugin_utils._plan import make_plan
from ansible_collections.archetype.lab.tests.unit.plugin_utils.planning import (
    lab_file,
    link,
    node,
    nothing_observed,
    observed_after,
    servers,
    shuffled,
    topology,
)

SUBNET = "198.51.100.0/24"
PINS = {"a": "srv1", "b": "srv1", "c": "srv2", "d": "srv3"}
DEVICE = {server: management_name("x", server) for server in ("srv1", "srv2", "srv3")}


def lab_of(*nodes, links=(), **management):
    named = {one.name for one in nodes}
    given = [*nodes, *(node(name) for name in PINS if name not in named)]
    return topology(links, nodes=given, management=Management(**{"ipv4_subnet": SUBNET, "ipv6_subnet": "3fff:1::/64", **management}))


def plan_of(made, observed=None, **options):
    return make_plan(lab_file(made, pins=PINS, **options), servers(3), observed or {})


def problems_of(made, observed=None, **options):
    with pytest.raises(LabFileError) as caught:
        plan_of(made, observed, **options)
    return str(caught.value)


def observed_with(**claims):
    return {server: nothing_observed(**(claims if server == "srv1" else {})) for server in DEVICE}


def ports_of(plan, server):
    return {f"{one['node']}:{one['interface']}": whole(one, PORT) for one in plan["slices"][server]["ports"]}


def test_it_is_a_segment_over_all_servers_with_each_of_them_in_it():
    plan = plan_of(lab_of(node("a", mgmt_ipv4="198.51.100.10")))
    segment = plan["links"]["management"]
    assert (segment["scope"], segment["segment"], segment["mtu"]) == ("cross", "management", 1450)
    ends = {f"{one['node']}:{one['interface']}" for one in segment["endpoints"]}
    assert ends == {f"{name}:eth0" for name in PINS} | {f"server {server}:{device}" for server, device in DEVICE.items()}
    assert set(segment["tags"]) == set(segment["tunnels"]) == set(DEVICE)
    assert {len(one["remotes"]) for server in DEVICE for one in plan["slices"][server]["tunnels"]} == {2}
    assert plan["placement"] == PINS
    assert json.loads(json.dumps(plan)) == plan


def test_nodes_have_addresses_and_their_own_servers_as_gateways():
    plan = plan_of(lab_of(node("a", mgmt_ipv4="198.51.100.10")))
    gateways = plan["management"]["gateways"]
    assert gateways["srv1"] == {"ipv4": "198.51.100.1", "ipv6": "3fff:1::1"}
    assert {one["ipv4"] for one in gateways.values()} == {"198.51.100.1", "198.51.100.253", "198.51.100.254"}
    for name, server in PINS.items():
        port, own = ports_of(plan, server)[f"{name}:eth0"], plan["management"]["nodes"][name]
        assert port["addresses"] == [f"{own['ipv4']}/24", f"{own['ipv6']}/64"]
        assert port["routes"] == [{"to": "default", "via": gateways[server][family]} for family in ("ipv4", "ipv6")]
        assert port["sandbox"] == f"clab-x-{name}-sandbox"
    own = ports_of(plan, "srv2")[f"server srv2:{DEVICE['srv2']}"]
    assert (own["device"], own["sandbox"], own["interface"]) == ("veth", "", DEVICE["srv2"])
    assert own["addresses"] == [f"{gateways['srv2']['ipv4']}/24", f"{gateways['srv2']['ipv6']}/64"]
    assert own["routes"] == []


def test_the_node_of_the_plan_tells_its_management_apart_from_its_interfaces():
    plan = plan_of(lab_of(links=[link("a:eth1", "c:eth1")]))
    found = plan["nodes"]["a"]
    assert [one["name"] for one in found["interfaces"]] == ["eth1"]
    assert found["management"] == {
        "interface": "eth0",
        "port": ports_of(plan, "srv1")["a:eth0"]["name"],
        "mac": ports_of(plan, "srv1")["a:eth0"]["mac"],
        **plan["management"]["nodes"]["a"],
    }
    container = next(one for one in plan["slices"]["srv1"]["containers"] if one["node"] == "a")
    assert container["interfaces"] == ["eth0", "eth1"]


def test_placement_does_not_see_it():
    apart = topology([], nodes=[node(f"n{number}") for number in range(9)], management=Management())
    plan = make_plan(lab_file(apart), servers(3), {})
    alone = make_plan(lab_file(replace(apart, management=Management(enabled=False))), servers(3), {})
    assert plan["placement"] == alone["placement"]


def test_a_server_without_a_node_has_no_part_of_it():
    made = topology([], nodes=[node("a"), node("b")], management=Management())
    plan = make_plan(lab_file(made, pins={"a": "srv1", "b": "srv3"}), servers(3), {})
    assert sorted(plan["management"]["gateways"]) == ["srv1", "srv3"]
    assert plan["slices"]["srv2"]["management"] is None
    assert plan["slices"]["srv2"]["ports"] == plan["slices"]["srv2"]["tunnels"] == []


def test_on_one_server_it_needs_no_tunnel():
    made = topology([], nodes=[node("a"), node("b")], management=Management(mtu=1400))
    plan = make_plan(lab_file(made), servers(1), {})
    assert (plan["links"]["management"]["scope"], plan["links"]["management"]["mtu"]) == ("local", 1400)
    assert plan["slices"]["srv1"]["tunnels"] == []


def test_without_it_there_is_nothing_of_it():
    plan = plan_of(lab_of(links=[link("a:eth1", "c:eth1")], enabled=False))
    assert plan["management"] is None
    assert list(plan["links"]) == ["a:eth1--c:eth1"]
    assert {one["management"] for one in plan["slices"].values()} == {None}
    assert not any(
        "hosts" in bind for one in plan["slices"].values() for container in one["containers"] for bind in container.get("binds", ())
    )


def test_everybody_is_in_the_hosts_file_and_everybody_has_it():
    shared = node("b", network_mode="node:a", shares="clab-x-a", aliases=("web",))
    own = node("d", binds=(Bind("/srv/hosts", "/etc/hosts"),))
    plan = plan_of(lab_of(shared, own, node("c", hostname="core")))
    own_of = plan["management"]["nodes"]
    hosts = plan["slices"]["srv1"]["management"]["hosts"]
    assert hosts == plan["slices"]["srv3"]["management"]["hosts"]
    names = {}
    for one in hosts:
        names.setdefault(tuple(one["names"]), []).append(one["address"])
    assert names == {
        ("a", "clab-x-a"): list(own_of["a"].values()),
        ("b", "clab-x-b", "web"): list(own_of["a"].values()),
        ("core", "c", "clab-x-c"): list(own_of["c"].values()),
        ("d", "clab-x-d"): list(own_of["d"].values()),
    }
    binds = {one["node"]: one["binds"] for part in plan["slices"].values() for one in part["containers"]}
    assert binds["a"] == binds["b"] == ["/var/lib/archetype-lab/x/hosts:/etc/hosts:ro"]
    assert binds["d"] == ["/srv/hosts:/etc/hosts"]


def test_ports_are_published_by_the_server_of_their_node():
    plan = plan_of(lab_of(node("a", ports=(PublishedPort(8080, 80), PublishedPort(53, 53, "udp", "198.51.7.1"))), external_access=True))
    declared = plan["slices"]["srv1"]["management"]
    target = plan["management"]["nodes"]["a"]["ipv4"]
    assert declared["ports"] == [
        {"server_port": 8080, "node_port": 80, "protocol": "tcp", "address": "", "target": target},
        {"server_port": 53, "node_port": 53, "protocol": "udp", "address": "198.51.7.1", "target": target},
    ]
    assert (declared["device"], declared["subnets"], declared["masquerade"]) == (DEVICE["srv1"], [SUBNET, "3fff:1::/64"], True)
    assert plan["slices"]["srv2"]["management"]["ports"] == []
    assert plan["management"]["external_access"] is True


def test_a_port_of_an_ipv6_address_leads_to_one():
    plan = plan_of(lab_of(node("a", ports=(PublishedPort(80, 80, "tcp", "3fff::5"),))))
    assert plan["slices"]["srv1"]["management"]["ports"][0]["target"] == plan["management"]["nodes"]["a"]["ipv6"]
    said = problems_of(lab_of(node("a", ports=(PublishedPort(80, 80, "tcp", "3fff::5"),)), ipv6_subnet=""))
    assert "node a publishes tcp port [3fff::5]:80, but has no management address of that family" in said


def test_one_port_of_a_server_is_published_once():
    twice = (node("a", ports=(PublishedPort(80, 80),)), node("b", ports=(PublishedPort(80, 8080, "tcp", "198.51.7.1"),)))
    assert "nodes a and b both publish tcp port 198.51.7.1:80 of server srv1" in problems_of(lab_of(*twice))
    plan_of(lab_of(twice[0], node("b", ports=(PublishedPort(80, 80, "udp"),)), node("c", ports=(PublishedPort(80, 80),))))


def test_ports_that_lead_nowhere_are_told():
    plan = plan_of(lab_of(node("a", network_mode="host", ports=(PublishedPort(80, 80),))))
    assert "node a: ports are not published, as it has no management interface" in plan["notes"]


def test_a_link_into_the_network_is_an_end_of_it():
    joining = replace(link("a:eth3"), far=Far("mgmt-net", interface="x"))
    plan = plan_of(lab_of(links=[joining]))
    assert list(plan["links"]) == ["management"]
    port = ports_of(plan, "srv1")["a:eth3"]
    assert (port["link"], port["addresses"], port["routes"]) == ("management", [], [])
    assert [one["name"] for one in plan["nodes"]["a"]["interfaces"]] == ["eth3"]
    assert "needs the management network, which is off" in problems_of(lab_of(links=[joining], enabled=False))


def test_a_link_cannot_use_the_management_interface():
    assert "a link uses a:eth0, which is the interface of the management network" in problems_of(lab_of(links=[link("a:eth0", "b:eth1")]))
    plan_of(lab_of(node("a", network_mode="none"), links=[link("a:eth0", "b:eth1")]))


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({"subnets": {"198.51.100.128/25": "lab other"}}, "server srv1 has 198.51.100.128/25 already, which overlaps"),
        ({"subnets": {"198.51.0.0/16": "device eth1 (foreign)"}}, "the management subnet 198.51.100.0/24: device eth1 (foreign)"),
        ({"subnets": {"3fff:1::/64": "lab other"}}, "Name another ipv6-subnet under mgmt"),
        ({"published": {"tcp:80:*": "a program that listens there"}}, "tcp port 80 of server srv1, which node a publishes, is in use"),
        ({"published": {"tcp:80:127.0.0.1": "lab other"}}, "is in use there: lab other"),
    ],
)
def test_what_somebody_has_on_a_server_is_found_before_it_is_touched(claims, said):
    assert said in problems_of(lab_of(node("a", ports=(PublishedPort(80, 80),))), observed_with(**claims))


@pytest.mark.parametrize(
    "claims",
    [
        {"subnets": {"198.51.101.0/24": "device eth1 (foreign)"}},
        {"published": {"udp:80:*": "x", "tcp:81:*": "x"}},
    ],
)
def test_what_is_not_in_the_way_is_not(claims):
    plan_of(lab_of(node("a", ports=(PublishedPort(80, 80),))), observed_with(**claims))
    plan_of(lab_of(node("a", ports=(PublishedPort(80, 80, "tcp", "198.51.7.1"),))), observed_with(published={"tcp:80:198.51.7.2": "x"}))


def test_a_server_without_nftables_is_told_only_where_it_is_needed():
    observed = observed_with()
    observed["srv2"]["nft"] = False
    assert "server srv2 has no nftables, which the management network needs" in problems_of(lab_of(), observed)
    plan_of(lab_of(enabled=False), observed)


def test_a_chosen_subnet_is_beside_what_is_there_and_stays_there(tmp_path):
    lock = tmp_path / "x.lock.yml"
    made = lab_of(ipv4_subnet="", ipv6_subnet="")
    first = plan_of(made)["management"]["ipv4_subnet"]
    observed = observed_with(subnets={first: "device eth1 (foreign)"})
    plan = plan_of(made, observed, lock_file=str(lock))
    assert plan["management"]["ipv4_subnet"] != first
    lock.write_text(render_lock(plan))
    again = plan_of(made, observed_with(), lock_file=str(lock))
    assert again["management"] == plan["management"]
    assert plan_of(made, observed_after(again), lock_file=str(lock))["slices"] == again["slices"]


def test_the_underlay_is_no_subnet_for_nodes():
    made = lab_of(ipv4_subnet="", ipv6_subnet="")
    first = make_network(made, DEVICE)
    facts = {server: replace(one, address=str(first.ipv4.subnet[number])) for number, (server, one) in enumerate(servers(3).items(), 7)}
    plan = make_plan(lab_file(made, pins=PINS), facts, {})
    assert plan["management"]["ipv4_subnet"] != str(first.ipv4.subnet)


def test_the_lock_file_remembers_addresses(tmp_path):
    lock = tmp_path / "x.lock.yml"
    plan = plan_of(lab_of())
    lock.write_text(render_lock(plan))
    found = read_lock(str(lock))
    assert found.management == {"ipv4": SUBNET, "ipv6": "3fff:1::/64"}
    assert found.addresses == {name: list(own.values()) for name, own in plan["management"]["nodes"].items()}
    assert found.gateways == {server: list(own.values()) for server, own in plan["management"]["gateways"].items()}
    wrong = (
        "management: [1]",
        "management: {ipv4: 7}",
        "addresses: {a: x}",
        "addresses: {a: [7]}",
        "gateways: [1]",
        "gateways: {srv1: [7]}",
    )
    for broken in wrong:
        lock.write_text(f"format: 1\nlab: x\nplacement: {{}}\n{broken}\n")
        with pytest.raises(LabFileError, match="this lock file is broken"):
            read_lock(str(lock))


def test_a_new_server_changes_the_gateway_of_no_node_in_plan_and_inventory(tmp_path):
    lock = tmp_path / "x.lock.yml"
    made, facts = lab_of(ipv6_subnet="", ipv4_subnet=""), servers(4)
    pins = {"a": "srv2", "b": "srv2", "c": "srv4", "d": "srv4"}
    before = make_plan(lab_file(made, pins=pins), {server: facts[server] for server in ("srv2", "srv4")}, {})
    lock.write_text(render_lock(before))
    after = make_plan(lab_file(made, pins={**pins, "d": "srv1"}, lock_file=str(lock)), facts, {})
    old, now = before["management"]["gateways"], after["management"]["gateways"]
    assert sorted(now) == ["srv1", "srv2", "srv4"]
    assert {server: now[server] for server in old} == old
    assert after["management"]["nodes"] == before["management"]["nodes"]
    underlay = {server: one.address for server, one in facts.items()}
    assert management_addresses(made, after["placement"], underlay, read_lock(str(lock))) == after["management"]["nodes"]
    lock.write_text(render_lock(after))
    again = make_plan(lab_file(made, pins={**pins, "d": "srv1"}, lock_file=str(lock)), facts, {})
    assert again == after


def test_the_order_of_the_file_does_not_matter():
    made = lab_of(links=[link("a:eth1", "c:eth1")])
    assert json.dumps(plan_of(made)) == json.dumps(plan_of(shuffled(made, 3)))


def test_joining_nothing_changes_nothing():
    made = lab_of(enabled=False)
    joined = join(made, None, PINS)
    assert (joined.topology, joined.servers, joined.plan(), joined.hosts()) == (made, [], None, [])
