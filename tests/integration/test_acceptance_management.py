# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A management network over three servers, as a user has it: nodes that are reached by name, ports, and the way out on request."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration import managed_image
from tests.integration.acceptance import SERVERS, Lab, Run, World, make_lab
from tests.testbed import fixtures

SUBNET, SUBNET6 = "198.51.100.0/24", "3fff:51::/64"
PLACES = {"web": "srv1", "near": "srv1", "mid": "srv2", "far": "srv3"}
FIXED = "198.51.100.77"
PORT = 18080
FOREWORD = (
    'add table inet mine { comment "not a lab\'s"; }; add chain inet mine forward { type filter hook forward priority 10; policy accept; }'
)
SETTINGS = ("net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding")
_ASK = "import sys, urllib.request as r; print(r.build_opener(r.ProxyHandler({})).open(sys.argv[1], timeout=5).read().decode())"


def make(world: World, name: str, *, places: dict[str, str] | None = None, mgmt: Any = None, **options: Any) -> Lab:
    """Nodes that can be managed, two of them on a wire of their own."""
    places = places or PLACES
    nodes: dict[str, Any] = {
        node: {"server": server, "image": managed_image.REFERENCE, "binds": ["key.pub:/root/.ssh/authorized_keys:ro"]}
        for node, server in places.items()
    }
    links = [("web:eth1", "far:eth1")] if {"web", "far"} <= set(places) else []
    lab = make_lab(world.folder / name, name, nodes, links, **{"management": True, **options})
    key = world.testbed.config.directory / "key.pub"
    lab.file.with_name("key.pub").write_text(key.read_text())
    if mgmt is not None:
        lab.topology["mgmt"] = mgmt
    return lab.write()


def addresses(world: World, lab: Lab) -> dict[str, dict[str, str]]:
    """Node -> its addresses, as the inventory has them."""
    told = ansible(world, lab, "ansible-inventory", "--list")
    hosts = json.loads(told.stdout)["_meta"]["hostvars"]
    return {name: one["lab_management"] for name, one in hosts.items() if one.get("lab_name") == lab.name}


def ansible(world: World, lab: Lab, program: str, *arguments: str) -> Any:
    """A program of Ansible, where the controller is, with what only the user can know of nodes that have no kind but linux."""
    extra = lab.file.with_name("nodes.yml")
    variables = {
        "ansible_user": "root",
        "ansible_ssh_private_key_file": str(world.testbed.config.directory / "key"),
        "ansible_python_interpreter": "/usr/bin/python3",
    }
    extra.write_text(yaml.safe_dump({"lab_nodes": {"vars": variables}}))
    return fixtures.run_ansible(world.testbed, program, "-i", str(lab.file), "-i", str(extra), *arguments)


def ask(world: World, url: str, server: str = "") -> str:
    """What a web server answers to the controller, or to a server; empty where it does not."""
    command = [sys.executable, "-c", _ASK, url]
    done = world.testbed.server(server).run(command) if server else world.testbed.run(command)
    return str(done.stdout).strip() if done.returncode == 0 else ""


def in_node(world: World, lab: Lab, node: str, *words: str) -> str:
    return world.node(PLACES[node], lab.container(node), *words)


def pings(world: World, lab: Lab, node: str, address: str) -> bool:
    said = in_node(world, lab, node, "sh", "-c", f"ping -c1 -W1 {address} || true")
    return "1 received" in said


def ruleset(world: World, server: str) -> list[str]:
    """The whole packet filter of a server, without numbers that change by themselves."""
    told = json.loads(world.on(server, "nft", "--json", "list", "ruleset"))["nftables"]
    for one in told:
        for value in one.values():
            value.pop("handle", None)
    return [json.dumps(one, sort_keys=True) for one in told]


def settings(world: World, server: str) -> list[str]:
    return world.on(server, "cat", *(f"/proc/sys/{name}" for name in SETTINGS)).split()


