# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The names of nodes, the kernel's settings and the order of it all; and that everything is again as it was when the labs are gone."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from ansible_collections.archetype.lab.plugins.module_utils import _listeners, _management, _server, _sysctls
from ansible_collections.archetype.lab.plugins.module_utils._declared import Host, Management, PublishedPort
from ansible_collections.archetype.lab.plugins.module_utils._errors import LabError, ReadError
from ansible_collections.archetype.lab.plugins.module_utils._server import Server
from tests.unit.module_utils.nft_fake import FakeNft

SUBNETS = ("198.51.100.0/24", "3fff:1::/64")
HOSTS = (Host("198.51.100.7", ("a", "clab-demo-a")), Host("3fff:1::7", ("a", "clab-demo-a")))
PLAIN = Management("am1", SUBNETS, hosts=HOSTS)
OPEN = Management("am1", SUBNETS, masquerade=True, ports=(PublishedPort(80, "198.51.100.7", 80),), hosts=HOSTS)
FORWARD, FORWARD6 = _sysctls.FORWARDING.values()
OWN = ("net/ipv6/conf/am1/accept_ra", "net/ipv4/conf/am1/route_localnet")


class Box:
    """A server with a packet filter in memory, and settings that are files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.nft = FakeNft()
        self.set(FORWARD, "0")
        self.set(FORWARD6, "0")
        self.set("net/ipv6/conf/eth0/accept_ra", "1")
        self.make_device()

    def make_device(self) -> None:
        self.set(OWN[0], "1")
        self.set(OWN[1], "0")

    def set(self, name: str, value: str) -> None:
        path = self.folder / "sys" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(value + "\n")

    def get(self, *names: str) -> list[str]:
        return [(self.folder / "sys" / name).read_text().strip() for name in names]

    def read(self, want: Management | None, lab: str = "demo", *, everything: bool = False) -> _management.Have:
        return _management.read(Server(nft=self.nft), lab, want, everything=everything)

    def converge(self, want: Management | None, lab: str = "demo", **options: bool) -> list[str]:
        """What was changed; a second time nothing is."""
        server = Server(nft=self.nft)
        todo = _management.plan(lab, want, self.read(want, lab), **options)
        assert _management.apply_names(lab, todo) == []
        assert _management.apply(server, lab, todo) == []
        assert _management.plan(lab, want, self.read(want, lab)).changes == ()
        return [f"{change.action} {change.kind} {change.name.rpartition('/')[2]}" for change in todo.changes]

    @property
    def hosts(self) -> Path:
        return _management.hosts_path("demo")


@pytest.fixture
def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Box:
    monkeypatch.setattr(_server, "STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setattr(_server, "RUN_DIR", str(tmp_path / "run"))
    monkeypatch.setattr(_server, "DHCP_DIR", str(tmp_path / "dhcp"))
    monkeypatch.setattr(_sysctls, "PROC", str(tmp_path / "sys"))
    monkeypatch.setattr(_sysctls, "IPV6_ROUTES", str(tmp_path / "ipv6_route"))
    return Box(tmp_path)


def test_a_plain_network_needs_names_a_table_and_no_forwarding(box: Box) -> None:
    assert box.converge(PLAIN) == ["create hosts hosts", "create firewall archetype-lab-demo", "update sysctl net.ipv6.conf.am1.accept_ra"]
    assert box.get(FORWARD, FORWARD6, *OWN) == ["0", "0", "0", "0"]
    assert box.converge(PLAIN) == []


def test_everybody_finds_everybody_and_himself(box: Box) -> None:
    box.converge(PLAIN)
    assert box.hosts.read_text().splitlines()[1:] == [
        "127.0.0.1\tlocalhost",
        "::1\tlocalhost ip6-localhost ip6-loopback",
        "ff02::1\tip6-allnodes",
        "ff02::2\tip6-allrouters",
        "198.51.100.7\ta clab-demo-a",
        "3fff:1::7\ta clab-demo-a",
    ]
    assert box.hosts.stat().st_mode & 0o777 == 0o644


def test_the_file_of_names_is_changed_in_place(box: Box) -> None:
    box.converge(PLAIN)
    before = box.hosts.stat().st_ino
    assert box.converge(Management("am1", SUBNETS, hosts=HOSTS[:1])) == ["update hosts hosts"]
    assert box.hosts.stat().st_ino == before
    assert box.hosts.read_text().splitlines()[-1] == "198.51.100.7\ta clab-demo-a"


def test_a_link_in_the_place_of_the_names_is_not_followed(box: Box, tmp_path: Path) -> None:
    box.hosts.parent.mkdir(parents=True)
    (tmp_path / "other").write_text("mine\n")
    box.hosts.symlink_to(tmp_path / "other")
    todo = _management.plan("demo", PLAIN, box.read(PLAIN))
    (error,) = _management.apply_names("demo", todo)
    assert "cannot be written" in error.message
    assert (tmp_path / "other").read_text() == "mine\n"


def test_what_crosses_needs_forwarding_which_is_as_it_was_afterwards(box: Box) -> None:
    box.converge(OPEN)
    assert box.get(FORWARD, FORWARD6, *OWN) == ["1", "1", "0", "1"]
    assert box.converge(PLAIN)
    assert box.get(FORWARD, FORWARD6) == ["0", "0"]
    assert not _sysctls.note_path().exists()
    assert box.converge(OPEN)
    assert box.converge(None) == [
        "delete hosts hosts",
        "delete firewall archetype-lab-demo",
        "update sysctl net.ipv4.ip_forward",
        "update sysctl net.ipv6.conf.all.forwarding",
    ]
    assert box.get(FORWARD, FORWARD6) == ["0", "0"]
    assert not box.hosts.exists()
    assert not box.nft.objects


def test_forwarding_that_is_the_administrators_stays(box: Box) -> None:
    box.set(FORWARD, "1")
    box.converge(OPEN)
    box.converge(None)
    assert box.get(FORWARD, FORWARD6) == ["1", "0"]


def test_forwarding_lasts_until_the_last_lab_is_gone(box: Box) -> None:
    box.converge(OPEN)
    assert "update sysctl net.ipv4.ip_forward" not in box.converge(OPEN, "other")
    box.converge(None)
    assert box.get(FORWARD, FORWARD6) == ["1", "1"]
    box.converge(None, "other")
    assert box.get(FORWARD, FORWARD6) == ["0", "0"]


def test_forwarding_that_somebody_turned_off_comes_back_and_is_off_in_the_end(box: Box) -> None:
    box.converge(OPEN)
    box.set(FORWARD, "0")
    assert box.converge(OPEN) == ["update sysctl net.ipv4.ip_forward"]
    box.set(FORWARD, "0")
    box.converge(None)
    assert box.get(FORWARD) == ["0"]


def test_a_server_that_listens_to_routers_goes_on_when_it_forwards(box: Box) -> None:
    route = "0" * 32 + " 00 " + "0" * 32 + " 00 fe80" + "0" * 27 + "1 00000400 00000001 00000000 00450003     eth0\n"
    (box.folder / "ipv6_route").write_text(route + route.replace("00450003", "00000003").replace("eth0", "eth1"))
    box.converge(OPEN)
    assert box.get("net/ipv6/conf/eth0/accept_ra") == ["2"]
    box.converge(None)
    assert box.get("net/ipv6/conf/eth0/accept_ra") == ["1"]


def test_a_device_that_is_made_anew_gets_its_settings_again_and_this_is_foretold(box: Box) -> None:
    box.converge(OPEN)
    foretold = _management.plan("demo", OPEN, box.read(OPEN), fresh=True).changes
    assert [change.name for change in foretold] == ["net.ipv6.conf.am1.accept_ra", "net.ipv4.conf.am1.route_localnet"]
    box.make_device()
    assert len(box.converge(OPEN)) == 2


def test_nothing_is_asked_where_there_is_nothing_to_ask_for(box: Box) -> None:
    assert box.converge(None) == []
    assert box.nft.reads == 0


def test_a_lab_without_a_network_that_had_one_loses_it(box: Box) -> None:
    box.converge(PLAIN)
    assert box.converge(None) == ["delete hosts hosts", "delete firewall archetype-lab-demo"]


def test_a_table_without_names_is_found_by_who_looks_for_everything(box: Box) -> None:
    box.converge(PLAIN)
    box.hosts.unlink()
    todo = _management.plan("demo", None, box.read(None, everything=True), whole=True)
    assert _management.apply(Server(nft=box.nft), "demo", todo) == []
    assert not box.nft.objects


def test_the_names_go_with_the_labs_folder_where_that_goes(box: Box) -> None:
    box.converge(PLAIN)
    todo = _management.plan("demo", None, box.read(None, everything=True), whole=True)
    assert [change.kind for change in todo.changes] == ["firewall"]
    assert _management.apply(Server(nft=box.nft), "demo", todo) == []
    assert box.hosts.exists()


def test_without_the_program_nothing_can_be_there_but_where_there_was(box: Box) -> None:
    box.nft.there = False
    assert not box.read(None, everything=True).looked
    with pytest.raises(ReadError, match="no program nft"):
        box.read(PLAIN)
    box.nft.there = True
    box.converge(PLAIN)
    box.nft.there = False
    with pytest.raises(ReadError, match="no program nft"):
        box.read(None)


def test_what_fails_is_an_error_of_the_network(box: Box) -> None:
    todo = _management.plan("demo", OPEN, box.read(OPEN))
    box.nft.broken = "it is on fire"
    (error,) = _management.apply(Server(nft=box.nft), "demo", todo)
    assert "on fire" in error.message
    assert error.objects == ("management",)


def test_a_note_that_cannot_be_read_stops_everything(box: Box) -> None:
    path = _sysctls.note_path()
    path.parent.mkdir()
    for text in ("", "[]", '{"x": {"was": 1}}'):
        path.write_text(text)
        with pytest.raises(LabError, match=r"sysctls\.json cannot be read"):
            box.read(OPEN)


TCP = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0
   1: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 2 1 0 100 0 0 10 0
   2: 016433C6:0016 026433C6:9C40 01 00000000:00000000 00:00000000 00000000     0        0 3 1 0 100 0 0 10 0
"""
TCP6 = """\
  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt
   0: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000
   1: 0000FF3F000000000000000005000000:0051 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000
"""


