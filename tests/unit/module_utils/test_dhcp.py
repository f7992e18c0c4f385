# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What dnsmasq is told, when it is started anew, and what is refused before it would refuse to start."""

from __future__ import annotations

import base64
import dataclasses
import os
import shutil
from pathlib import Path

import pytest

from ansible_collections.archetype.lab.plugins.module_utils import _dhcp, _dhcp_config, _dhcp_daemon, _programs, _server
from ansible_collections.archetype.lab.plugins.module_utils._declared import Management
from ansible_collections.archetype.lab.plugins.module_utils._declared_vm import Lease, MediumFile
from ansible_collections.archetype.lab.plugins.module_utils._docker._port import ExecResult
from ansible_collections.archetype.lab.plugins.module_utils._errors import ApplyError, Errors, LabError, ReadError

SUBNETS = ("198.51.100.0/24", "3fff:1::/64")
SCRIPT = MediumFile("b-poap.py", base64.b64encode(b"print()\n").decode())
A = Lease("02:00:00:00:00:0a", "198.51.100.10", "a", gateway="198.51.100.1")
B = Lease("02:00:00:00:00:0b", "198.51.100.11", "b", gateway="198.51.100.1", boot_file="b-poap.py", files=(SCRIPT,))
BOTH = Management("am1", SUBNETS, leases=(B, A))
NONE = Management("am1", SUBNETS)


class Daemon:
    """Processes in memory, of which each has read its configuration when it was started."""

    def __init__(self) -> None:
        self.processes: list[int] = []
        self.index: int | None = 7
        self.told = ""
        self.refuses = ""

    def running(self, _config: str) -> tuple[int, ...]:
        return tuple(self.processes)

    def stop(self, _config: str) -> None:
        self.processes.clear()

    def start(self, config: str) -> None:
        if self.refuses:
            raise ApplyError(self.refuses)
        self.told = Path(config).read_text()
        self.processes.append(len(self.told))

    def check_device(self, device: str) -> None:
        if self.index is None:
            raise ApplyError(f"{device} is not there")


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Daemon:
    found = Daemon()
    monkeypatch.setattr(_server, "DHCP_DIR", str(tmp_path / "dhcp"))
    for name in ("running", "stop", "start", "check_device"):
        monkeypatch.setattr(_dhcp_daemon, name, getattr(found, name))
    monkeypatch.setattr(_dhcp_daemon, "index_of", lambda _device: found.index)
    monkeypatch.setattr(_dhcp_daemon, "user", lambda: ("somebody", os.getuid()))
    monkeypatch.setattr(_programs, "find", lambda program: f"/usr/sbin/{program}")
    return found


def planned(want: Management | None, lab: str = "demo", *, fresh: bool = False) -> list[str]:
    return [change.to_line() for change in _dhcp.plan(lab, want, _dhcp.read(lab, want), fresh=fresh).changes]


def converge(want: Management | None, lab: str = "demo") -> list[str]:
    """What was done, in words without the path; a second time nothing is."""
    todo = _dhcp.plan(lab, want, _dhcp.read(lab, want))
    assert _dhcp.apply(lab, todo) == []
    assert planned(want, lab) == []
    return [f"{change.action}{': ' * bool(change.reason)}{change.reason}" for change in todo.changes]


def lines(want: Management = BOTH) -> list[str]:
    return _dhcp_config.config_of("demo", want, 7, "nobody").splitlines()


def test_it_is_there_for_the_labs_device_and_its_machines_only() -> None:
    told = lines()
    assert {"port=0", "interface=am1", "except-interface=lo", "bind-dynamic", "dhcp-ignore=tag:!known"} <= set(told)
    assert "dhcp-range=198.51.100.0,static,255.255.255.0,infinite" in told
    assert [line for line in told if line.startswith("dhcp-range")] == [line for line in told if "198.51.100.0" in line]


def test_each_machine_is_told_its_own_in_one_order() -> None:
    told = lines()
    assert [line for line in told if ":m1," in line] == [
        "dhcp-host=02:00:00:00:00:0a,set:m1,198.51.100.10",
        "dhcp-option=tag:m1,12,a",
        "dhcp-option=tag:m1,option:router,198.51.100.1",
    ]
    assert lines(dataclasses.replace(BOTH, leases=(A, B))) == told


def test_without_a_gateway_no_router_is_told() -> None:
    told = lines(dataclasses.replace(BOTH, leases=(dataclasses.replace(A, gateway=""),)))
    assert [line for line in told if "router" in line] == ["dhcp-option=option:router"]


def test_all_are_told_the_mtu_of_the_network() -> None:
    assert not [line for line in lines() if "26," in line]
    assert "dhcp-option-force=26,1450" in lines(dataclasses.replace(BOTH, mtu=1450))


