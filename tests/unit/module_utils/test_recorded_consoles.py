# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Recorded consoles are played to what waits until a node is ready, and to what saves its configuration.

Every pattern, command and time comes from the kind's own file, as a lab with a machine of that kind is given it.
"""

from __future__ import annotations

import functools
import os
import re
import tempfile
import typing as t
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.archetype.lab.plugins.module_utils import _ready_commands, _save, _server, _talk
from ansible_collections.archetype.lab.plugins.module_utils._console import _waking
from ansible_collections.archetype.lab.plugins.module_utils._console._dialog import may_send_enter
from ansible_collections.archetype.lab.plugins.module_utils._console._session import Session
from ansible_collections.archetype.lab.plugins.module_utils._console._text import Screen
from ansible_collections.archetype.lab.plugins.module_utils._declared_vm import Access, Probe, Save
from ansible_collections.archetype.lab.plugins.module_utils._errors import VerifyError
from ansible_collections.archetype.lab.plugins.module_utils._libvirt._port import Domain
from ansible_collections.archetype.lab.plugins.module_utils._ready import look
from ansible_collections.archetype.lab.plugins.module_utils._ready_commands import Runner
from ansible_collections.archetype.lab.plugins.module_utils._ready_console import probe
from ansible_collections.archetype.lab.plugins.module_utils._ready_scan import Scan
from ansible_collections.archetype.lab.plugins.module_utils._ready_state import State, load
from ansible_collections.archetype.lab.plugins.module_utils._vm_model import uuid_of
from ansible_collections.archetype.lab.plugins.module_utils._vm_xml_read import NAMESPACE
from ansible_collections.archetype.lab.plugins.plugin_utils import _kinds
from ansible_collections.archetype.lab.plugins.plugin_utils._catalog import Catalog
from ansible_collections.archetype.lab.plugins.plugin_utils._kind_model import Kind
from ansible_collections.archetype.lab.tests.unit.module_utils.console_player import LONG, PASSWORD, USERNAME, Player, Recorded, Talk
from ansible_collections.archetype.lab.tests.unit.module_utils.consoles.recordings import RECORDINGS
from ansible_collections.archetype.lab.tests.unit.plugin_utils.machines import Lab, one_node

BEGUN = 1767225600.0
SIZES = (1, 7, 4096)
MARKED = f'<domain><metadata><mark:domain xmlns:mark="{NAMESPACE}" lab="t" node="vm"/></metadata></domain>'


def kinds() -> dict[str, Kind]:
    catalog = Catalog()
    found = {path.stem: catalog.resolve(t.cast(Kind, _kinds.find_kind(path.stem)), "x.qcow2") for path in _kinds.DIRECTORY.glob("*.yml")}
    return {name: kind for name, kind in sorted(found.items()) if not _kinds.why_not_native(kind)}


KINDS = kinds()
OF_KINDS = [pytest.param(one, kind, id=f"{one.family}: {kind}") for one in RECORDINGS for kind in one.kinds if kind in KINDS]
TALKS = [
    pytest.param(one.talk, kind, id=f"{one.family}: {kind}")
    for one in RECORDINGS
    for kind in one.kinds
    if one.talk and (one.talk.save or (kind in KINDS and KINDS[kind].save_config.method == "console"))
]
FAMILIES = [
    pytest.param(one.talk, next((kind for kind in one.kinds if kind in KINDS), ""), id=one.family) for one in RECORDINGS if one.talk
]
QUESTIONS = [pytest.param(one, asked, id=f"{one.family}: {place}") for one in RECORDINGS for place, asked in enumerate(one.questions)]


@functools.cache
def access_of(kind: str) -> Access:
    """How a machine of a kind is talked to, from its file through the plan to the server."""
    with tempfile.TemporaryDirectory() as folder:
        node = one_node(f"kind: {kind}, image: x.qcow2, credentials: {{username: {USERNAME}, password: {PASSWORD}}}")
        return Access.from_params(Lab(Path(folder)).access("vm", node))


def access(talk: Talk, kind: str) -> Access:
    if talk.save:
        return Access("vm", "vm", "clab-t-vm", save=talk.save, username=USERNAME, password=PASSWORD)
    return access_of(kind)


class Virt:
    """A libvirt with one machine, whose console is played."""

    def __init__(self, player: Player) -> None:
        self.player = player

    def domains(self) -> t.Mapping[str, Domain]:
        return {"clab-t-vm": Domain("clab-t-vm", uuid_of("t", "vm"), "running", MARKED, started="1@1", started_at=BEGUN)}

    def console(self, name: str, device: str = "") -> Player:
        assert name == "clab-t-vm"
        return self.player


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(_server, "STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setattr(_server, "VM_DIR", str(tmp_path / "machines"))
    monkeypatch.setattr(_server, "RUN_DIR", str(tmp_path / "run"))
    monkeypatch.setattr(_ready_commands, "PAUSE", 0.0)
    return tmp_path


def server_of(player: Player) -> _server.Server:
    return _server.Server(docker=t.cast(t.Any, None), virt=t.cast(t.Any, Virt(player)))


def logged(folder: Path, written: bytes) -> None:
    """What the machine wrote up to now is in the log of its console."""
    path = folder / "machines" / "t" / "clab-t-vm" / "console.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(written)
    os.utime(path, (BEGUN + 1, BEGUN + 1))


def fed(probe: Probe, data: bytes, size: int = 64) -> Scan:
    scan = Scan(probe)
    for place in range(0, len(data), size):
        scan.feed(data[place : place + size])
    return scan


# -- every kind has a recorded console --------------------------------------------------------------------------------


def test_every_kind_that_is_waited_for_or_talked_to_has_a_recorded_console() -> None:
    waited = {name for name, kind in KINDS.items() if kind.readiness.probe in ("log", "console") and kind.readiness.pattern}
    talked = {name for name, kind in KINDS.items() if kind.save_config.method == "console"}
    assert len(talked) > 20
    assert waited - {kind for one in RECORDINGS for kind in one.kinds} == set()
    assert talked - {kind for one in RECORDINGS for kind in one.kinds if one.talk} == set()
    assert {kind for one in RECORDINGS for kind in one.kinds} <= {path.stem for path in _kinds.DIRECTORY.glob("*.yml")}


@pytest.mark.parametrize("kind", [name for name, one in KINDS.items() if one.readiness.pattern])
def test_every_marker_of_a_kind_is_in_a_recording(kind: str) -> None:
    """Nothing is looked for that no device is known to write."""
    wanted = access_of(kind).readiness
    recorded = [one for one in RECORDINGS if kind in one.kinds]
    shown = b"".join(one.boot + b"\r\n".join(one.detours) for one in recorded).decode()
    assert [one for one in wanted.boot_markers if not re.search(one, shown, re.MULTILINE)] == []
    failures = b"".join(b"\r\n".join(one.failures) + b"\r\n" for one in recorded).decode()
    assert [one for one in wanted.failure_markers if not re.search(one, failures, re.MULTILINE)] == []


# -- readiness --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("recorded", "kind"), OF_KINDS)
def test_a_boot_is_over_at_its_last_line_and_not_before(recorded: Recorded, kind: str, size: int) -> None:
    wanted = access_of(kind).readiness
    if not wanted.pattern:
        assert kind == "cisco_xrd_vrouter", "its console says nothing of itself"
        return
    before = fed(wanted, recorded.boot, size)
    assert (before.ready, before.failure) == ("", "")
    assert bool(before.marker) == bool(wanted.boot_markers)
    assert "\x1b" not in before.last
    assert before.last
    assert fed(wanted, recorded.boot + recorded.ready, size).ready


@pytest.mark.parametrize(("recorded", "kind"), OF_KINDS)
def test_a_boot_that_fails_is_told_by_the_line_that_shows_it(recorded: Recorded, kind: str) -> None:
    wanted = access_of(kind).readiness
    for failure in recorded.failures:
        text = b"\r\n".join(recorded.boot.splitlines()[:3]) + b"\r\n" + failure
        scan = fed(wanted, text)
        known = [one for one in wanted.failure_markers if re.search(one, failure.decode(), re.MULTILINE)]
        assert scan.ready == ""
        assert bool(scan.failure) == bool(known)
        assert not known or (scan.marker and scan.failure in failure.decode())


def test_a_device_on_its_way_is_told_to_be(folder: Path) -> None:
    """What POAP asks is told while it asks; nobody is told of a failure."""
    (nxos,) = [one for one in RECORDINGS if "cisco_n9kv" in one.kinds]
    logged(folder, nxos.boot.partition(b"Disabling")[0])
    player = Player(t.cast(Talk, nxos.talk))
    (state,) = look(server_of(player), "t", [access_of("cisco_n9kv")], BEGUN + 90)
    assert (state.state, state.late, state.marker, player.sent) == ("starting", False, "Abort Power On Auto Provisioning", b"")
    assert "since 90 s of 600 s; seen: Abort Power On Auto Provisioning; last: 2026 Nov 21" in state.reason


@pytest.mark.parametrize(("recorded", "kind"), OF_KINDS)
def test_a_boot_in_the_log_of_the_console(recorded: Recorded, kind: str, folder: Path) -> None:
    """What a stage of a deployment says of it: starting, then ready, or failed."""
    one = replace(access_of(kind), node="vm", name="clab-t-vm", type="vm")
    if not one.readiness.pattern:
        return
    logged(folder, recorded.boot)
    server = server_of(Player(recorded.talk or Talk((b"",), "", b"", "")))

    def state(after: float) -> State:
        return look(server, "t", [one], BEGUN + after, write=False)[0]

    assert (state(1).state, state(1).late) == ("starting", False)
    assert state(one.readiness.timeout + 1.0).late
    logged(folder, recorded.boot + recorded.failures[0])
    assert (state(2).state, "after which it may start again" in state(2).reason) == ("starting", True)
    assert state(60).state == "failed"
    logged(folder, recorded.boot + recorded.ready)
    assert state(1).state == "ready"


@pytest.mark.parametrize(("talk", "kind"), TALKS)
def test_the_console_as_a_probe_gets_one_enter_at_most(talk: Talk, kind: str) -> None:
    """Looked for is what waits behind Enter: the question for a login, or the prompt."""
    behind = (talk.login or talk.prompts[0]).rpartition(b"\n")[2].rpartition(b"\r")[2]
    screen = Screen()
    screen.feed(behind)
    pattern = re.escape(screen.line.strip())
    player = Player(talk)
    seen = Screen()
    seen.feed(player.shown)
    before = [line for line in seen.lines() if line.strip()]
    stream = Whole(player)
    assert probe(t.cast(t.Any, stream), before, pattern)
    assert player.sent == (b"\r" if talk.start else b"")
    assert player.logins == 0


class Whole:
    """A console from which all that is there is read at once, as the probe reads once before and once after its key."""

    def __init__(self, player: Player) -> None:
        self._player = player

    def read(self, timeout: float) -> bytes:
        found = b""
        while piece := self._player.read(timeout):
            found += piece
        return found

    def write(self, data: bytes) -> None:
        self._player.write(data)


@pytest.mark.parametrize(("recorded", "asked"), QUESTIONS)
def test_what_is_asked_gets_no_key_from_a_probe(recorded: Recorded, asked: bytes) -> None:
    screen = Screen()
    screen.feed(asked)
    assert not may_send_enter(screen.tail())


# -- configurations ---------------------------------------------------------------------------------------------------


def saved(folder: Path, one: Access, player: Player, *, log: bool = True) -> _save.Configuration:
    """log: whether the console's log has what is on the screen; it may have been moved away, and then nothing is known of it."""
    if log:
        logged(folder, player.shown)
    ready = replace(one, readiness=Probe())
    (found,) = _save.configurations(server_of(player), "t", [ready], timeout=20.0)
    assert not player.open
    assert PASSWORD not in found.error + found.hint + found.config
    return found


