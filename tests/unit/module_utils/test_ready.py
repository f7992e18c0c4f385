# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks at nodes: of which boot they are, what is remembered of it, and what is read of their logs."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.archetype.lab.plugins.module_utils import _ready, _ready_commands, _ready_console, _server
from ansible_collections.archetype.lab.plugins.module_utils._declared_vm import Access, Probe, Save
from ansible_collections.archetype.lab.plugins.module_utils._errors import LockedError, ReadError
from ansible_collections.archetype.lab.plugins.module_utils._libvirt._port import Domain
from ansible_collections.archetype.lab.plugins.module_utils._ownership import LAB
from ansible_collections.archetype.lab.plugins.module_utils._ready_commands import Runner
from ansible_collections.archetype.lab.plugins.module_utils._ready_logs import MachineLog
from ansible_collections.archetype.lab.plugins.module_utils._ready_state import load
from ansible_collections.archetype.lab.plugins.module_utils._save import configurations
from ansible_collections.archetype.lab.plugins.module_utils._vm_model import uuid_of
from ansible_collections.archetype.lab.plugins.module_utils._vm_xml_read import NAMESPACE
from tests.unit.module_utils.container_nodes import IMAGES
from tests.unit.module_utils.docker_fake import FakeDocker

BEGUN = 1767225600.0  # when the fake Docker starts everything
LOG = Probe("log", "login:", timeout=600, failure_markers=("panic",))


class Console:
    """A console that echoes, and answers with its prompt. refuse: what it says of every command."""

    def __init__(self, virt: Virt) -> None:
        self.virt = virt
        self.coming = b"\r\nvios#"
        self.virt.open += 1
        self.virt.opened += 1

    def read(self, timeout: float) -> bytes:
        came, self.coming = self.coming, b""
        return came

    def write(self, data: bytes) -> None:
        line = data.decode().strip()
        if line:
            self.virt.told.append(line)
        self.coming += data + b"\n" + (self.virt.refuse if line else b"") + b"vios#"

    def close(self) -> None:
        self.virt.open -= 1


