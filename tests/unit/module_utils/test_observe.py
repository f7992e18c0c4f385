# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.archetype.lab.plugins.module_utils import _lock, _observe, _server, _state
from ansible_collections.archetype.lab.plugins.module_utils._declared import Port, Tunnel
from ansible_collections.archetype.lab.plugins.module_utils._docker._port import DockerContainer, Image
from ansible_collections.archetype.lab.plugins.module_utils._errors import Errors, LabError, ReadError
from ansible_collections.archetype.lab.plugins.module_utils._netlink._port import OWN_NETNS, Address, Device, DeviceRoute, Tap, Vxlan
from ansible_collections.archetype.lab.plugins.module_utils._observe import Query, observe
from ansible_collections.archetype.lab.plugins.module_utils._ovsdb._port import OvsBridge, OvsInterface, OvsPort
from ansible_collections.archetype.lab.plugins.module_utils._server import Server
from ansible_collections.archetype.lab.plugins.module_utils._underlay import Underlay
from tests.unit.module_utils.fakes import FakeNet, FakeOvs
from tests.unit.module_utils.nft_fake import FakeNft

LAB, ROLE = "archetype-lab", "archetype-role"


@dataclass
class Docker:
    containers: dict[str, DockerContainer] = field(default_factory=dict)
    present: dict[str, str] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)

    def list_names(self) -> Mapping[str, Mapping[str, str]]:
        self.calls.append("list_names")
        return {name: one.labels for name, one in self.containers.items()}

    def inspect(self, names: Sequence[str]) -> Mapping[str, DockerContainer]:
        self.calls.append("inspect")
        return {name: self.containers[name] for name in names if name in self.containers}

    def images(self, references: Sequence[str]) -> Mapping[str, Image | None]:
        self.calls.append("images")
        return {one: Image(self.present[one]) if one in self.present else None for one in references}

    def version(self) -> str:
        self.calls.append("version")
        return "20.10.24"

    def close(self) -> None:
        return


def marks(lab: str, role: str = "", **more: str) -> dict[str, str]:
    return {LAB: lab, **({ROLE: role} if role else {}), **{f"archetype-{key}": value for key, value in more.items()}}


def ovs_port(name: str, ofport: int, tag: int | None, ids: Mapping[str, str], *, bridge: str = "arch-ovs", **more: Any) -> OvsPort:
    return OvsPort(name, bridge, tag, external_ids=ids, interfaces=(OvsInterface(name, ofport=ofport),), **more)


def box(name: str, lab: str, role: str, node: str, status: str = "running", pid: int = 0) -> DockerContainer:
    labels = marks(lab, role, node=node, **({"kind": "linux"} if role == "node" else {}))
    return DockerContainer(f"id-{name}", name, status, pid, "2026-11-20T10:00:00Z", "sha256:1", labels, raw={"Config": {"Image": "frr:1"}})


@pytest.fixture(autouse=True)
def run_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_server, "RUN_DIR", str(tmp_path / "run"))
    monkeypatch.setattr(_server, "STATE_DIR", str(tmp_path / "state"))