def test_listeners_are_those_that_wait_for_anybody(tmp_path: Path) -> None:
    (tmp_path / "tcp").write_text(TCP)
    (tmp_path / "tcp6").write_text(TCP6)
    assert _listeners.read(str(tmp_path)) == {("tcp", 8080, "127.0.0.1"), ("tcp", 22, ""), ("tcp", 80, ""), ("tcp", 81, "3fff::5")}


def test_the_real_kernel_is_understood() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert ("tcp", server.getsockname()[1], "127.0.0.1") in _listeners.read()


def test_the_settings_are_where_the_kernel_has_them() -> None:
    for name in _sysctls.FORWARDING.values():
        if os.path.exists(f"/proc/sys/{name}"):
            assert _sysctls.read_value(name) in ("0", "1")
    assert _sysctls.read_value("net/ipv4/conf/no-such-device/route_localnet") is None


def test_nothing_is_forwarded_without_the_rules_that_go_with_it(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_commands: object) -> None:
        raise LabError("nft says no")

    todo = _management.plan("demo", OPEN, box.read(OPEN))
    monkeypatch.setattr(box.nft, "apply", refuse)
    assert [error.message for error in _management.apply(Server(nft=box.nft), "demo", todo)] == ["nft says no"]
    assert box.get(FORWARD, FORWARD6) == ["0", "0"]


def test_everybody_in_a_node_can_read_the_names_whatever_the_umask(box: Box) -> None:
    before = os.umask(0o077)
    try:
        box.converge(PLAIN)
    finally:
        os.umask(before)
    assert box.hosts.stat().st_mode & 0o777 == 0o644


def test_nothing_is_set_on_a_device_that_is_not_there_and_is_not_made(box: Box) -> None:
    """Its port is held, or could not be made; that is told of the port."""
    box.converge(OPEN)
    for name in OWN:
        (box.folder / "sys" / name).unlink()
        (box.folder / "sys" / name).parent.rmdir()
    assert box.converge(OPEN) == []
    other = Management("am1", SUBNETS, masquerade=True, ports=OPEN.ports)
    assert box.converge(other) == ["update hosts hosts"]
    foreseen = _management.plan("demo", other, box.read(other), fresh=True).changes
    assert [change.name for change in foreseen if change.kind == "sysctl"] == [name.replace("/", ".") for name in OWN]
    box.make_device()
    assert [line.partition(" ")[2] for line in box.converge(other)] == [f"sysctl {name.replace('/', '.')}" for name in OWN]