def test_files_are_given_away_only_where_a_machine_starts_from_one() -> None:
    assert [line for line in lines() if "b-poap.py" in line] == ["dhcp-boot=tag:m2,b-poap.py"]
    assert "dhcp-option-force=tag:m2,option:tftp-server,198.51.100.1" in lines()
    assert {"enable-tftp=am1", "tftp-secure"} <= set(lines())
    assert not [line for line in lines(dataclasses.replace(BOTH, leases=(A,))) if "tftp" in line]


@pytest.mark.parametrize(
    ("lease", "said"),
    [
        (dataclasses.replace(A, ipv4="198.51.101.10"), "02:00:00:00:00:0a with 198.51.101.10, gateway 198.51.100.1"),
        (dataclasses.replace(A, ipv4="3fff:1::10"), "with 3fff:1::10"),
        (dataclasses.replace(A, gateway="nobody"), "gateway nobody"),
        (dataclasses.replace(A, mac="02:00:00:00:00:0A"), "02:00:00:00:00:0A with"),
        (dataclasses.replace(A, mac="02:00:00:00:00:0a\nport=53"), "cannot be told by DHCP"),
        (dataclasses.replace(A, hostname="a\nenable-tftp"), "enable-tftp"),
        (dataclasses.replace(A, hostname="a,b"), "'a,b' cannot be told by DHCP: 'a,b'"),
        (dataclasses.replace(A, hostname=""), "it has no name"),
        (dataclasses.replace(B, files=(MediumFile("../b-poap.py", ""),)), "'../b-poap.py'"),
        (dataclasses.replace(B, files=()), "there is no file b-poap.py"),
        (dataclasses.replace(A, mac=B.mac), "02:00:00:00:00:0b is another machine's too"),
        (dataclasses.replace(A, ipv4=B.ipv4), "198.51.100.11 is another machine's too"),
    ],
)
def test_what_would_be_another_line_or_another_machines_is_refused(daemon: Daemon, lease: Lease, said: str) -> None:
    with pytest.raises(LabError) as caught:
        planned(dataclasses.replace(BOTH, leases=(lease, B)))
    assert said in str(caught.value)
    assert not os.path.exists(_server.DHCP_DIR)


def test_all_that_is_wrong_is_told_at_once(daemon: Daemon) -> None:
    leases = (dataclasses.replace(A, ipv4="198.51.101.10"), dataclasses.replace(B, hostname="b c"))
    with pytest.raises(Errors) as caught:
        planned(dataclasses.replace(BOTH, device="am1\nport=53", leases=leases))
    assert len(caught.value.errors) == 3


def test_two_machines_cannot_have_different_files_of_one_name(daemon: Daemon) -> None:
    other = dataclasses.replace(A, boot_file="b-poap.py", files=(dataclasses.replace(SCRIPT, content="b3RoZXI="),))
    with pytest.raises(LabError, match=r"two machines have a file b-poap\.py"):
        planned(dataclasses.replace(BOTH, leases=(other, B)))


def test_it_is_made_kept_changed_and_removed(daemon: Daemon) -> None:
    assert converge(NONE) == []
    assert converge(BOTH) == ["create"]
    folder = Path(_dhcp_config.folder_of("demo"))
    assert sorted(str(path.relative_to(folder)) for path in folder.rglob("*")) == ["dnsmasq.conf", "tftp", "tftp/b-poap.py"]
    assert (folder / "tftp" / "b-poap.py").read_bytes() == b"print()\n"
    assert daemon.told == (folder / "dnsmasq.conf").read_text()
    assert converge(dataclasses.replace(BOTH, leases=(A, B, dataclasses.replace(A, mac="02:00:00:00:00:0c", ipv4="198.51.100.12")))) == [
        "update: what it tells is another"
    ]
    assert converge(NONE) == ["delete"]
    assert not os.path.exists(_server.DHCP_DIR)
    assert not daemon.processes


def test_the_folder_of_another_lab_stays(daemon: Daemon) -> None:
    converge(BOTH)
    daemon.processes.clear()
    converge(BOTH, "other")
    converge(None)
    assert os.listdir(_server.DHCP_DIR) == ["other"]


def test_a_file_of_a_machine_is_given_away_as_it_is_wanted(daemon: Daemon) -> None:
    converge(BOTH)
    again = dataclasses.replace(B, files=(dataclasses.replace(SCRIPT, content="bmV3"),))
    assert converge(dataclasses.replace(BOTH, leases=(A, again))) == ["update: its files are others"]
    root = Path(_dhcp_config.folder_of("demo"), "tftp")
    assert (root / "b-poap.py").read_bytes() == b"new"
    (root / "strange").mkdir()
    assert converge(dataclasses.replace(BOTH, leases=(A, again))) == ["update: its files are others"]
    assert os.listdir(root) == ["b-poap.py"]