@dataclasses.dataclass(frozen=True)
class Story:
    lab: Lab
    before: dict[str, tuple[list[str], list[str], set[str]]]
    predicted: Run
    first: Run
    second: Run


def state(world: World, server: str) -> tuple[list[str], list[str], set[str]]:
    return ruleset(world, server), settings(world, server), set(world.devices(server))


@pytest.fixture(scope="module")
def managed(world: World) -> World:
    """Servers that forward nothing yet, with somebody's own packet filter on one."""
    managed_image.ensure(world.testbed)
    world.forget("mg1", "mg2", "mg3")
    for server in SERVERS:
        world.on(server, "sh", "-c", "".join(f"echo 0 > /proc/sys/{name};" for name in SETTINGS))
        world.on(server, "nft", "flush", "ruleset")
    world.on("srv1", "nft", FOREWORD)
    return world


@pytest.fixture(scope="module")
def story(managed: World) -> Iterator[Story]:
    world = managed
    before = {server: state(world, server) for server in SERVERS}
    lab = make(world, "mg1", mgmt={"ipv4-subnet": SUBNET, "ipv6-subnet": SUBNET6, "external-access": False})
    lab.nodes["web"].update({"ports": [f"{PORT}:80"], "mgmt-ipv4": FIXED, "group": "fronts"})
    lab.nodes["near"].update({"group": "fronts"})
    lab.write()
    yield Story(lab, before, world.check(lab), world.deploy(lab), world.deploy(lab))
    world.forget("mg1", "mg2", "mg3")
    for server in SERVERS:
        world.on(server, "nft", "flush", "ruleset")


def test_the_network_is_proven_as_a_link_of_the_lab(story: Story) -> None:
    story.first.green()
    assert story.first.links()["management"] == ("up", "")
    link = next(one for one in story.first.report["links"] if one["key"] == "management")
    assert set(link["tunnels"]) == set(SERVERS)
    assert len(link["endpoints"]) == len(PLACES) + len(SERVERS)


def test_check_mode_predicted_every_change_and_a_second_run_has_none(story: Story) -> None:
    assert story.predicted.changes() == story.first.changes()
    kinds = {change[1] for changes in story.first.changes().values() for change in changes}
    assert kinds >= {"firewall", "hosts", "sysctl", "port", "tunnel", "container"}
    story.second.green()
    assert story.second.changed == 0


def test_nodes_reach_each_other_over_servers_by_name_and_address(managed: World, story: Story) -> None:
    known = addresses(managed, story.lab)
    assert known["web"]["ipv4"] == FIXED
    for node in PLACES:
        for other, own in known.items():
            assert pings(managed, story.lab, node, own["ipv4"]), (node, other)
            assert pings(managed, story.lab, node, own["ipv6"]), (node, other)
            assert pings(managed, story.lab, node, story.lab.container(other)), (node, other)
        own_name = "import socket; print(socket.gethostbyname(socket.gethostname()))"
        assert in_node(managed, story.lab, node, "python3", "-c", own_name).strip() == known[node]["ipv4"]


def test_large_packets_cross_too(managed: World, story: Story) -> None:
    far = addresses(managed, story.lab)["far"]["ipv4"]
    mtu = int(in_node(managed, story.lab, "web", "cat", "/sys/class/net/eth0/mtu"))
    assert mtu == 1450
    said = in_node(managed, story.lab, "web", "sh", "-c", f"ping -c1 -W1 -M do -s {mtu - 28} {far} || true")
    assert "1 received" in said


def test_the_controller_reaches_nodes_by_their_inventory_names(managed: World, story: Story) -> None:
    done = ansible(managed, story.lab, "ansible", "lab_nodes", "-m", "ansible.builtin.ping")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("ping: pong") == len(PLACES)
    done = ansible(managed, story.lab, "ansible", "far", "-m", "ansible.builtin.command", "-a", "hostname")
    assert done.stdout.splitlines()[-1] == "far"


