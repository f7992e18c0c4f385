# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Virtual machines beside containers in one lab over three servers, as a user has them, and what happens to them in the course of time."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.acceptance import SERVERS, Lab, World, addressed, make_lab
from tests.testbed import guest

KINDS = Path(__file__).with_name("files") / "kinds"
PLACES = {"g1": "srv1", "g2": "srv2", "c1": "srv1", "c2": "srv3"}
NOTHING: dict[str, list[object]] = {server: [] for server in SERVERS}
CONFIG = {
    "g1": "hostname first\naddress 1 10.1.0.1/24\naddress 2 10.2.0.1/24\n",
    "g2": "hostname second\naddress 1 10.2.0.2/24\naddress 2 10.3.0.2/24\n",
}
NEAR, BETWEEN, FAR = "c1:eth1--g1:eth1", "g1:eth2--g2:eth1", "c2:eth1--g2:eth2"
PINGS = {("g1", "10.1.0.3"): NEAR, ("g1", "10.2.0.2"): BETWEEN, ("g2", "10.3.0.3"): FAR}


def make(world: World, name: str) -> Lab:
    nodes = {
        "g1": {"server": "srv1", "kind": "guest", "image": "guest.qcow2", "startup-config": "g1.cfg"},
        "g2": {"server": "srv2", "kind": "guest_usb", "image": "guest.qcow2", "startup-config": "g2.cfg"},
        "c1": addressed("srv1", "10.1.0.3/24"),
        "c2": addressed("srv3", "10.3.0.3/24"),
    }
    links = [("g1:eth1", "c1:eth1"), ("g1:eth2", "g2:eth1"), ("g2:eth2", "c2:eth1")]
    lab = make_lab(world.folder / name, name, nodes, links, kinds_path=[str(KINDS)], management=True)
    for node, text in CONFIG.items():
        lab.file.with_name(f"{node}.cfg").write_text(text)
    return lab


def console(world: World, lab: Lab, node: str) -> guest.Console:
    return guest.Console(world.testbed.server(PLACES[node]), lab.container(node))


def said(world: World, lab: Lab, node: str, command: str) -> str:
    """What a guest answers on its serial console, which is given back afterwards."""
    with console(world, lab, node) as line:
        line.login("admin", "admin")
        line.run("terminal length 0")
        return str(line.run(command))


def reaches(world: World, lab: Lab, node: str, address: str) -> bool:
    return " 0% packet loss" in said(world, lab, node, f"ping {address}")


def unreached(world: World, lab: Lab) -> list[str]:
    """The links over which a guest does not reach what is at the other end."""
    lost = {link for (node, address), link in PINGS.items() if not reaches(world, lab, node, address)}
    answered = " 0% packet loss" in world.node("srv1", lab.container("c1"), "sh", "-c", "ping -c1 -W2 10.1.0.1 || true")
    return sorted(lost) + ([] if answered else [f"{NEAR}, from the container"])


def virsh(world: World, server: str, *words: str) -> str:
    return world.on(server, "virsh", "-c", "qemu:///system", *words)


def image_hash(world: World, server: str) -> str:
    return world.on(server, "sha256sum", guest.PATH).split()[0]


def everything(world: World, lab: Lab) -> dict[str, list[str]]:
    """Server -> ports with their tags and marks, and when each node was started, but for the one that things happen to."""

    def look(server: str) -> list[str]:
        ports = [
            f"{name} {one['tag']} {one['vlan_mode']} {sorted(one['external_ids'].items())}" for name, one in world.ovs_marks(server).items()
        ]
        listed = world.on(server, "docker", "ps", "-q").split()
        running = world.on(server, "docker", "inspect", "--format", "{{.Name}} {{.State.StartedAt}}", *listed) if listed else ""
        pids = "cd /run/libvirt/qemu && grep -H . clab-*.pid /dev/null || true"
        machines = [one for one in world.on(server, "sh", "-c", pids).splitlines() if not one.startswith(f"{lab.container('g1')}.")]
        return sorted([*ports, *running.splitlines(), *machines])

    return {server: look(server) for server in SERVERS}


@pytest.fixture(scope="module")
def lab(world: World, guest_image: str) -> Iterator[Lab]:
    made = make(world, "mixed")
    world.forget(made.name)
    predicted = world.check(made).changes()
    run = world.deploy(made).green()
    assert predicted == run.changes()
    yield made
    world.forget(made.name)


def test_guests_are_configured_by_their_media_and_reach_containers_on_this_and_on_another_server(world: World, lab: Lab) -> None:
    assert "first" in said(world, lab, "g1", "show running-config")
    assert "10.1.0.1/24" in said(world, lab, "g1", "show interfaces")
    assert "second" in said(world, lab, "g2", "show running-config")
    assert "10.3.0.2/24" in said(world, lab, "g2", "show interfaces")
    assert unreached(world, lab) == []
    again = world.deploy(lab).green()
    assert again.changes() == NOTHING, again.changes()
    assert set(again.links()) == {NEAR, BETWEEN, FAR, "management"}


