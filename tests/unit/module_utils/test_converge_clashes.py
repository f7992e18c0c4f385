# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A slice that was overtaken by another lab is refused before anything is touched; what is kept already is not asked about again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.archetype.lab.plugins.module_utils import _journal, _lock, _ports, _server, _state
from ansible_collections.archetype.lab.plugins.module_utils._converge import converge
from ansible_collections.archetype.lab.plugins.module_utils._declared import Declared
from ansible_collections.archetype.lab.plugins.module_utils._errors import ClashError, Errors, ReadError
from ansible_collections.archetype.lab.plugins.module_utils._outcome import Run
from ansible_collections.archetype.lab.plugins.module_utils._reconcile import Pass, reconcile
from ansible_collections.archetype.lab.plugins.module_utils._runner import PartialResult
from ansible_collections.archetype.lab.plugins.module_utils._server import Server
from tests.unit.module_utils.docker_fake import FakeDocker
from tests.unit.module_utils.fakes import FakeNet, FakeOvs
from tests.unit.module_utils.nft_fake import FakeNft


def slice_of(lab: str, tag: int) -> dict[str, Any]:
    ends = {"local": "198.51.100.1", "remotes": ["198.51.100.2"], "mtu": 1450}
    tunnel = {"name": f"at-{lab}", "vni": tag, "link": "a:eth1--b:eth1", "tag": tag, **ends}
    return {"format": 1, "lab": lab, "server": "srv1", "bridge": {"name": "arch-ovs", "datapath_type": "netdev"}, "tunnels": [tunnel]}


class Box:
    """A server with nothing on it."""

    def __init__(self) -> None:
        self.net = FakeNet()
        self.ovs = FakeOvs(self.net, bridges={})
        self.docker = FakeDocker({})
        self.nft = FakeNft()

    @property
    def server(self) -> Server:
        return Server(ovs=self.ovs, net=self.net, docker=self.docker, nft=self.nft)

    def converge(self, declared: dict[str, Any], *, check: bool = False) -> dict[str, Any]:
        return converge(self.server, Declared.from_params(declared), Run("me", "mine", check=check), declared)


@pytest.fixture
def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Box:
    monkeypatch.setattr(_server, "STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setattr(_server, "RUN_DIR", str(tmp_path / "run"))
    monkeypatch.setattr(_journal, "JOURNAL_DIR", str(tmp_path / "log"))
    monkeypatch.setattr(_ports, "netns_paths", lambda _server, sandboxes: {name: name for name in sandboxes})
    return Box()


@pytest.mark.parametrize("check", [False, True])
def test_what_another_lab_was_given_meanwhile_is_refused_and_nothing_is_touched(box: Box, *, check: bool) -> None:
    _state.save("other", slice_of("other", 3001))
    with pytest.raises(Errors) as caught:
        box.converge(slice_of("demo", 3001), check=check)
    assert {type(error) for error in caught.value.errors} == {ClashError}
    assert [error.message.split()[:2] for error in caught.value.errors] == [["tag", "3001"], ["VNI", "3001"]]
    assert (box.net.devices, box.ovs.ports) == ({}, {})
    assert _state.load("demo") is None
    assert _lock.held("demo") is not check


def test_what_is_kept_already_is_mended_whatever_others_are_declared_to_have(box: Box) -> None:
    _state.save("demo", slice_of("demo", 3001))
    _state.save("other", slice_of("other", 3002))
    _state.path("other").write_text("{")
    assert box.converge(slice_of("demo", 3001), check=True)["plan"]["create"]
    with pytest.raises(ReadError, match="what lab other is declared to have"):
        box.converge(slice_of("demo", 3003))
    assert _state.load("demo") == slice_of("demo", 3001)


def test_what_is_left_alone_in_a_pass_clashes_as_well_since_it_would_be_kept(box: Box) -> None:
    """A pass over a lab goes on without what it is refused for; but what nobody else may have must not come to be kept."""
    _state.save("other", slice_of("other", 3001))
    with pytest.raises(PartialResult) as caught:
        reconcile(box.server, Pass("demo", "me", "mine"), slice_of("demo", 3001))
    assert {type(error) for error in caught.value.errors} == {ClashError}
    assert (box.net.devices, box.ovs.ports, box.ovs.bridges) == ({}, {}, {})
    assert _state.load("demo") is None
