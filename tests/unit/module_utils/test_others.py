# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What other labs are declared to have on a server counts, whether it is there or not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.archetype.lab.plugins.module_utils import _others, _server, _state
from ansible_collections.archetype.lab.plugins.module_utils._declared import Declared
from ansible_collections.archetype.lab.plugins.module_utils._errors import ClashError, Errors, ReadError

PORT = {"name": "ap1", "device": "veth", "link": "a:eth1--b:eth1", "node": "a", "interface": "eth1", "sandbox": "a-sandbox", "tag": 3001}
TUNNEL = {"name": "at1", "vni": 70, "local": "198.51.100.1", "remotes": ["198.51.100.2"], "mtu": 1450, "link": PORT["link"], "tag": 3001}
SHARED = {**TUNNEL, "name": "at2", "vni": 71, "link": "", "tag": None, "links": [{"key": "x", "tag": 3007}, {"key": "y", "tag": 3008}]}
MANAGEMENT = {
    "device": "am1",
    "subnets": ["172.20.20.0/24", "3fff:172:20:20::/64"],
    "ports": [{"server_port": 8080, "target": "172.20.20.2", "node_port": 80, "address": ""}],
}


def slice_of(lab: str, **values: Any) -> dict[str, Any]:
    return {"format": 1, "lab": lab, "server": "srv1", "bridge": {"name": "arch-ovs"}, **values}


@pytest.fixture(autouse=True)
def state_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(_server, "STATE_DIR", str(tmp_path / "state"))
    return tmp_path / "state"


def clashes(lab: str = "demo", **values: Any) -> dict[str, tuple[str, ...]]:
    """What each error says until it names the other lab -> the objects that are concerned."""
    errors = _others.clashes(Declared.from_params(slice_of(lab, **values)), _others.read(lab))
    assert {type(error) for error in errors} <= {ClashError}
    return {error.message.partition(" is declared")[0]: error.objects for error in errors}


def claims(
    bridge: str = "arch-ovs", *, management: bool = True, seen: dict[str, dict[str, str]] | None = None
) -> dict[str, dict[str, str]]:
    found = seen or {}
    _others.add_claims(found, bridge, _others.read("demo"), management=management)
    return {sort: values for sort, values in found.items() if values}


def test_all_that_another_lab_is_declared_to_have_is_claimed() -> None:
    vm = {"name": "clab-other-r1", "node": "r1", "image": "/r1.qcow2", "serial_ports": [20007]}
    host = {"name": "ap3", "device": "host", "interface": "eth9", "node": "a", "sandbox": "a-sandbox"}
    own = {"name": "ap4", "device": "veth", "interface": "am1", "node": "server srv1", "tag": 140}
    dummy = {"name": "nothing", "device": "dummy", "interface": "eth5", "node": "a", "sandbox": "a-sandbox"}
    kept = slice_of("other", ports=[PORT, host, own, dummy], tunnels=[TUNNEL, SHARED], vms=[vm], management=MANAGEMENT)
    _state.save("other", kept)
    assert claims() == {
        "tags": dict.fromkeys(["140", "3001", "3007", "3008"], "lab other"),
        "vnis": dict.fromkeys(["70", "71"], "lab other"),
        "devices": dict.fromkeys(["ap1", "ap3", "ap4", "am1", "at1", "at2"], "lab other"),
        "consoles": {"20007": "lab other"},
        "subnets": dict.fromkeys(MANAGEMENT["subnets"], "lab other"),
        "published": {"tcp:8080:*": "lab other"},
    }


def test_what_is_held_or_was_taken_back_is_claimed_as_well() -> None:
    key = PORT["link"]
    _state.save("other", slice_of("other", ports=[PORT], tunnels=[TUNNEL], hold=[key], taken_back=[key]))
    assert claims()["tags"] == {"3001": "lab other"}
    assert claims()["vnis"] == {"70": "lab other"}


def test_what_was_seen_is_told_as_it_was_seen() -> None:
    _state.save("other", slice_of("other", ports=[PORT]))
    found = claims(seen={"tags": {"3001": "port eth7 (foreign)", "12": "lab third"}})
    assert found["tags"] == {"3001": "port eth7 (foreign)", "12": "lab third"}
    assert found["devices"] == {"ap1": "lab other"}


def test_tags_are_of_a_bridge_and_management_is_looked_at_where_it_is_planned() -> None:
    _state.save("other", slice_of("other", ports=[PORT], tunnels=[TUNNEL], management=MANAGEMENT))
    assert claims("br-else", management=False) == {"vnis": {"70": "lab other"}, "devices": {"ap1": "lab other", "at1": "lab other"}}


def test_what_the_lab_itself_keeps_is_no_claim_and_no_clash() -> None:
    _state.save("demo", slice_of("demo", ports=[PORT], tunnels=[TUNNEL], management=MANAGEMENT))
    assert claims() == {}
    assert clashes(ports=[PORT], tunnels=[TUNNEL], management=MANAGEMENT) == {}