def test_guests_have_their_addresses_of_the_management_network(world: World, lab: Lab) -> None:
    """They asked for them by DHCP, each on its own server, and are reached at them from every node."""
    told = {one["name"]: one["management"]["ipv4"] for one in world.play("status_lab", lab).report["nodes"]}
    for node in ("g1", "g2"):
        world.wait(lambda node=node: f" {told[node]}/" in said(world, lab, node, "show interfaces"), 30, f"{node} has its address")  # type: ignore[misc]
        assert " 0% packet loss" in world.node("srv3", lab.container("c2"), "ping", "-c1", "-W2", told[node])
    assert " 0% packet loss" in said(world, lab, "g1", f"ping {told['g2']}")


def _destroyed(world: World, lab: Lab) -> None:
    virsh(world, "srv1", "destroy", lab.container("g1"))
    status = world.play("status_lab", lab)
    assert status.nodes()["g1"][0] == "stopped"
    assert {key: status.links()[key][0] for key in (NEAR, BETWEEN, FAR)} == {NEAR: "down", BETWEEN: "down", FAR: "up"}
    run = world.deploy(lab).green()
    assert {change[:3] for changes in run.changes().values() for change in changes} == {("start", "vm", lab.container("g1"))}


def _restarted(world: World, lab: Lab) -> None:
    virsh(world, "srv1", "destroy", lab.container("g1"))
    virsh(world, "srv1", "start", lab.container("g1"))


def _rebooted_inside(world: World, lab: Lab) -> None:
    with console(world, lab, "g1") as line:
        line.login("admin", "admin")
        line.send("reboot\n")
        line.wait_for(r"login:", 60)


def _libvirtd_restarted(world: World, lab: Lab) -> None:
    server = world.testbed.server("srv1")
    server.daemon("stop", "libvirtd")
    server.daemon("start", "libvirtd")
    run = world.deploy(lab).green()
    assert run.changes() == NOTHING


def _vswitchd_restarted(world: World, lab: Lab) -> None:
    server = world.testbed.server("srv1")
    server.daemon("kill", "vswitchd")
    server.daemon("start", "vswitchd")


def _server_rebooted(world: World, lab: Lab) -> None:
    world.testbed.reboot("srv1")
    assert lab.container("g1") in virsh(world, "srv1", "list", "--inactive", "--name").split()
    world.deploy(lab).green()


@pytest.mark.parametrize("happen", [_destroyed, _restarted, _rebooted_inside, _libvirtd_restarted, _vswitchd_restarted, _server_rebooted])
def test_guests_keep_their_links(world: World, lab: Lab, happen: Callable[[World, Lab], None]) -> None:
    before = everything(world, lab)
    happen(world, lab)
    world.wait(lambda: "login:" in log_of(world, lab, "g1"), 60, "the guest has booted")
    world.wait(lambda: unreached(world, lab) == [], 20, "all pings pass")
    after = everything(world, lab)
    others = [server for server in SERVERS if server != "srv1"] if happen is _server_rebooted else list(SERVERS)
    assert {server: after[server] for server in others} == {server: before[server] for server in others}


def log_of(world: World, lab: Lab, node: str) -> str:
    """What a guest wrote on its console since it was started."""
    return world.on(PLACES[node], "cat", f"/var/lib/libvirt/archetype-lab/{lab.name}/{lab.container(node)}/console.log")


def test_a_changed_configuration_waits_for_a_restart(world: World, lab: Lab) -> None:
    file = lab.file.with_name("g1.cfg")
    file.write_text(CONFIG["g1"].replace("first", "renamed"))
    run = world.deploy(lab)
    run.ok()
    state, reason = run.nodes()["g1"]
    assert (state, "needs restart" in reason) == ("ready", True), reason
    assert "first" in said(world, lab, "g1", "show running-config")
    again = world.deploy(lab)
    again.ok()
    assert again.changes() == NOTHING
    assert "needs restart" in again.nodes()["g1"][1]
    for look in (world.check(lab), world.play("status_lab", lab)):
        assert look.nodes()["g1"] == ("ready", "needs restart (config medium)")
    world.deploy(lab, "-e", '{"lab_restart": ["g1"]}').green()
    assert "renamed" in said(world, lab, "g1", "show running-config")
    file.write_text(CONFIG["g1"])
    world.deploy(lab, "-e", '{"lab_restart": ["g1"]}').green()
    assert unreached(world, lab) == []


def test_guests_write_to_their_own_disks_only(world: World, lab: Lab) -> None:
    whole = {server: image_hash(world, server) for server in ("srv1", "srv2")}
    for node in ("g1", "g2"):
        said(world, lab, node, "write 64")
    assert {server: image_hash(world, server) for server in whole} == whole
    assert set(whole.values()) == {hashlib.sha256(guest.image().read_bytes()).hexdigest()}


def test_a_destroyed_lab_leaves_nothing(world: World, lab: Lab) -> None:
    foreign = Path(guest.PATH)
    run = world.play("destroy_lab", lab)
    run.ok()
    assert world.traces(lab.name) == {}
    for server in SERVERS:
        assert lab.name not in virsh(world, server, "list", "--all", "--name")
        assert lab.name not in world.on(server, "find", "/var/lib/libvirt", "-path", f"*{lab.name}*")
        assert str(foreign) in world.on(server, "ls", guest.PATH)