def test_nobody_else_can_read_what_is_given_away_whatever_the_umask(daemon: Daemon) -> None:
    before = os.umask(0o077)
    try:
        converge(BOTH)
    finally:
        os.umask(before)
    folder = Path(_dhcp_config.folder_of("demo"))
    paths = (folder.parent, folder, folder / "dnsmasq.conf", folder / "tftp", folder / "tftp" / "b-poap.py")
    assert [oct(path.stat().st_mode & 0o777) for path in paths] == ["0o711", "0o711", "0o600", "0o755", "0o400"]


def test_a_process_that_is_gone_is_started_and_a_second_one_ended(daemon: Daemon) -> None:
    converge(BOTH)
    daemon.processes.clear()
    assert converge(BOTH) == ["start: it does not run"]
    daemon.processes.append(99)
    assert converge(BOTH) == ["start: it runs more than once"]


def test_another_device_is_another_socket(daemon: Daemon) -> None:
    converge(BOTH)
    assert planned(BOTH, fresh=True)[0].endswith("its device is another one")
    daemon.index = 8
    assert converge(BOTH) == ["update: its device is another one"]


def test_without_a_device_nothing_is_touched(daemon: Daemon) -> None:
    daemon.index = None
    todo = _dhcp.plan("demo", BOTH, _dhcp.read("demo", BOTH))
    (error,) = _dhcp.apply("demo", todo)
    assert error.message == "am1 is not there"
    assert not os.path.exists(_server.DHCP_DIR)


def test_what_it_says_when_it_does_not_start_is_told(daemon: Daemon) -> None:
    daemon.refuses = "address already in use"
    todo = _dhcp.plan("demo", BOTH, _dhcp.read("demo", BOTH))
    assert [error.message for error in _dhcp.apply("demo", todo)] == ["address already in use"]
    assert planned(BOTH)[0].endswith("it does not run")


def test_a_server_without_the_program_is_told_before_anything_is_done(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(program: str) -> str:
        raise LabError(f"no {program}", hint="install it")

    monkeypatch.setattr(_programs, "find", refuse)
    assert planned(None) == []
    with pytest.raises(LabError, match="no dnsmasq; install it") as caught:
        planned(BOTH)
    assert caught.value.objects == ("management",)


def test_what_is_to_go_need_not_be_understood(daemon: Daemon) -> None:
    converge(BOTH)
    folder = Path(_dhcp_config.folder_of("demo"))
    (folder / "tftp" / "strange").mkdir()
    (folder / "dnsmasq.conf").write_bytes(b"\xff\xfe")
    assert converge(None) == ["delete"]


def test_a_process_without_its_folder_is_ended(daemon: Daemon) -> None:
    daemon.processes.append(5)
    assert converge(None) == ["delete"]
    assert not daemon.processes


def test_a_lab_does_not_lead_elsewhere(daemon: Daemon) -> None:
    with pytest.raises(LabError, match="is not a name for a lab"):
        _dhcp.read("../../etc", None)


def test_a_process_is_found_by_what_it_was_started_with(tmp_path: Path) -> None:
    """This process is none, whatever its arguments are."""
    assert _dhcp_daemon.running(str(tmp_path / "dnsmasq.conf")) == ()


def test_a_device_without_an_address_is_none() -> None:
    assert _dhcp_daemon.index_of("no-such-device") is None
    with pytest.raises(ApplyError, match="has no IPv4 address"):
        _dhcp_daemon.check_device("no-such-device")
    _dhcp_daemon.check_device("lo")


def test_a_server_without_a_user_for_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_dhcp_daemon, "_USERS", ("no-such-user",))
    with pytest.raises(ReadError, match="no user no-such-user"):
        _dhcp_daemon.user()


@pytest.mark.parametrize("systemd", [True, False])
def test_it_outlives_the_session_that_starts_it(monkeypatch: pytest.MonkeyPatch, systemd: bool) -> None:
    ran: list[tuple[str, ...]] = []

    def run(*words: str, timeout: float) -> ExecResult:
        ran.append(words)
        return ExecResult(2, "dnsmasq: failed to bind DHCP server socket:\nAddress already in use\n")

    monkeypatch.setattr(_programs, "find", lambda program: f"/usr/sbin/{program}")
    monkeypatch.setattr(_programs, "run", run)
    monkeypatch.setattr(os.path, "isdir", lambda path: systemd and path == "/run/systemd/system")
    monkeypatch.setattr(shutil, "which", lambda program: f"/usr/bin/{program}")
    with pytest.raises(ApplyError, match="does not start: dnsmasq: failed to bind DHCP server socket: Address already in use; see with ss"):
        _dhcp_daemon.start("/x/dnsmasq.conf")
    scope = ("systemd-run", "--scope", "--quiet", "--collect", "--", "/usr/sbin/dnsmasq")
    assert ran == [(*(scope if systemd else ("dnsmasq",)), "--conf-file=/x/dnsmasq.conf")]