class Machine:
    def __init__(self) -> None:
        self.net = FakeNet()
        self.ovs = FakeOvs(self.net)
        self.docker = Docker()
        self.nft = FakeNft()
        self.ovs.bridges["arch-ovs"] = OvsBridge("arch-ovs", "netdev", "standalone", other_config={"forward-bpdu": "true"})

    def observe(self, **query: Any) -> dict[str, Any]:
        server = Server(ovs=self.ovs, net=self.net, docker=self.docker, nft=self.nft)  # type: ignore[arg-type]
        return observe(server, Query("demo", **query))

    def deploy(self) -> None:
        """A node with its sandbox, a port and a tunnel of the lab."""
        self.docker.containers["demo-r1"] = box("demo-r1", "demo", "node", "r1")
        self.docker.containers["demo-r1.sb"] = box("demo-r1.sb", "demo", "sandbox", "r1", pid=77)
        alias = "archetype-lab:demo"
        self.net.devices["ap1"] = Device(
            "ap1", 10, "veth", 1450, up=True, carrier=True, alias=f"{alias}:port:r1:eth1", group=9, peer_index=2
        )
        self.net.inside["/proc/77/ns/net"] = {"eth1": Device("eth1", 2, "veth", 1450, mac="02:00:00:00:00:01", peer_index=10)}
        vxlan = Vxlan(4711, "198.51.100.1", ("198.51.100.2",))
        self.net.devices["at1"] = Device("at1", 11, "vxlan", 1450, alias=f"{alias}:tunnel:L", group=9, vxlan=vxlan)
        ids = marks("demo", "port", link="L", node="r1", interface="eth1")
        self.ovs.ports["ap1"] = ovs_port("ap1", 3, 3001, ids, vlan_mode="dot1q-tunnel")
        self.ovs.ports["at1"] = ovs_port("at1", 4, 3001, marks("demo", "tunnel", link="L"), vlan_mode="dot1q-tunnel")


@pytest.fixture
def machine() -> Machine:
    return Machine()


def test_a_server_with_nothing_of_the_lab_is_empty_and_says_so(machine: Machine) -> None:
    seen = machine.observe(server="s1")
    assert (seen["format"], seen["server"], seen["lab"]) == (1, "s1", "demo")
    assert (seen["containers"], seen["ports"], seen["tunnels"]) == ([], [], [])
    assert seen["bridge"] == {
        "name": "arch-ovs",
        "datapath_type": "netdev",
        "fail_mode": "standalone",
        "forward_bpdu": True,
        "vlan_limit": 1,
    }
    assert seen["claims"] == {
        "tags": {}, "vnis": {}, "devices": {}, "macs": {}, "containers": {}, "subnets": {}, "published": {}, "domains": {},
        "consoles": {},
    }  # fmt: skip
    assert seen["lock"] is None
    assert seen["versions"]["docker"] == "20.10.24"


def test_a_server_without_the_bridge_has_none(machine: Machine) -> None:
    del machine.ovs.bridges["arch-ovs"]
    assert machine.observe()["bridge"] is None


def test_what_the_lab_has_is_in_the_shape_of_the_declared_state(machine: Machine) -> None:
    machine.deploy()
    seen = machine.observe()
    (port,) = seen["ports"]
    (tunnel,) = seen["tunnels"]
    assert set(port) == {one.name for one in fields(Port)} | {"lab", "carrier", "ofport"}
    assert set(tunnel) == {one.name for one in fields(Tunnel)} | {"lab", "ofport"}
    assert port == {
        "name": "ap1", "device": "veth", "link": "L", "node": "r1", "interface": "eth1", "sandbox": "demo-r1.sb",
        "mac": "02:00:00:00:00:01", "mtu": 1450, "tag": 3001, "trunks": [], "vlan_mode": "dot1q-tunnel", "group": 9, "enabled": True,
        "queues": 1,
        "parent": "", "mode": "", "addresses": [], "routes": [], "impairment": None, "lab": "demo", "carrier": True, "ofport": 3,
    }  # fmt: skip
    assert (tunnel["vni"], tunnel["remotes"], tunnel["tag"], tunnel["link"]) == (4711, ["198.51.100.2"], 3001, "L")
    assert seen["containers"] == [
        {
            "lab": "demo", "name": "demo-r1", "sandbox": "demo-r1.sb", "node": "r1", "kind": "linux", "image": "frr:1",
            "status": "running", "sandbox_status": "running", "started_at": "2026-11-20T10:00:00Z",
            "exit_code": None,
        }
    ]  # fmt: skip
    assert seen["claims"] == {
        "tags": {}, "vnis": {}, "devices": {}, "macs": {}, "containers": {}, "subnets": {}, "published": {}, "domains": {},
        "consoles": {},
    }  # fmt: skip