def test_whatever_another_lab_is_declared_to_have_is_refused_once_with_all_that_has_it() -> None:
    vm = {"name": "clab-other-r1", "node": "r1", "image": "/r1.qcow2", "serial_ports": [20007]}
    _state.save("other", slice_of("other", ports=[PORT], tunnels=[TUNNEL], management=MANAGEMENT, vms=[vm]))
    port = {**PORT, "name": "ap9"}
    tunnel = {**TUNNEL, "name": "at9"}
    mine = {"device": "am9", "subnets": ["172.20.0.0/16"], "ports": [{**MANAGEMENT["ports"][0], "address": "198.51.100.1"}]}
    assert clashes(ports=[port], tunnels=[tunnel], management=mine, vms=[{**vm, "name": "r9"}]) == {
        "tag 3001": ("ap9", "at9"),
        "VNI 70": ("at9",),
        "TCP port 20007": ("r9",),
        "subnet 172.20.0.0/16": ("am9",),
        "published tcp port 8080": ("am9",),
    }
    assert clashes(ports=[{**PORT, "tag": 5}]) == {"name ap1": ("ap1",)}


def test_what_differs_is_no_clash() -> None:
    _state.save("other", slice_of("other", ports=[PORT], tunnels=[TUNNEL], management=MANAGEMENT))
    published = {**MANAGEMENT["ports"][0], "protocol": "udp"}
    mine = {"device": "am9", "subnets": ["172.20.21.0/24", "fd00::/64"], "ports": [published, {**published, "server_port": 1}]}
    six = {**TUNNEL, "name": "at8", "tag": 6, "local": "2001:db8::1", "remotes": ["2001:db8::2"]}
    elsewhere = {**TUNNEL, "name": "at7", "tag": 7, "dst_port": 4790}
    assert clashes(ports=[{**PORT, "name": "ap9", "tag": 3002}], tunnels=[six, elsewhere], management=mine) == {}
    assert clashes(ports=[{**PORT, "name": "ap9"}], bridge={"name": "br-else"}) == {}


def test_every_lab_is_told_of_and_what_to_do() -> None:
    for lab in ("one", "two"):
        _state.save(lab, slice_of(lab, ports=[{**PORT, "name": f"ap-{lab}"}]))
    errors = _others.clashes(Declared.from_params(slice_of("demo", ports=[PORT])), _others.read("demo"))
    assert [str(error) for error in errors] == [
        f"tag 3001 is declared on this server for lab {lab} since this was planned; deploy again, so that another is chosen; "
        f"or destroy lab {lab}, if it is not wanted any more"
        for lab in ("one", "two")
    ]


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "7", '{"format": 2, "lab": "other"}', '{"format": 1, "lab": "third"}', '{"format": 1}', '{"lab": "other", "ports": 7}',
     '{"lab": "other", "ports": [{}]}', '{"lab": "other", "tunnels": [{"name": "x"}]}', '{"lab": "other", "vms": 7}',
     '{"lab": "other", "management": {"device": "d", "subnets": ["none"]}}', "\udcff"],
)  # fmt: skip
def test_what_another_lab_is_declared_to_have_and_cannot_be_read_is_not_nothing(state_dir: Path, text: str) -> None:
    _state.save("other", slice_of("other", ports=[PORT]))
    assert claims()["tags"]
    (state_dir / "other.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(
        ReadError, match=r"what lab other is declared to have on this server is not known: .*deploy lab other again, or destroy it"
    ):
        _others.read("demo")
    assert _others.read("other") == ()


def test_all_that_cannot_be_read_is_told_at_once(state_dir: Path) -> None:
    state_dir.mkdir()
    for lab in ("one", "two"):
        (state_dir / f"{lab}.json").write_text("{")
    with pytest.raises(Errors) as caught:
        _others.read("demo")
    assert [error.objects for error in caught.value.errors] == [("one",), ("two",)]


def test_a_folder_that_cannot_be_read_is_not_empty(state_dir: Path) -> None:
    assert _others.read("demo") == ()
    state_dir.write_text("")
    with pytest.raises(ReadError, match="cannot be read"):
        _others.read("demo")


def test_a_declared_state_that_changed_is_read_again_and_one_that_went_is_forgotten(state_dir: Path) -> None:
    for tag in (11, 12, 13):
        _state.save("other", slice_of("other", ports=[{**PORT, "tag": tag}]))
        assert claims()["tags"] == {str(tag): "lab other"}
        assert claims()["tags"] == {str(tag): "lab other"}
    (state_dir / "other.json").unlink()
    assert claims() == {}


def test_the_declared_state_is_read_once_while_it_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    _state.save("other", slice_of("other", ports=[PORT]))
    first = _others.read("demo")
    monkeypatch.setattr(json, "loads", lambda _text: pytest.fail("it was read again"))
    assert _others.read("demo") == first