@pytest.mark.parametrize("left", ["new", "prompt", "top", "half", "pager"])
@pytest.mark.parametrize(("talk", "kind"), TALKS)
def test_a_configuration_is_the_same_however_the_console_was_left(talk: Talk, kind: str, left: str, folder: Path) -> None:
    player = Player(talk, left)
    found = saved(folder, access(talk, kind), player)
    assert (found.error, found.config) == ("", talk.expected)
    assert player.logins == (1 if talk.login and left == "new" else 0)


@pytest.mark.parametrize(("talk", "kind"), TALKS)
def test_the_pages_of_a_pager_that_cannot_be_turned_off_are_put_together(talk: Talk, kind: str, folder: Path) -> None:
    player = Player(talk, obeys=False)
    found = saved(folder, access(talk, kind), player)
    assert (found.error, found.config) == ("", talk.expected)
    assert player.turned > 0 or not talk.pager


@pytest.mark.parametrize(("talk", "kind"), FAMILIES)
def test_nothing_need_be_known_of_what_was_on_the_screen(talk: Talk, kind: str, folder: Path) -> None:
    found = saved(folder, access(talk, kind), Player(talk), log=False)
    assert (found.error, found.config) == ("", talk.expected)


@pytest.mark.parametrize("noisy", ["login", "output", "end"])
@pytest.mark.parametrize(("talk", "kind"), [one for one in FAMILIES if t.cast(Talk, one.values[0]).noise])
def test_messages_of_the_system_are_no_part_of_a_configuration(talk: Talk, kind: str, noisy: str, folder: Path) -> None:
    found = saved(folder, access(talk, kind), Player(talk, noisy=noisy))
    assert (found.error, found.config) == ("", talk.expected)