def test_a_published_port_answers_to_the_controller_and_to_its_server(managed: World, story: Story) -> None:
    server = managed.testbed.server("srv1")
    controller = managed.testbed.config.controller
    assert ask(managed, f"http://{server.address}:{PORT}/") == f"web ::ffff:{controller}"
    assert ask(managed, f"http://{server.address}:{PORT}/", "srv1").startswith("web ")
    assert ask(managed, f"http://127.0.0.1:{PORT}/", "srv1").startswith("web ")
    assert ask(managed, f"http://{server.address}:{PORT}/", "srv3").startswith("web ")
    assert ask(managed, f"http://{managed.testbed.server('srv2').address}:{PORT}/") == ""


def test_nodes_do_not_leave_their_servers(managed: World, story: Story) -> None:
    """Even the server that forwards, as it publishes a port, forwards nothing that a node begins."""
    assert settings(managed, "srv1")[0] == "1"
    assert settings(managed, "srv2") == settings(managed, "srv3") == ["0", "0"]
    for node in ("web", "far"):
        assert not pings(managed, story.lab, node, managed.testbed.config.controller)


def test_a_node_does_not_come_to_what_listens_on_the_servers_loopback(managed: World, story: Story) -> None:
    """Connections to published ports from the server itself leave over the network with an address of the loopback."""
    command = f"ip route replace 127.0.0.9/32 via {_gateway(managed, story)} 2>&1 && ip route get 127.0.0.9 || true"
    in_node(managed, story.lab, "near", "sh", "-c", command)
    device = next(name for name in managed.devices("srv1") if name.startswith("am"))
    assert managed.on("srv1", "cat", f"/proc/sys/net/ipv4/conf/{device}/route_localnet").strip() == "1"
    rules = managed.on("srv1", "nft", "list", "chain", "inet", "archetype-lab-mg1", "loopback")
    assert f'iifname "{device}" ip daddr 127.0.0.0/8 drop' in rules


def _gateway(world: World, story: Story) -> str:
    return in_node(world, story.lab, "near", "ip", "-4", "route", "show", "default").split()[2]


def test_every_node_has_its_own_servers_gateway(managed: World, story: Story) -> None:
    ways = {node: in_node(managed, story.lab, node, "ip", "route", "show", "default").split()[2] for node in PLACES}
    assert ways["web"] == ways["near"] == "198.51.100.1"
    assert len(set(ways.values())) == len(SERVERS)
    assert "via 3fff:51::1" in in_node(managed, story.lab, "web", "ip", "-6", "route", "show", "default")


@pytest.mark.parametrize("damage", ["nft flush table inet archetype-lab-mg1", "nft delete table inet archetype-lab-mg1"])
def test_rules_that_were_deleted_come_back_and_nothing_else_is_touched(managed: World, story: Story, damage: str) -> None:
    before = ruleset(managed, "srv1")
    managed.on("srv1", *damage.split())
    shown = managed.play("status_lab", story.lab)
    assert shown.links()["management"][0] == "error"
    run = managed.deploy(story.lab).green()
    assert [change[1:3] for change in run.changes()["srv1"]] == [("firewall", "archetype-lab-mg1")]
    assert run.changes()["srv2"] == run.changes()["srv3"] == []
    assert sorted(ruleset(managed, "srv1")) == sorted(before)


def test_a_lost_gateway_comes_back_with_its_settings(managed: World, story: Story) -> None:
    device = next(name for name in managed.devices("srv1") if name.startswith("am"))
    managed.on("srv1", "ip", "link", "delete", device)
    predicted = managed.check(story.lab)
    run = managed.deploy(story.lab).green()
    assert run.changes() == predicted.changes()
    assert {change[1] for change in run.changes()["srv1"]} == {"port", "sysctl"}
    assert ask(managed, f"http://127.0.0.1:{PORT}/", "srv1").startswith("web ")
    assert managed.deploy(story.lab).green().changed == 0


