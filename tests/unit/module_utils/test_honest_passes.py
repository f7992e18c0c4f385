# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a pass did not compare, or could not come to, it does not call in sync; and no proof outlives a change."""

from __future__ import annotations

import os
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.archetype.lab.plugins.module_utils import (
    _backoff,
    _bridge,
    _container_nodes,
    _journal,
    _management,
    _ports,
    _run_files,
    _server,
    _standing,
    _state,
    _tunnels,
    _vms,
)
from ansible_collections.archetype.lab.plugins.module_utils._converge import converge
from ansible_collections.archetype.lab.plugins.module_utils._declared import Declared, Healthcheck
from ansible_collections.archetype.lab.plugins.module_utils._errors import ApplyError, LabError, ReadError
from ansible_collections.archetype.lab.plugins.module_utils._netlink._port import Device, NetOp, NewVxlan
from ansible_collections.archetype.lab.plugins.module_utils._outcome import Run
from ansible_collections.archetype.lab.plugins.module_utils._ovsdb._port import OvsBridge
from ansible_collections.archetype.lab.plugins.module_utils._ownership import BRIDGE
from ansible_collections.archetype.lab.plugins.module_utils._reconcile import Pass, reconcile
from ansible_collections.archetype.lab.plugins.module_utils._runner import PartialResult
from ansible_collections.archetype.lab.plugins.module_utils._server import Server
from tests.unit.module_utils.container_nodes import IMAGES, node
from tests.unit.module_utils.docker_fake import FakeDocker
from tests.unit.module_utils.fakes import FakeNet, FakeOvs
from tests.unit.module_utils.nft_fake import FakeNft

LINK = "a:eth1--b:eth1"
PROVEN = {LINK: (True, "frames", "")}


def declared(tag: int = 3001) -> dict[str, Any]:
    ends = {"local": "198.51.100.1", "remotes": ["198.51.100.2"], "mtu": 1450}
    tunnel = {"name": "at-demo", "vni": 4711, "link": LINK, "tag": tag, **ends}
    return {
        "format": 1,
        "lab": "demo",
        "server": "srv1",
        "bridge": {"name": "arch-ovs", "datapath_type": "netdev"},
        "tunnels": [tunnel],
        "links": [{"key": LINK, "mtu": 1450, "endpoints": []}],
    }


class Box:
    def __init__(self) -> None:
        self.net = FakeNet()
        bridge = OvsBridge("arch-ovs", "netdev", "standalone", {BRIDGE: _bridge.MARK}, {"forward-bpdu": "true"})
        self.ovs = FakeOvs(self.net, bridges={"arch-ovs": bridge}, other_config={"vlan-limit": "1"})
        self.docker = FakeDocker({})
        self.nft = FakeNft()

    @property
    def server(self) -> Server:
        return Server(ovs=self.ovs, net=self.net, docker=self.docker, nft=self.nft)

    def converge(self, tag: int = 3001) -> dict[str, Any]:
        return converge(self.server, Declared.from_params(declared(tag)), Run("me", "mine"), declared(tag))

    def failing(self, **todo: Any) -> PartialResult:
        with pytest.raises(PartialResult) as caught:
            reconcile(self.server, Pass("demo", "me", "mine", **todo), declared())
        return caught.value


