# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which labs the watcher finds, that it is alone, and what it takes an outcome for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.archetype.lab.plugins.module_utils import _journal, _lock, _running, _server, _state
from ansible_collections.archetype.lab.plugins.module_utils._declared import Declared
from ansible_collections.archetype.lab.plugins.module_utils._errors import ApplyError, ForeignError, LabError, LockedError, ReadError
from ansible_collections.archetype.lab.plugins.module_utils._runner import PartialResult
from ansible_collections.archetype.lab.plugins.module_utils._watch import _instance, _pass, _watcher
from ansible_collections.archetype.lab.plugins.module_utils._watch._labs import Labs
from tests.testbed.paths import ROOT


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_server, "STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setattr(_server, "RUN_DIR", str(tmp_path / "run"))
    monkeypatch.setattr(_journal, "JOURNAL_DIR", str(tmp_path / "log"))


def keep(lab: str, **more: Any) -> None:
    _state.save(lab, {"lab": lab, "server": "srv1", "bridge": {}, **more})


def spoil(lab: str, text: str) -> None:
    _server.make_state_dir()
    Path(_server.STATE_DIR, f"{lab}.json").write_text(text)


def test_a_server_without_labs() -> None:
    assert Labs().look() == ({}, (), {})


def test_labs_come_change_and_go() -> None:
    labs = Labs()
    keep("a")
    keep("b", vms=[])
    look = labs.look()
    assert (list(look.fresh), look.gone, look.refused) == (["a", "b"], (), {})
    assert look.fresh["a"].lab == "a"
    assert labs.look() == ({}, (), {})
    keep("b", ports=[{"name": "p", "link": "l", "node": "n", "interface": "eth1", "mtu": 1500}])
    assert list(labs.look().fresh) == ["b"]
    _state.remove("a")
    assert labs.look() == ({}, ("a",), {})
    assert labs.look() == ({}, (), {})


def test_a_file_with_the_same_size_and_time_is_seen_to_be_another() -> None:
    labs = Labs()
    keep("a", hold=["x"])
    labs.look()
    before = os.stat(_state.path("a"))
    keep("a", hold=["y"])
    os.utime(_state.path("a"), ns=(before.st_atime_ns, before.st_mtime_ns))
    assert list(labs.look().fresh) == ["a"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "cannot be read"),
        ("[]", "no declared state of this lab"),
        ('{"lab": "other"}', "no declared state of this lab"),
        ('{"lab": "a", "server": "s", "bridge": {}, "format": 99}', "has format 99, and this watcher knows"),
        ('{"lab": "a", "server": "s", "bridge": {}, "ports": [{}]}', "cannot be understood"),
        ('{"lab": "a", "server": "s", "bridge": {}, "ports": 5}', "cannot be understood"),
    ],
)
def test_what_cannot_be_watched_is_left_alone_and_told_once(text: str, why: str) -> None:
    keep("good")
    labs = Labs()
    labs.look()
    spoil("a", text)
    look = labs.look()
    assert look.fresh == {}
    assert look.gone == ("a",)
    assert why in look.refused["a"]
    assert labs.look() == ({}, (), {})
    assert list(labs.refused) == ["a"]
    keep("a")
    assert list(labs.look().fresh) == ["a"]
    assert labs.refused == {}


def test_names_that_are_none_are_refused_and_other_files_are_none_of_ours() -> None:
    spoil(".hidden", "{}")
    spoil("x.json", "{}")
    Path(_server.STATE_DIR, "a.json.new").write_text("{")
    Path(_server.STATE_DIR, "folder").mkdir()
    look = Labs().look()
    assert look.fresh == {}
    assert sorted(look.refused) == [".hidden", "x.json"]


def test_only_labs_with_machines_need_libvirt() -> None:
    labs = Labs()
    keep("a", containers=[])
    labs.look()
    assert not labs.machines
    vm = {"name": "a-v", "node": "v", "kind": "guest", "image": "/i.qcow2", "memory": 64, "cpus": 1}
    spoil("b", json.dumps({"lab": "b", "server": "s", "bridge": {}, "vms": [vm]}))
    assert labs.look().refused == {}
    assert labs.machines
    _state.remove("b")
    labs.look()
    assert not labs.machines


HOLDER = """
import sys, time
from ansible_collections.archetype.lab.plugins.module_utils import _server
from ansible_collections.archetype.lab.plugins.module_utils._watch import _instance
_server.RUN_DIR = sys.argv[1]
with _instance.alone():
    print("alone", flush=True)
    sys.stdin.read()
"""


def test_there_is_one_watcher_and_its_end_makes_room_for_the_next() -> None:
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}/collections"}
    command = [sys.executable, "-c", HOLDER, _server.RUN_DIR]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "alone\n"
        assert _running.running() == other.pid
        with pytest.raises(LockedError, match=f"already, as process {other.pid}"), _instance.alone():
            pass
        other.kill()
    assert _running.running() == 0
    with _instance.alone():
        assert _running.running() == os.getpid()
        assert Path(_running.lock_path()).read_text() == f"{os.getpid()}\n"
    assert _running.running() == 0


SAYING = """
import sys
from ansible_collections.archetype.lab.plugins.module_utils._watch import _log
_log.LARGEST = 100
for number in range(int(sys.argv[1])):
    _log.log(f"number {number} of\\n  more")
"""


@pytest.mark.parametrize(("mode", "kept"), [("a", False), ("w", True)])
def test_a_log_that_is_a_file_does_not_grow_for_ever(tmp_path: Path, mode: str, kept: bool) -> None:
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}/collections"}
    with (tmp_path / "log").open(mode) as file:
        subprocess.run([sys.executable, "-c", SAYING, "50"], stderr=file, env=environment, check=True)
    lines = (tmp_path / "log").read_text().splitlines()
    assert lines[-1].endswith("Z number 49 of more")
    assert (len(lines) == 50) is kept
    assert kept or (tmp_path / "log").stat().st_size < 200