class Virt:
    def __init__(self) -> None:
        self.found: dict[str, Domain] = {}
        self.told: list[str] = []
        self.refuse = b""
        self.busy = False
        self.open = 0
        self.opened = 0

    def run(self, name: str, process: str = "1@1") -> None:
        self.have(name, status="running", started=process, started_at=BEGUN)

    def have(self, name: str, *, lab: str = "demo", uuid: str = "", **more: t.Any) -> None:
        """A domain with the mark of a lab's node, which is called as itself. lab: empty for a domain that somebody else made."""
        mark = f'<mark:domain xmlns:mark="{NAMESPACE}" lab="{lab}" node="{name}"/>' if lab else ""
        xml = f"<domain type='kvm'><name>{name}</name><metadata>{mark}</metadata></domain>"
        self.found[name] = Domain(name, uuid or uuid_of(lab, name), xml=xml, **more)

    def domains(self) -> t.Mapping[str, Domain]:
        return self.found

    def console(self, name: str, device: str = "") -> Console:
        if self.busy:
            raise LockedError(f"the console of {name} is in use", objects=(name,))
        return Console(self)

    def close(self) -> None: ...


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(_server, "STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setattr(_server, "VM_DIR", str(tmp_path / "machines"))
    monkeypatch.setattr(_server, "RUN_DIR", str(tmp_path / "run"))
    monkeypatch.setattr(_ready_commands, "PAUSE", 0.0)
    monkeypatch.setattr(_ready, "ANSWER", 0.3)
    return tmp_path


@pytest.fixture
def docker() -> FakeDocker:
    return FakeDocker(IMAGES)


@pytest.fixture
def virt() -> Virt:
    return Virt()


@pytest.fixture
def server(docker: FakeDocker, virt: Virt) -> _server.Server:
    return _server.Server(docker=t.cast(t.Any, docker), virt=t.cast(t.Any, virt))


def container(docker: FakeDocker, name: str = "c1", probe: Probe = LOG, *, lab: str = "demo", **more: t.Any) -> Access:
    docker.create(name, {"Image": "plain:1", "Labels": {LAB: lab}, "HostConfig": {"NetworkMode": "none"}})
    docker.start(name)
    return Access(name, "container", name, probe, **more)


def machine(virt: Virt, name: str = "m1", probe: Probe = LOG, **more: t.Any) -> Access:
    virt.run(name)
    return Access(name, "vm", name, probe, **more)


def write(folder: Path, text: bytes, name: str = "m1", suffix: str = "") -> Path:
    path = folder / "machines" / "demo" / name / f"console.log{suffix}"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as stream:
        stream.write(text)
    return path


def told(server: _server.Server, *access: Access, after: float = 95) -> list[tuple[str, str]]:
    return [(one.state, one.reason) for one in _ready.look(server, "demo", access, BEGUN + after)]


def test_a_container_is_ready_when_its_log_shows_it(server: _server.Server, docker: FakeDocker) -> None:
    one = container(docker)
    docker.logged["c1"] = ["boot\x1b[0ming\r\nlast \x1b[1mwords\r\n", "vios login: "]
    assert told(server, one) == [("starting", "waits for 'login:' since 95 s of 600 s; last: last words")]
    assert told(server, one) == [("ready", "")]


def test_what_is_ready_stays_so_for_its_boot_though_its_log_is_gone(server: _server.Server, docker: FakeDocker) -> None:
    one = container(docker)
    docker.logged["c1"] = ["vios login: "]
    assert told(server, one)[0][0] == "ready"
    docker.logged["c1"] = [""]
    docker.looks.clear()
    assert told(server, one)[0][0] == "ready"
    assert [look for look in docker.looks if look.startswith("logs")] == []
    docker.crash("c1")
    assert told(server, one) == [("stopped", "container c1 is exited, with exit code 137")]
    docker.start("c1")
    assert told(server, one)[0][0] == "starting"


def test_a_look_that_may_not_write_leaves_nothing_behind(server: _server.Server, docker: FakeDocker, folder: Path) -> None:
    one = container(docker)
    docker.logged["c1"] = ["login:"]
    assert _ready.look(server, "demo", [one], write=False)[0].state == "ready"
    assert not (folder / "state").exists()
    assert _ready.look(server, "demo", [one])[0].state == "ready"
    path = folder / "state" / "demo" / "ready.json"
    assert oct(path.stat().st_mode & 0o777) == "0o600"
    assert list(json.loads(path.read_text())["nodes"]) == ["c1"]


def test_a_node_that_is_late_is_not_settled_by_its_line_but_by_its_time(server: _server.Server, docker: FakeDocker) -> None:
    one = container(docker)
    docker.logged["c1"] = ["no license"]
    (state,) = _ready.look(server, "demo", [one], BEGUN + 601)
    assert (state.state, state.late, state.settled) == ("starting", True, True)
    assert (
        state.reason
        == "is not ready after 601 s, its kind gives it 600 s: it waits for 'login:'; last: no license; look at it: docker logs c1"
    )
    docker.logged["c1"] = ["login:"]
    assert _ready.look(server, "demo", [one], BEGUN + 700)[0].state == "ready"


def test_a_failure_counts_when_silence_follows_and_is_none_where_it_became_ready_all_the_same(
    server: _server.Server, virt: Virt, folder: Path
) -> None:
    one = machine(virt)
    log = write(folder, b"boot\nKernel panic: no root\nrebooting in 5 s")
    os.utime(log, (BEGUN, BEGUN + 20))
    (state,) = _ready.look(server, "demo", [one], BEGUN + 21)
    assert (state.state, state.marker, state.settled) == ("starting", "panic", False)
    reason = "its log shows Kernel panic: no root, after which it may start again; last: rebooting in 5 s"
    assert state.reason == f"waits for 'login:' since 21 s of 600 s; {reason}"
    (state,) = _ready.look(server, "demo", [one], BEGUN + 33)
    assert (state.state, state.marker, state.settled) == ("failed", "panic", True)
    shown = "its log shows Kernel panic: no root, after which it does not become ready"
    assert state.reason == f"{shown}; look at it: virsh -c qemu:///system console m1"
    write(folder, b"\nstill talking")
    assert told(server, one)[0][0] == "starting"
    assert told(server, one, after=601) == [("failed", state.reason)]
    write(folder, b"\nlogin:")
    assert told(server, one) == [("ready", "")]


class Slow(Console):
    """What it says comes byte by byte."""

    def read(self, timeout: float) -> bytes:
        came, self.coming = self.coming[:1], self.coming[1:]
        return came


def test_the_answer_of_a_console_is_read_to_its_end(virt: Virt) -> None:
    stream = Slow(virt)
    stream.coming = b""
    assert _ready_console.probe(stream, ["booting"], "^vios#$")
    assert _ready_console.probe(stream, ["booting"], "vios#vios#") is False


def test_a_question_that_came_while_the_console_was_opened_gets_no_enter(virt: Virt) -> None:
    stream = Slow(virt)
    stream.coming = b""
    assert not _ready_console.probe(stream, ["booting"], "^vios#$", lambda: ["booting", "configure it? [no]: "])
    assert _ready_console.probe(stream, ["booting"], "^vios#$", lambda: ["booting", "vios#"])
    assert stream.coming == b""


def test_a_console_is_not_opened_where_its_log_shows_it_already_or_the_machine_is_writing(
    server: _server.Server, virt: Virt, folder: Path
) -> None:
    """Whoever has the console is in nobody's way, and is told of where it is needed."""
    one = machine(virt, probe=Probe("console", "^vios login:", timeout=600))
    virt.busy = True
    log = write(folder, b"booting\n")
    os.utime(log, (BEGUN + 91, BEGUN + 91))
    assert told(server, one) == [("starting", "waits for '^vios login:' since 95 s of 600 s; last: booting")]
    assert told(server, one, after=100) == [
        ("starting", "waits for '^vios login:' since 100 s of 600 s; the console of m1 is in use; last: booting")
    ]
    write(folder, b"vios login:")
    assert told(server, one) == [("ready", "")]


def test_what_does_not_run_is_stopped_and_what_is_no_more_as_well(server: _server.Server, virt: Virt) -> None:
    virt.have("off", status="shutoff")
    virt.have("sad", status="crashed")
    virt.have("held", status="paused", started="1@1", started_at=BEGUN)
    nodes = [Access(name, "vm", name, LOG) for name in ("off", "sad", "held", "gone")] + [Access("no", "container", "no", LOG)]
    assert told(server, *nodes) == [
        ("stopped", "domain off is shutoff"),
        ("stopped", "domain sad is crashed"),
        ("stopped", "domain held is paused"),
        ("stopped", "domain gone is not there"),
        ("stopped", "container no is not there"),
    ]


@pytest.mark.parametrize("probe", [Probe(), Probe("log"), Probe("console")])
def test_without_anything_to_look_for_a_node_is_ready_when_it_runs(server: _server.Server, virt: Virt, folder: Path, probe: Probe) -> None:
    assert told(server, machine(virt, probe=probe)) == [("ready", "")]
    assert not (folder / "state").exists()


def test_the_log_of_a_machine_is_read_from_the_start_of_its_boot_however_long_it_is(
    server: _server.Server, virt: Virt, folder: Path
) -> None:
    one = machine(virt)
    write(folder, b"login: \r\n" + b"chatter\r\n" * 50_000)
    assert told(server, one) == [("ready", "")]
    virt.run("m1", "2@2")
    path = write(folder, b"")
    path.write_bytes(b"BIOS\r\n")
    assert told(server, one) == [("starting", "waits for 'login:' since 95 s of 600 s; last: BIOS")]


def test_a_log_that_is_moved_aside_is_read_on_where_it_is(folder: Path) -> None:
    path = write(folder, b"one ")
    old = write(folder, b"an earlier boot ", suffix=".7")
    os.utime(old, (BEGUN - 100, BEGUN - 100))
    log = MachineLog(str(path), BEGUN)

    def news() -> bytes:
        return b"".join(log.news())

    assert news() == b"one "
    assert news() == b""
    write(folder, b"two ")
    path.rename(f"{path}.0")
    write(folder, b"three ")
    assert news() == b"two three "
    Path(f"{path}.0").rename(f"{path}.1")
    path.rename(f"{path}.0")
    write(folder, b"four ")
    assert news() == b"four "
    path.write_bytes(b"5")
    assert news() == b"5"
    path.unlink()
    assert b"".join(MachineLog(str(path), BEGUN).news()) == b"one two three "


def test_a_machine_without_a_log_has_written_nothing_yet(server: _server.Server, virt: Virt, folder: Path) -> None:
    assert told(server, machine(virt)) == [("starting", "waits for 'login:' since 95 s of 600 s")]
    write(folder, b"").unlink()
    (folder / "machines" / "demo" / "m1" / "console.log").mkdir()
    assert "cannot be read" in told(server, machine(virt))[0][1]


def test_a_console_is_looked_at_and_one_in_use_is_left_alone(server: _server.Server, virt: Virt) -> None:
    one = machine(virt, probe=Probe("console", r"vios[>#]", timeout=600))
    virt.busy = True
    assert told(server, one) == [("starting", "waits for 'vios[>#]' since 95 s of 600 s; the console of m1 is in use")]
    virt.busy = False
    assert told(server, one) == [("ready", "")]
    assert (virt.told, virt.open) == ([], 0)


@pytest.fixture
def listener() -> t.Iterator[t.Callable[[bytes], int]]:
    """Starts a TCP server that says this to everybody; its port."""
    sockets: list[socket.socket] = []

    def start(says: bytes) -> int:
        listening = socket.create_server(("127.0.0.1", 0))
        sockets.append(listening)

        def serve() -> None:
            while True:
                try:
                    connection, _peer = listening.accept()
                except OSError:
                    return
                with connection:
                    connection.sendall(says)

        threading.Thread(target=serve, daemon=True).start()
        return int(listening.getsockname()[1])

    yield start
    for one in sockets:
        one.close()


def test_an_answer_over_the_network_makes_a_node_ready(server: _server.Server, virt: Virt, listener: t.Callable[[bytes], int]) -> None:
    ssh, web = listener(b"Welcome\r\nSSH-2.0-x\r\n"), listener(b"220 hello\r\n")
    closed = socket.create_server(("127.0.0.1", 0))
    port = int(closed.getsockname()[1])
    closed.close()
    probes = [
        Probe("ssh", address="127.0.0.1", port=ssh),
        Probe("tcp", address="127.0.0.1", port=web),
        Probe("ssh", address="127.0.0.1", port=web),
        Probe("tcp", address="127.0.0.1", port=port),
        Probe("tcp"),
    ]
    found = told(server, *[machine(virt, f"m{place}", probe) for place, probe in enumerate(probes)])
    assert [state for state, _reason in found] == ["ready", "ready", "starting", "starting", "starting"]
    assert "what answers there is no SSH: 220 hello" in found[2][1]
    assert f"waits for TCP at 127.0.0.1 port {port} since" in found[3][1]
    assert "it does not answer there (Connection refused)" in found[3][1]
    assert "it has no address on the management network" in found[4][1]


def test_who_says_a_byte_now_and_then_holds_nobody_up(server: _server.Server, virt: Virt) -> None:
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def drip() -> None:
            connection, _peer = listening.accept()
            with connection, contextlib.suppress(OSError):
                while not over.wait(0.05):
                    connection.sendall(b"x")

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        begun = time.monotonic()
        ((state, reason),) = told(server, machine(virt, probe=Probe("ssh", address="127.0.0.1", port=listening.getsockname()[1])))
        taken = time.monotonic() - begun
        over.set()
        thread.join()
    assert (state, "what answers there is no SSH: xx" in reason) == ("starting", True)
    assert taken < 1.0


def commands(server: _server.Server, one: Access, *, write: bool = True) -> tuple[str, str, list[str]]:
    """State and reason after its commands, and which ran."""
    watch = _ready.Watch(server, "demo", [one], write=write)
    states = watch.look(BEGUN + 10)
    runner = Runner(server, "demo", watch.memory)
    (state,) = runner.run([one], watch.boots, states)
    return state.state, state.reason, [change.reason for change in runner.changes]


SHUT = ("terminal length 0", "clear counters", "terminal length 0")


def test_commands_for_the_console_run_once_a_boot(server: _server.Server, virt: Virt) -> None:
    one = machine(virt, probe=Probe(), post_boot=SHUT, save=Save(prompt=r"vios#"))
    assert commands(server, one, write=False) == ("ready", "", list(SHUT))
    assert virt.told == []
    assert commands(server, one) == ("ready", "", list(SHUT))
    assert virt.told == list(SHUT)
    assert commands(server, one) == ("ready", "", [])
    assert virt.told == list(SHUT)
    virt.run("m1", "2@2")
    assert commands(server, one)[2] == list(SHUT)
    assert virt.open == 0


def test_a_command_that_is_refused_is_tried_again_and_then_told(server: _server.Server, virt: Virt) -> None:
    one = machine(virt, probe=Probe(), post_boot=("no such thing",), save=Save(prompt=r"vios#"))
    virt.refuse = b"% Invalid input detected\r\n"
    state, reason, ran = commands(server, one)
    assert (state, ran) == ("failed", [])
    assert "a command for its console did not run: no such thing: % Invalid input detected" in reason
    assert virt.told.count("no such thing") == 3
    virt.refuse = b""
    assert commands(server, one) == ("ready", "", ["no such thing"])


def test_commands_wait_until_the_machine_is_ready(server: _server.Server, virt: Virt, folder: Path) -> None:
    one = machine(virt, post_boot=("x",), save=Save(prompt=r"vios#"))
    write(folder, b"booting")
    assert commands(server, one)[::2] == ("starting", [])
    write(folder, b" login: ")
    assert commands(server, one)[::2] == ("ready", ["x"])
    assert load("demo").of("m1", f"{uuid_of('demo', 'm1')}@1@1").ready_at == BEGUN + 10


NOT_OURS = "; remove or rename it, or give the lab another name"


def test_what_is_not_the_labs_is_told_and_gets_no_key_no_command_and_no_password(
    server: _server.Server, docker: FakeDocker, virt: Virt
) -> None:
    """An administrator's own machine or container may have the name of a node: no prefix, and a lab that is not deployed here."""
    probe = Probe("console", "vios#", timeout=600)
    whose = {
        "own": ("", "3f2b8a52-2b3f-4c0e-9a3e-0d7c4f0b7a1e", "foreign (it has no mark)"),
        "other": ("another", "", "lab another"),
        "copy": (
            "demo",
            "3f2b8a52-2b3f-4c0e-9a3e-0d7c4f0b7a1e",
            "foreign (it has the mark of node copy of lab demo, and not its UUID, as a copy does)",
        ),
    }
    nodes, expected = [], []
    for name, (lab, uuid, words) in whose.items():
        virt.have(name, lab=lab, uuid=uuid, status="running", started="1@1", started_at=BEGUN)
        nodes.append(Access(name, "vm", name, probe, Save("console", "show run", r"vios#"), "admin", "secret", ("erase everything",)))
        expected.append(("stopped", f"domain {name} is {words}, not node {name} of lab demo{NOT_OURS}"))
    virt.have("m1", status="running", started="1@1", started_at=BEGUN)
    nodes.append(Access("m2", "vm", "m1", probe, Save("console", "show run", r"vios#"), post_boot=("erase everything",)))
    expected.append(("stopped", f"domain m1 is node m1, not node m2 of lab demo{NOT_OURS}"))
    nodes.append(container(docker, "strange", Probe(), lab="", save=Save("exec", "rm -rf /")))
    expected.append(("stopped", f"container strange is foreign (no archetype-lab mark), not node strange of lab demo{NOT_OURS}"))
    watch = _ready.Watch(server, "demo", nodes)
    states = watch.look(BEGUN + 95)
    assert [(one.state, one.reason) for one in states] == expected
    assert {(one.foreign, one.settled) for one in states} == {(True, True)}
    assert Runner(server, "demo", watch.memory).run(nodes, watch.boots, states) == states
    kept = configurations(server, "demo", nodes)
    assert [(one.config, one.error, one.hint) for one in kept] == [("", f"it is stopped: {reason}", "") for _state, reason in expected]
    assert (virt.opened, virt.told) == (0, [])
    assert [call for call in docker.calls if call[0] in ("execute", "read_file")] == []


def test_a_file_that_is_broken_is_an_empty_one_and_is_told_and_written_anew(server: _server.Server, virt: Virt, folder: Path) -> None:
    path = folder / "state" / "demo" / "ready.json"
    path.parent.mkdir(parents=True)
    write(folder, b"login:")
    for text in ("{", "[]", "\x00", '{"format": 7, "nodes": {}}', '{"format": 1, "nodes": {}}rest', '{"format": 1, "nodes": {"a": {}}}'):
        path.write_text(text)
        told_of = load("demo").told
        assert str(path) in told_of
        assert "nodes are looked at anew" in told_of
        assert told(server, machine(virt)) == [("ready", "")]
        assert (load("demo").told, list(load("demo").nodes)) == ("", ["m1"])
    path.unlink()
    path.mkdir()
    with pytest.raises(ReadError, match=r"ready\.json cannot be read"):
        told(server, machine(virt))


def test_what_several_processes_find_out_at_once_is_all_kept(folder: Path) -> None:
    """Each has read the file before the others wrote it."""
    everyone = [load("demo") for _number in range(8)]
    failed: list[Exception] = []

    def work(place: int) -> None:
        try:
            for step in range(20):
                everyone[place].ran("m1", "boot", f"{place}.{step}")
            everyone[place].ready({f"c{place}": "boot", "m1": "boot"}, BEGUN + place)
        except Exception as error:  # noqa: BLE001 - it is looked at below
            failed.append(error)

    threads = [threading.Thread(target=work, args=(place,)) for place in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    kept = load("demo")
    assert (failed, kept.told) == ([], "")
    assert set(kept.of("m1", "boot").done) == {f"{place}.{step}" for place in range(8) for step in range(20)}
    assert sorted(kept.nodes) == [*(f"c{place}" for place in range(8)), "m1"]
    assert kept.of("m1", "boot").ready_at
    assert os.listdir(folder / "state" / "demo") == ["ready.json"]


def test_what_is_known_of_a_boot_is_gone_with_the_next_one(folder: Path) -> None:
    old, new = load("demo"), load("demo")
    old.ran("m1", "one", "a")
    new.ran("m1", "two", "b")
    assert (load("demo").of("m1", "one").done, load("demo").of("m1", "two").done) == ((), ("b",))


def test_commands_that_somebody_else_ran_meanwhile_are_not_run_again(server: _server.Server, virt: Virt) -> None:
    one = machine(virt, probe=Probe(), post_boot=SHUT)
    watch = _ready.Watch(server, "demo", [one])
    states = watch.look(BEGUN + 10)
    assert commands(server, one)[2] == list(SHUT)
    late = Runner(server, "demo", watch.memory)
    assert late.run([one], watch.boots, states)[0].state == "ready"
    assert (late.changes, virt.told) == ([], list(SHUT))


def test_waiting_ends_when_all_are_settled_or_its_limit_is_over(server: _server.Server, docker: FakeDocker) -> None:
    one = Access("c1", "container", "c1", Probe("log", "login:", timeout=2**40))
    container(docker)
    docker.logged["c1"] = ["a", "a b", "a b login:"]
    assert _ready.wait_ready(server, "demo", [one], 30, interval=0.0)[0].state == "ready"
    docker.start("c1")
    docker.logged["c1"] = ["a"]
    assert _ready.wait_ready(server, "demo", [one], 0.05, interval=0.01)[0].state == "starting"
