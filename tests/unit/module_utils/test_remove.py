# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Removing a lab from a server: wires and containers at once, and nothing while anything cannot be read or is another run's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.archetype.lab.plugins.module_utils import _boots, _files, _lock, _ports, _server, _state
from ansible_collections.archetype.lab.plugins.module_utils._declared import Port
from ansible_collections.archetype.lab.plugins.module_utils._docker._port import Image
from ansible_collections.archetype.lab.plugins.module_utils._errors import ApplyError, ReadError
from ansible_collections.archetype.lab.plugins.module_utils._netlink._port import NetOp
from ansible_collections.archetype.lab.plugins.module_utils._outcome import Run
from ansible_collections.archetype.lab.plugins.module_utils._ports_model import Request
from ansible_collections.archetype.lab.plugins.module_utils._remove import remove
from ansible_collections.archetype.lab.plugins.module_utils._runner import PartialResult
from ansible_collections.archetype.lab.plugins.module_utils._server import Server
from tests.unit.module_utils.docker_fake import FakeDocker
from tests.unit.module_utils.fakes import FakeNet, FakeOvs
from tests.unit.module_utils.nft_fake import FakeNft

RUN = Run("me", "token")
PORTS = tuple(
    Port(
        name=f"ap{node}",
        device="veth",
        link="a:eth1--b:eth1",
        node=node,
        interface="eth1",
        sandbox=f"/proc/self/{node}",
        mac=f"02:00:00:00:00:0{place}",
        mtu=1500,
        tag=100,
    )
    for place, node in enumerate("ab")
)
LABELS = {"archetype-lab": "demo", "archetype-node": "a", "archetype-role": "node"}


class MovingNet(FakeNet):
    """A server on which devices go away between reading and deleting, as with a sandbox that is removed meanwhile."""

    def apply(self, ops: Sequence[NetOp]) -> Mapping[int, str]:
        for name in list(self.devices):
            self.drop(name)
        return super().apply(ops)


class Box:
    """A server that has the lab, in memory."""

    def __init__(self) -> None:
        self.net = FakeNet(inside={"/proc/self/a": {}, "/proc/self/b": {}})
        self.ovs = FakeOvs(self.net)
        self.nft = FakeNft()
        self.docker = FakeDocker({"image": Image("sha256:1")})
        self.docker.create("clab-demo-a", {"Image": "image", "Labels": LABELS, "HostConfig": {"NetworkMode": "none"}})
        self.docker.start("clab-demo-a")

    @property
    def server(self) -> Server:
        return Server(ovs=self.ovs, net=self.net, docker=self.docker, nft=self.nft)


@pytest.fixture
def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Box:
    for module in (_server, _state, _files, _boots):
        if hasattr(module, "STATE_DIR"):
            monkeypatch.setattr(module, "STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setattr(_server, "RUN_DIR", str(tmp_path / "run"))
    monkeypatch.setattr(_ports, "netns_paths", lambda _server, sandboxes: {name: name for name in sandboxes})
    box = Box()
    want = Request(lab="demo", ports=PORTS, bridge="arch-ovs")
    assert _ports.converge(box.server, want).errors == []
    _state.save("demo", {"lab": "demo"})
    return box


def test_nothing_is_left_and_the_lock_is_given_back(box: Box) -> None:
    found = remove(box.server, "demo", RUN)
    assert (box.net.devices, box.ovs.ports, box.docker.raw) == ({}, {}, {})
    assert _state.load("demo") is None
    assert _lock.current("demo") is None
    assert list(Path(_server.RUN_DIR, "labs").iterdir()) == []
    assert {(change["action"], change["kind"]) for change in found["changes"]} >= {
        ("delete", "port"),
        ("delete", "container"),
        ("delete", "state"),
    }


def test_check_mode_predicts_it_and_touches_nothing(box: Box) -> None:
    predicted = remove(box.server, "demo", replace(RUN, check=True))
    assert (len(box.net.devices), len(box.ovs.ports), len(box.docker.raw)) == (2, 2, 1)
    assert predicted["changes"] == remove(box.server, "demo", RUN)["changes"]


def test_a_device_that_went_with_its_sandbox_meanwhile_is_no_error(box: Box) -> None:
    box.net.__class__ = MovingNet
    remove(box.server, "demo", RUN)
    assert (box.net.devices, box.ovs.ports, box.docker.raw) == ({}, {}, {})


@pytest.mark.parametrize("backend", ["net", "ovs"])
def test_while_something_cannot_be_read_nothing_is_removed(box: Box, backend: str) -> None:
    getattr(box, backend).unreadable = True
    with pytest.raises(ReadError):
        remove(box.server, "demo", RUN)
    assert (len(box.net.devices), len(box.ovs.ports), len(box.docker.raw)) == (2, 2, 1)
    assert _lock.current("demo") is None


def test_what_fails_on_one_side_does_not_stop_the_other_and_nobody_mends_what_is_removed(box: Box) -> None:
    box.ovs.refuse = "it is full"
    with pytest.raises(PartialResult) as failed:
        remove(box.server, "demo", RUN)
    assert [type(error) for error in failed.value.errors] == [ApplyError]
    assert box.docker.raw == {}
    assert _state.load("demo") is None
    assert not _lock.held("demo")
    assert Path(_server.run_path("demo")).is_dir()


def test_the_lock_of_another_run_is_in_the_result_and_nothing_is_removed(box: Box) -> None:
    _lock.acquire("demo", "somebody", "theirs")
    with pytest.raises(PartialResult) as failed:
        remove(box.server, "demo", RUN)
    assert failed.value.result["lock"]["token"] == "theirs"
    assert len(box.docker.raw) == 1
    assert remove(box.server, "demo", replace(RUN, ended="theirs"))["changed"]