def test_a_log_that_cannot_be_written_ends_nothing() -> None:
    saying = f"{SAYING}print('alive', flush=True)\nimport os\nos._exit(0)\n"
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", saying, "50"],
            stderr=full,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": f"{ROOT}/collections"},
            check=True,
        )
    assert done.stdout == b"alive\n"


def test_a_lab_with_a_tunnel_to_what_is_no_address_is_watched_as_well() -> None:
    said: list[str] = []
    one = _watcher.Watcher(said.append)
    tunnel = {"name": "at-x", "vni": 1, "local": "srv1.example", "remotes": ["srv2.example"], "mtu": 1450, "link": "a:eth1--b:eth1"}
    one._add("x", Declared.from_params({"lab": "x", "server": "s1", "tunnels": [tunnel]}))
    assert "nothing is known of nodes on other servers" in said[-1]
    assert one._loop.labs == ("x",)


def test_a_lab_that_could_not_be_read_is_told_once_and_watched_when_it_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    keep("a")
    labs, load = Labs(), _state.load

    def fail(_lab: str) -> None:
        raise ReadError("too many open files")

    monkeypatch.setattr(_state, "load", fail)
    assert list(labs.look().refused) == ["a"]
    assert labs.look() == ({}, (), {})
    monkeypatch.setattr(_state, "load", load)
    assert list(labs.look().fresh) == ["a"]
    assert (labs.look(), labs.refused) == (({}, (), {}), {})


def test_a_file_that_is_nested_too_deep_is_refused() -> None:
    spoil("x", "[" * 100_000)
    assert "x" in Labs().look().refused


def test_a_checkout_is_not_installed() -> None:
    assert _instance.version() == "not installed"


# what comes of a pass

REPORT = {
    "changes": [{"action": "update", "kind": "port", "name": "p"}],
    "nodes": [{"name": "n1", "status": "running"}, {"name": "n2", "status": "exited"}, {"name": "n3", "status": ""}],
    "waiting": [{"name": "l", "next": "2020-01-01T00:00:05.000+00:00"}, {"name": "k", "next": "2999-01-01T00:00:00.000+00:00"}],
}


def made(monkeypatch: pytest.MonkeyPatch, result: Any) -> _pass.Outcome:
    def reconcile(*_what: Any) -> Any:
        if isinstance(result, Exception):
            raise result
        return result

    monkeypatch.setattr(_pass, "reconcile", reconcile)
    return _pass.make(_server.Server, "a", "time")


@pytest.fixture
def journal(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = []
    monkeypatch.setattr(_journal, "write", lambda _lab, entry: entries.append(entry))
    return entries


def test_a_pass_tells_what_it_changed_what_runs_and_what_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = made(monkeypatch, REPORT)
    assert outcome.changes == ("update port p",)
    assert outcome.running == {"n1": True, "n2": False}
    assert outcome.wait is not None
    assert outcome.wait < 0
    assert not outcome.errors


def test_a_pass_with_nothing_waiting_waits_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert made(monkeypatch, {"changes": []}).wait is None


def test_what_was_done_counts_beside_what_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    error = ReadError("no answer", hint="start it")
    outcome = made(monkeypatch, PartialResult([error, error], REPORT))
    assert outcome.errors == ("no answer",)
    assert outcome.report == REPORT


def test_somebody_at_work_is_no_failure(monkeypatch: pytest.MonkeyPatch, journal: list[dict[str, Any]]) -> None:
    assert made(monkeypatch, LockedError("busy")) == _pass.Outcome(busy=True)
    assert journal == []


@pytest.mark.parametrize("error", [ReadError("no answer"), ZeroDivisionError("by zero"), RecursionError()])
def test_whatever_a_pass_raises_is_told_and_written_down(
    monkeypatch: pytest.MonkeyPatch, journal: list[dict[str, Any]], error: Exception
) -> None:
    keep("a")
    outcome = made(monkeypatch, error)
    assert len(outcome.errors) == 1
    assert str(error) in outcome.errors[0]
    assert [one["errors"] for one in journal] == [list(outcome.errors)]
    assert outcome.report is None


def test_what_could_not_be_written_down_is_told_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_journal, "write", lambda *_what: ApplyError("the journal cannot be written"))
    keep("a")
    assert made(monkeypatch, ReadError("no answer")).errors == ("no answer", "the journal cannot be written")


def test_a_lab_that_goes_while_a_pass_begins_is_no_failure(monkeypatch: pytest.MonkeyPatch, journal: list[dict[str, Any]]) -> None:
    assert made(monkeypatch, LabError("nothing is declared")) == _pass.Outcome()
    assert journal == []


def test_only_what_cannot_be_read_is_tried_before_what_waits_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    waits = {"changes": [], "waiting": REPORT["waiting"]}
    foreign, unread = ForeignError("not ours"), ReadError("no answer")
    assert not made(monkeypatch, PartialResult([foreign], waits)).failed
    assert made(monkeypatch, PartialResult([foreign, unread], waits)).failed
    assert made(monkeypatch, PartialResult([foreign], {"changes": []})).failed
    assert not made(monkeypatch, waits).failed


def test_a_lock_that_cannot_be_read_is_for_the_pass_to_tell() -> None:
    assert not _pass.locked("a")
    _lock.acquire("a", "me", "t")
    assert _pass.locked("a")
    Path(_lock.path("a")).write_text("{")
    assert not _pass.locked("a")
    keep("a")
    outcome = _pass.make(_server.Server, "a", "time")
    assert ["is not a lock" in one for one in outcome.errors] == [True]