def test_another_node_changes_no_other_container_and_is_known_to_all(managed: World, story: Story) -> None:
    ids = {
        node: managed.on(server, "docker", "inspect", "-f", "{{.Id}} {{.State.StartedAt}}", story.lab.container(node))
        for node, server in PLACES.items()
    }
    known = addresses(managed, story.lab)
    story.lab.nodes["late"] = dict(story.lab.nodes["mid"])
    managed.deploy(story.lab.write(placement={**PLACES, "late": "srv2"})).green()
    now = addresses(managed, story.lab)
    assert {node: now[node] for node in known} == known
    assert pings(managed, story.lab, "far", "late")
    assert ids == {
        node: managed.on(server, "docker", "inspect", "-f", "{{.Id}} {{.State.StartedAt}}", story.lab.container(node))
        for node, server in PLACES.items()
    }
    del story.lab.nodes["late"]
    managed.deploy(story.lab.write(placement=PLACES)).green()


def test_external_access_is_nat_on_request(managed: World, story: Story) -> None:
    controller = managed.testbed.config.controller
    with outside(managed) as url:
        assert who(managed, story.lab, "far", url) == ""
        story.lab.topology["mgmt"]["external-access"] = True
        run = managed.deploy(story.lab.write()).green()
        assert {change[1] for changes in run.changes().values() for change in changes} == {"firewall", "state", "sysctl"}
        assert who(managed, story.lab, "far", url) == managed.testbed.server("srv3").address
        assert who(managed, story.lab, "web", url) == managed.testbed.server("srv1").address
        assert pings(managed, story.lab, "mid", controller)
        assert managed.deploy(story.lab).green().changed == 0
        story.lab.topology["mgmt"]["external-access"] = False
        managed.deploy(story.lab.write()).green()
        assert who(managed, story.lab, "far", url) == ""
    assert settings(managed, "srv3") == ["0", "0"]


_WHO = """
import http.server
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.client_address[0].encode())
    def log_message(self, *words): pass
import sys
server = http.server.HTTPServer((sys.argv[1], 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
"""