@pytest.mark.parametrize(("queues", "marked"), [(False, True), (True, True), (False, False)])
def test_a_tap_has_no_sandbox_and_no_mac_and_is_as_declared(machine: Machine, queues: bool, marked: bool) -> None:
    alias = "archetype-lab:demo:port:vm1:eth1" if marked else ""
    tap = Tap(0, queues, persistent=True, used=True)
    machine.net.devices["ap7"] = Device("ap7", 12, "tun", 9500, "9e:00:00:00:00:01", True, True, alias, 9, tap=tap)
    machine.docker.containers["demo-vm1.sb"] = box("demo-vm1.sb", "demo", "sandbox", "vm1", "exited")
    ids = marks("demo", "port", link="L", node="vm1", interface="eth1")
    machine.ovs.ports["ap7"] = ovs_port("ap7", 5, 3002, ids, vlan_mode="dot1q-tunnel")
    (port,) = machine.observe()["ports"]
    assert port == {
        "name": "ap7", "device": "tap" if marked else "none", "link": "L", "node": "vm1", "interface": "eth1", "sandbox": "",
        "mac": "", "mtu": 9500, "tag": 3002, "trunks": [], "vlan_mode": "dot1q-tunnel", "group": 9, "enabled": True,
        "queues": 0 if queues else 1,
        "parent": "", "mode": "", "addresses": [], "routes": [], "impairment": None, "lab": "demo", "carrier": True, "ofport": 5,
    }  # fmt: skip


def test_every_backend_is_read_once(machine: Machine) -> None:
    machine.deploy()
    machine.observe(images=("frr:1", "no:1"))
    assert machine.ovs.calls == ["read"]
    assert machine.net.calls == ["read", "read_netns"]
    assert machine.docker.calls == ["list_names", "inspect", "images", "version"]


def test_a_port_that_is_there_by_half_is_still_seen(machine: Machine) -> None:
    machine.deploy()
    del machine.ovs.ports["ap1"]
    (port,) = machine.observe()["ports"]
    assert (port["node"], port["interface"], port["tag"], port["ofport"], port["enabled"]) == ("r1", "eth1", None, None, False)
    machine.deploy()
    del machine.net.devices["ap1"]
    (port,) = machine.observe()["ports"]
    assert (port["device"], port["mtu"], port["carrier"], port["tag"], port["enabled"]) == ("none", None, False, 3001, False)


def test_the_mac_is_only_that_of_the_ports_own_other_end(machine: Machine) -> None:
    machine.deploy()
    machine.net.inside["/proc/77/ns/net"]["eth1"] = Device("eth1", 99, "veth", mac="02:00:00:00:00:63", peer_index=55)
    assert machine.observe()["ports"][0]["mac"] == ""


def test_a_node_whose_container_is_gone_is_absent_and_a_stopped_one_has_no_inside(machine: Machine) -> None:
    machine.deploy()
    del machine.docker.containers["demo-r1"]
    machine.docker.containers["demo-r1.sb"] = box("demo-r1.sb", "demo", "sandbox", "r1", "exited")
    seen = machine.observe()
    assert [(one["name"], one["status"], one["sandbox"], one["sandbox_status"]) for one in seen["containers"]] == [
        ("", "absent", "demo-r1.sb", "exited")
    ]
    assert seen["ports"][0]["mac"] == ""


@pytest.mark.parametrize(("status", "code"), [("exited", 0), ("exited", 7), ("running", None), ("created", None)])
def test_how_a_node_ended_is_told_where_it_did(machine: Machine, status: str, code: int | None) -> None:
    machine.deploy()
    one = box("demo-r1", "demo", "node", "r1", status)
    machine.docker.containers["demo-r1"] = replace(one, raw={**one.raw, "State": {"ExitCode": code or 0}})
    assert [(one["status"], one["exit_code"]) for one in machine.observe()["containers"]] == [(status, code)]