@pytest.fixture
def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Box:
    monkeypatch.setattr(_server, "STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setattr(_server, "RUN_DIR", str(tmp_path / "run"))
    monkeypatch.setattr(_journal, "JOURNAL_DIR", str(tmp_path / "log"))
    monkeypatch.setattr(_ports, "netns_paths", lambda _server, sandboxes: {name: name for name in sandboxes})
    return Box()


def raises(error: LabError) -> Any:
    def fail(*_what: object, **_more: object) -> Any:
        raise error

    return fail


def word(report: dict[str, Any]) -> tuple[str, str]:
    (link,) = report["links"]
    return link["word"], link["state"]


@pytest.mark.parametrize("check", [False, True])
def test_what_was_not_compared_is_not_in_sync_when_something_else_cannot_be_read(
    box: Box, monkeypatch: pytest.MonkeyPatch, *, check: bool
) -> None:
    monkeypatch.setattr(_management, "read", raises(ReadError("nft cannot be asked", objects=("ap-mgmt",))))
    assert word(box.failing(check=check).result)[0] == "unreadable"
    assert box.net.devices == {}


def test_what_waits_waits_on_when_a_pass_could_not_compare(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    tries = _backoff.load("demo")
    tries.failed([LINK], "why", 1e9)
    tries.save()
    monkeypatch.setattr(_management, "read", raises(ReadError("nft cannot be asked", objects=("ap-mgmt",))))
    box.failing()
    assert _backoff.load("demo").level(LINK) > 1


def test_links_are_not_in_sync_where_their_bridge_could_not_be_made(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    box.ovs.bridges.clear()
    monkeypatch.setattr(_bridge, "apply", raises(ApplyError("no", objects=("arch-ovs",))))
    assert word(box.failing().result) == ("missing", "error")


def test_links_are_not_in_sync_where_what_is_declared_could_not_be_kept(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_state, "_write", raises(ApplyError("the disk is full", objects=("x",))))
    assert word(box.failing().result) == ("missing", "error")
    assert box.net.devices == {}


def test_a_deployment_that_changes_a_link_ends_its_proof(box: Box) -> None:
    box.converge()
    _standing.prove("demo", PROVEN, 2.0)
    box.converge()
    assert _standing.load("demo")[LINK]["state"] == "up"  # nothing was changed
    box.converge(3002)
    after = _standing.load("demo")[LINK]
    assert (after["state"], after["proven"]["by"]) == ("pending", "")


def test_a_deployment_that_is_killed_leaves_no_proof(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    box.converge()
    _standing.prove("demo", PROVEN, 2.0)

    def die(*_what: object, **_more: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(_tunnels, "apply", die)
    with pytest.raises(KeyboardInterrupt):
        box.converge(3002)
    after = _standing.load("demo")[LINK]
    assert (after["state"], after["proven"]["by"]) == ("pending", "")


def test_a_pass_that_is_killed_leaves_no_proof(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    box.converge()
    _standing.prove("demo", PROVEN, 2.0)
    box.ovs.ports.clear()

    def die(*_what: object, **_more: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(_tunnels, "apply", die)
    with pytest.raises(KeyboardInterrupt):
        reconcile(box.server, Pass("demo", "me", "mine"), declared())
    assert _standing.load("demo")[LINK]["state"] == "pending"


def test_what_was_mended_is_told_where_it_cannot_be_noted(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    box.converge()
    box.ovs.ports.clear()
    monkeypatch.setattr(_run_files, "write", raises(ApplyError("/run is full", objects=("demo",))))
    error = box.failing()
    assert error.result["changed"] is True
    assert {one.message for one in error.errors} == {"/run is full"}
    assert os.path.exists(_journal.path("demo"))


def waits_for_its_neighbour() -> dict[str, Any]:
    """Node b is not started before a is healthy, which Docker has not decided on."""
    check = Healthcheck(("CMD", "true"), interval=1, timeout=1, retries=1)
    nodes = (node("a", hold="healthy", healthcheck=check), node("b", wave=1, exec=(("true",),)))
    return {**declared(), "tunnels": [], "links": [], "containers": [asdict(one) for one in nodes]}


def test_what_is_left_to_a_later_pass_was_not_done(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """The watcher would begin the next pass at once, for ever, and take the node for one that somebody keeps changing."""
    monkeypatch.setattr(_container_nodes, "SETTLE", 0.0)
    monkeypatch.setattr(_ports, "netns_paths", lambda _server, _sandboxes: {})
    box.docker = FakeDocker(IMAGES)
    todo = Pass("demo", "me", "mine", patient=True)
    first = reconcile(box.server, todo, waits_for_its_neighbour())
    assert first["coming"] == ["a", "b"]
    second = reconcile(box.server, todo, waits_for_its_neighbour())
    assert (second["changed"], second["changes"]) == (False, [])
    assert {one["name"]: one["word"] for one in second["nodes"]} == {"a": "in sync", "b": "missing"}


def test_an_image_that_is_refused_keeps_no_link_from_being_mended(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """As one that an admin copies anew while machines run: what was made on it is left alone, with its tap."""
    image, read = "/images/r.qcow2", _vms.read

    def look(server: Server, lab: str, want: Any, **more: Any) -> Any:
        if want:
            raise LabError(f"image {image} is being written", objects=(image,))
        return read(server, lab, want, **more)

    monkeypatch.setattr(_vms, "read", look)
    tap = {"name": "ap-v", "link": "v:eth1--w:eth1", "node": "v", "interface": "eth1", "mtu": 1500, "device": "tap", "tag": 77}
    both = {**declared(), "ports": [tap], "vms": [{"name": "demo-v", "node": "v", "image": image}]}
    with pytest.raises(PartialResult) as caught:
        reconcile(box.server, Pass("demo", "me", "mine"), both)
    assert [error.objects for error in caught.value.errors] == [(image,)]
    assert word(caught.value.result) == ("in sync", "pending")
    assert ("at-demo" in box.net.devices, "ap-v" in box.net.devices) == (True, False)
    assert {one["name"]: one["word"] for one in caught.value.result["nodes"]} == {"v": "wrong"}


# -- what is somebody else's, and what waits ------------------------------------------------------------------------


def test_a_foreign_device_with_the_name_of_a_tunnel_stays_though_the_port_on_it_is_the_labs(box: Box) -> None:
    box.converge()
    index = box.net.devices.pop("at-demo").index
    box.net.devices["at-demo"] = Device("at-demo", index + 1, kind="veth")
    for _pass in range(3):
        report = box.failing(patient=True).result
        assert word(report)[0] == "foreign"
        assert report["waiting"] == []
    assert box.net.devices["at-demo"].kind == "veth"
    del box.net.devices["at-demo"]
    mended = reconcile(box.server, Pass("demo", "me", "mine", patient=True), declared())
    assert word(mended)[0] == "in sync"
    assert box.net.devices["at-demo"].vxlan is not None


def test_a_tunnel_that_was_made_anew_by_hand_and_has_no_mark_is_made_right(box: Box) -> None:
    box.converge()
    box.net.devices["at-demo"] = replace(box.net.devices["at-demo"], alias="", index=4242)
    assert word(reconcile(box.server, Pass("demo", "me", "mine"), declared()))[0] == "in sync"
    assert box.net.devices["at-demo"].alias


class Racing(FakeNet):
    """Somebody is quicker, and makes the tunnel that was just deleted by hand."""

    def _apply(self, op: NetOp) -> str:
        if isinstance(op, NewVxlan) and op.name not in self.devices:
            self.devices[op.name] = Device(op.name, 777, "vxlan", vxlan=replace(op.vxlan, vni=99))
            return "File exists"
        return super()._apply(op)


def test_a_tunnel_that_somebody_made_in_the_middle_of_mending_it_is_known_again(box: Box) -> None:
    box.converge()
    del box.net.devices["at-demo"]
    box.net.__class__ = Racing
    assert word(box.failing().result)[1] == "error"
    box.net.__class__ = FakeNet
    assert word(reconcile(box.server, Pass("demo", "me", "mine"), declared()))[0] == "in sync"
    assert box.net.devices["at-demo"].vxlan is not None
    assert box.net.devices["at-demo"].vxlan.vni == 4711