@pytest.mark.parametrize(("talk", "kind"), FAMILIES)
def test_who_was_not_logged_in_before_is_not_afterwards(talk: Talk, kind: str, folder: Path) -> None:
    player = Player(talk)
    saved(folder, access(talk, kind), player)
    assert player.quiet or not talk.login
    player = Player(talk, "prompt")
    saved(folder, access(talk, kind), player)
    assert not player.quiet or talk.start or len(talk.prompts) > 1, "somebody else's session is ended"


@pytest.mark.parametrize(("talk", "kind"), [one for one in FAMILIES if t.cast(Talk, one.values[0]).login])
def test_who_logged_in_is_logged_out_though_something_went_wrong_in_between(talk: Talk, kind: str, folder: Path) -> None:
    """In our own doing, in the middle of a page, and in what the device says: who comes next would take it for somebody's session."""
    one = access(talk, kind)

    def left(work: t.Callable[[Session], object], error: type[Exception]) -> Player:
        player = Player(talk)
        logged(folder, player.shown)
        with pytest.raises(error), _talk.talk(server_of(player), "t", one, "a test") as session:
            work(session)
        return player

    assert left(lambda session: 1 // 0, ZeroDivisionError).quiet
    if talk.pager:
        assert left(lambda session: session.run(talk.command, limit=10), VerifyError).quiet
        assert left(lambda session: (session.send_line(talk.command), session.wait_for("no such line", 1.0)), VerifyError).quiet


@pytest.mark.parametrize(("talk", "kind"), [one for one in FAMILIES if t.cast(Talk, one.values[0]).locked])
def test_who_logged_in_is_logged_out_where_the_level_above_was_refused(talk: Talk, kind: str, folder: Path) -> None:
    player = Player(talk)
    player.secret = "another"
    found = saved(folder, access(talk, kind), player)
    assert ("refused the login" in found.error, found.config) == (True, "")
    assert player.quiet or not talk.login
    player = Player(talk, "prompt")
    player.secret = "another"
    saved(folder, access(talk, kind), player)
    assert not player.quiet
    assert player.sent.rstrip(b"\r").endswith(PASSWORD.encode()), "somebody else's session is ended"


@pytest.mark.parametrize(("talk", "kind"), [one for one in FAMILIES if t.cast(Talk, one.values[0]).login])
def test_a_wrong_password_is_told_and_said_once(talk: Talk, kind: str, folder: Path) -> None:
    player = Player(talk)
    found = saved(folder, replace(access(talk, kind), password="wrong"), player)
    assert "refused the login" in found.error
    assert found.hint == _waking.CREDENTIALS
    assert (found.config, player.sent.count(b"wrong"), "wrong" in found.error) == ("", 1, False)
    found = saved(folder, replace(access(talk, kind), username="", password=""), Player(talk))
    assert ("asks for a login, and the node has no credentials" in found.error, found.hint) == (True, _waking.CREDENTIALS)


@pytest.mark.parametrize(("talk", "kind"), [one for one in FAMILIES if t.cast(Talk, one.values[0]).locked])
def test_a_wrong_password_of_the_level_above_is_told(talk: Talk, kind: str, folder: Path) -> None:
    player = Player(talk, "prompt")
    found = saved(folder, replace(access(talk, kind), password="wrong"), player)
    assert ("refused the login" in found.error, found.config) == (True, "")
    assert player.sent.count(b"wrong") == 1


@pytest.mark.parametrize(("talk", "kind"), [one for one in FAMILIES if t.cast(Talk, one.values[0]).login])
def test_a_name_that_somebody_typed_is_not_in_the_way(talk: Talk, kind: str, folder: Path) -> None:
    """The password is refused for that name, and then it is asked for ours."""
    found = saved(folder, access(talk, kind), Player(talk, "user"))
    assert (found.error, found.config) == ("", talk.expected)


@pytest.mark.parametrize(
    ("talk", "kind"), [one for one in FAMILIES if any(word.startswith("conf") for word in t.cast(Talk, one.values[0]).moves)]
)
def test_who_is_configuring_is_not_disturbed(talk: Talk, kind: str, folder: Path) -> None:
    player = Player(talk, "configuring")
    found = saved(folder, access(talk, kind), player)
    assert (found.config, player.sent.strip(b"\r")) == ("", b"")
    assert "configur" in found.error + found.hint


@pytest.mark.parametrize(("recorded", "asked"), QUESTIONS)
def test_what_is_asked_is_left_to_the_user(recorded: Recorded, asked: bytes, folder: Path) -> None:
    talk = recorded.talk or Talk((b"> ",), "", b"", "", login=b"login: ")
    one = (
        access(talk, next((kind for kind in recorded.kinds if kind in KINDS), ""))
        if recorded.talk
        else Access("vm", "vm", "clab-t-vm", save=_ANY, username="a", password="b")
    )
    player = Player(talk, "asks", question=asked)
    found = saved(folder, one, player)
    assert (player.sent, found.config) == (b"", "")
    assert "asks what is yours to answer" in found.error
    assert "run again" in found.hint


_ANY = Save("console", "show", prompt=">")


@pytest.mark.parametrize(("talk", "kind"), FAMILIES)
def test_a_command_that_the_device_does_not_know_is_told(talk: Talk, kind: str, folder: Path) -> None:
    one = access(talk, kind)
    found = saved(folder, replace(one, save=replace(one.save, command="show nothing")), Player(talk))
    assert "was refused" in found.error
    assert (found.config, found.hint) == ("", "see save_config of its kind")


@pytest.mark.parametrize("kind", [name for name, one in KINDS.items() if one.post_boot])
def test_commands_after_a_boot_are_given_at_the_console(kind: str, folder: Path) -> None:
    one = access_of(kind)
    (talk,) = [one.talk for one in RECORDINGS if kind in one.kinds and one.talk]
    player = Player(talk)
    logged(folder, player.shown)
    state = State("vm", "vm", "ready", BEGUN)
    runner = Runner(server_of(player), "t", load("t"))
    assert [(found.state, found.reason) for found in runner.run([one], {"vm": "boot"}, [state])] == [("ready", "")]
    assert [change.reason for change in runner.changes] == [text.removesuffix("?") for text in one.post_boot]
    player = Player(talk)
    again = Runner(server_of(player), "t", load("t"))
    again.run([one], {"vm": "boot"}, [state])
    assert (again.changes, player.sent) == ([], b"")


def test_a_command_that_takes_its_time_is_waited_for_and_one_that_asks_is_left_to_the_user(folder: Path) -> None:
    (recorded,) = [one for one in RECORDINGS if "cisco_vios" in one.kinds]
    talk = t.cast(Talk, recorded.talk)
    slow = replace(talk, answers={"crypto key generate rsa": b"Generating\r\n" + LONG + b"[OK] (took 8 s)\r\n"})
    player = Player(slow, "top")
    session = Session(player, "vm", player.shown)
    session.wake(timeout=20)
    assert session.step("crypto key generate rsa", timeout=20) == "Generating\n[OK] (took 8 s)\n"
    assert player.sent == b"crypto key generate rsa\r"
    asking = replace(talk, prompts=(b"r1>", b"r1#"), answers={"reload": b"Proceed with reload? [confirm]"}, asking="reload")
    player = Player(asking, "top")
    session = Session(player, "vm", player.shown)
    session.wake(timeout=20)
    with pytest.raises(VerifyError, match="asks what is yours to answer"):
        session.step("reload", timeout=20)
    assert player.sent == b"reload\r"


@pytest.mark.parametrize(
    ("line", "prompt"),
    [
        ("r1>", True),
        ("r1(config-if)#", True),
        ("RP/0/RP0/CPU0:ios#", True),
        ("admin@vr1> ", True),
        ("root@% ", True),
        ("[admin@gw1] > ", True),
        ("root@OpenWrt:/# ", True),
        ("[vrf:none] root@re0:~# ", True),
        ("Loading 50%", False),
        ("100%", False),
        ("Press RETURN to get started!", False),
        ("description to <HUAWEI2>", False),
        ("Proceed with reload? [confirm]", False),
        ("login:", False),
    ],
)
def test_which_lines_may_be_prompts(line: str, prompt: bool) -> None:
    assert bool(re.search(rf"{_waking.ANY_PROMPT}\s*$", line)) is prompt