def test_whose_network_a_node_has_and_how_that_is(machine: Machine) -> None:
    """A node in the server's network has no sandbox; one in that of a container which is not the lab's has that one."""
    machine.deploy()
    for name, mode in (("own", "container:id-demo-r1.sb"), ("host", "host"), ("far", "container:id-web"), ("lost", "container:gone")):
        one = box(f"demo-{name}", "demo", "node", name)
        machine.docker.containers[one.name] = replace(one, raw={"Config": {"Image": "i"}, "HostConfig": {"NetworkMode": mode}})
    machine.docker.containers["id-web"] = DockerContainer("id-web", "web", "exited")
    seen = {one["node"]: (one["sandbox"], one["sandbox_status"]) for one in machine.observe()["containers"]}
    assert seen == {
        "r1": ("demo-r1.sb", "running"),
        "own": ("demo-r1.sb", "running"),
        "host": ("", "running"),
        "far": ("web", "exited"),
        "lost": ("", "absent"),
    }


def test_claims_are_what_others_have_and_whose_it_is(machine: Machine) -> None:
    machine.deploy()
    ports, devices = machine.ovs.ports, machine.net.devices
    ports["op1"] = ovs_port("op1", 5, 112, marks("other", "port"))
    ports["vm-tap"] = ovs_port("vm-tap", 6, 2050, {})
    ports["eth9"] = ovs_port("eth9", 7, None, {}, trunks=(7, 8))
    ports["os1"] = ovs_port("os1", 8, None, {**marks("other", "tunnel"), "archetype-link-3500": "K"}, trunks=(3501,))
    ports["else1"] = ovs_port("else1", 9, 666, {}, bridge="br-else")
    devices["vx9"] = Device("vx9", 20, "vxlan", vxlan=Vxlan(9, "", ()))
    devices["os1"] = Device("os1", 21, "vxlan", alias="archetype-lab:other:tunnel:os1", vxlan=Vxlan(10, "", ()))
    machine.docker.containers["other-r1"] = box("other-r1", "other", "node", "r1")
    machine.docker.containers["web"] = DockerContainer("1", "web", "running")
    claims = machine.observe()["claims"]
    assert claims["tags"] == {
        "7": "port eth9 (foreign)", "8": "port eth9 (foreign)", "112": "lab other", "2050": "port vm-tap (foreign)",
        "3500": "lab other", "3501": "lab other",
    }  # fmt: skip
    assert claims["vnis"] == {"9": "device vx9 (foreign)", "10": "lab other"}
    assert set(claims["devices"]) == {"else1", "eth9", "op1", "os1", "vm-tap", "vx9"}
    assert claims["containers"] == {"other-r1": "lab other", "web": "foreign (no archetype-lab mark)"}
    assert machine.observe(containers=("web", "demo-r1"))["claims"]["containers"] == {"web": "foreign (no archetype-lab mark)"}


def test_a_foreign_port_with_a_tag_of_the_lab_is_a_claim(machine: Machine) -> None:
    machine.deploy()
    machine.ovs.ports["stale"] = ovs_port("stale", 9, 3001, {})
    assert machine.observe()["claims"]["tags"] == {"3001": "port stale (foreign)"}


def test_images_and_paths_are_looked_up(machine: Machine, tmp_path: Path) -> None:
    machine.docker.present["frr:1"] = "sha256:1"
    seen = machine.observe(images=("frr:1", "no:1"), binds=(str(tmp_path), "/no/such"))
    assert seen["images"] == {"frr:1": "sha256:1", "no:1": None}
    assert seen["binds"] == {str(tmp_path): True, "/no/such": False}


def test_the_lock_of_the_asked_lab_is_told(machine: Machine) -> None:
    _lock.acquire("other", "bob@host", "t")
    assert machine.observe()["lock"] is None
    _lock.acquire("demo", "ann@host", "t")
    lock = machine.observe()["lock"]
    assert (lock["owner"], lock["lab"]) == ("ann@host", "demo")
    assert set(lock) >= {"owner", "lab", "since"}