class outside:  # noqa: N801
    """A web server beyond the servers of the lab, where the controller is, that tells who asked."""

    def __init__(self, world: World) -> None:
        address = world.testbed.config.controller
        self.process = subprocess.Popen(world.testbed.entering([sys.executable, "-c", _WHO, address]), stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.url = f"http://{address}:{self.process.stdout.readline().strip()}/"

    def __enter__(self) -> str:
        return self.url

    def __exit__(self, *_error: object) -> None:
        self.process.kill()
        self.process.communicate()


def who(world: World, lab: Lab, node: str, url: str) -> str:
    return in_node(world, lab, node, "sh", "-c", f"curl -s --max-time 3 {url} || true").strip()


def test_dockers_own_filter_lets_published_ports_through(managed: World, story: Story) -> None:
    """A chain as Docker makes it, with its policy, which drops what it does not know."""
    table = "add table ip filter; add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; };"
    managed.on("srv1", "nft", f"{table} add chain ip filter DOCKER-USER; add rule ip filter FORWARD jump DOCKER-USER")
    before = ruleset(managed, "srv1")
    url = f"http://{managed.testbed.server('srv1').address}:{PORT}/"
    assert ask(managed, url) == ""
    run = managed.deploy(story.lab).green()
    assert [change[1:3] for change in run.changes()["srv1"]] == [("firewall", "ip filter DOCKER-USER")]
    assert ask(managed, url).startswith("web ")
    assert managed.deploy(story.lab).green().changed == 0
    added = set(ruleset(managed, "srv1")) - set(before)
    assert len(added) == 2
    assert all("archetype-lab:mg1" in one for one in added)


def test_a_port_that_is_taken_is_told_before_a_server_is_touched(managed: World, story: Story) -> None:
    second = make(managed, "mg2", places={"two": "srv1"})
    second.nodes["two"]["ports"] = [f"{PORT}:80", "22:22"]
    run = managed.deploy(second.write()).failed()
    assert f"tcp port {PORT} of server srv1, which node two publishes, is in use there: lab mg1" in run.said
    assert "tcp port 22 of server srv1, which node two publishes, is in use there: a program listens on it" in run.said
    assert managed.traces("mg2") == {}


def test_two_labs_have_networks_of_their_own_by_default_and_the_same_on_request_is_refused(managed: World, story: Story) -> None:
    one, two = make(managed, "mg2", places={"n": "srv1", "m": "srv2"}), make(managed, "mg3", places={"n": "srv1", "m": "srv2"})
    managed.deploy(one).green()
    managed.deploy(two).green()
    assert not {own["ipv4"] for own in addresses(managed, one).values()} & {own["ipv4"] for own in addresses(managed, two).values()}
    for lab in (one, two):
        far = addresses(managed, lab)["m"]["ipv4"]
        assert "1 received" in managed.node("srv1", lab.container("n"), "sh", "-c", f"ping -c1 -W1 {far} || true")
    assert pings(managed, story.lab, "web", "far")
    managed.play("destroy_lab", two).ok()
    assert managed.traces("mg3") == {}
    two.file.with_name("mg3.lock.yml").unlink()
    two.topology["mgmt"] = {"ipv4-subnet": SUBNET}
    run = managed.deploy(two.write()).failed()
    assert f"server srv1 has {SUBNET} already, which overlaps the management subnet {SUBNET}: lab mg1" in run.said
    assert managed.traces("mg3") == {}
    managed.play("destroy_lab", one).ok()


def test_a_server_that_lost_its_power_gets_it_all_back(managed: World, story: Story) -> None:
    managed.testbed.reboot("srv1")
    managed.on("srv1", "sh", "-c", "".join(f"echo 0 > /proc/sys/{name};" for name in SETTINGS))
    assert managed.deploy(story.lab).green().changes()["srv2"] == []
    assert ask(managed, f"http://{managed.testbed.server('srv1').address}:{PORT}/").startswith("web ")
    assert pings(managed, story.lab, "far", "web")
    done = ansible(managed, story.lab, "ansible", "web", "-m", "ansible.builtin.ping")
    assert done.returncode == 0, done.stdout + done.stderr
    managed.on("srv1", "nft", FOREWORD)
    assert managed.deploy(story.lab).green().changed == 0


def test_turning_it_off_takes_it_all_away_and_leaves_the_wires(managed: World, story: Story) -> None:
    run = managed.deploy(story.lab.write(management=False)).green()
    assert set(run.links()) == {"far:eth1--web:eth1"}
    for server in SERVERS:
        rules, values, _devices = story.before[server]
        assert ruleset(managed, server) == rules
        assert settings(managed, server) == values
        assert not [name for name in managed.devices(server) if name.startswith("am")]
    assert "eth0" not in in_node(managed, story.lab, "web", "ls", "/sys/class/net").split()
    managed.deploy(story.lab.write(management=True)).green()


def test_destroying_leaves_everything_as_it_was(managed: World, story: Story) -> None:
    predicted = managed.play("destroy_lab", story.lab, "--check")
    run = managed.play("destroy_lab", story.lab)
    run.ok()
    task = "Remove containers, ports, tunnels, files and the cached state"
    assert run.changes(task) == predicted.changes(task)
    for server in SERVERS:
        rules, values, devices = state(managed, server)
        assert rules == story.before[server][0]
        assert values == story.before[server][1]
        assert not {name for name in devices - story.before[server][2] if name.startswith(("am", "ap", "at"))}
    assert managed.traces("mg1") == {}
    assert not Path(f"{managed.testbed.server('srv1').place.root}/run/archetype-lab/sysctls.json").exists()
    assert managed.play("destroy_lab", story.lab).changed == 0