def test_what_another_lab_is_declared_to_have_is_claimed_though_it_is_not_there(machine: Machine) -> None:
    port = {"name": "ap9", "device": "veth", "node": "x", "interface": "eth1", "sandbox": "x-sandbox", "tag": 3055}
    management = {"device": "am9", "subnets": ["172.20.20.0/24"]}
    _state.save("other", {"format": 1, "lab": "other", "server": "s1", "ports": [port], "management": management})
    claims = machine.observe()["claims"]
    assert (claims["tags"]["3055"], claims["devices"]["ap9"], claims["subnets"]) == ("lab other", "lab other", {})


def test_a_declared_state_of_another_lab_that_cannot_be_read_is_an_error_of_observing(machine: Machine) -> None:
    _state.save("other", {"lab": "other"})
    _state.path("other").write_text("{")
    with pytest.raises(ReadError, match="what lab other is declared to have on this server is not known"):
        machine.observe()


def test_the_underlay_is_measured(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def fake(_net: Any, peers: Sequence[str], *, server: str, needed: bool) -> Underlay:
        asked.append((tuple(peers), server, needed))
        return Underlay("198.51.100.1", {"198.51.100.2": 1500})

    monkeypatch.setattr(_observe, "path_mtus", fake)
    seen = machine.observe(server="s1", peers=("198.51.100.2",))
    assert asked == [(("198.51.100.2",), "s1", True)]
    assert seen["underlay"] == {"address": "198.51.100.1", "mtu": {"198.51.100.2": 1500}}


def test_everything_that_cannot_be_read_is_told_at_once_and_nothing_is_called_empty(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.ovs.unreadable = machine.net.unreadable = True

    def refuse() -> Mapping[str, Mapping[str, str]]:
        raise ReadError("dockerd does not answer")

    monkeypatch.setattr(machine.docker, "list_names", refuse)
    with pytest.raises(Errors) as caught:
        machine.observe()
    assert [error.message for error in caught.value.errors] == [
        "the connection to ovsdb-server was lost",
        "cannot read the devices of this server: no",
        "dockerd does not answer",
    ]


def test_one_thing_that_cannot_be_read_is_an_error_too(machine: Machine) -> None:
    machine.net.unreadable = True
    with pytest.raises(LabError, match="cannot read the devices"):
        machine.observe()


def test_what_a_management_network_could_clash_with_is_looked_at_where_there_is_to_be_one(machine: Machine) -> None:
    def device(name: str, *addresses: str, alias: str = "", routes: Sequence[str] = ()) -> Device:
        known = tuple(DeviceRoute(to, 4) for to in routes)
        return Device(name, 1, alias=alias, addresses=tuple(Address(one) for one in addresses), routes=known)

    machine.net.inside[OWN_NETNS] = {
        "lo": device("lo", "127.0.0.1/8", "::1/128"),
        "eth0": device("eth0", "198.51.7.5/24", "fe80::1/64", routes=("default", "198.51.7.0/24", "10.0.0.0/8")),
        "am1": device("am1", "198.51.100.1/24", alias="archetype-lab:demo:end:srv1"),
        "am2": device("am2", "198.51.101.1/24", alias="archetype-lab:other:end:srv1"),
    }
    machine.nft.objects = [
        {"rule": {"family": "inet", "table": f"archetype-lab-{lab}", "chain": "published", "handle": 1, "expr": [{"match": {
            "op": "==", "left": {"payload": {"protocol": "udp", "field": "dport"}}, "right": port}}]}}
        for lab, port in (("demo", 7001), ("other", 7002))
    ]  # fmt: skip
    seen = machine.observe(management=True)
    assert seen["claims"]["subnets"] == {
        "10.0.0.0/8": "device eth0 (foreign)", "198.51.7.0/24": "device eth0 (foreign)", "198.51.101.0/24": "lab other",
    }  # fmt: skip
    assert seen["claims"]["published"]["udp:7002:*"] == "lab other"
    assert "udp:7001:*" not in seen["claims"]["published"]
    assert seen["nft"] is True
    machine.nft.there = False
    assert machine.observe(management=True)["nft"] is False
    machine.nft.there, reads = True, machine.nft.reads
    assert machine.observe()["nft"] is None
    assert machine.nft.reads == reads
