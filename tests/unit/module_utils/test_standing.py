# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How links stand after passes and proofs."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.archetype.lab.plugins.module_utils import _server, _standing
from ansible_collections.archetype.lab.plugins.module_utils._drift import Item
from ansible_collections.archetype.lab.plugins.module_utils._errors import ApplyError, LabError

LINK = "a:eth1--b:eth1"
WELL = Item("link", LINK, "in sync")
PROVEN = {LINK: (True, "frames", "")}


@pytest.fixture(autouse=True)
def run_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(_server, "RUN_DIR", str(tmp_path / "run"))
    return tmp_path / "run" / "labs" / "demo"


def after(*items: Item, changed: tuple[str, ...] = (), errors: tuple[LabError, ...] = (), now: float = 0.0, **down: str) -> dict[str, Any]:
    return _standing.after_pass("demo", items or (WELL,), changed, errors, {LINK: down["down"]} if down else {}, now)[LINK]


def at(seconds: float) -> str:
    return f"1970-01-01T00:00:{int(seconds):02d}+00:00"


def test_a_link_of_which_nothing_is_known_is_not_proven() -> None:
    assert after(now=1.0) == {"state": "pending", "reason": "not proven", "since": at(1), "proven": {"by": "", "at": ""}}


def test_a_link_is_up_when_frames_showed_it_and_stays_up_while_nothing_changes() -> None:
    after(changed=(LINK,), now=1.0)
    _standing.prove("demo", PROVEN, 2.0)
    up = {"state": "up", "reason": "", "since": at(2), "proven": {"by": "frames", "at": at(2)}}
    assert _standing.load("demo") == {LINK: up}
    assert after(now=3.0) == up
    _standing.prove("demo", PROVEN, 4.0)
    assert _standing.load("demo")[LINK] == {**up, "proven": {"by": "frames", "at": at(4)}}  # since when has not changed


def test_a_link_that_was_mended_is_to_be_proven_again() -> None:
    after()
    _standing.prove("demo", PROVEN, 2.0)
    mended = after(changed=(LINK,), now=3.0)
    assert mended == {"state": "pending", "reason": f"mended {at(3)}, not proven since", "since": at(3), "proven": {"by": "", "at": ""}}
    assert after(now=4.0) == mended
    again = after(changed=(LINK,), now=5.0)
    assert (again["reason"], again["since"]) == (f"mended {at(5)}, not proven since", at(3))


def test_a_link_that_is_new_was_made() -> None:
    assert after(changed=(LINK,), now=1.0)["reason"] == f"made {at(1)}, not proven since"


def test_a_link_that_was_missing_was_made_again() -> None:
    after(Item("link", LINK, "missing", "port p1"), now=1.0)
    assert after(changed=(LINK,), now=2.0)["reason"] == f"made {at(2)}, not proven since"


def test_whoever_is_killed_while_links_are_made_leaves_them_so() -> None:
    _standing.changing("demo", [LINK], 1.0)
    assert _standing.load("demo")[LINK]["state"] == "creating"
    assert after(changed=(LINK,), now=2.0)["state"] == "pending"


@pytest.mark.parametrize("word", ["missing", "wrong", "foreign"])
def test_a_link_that_is_not_as_declared_after_a_pass_is_an_error(word: Any) -> None:
    found = after(Item("link", LINK, word, "tag: 1 -> 2"), now=1.0)
    assert (found["state"], found["reason"]) == ("error", f"{word}: tag: 1 -> 2")
    assert after(Item("link", LINK, word, "tag: 3 -> 2"), now=2.0)["since"] == at(1)
    well = after(now=3.0)
    assert (well["state"], well["since"]) == ("pending", at(3))  # nothing was changed, and nothing is proven


def test_what_could_not_be_read_is_as_it_was() -> None:
    after()
    _standing.prove("demo", PROVEN, 2.0)
    assert after(Item("link", LINK, "unreadable", "dark"), now=3.0)["state"] == "up"
    after(Item("link", LINK, "wrong", "x"), now=4.0)
    assert after(Item("link", LINK, "unreadable", "dark"), now=5.0)["state"] == "error"


def test_what_failed_on_an_unknown_object_may_have_failed_on_what_was_changed() -> None:
    assert after(changed=(LINK,), errors=(ApplyError("dockerd went away"),))["reason"] == "dockerd went away"
    assert after(changed=(LINK,), errors=(ApplyError("no", objects=("elsewhere",)),))["state"] == "pending"
    assert after(errors=(ApplyError("dockerd went away"),))["state"] == "pending"


def test_a_proof_that_failed_stands_until_something_is_changed() -> None:
    after()
    _standing.prove("demo", {LINK: (False, "frames", "no frame came")}, 2.0)
    failed = {"state": "error", "reason": "no frame came", "since": at(2), "proven": {"by": "frames", "at": at(2)}}
    assert after(now=3.0) == failed
    assert after(changed=(LINK,), now=4.0)["state"] == "pending"


def test_a_link_that_is_meant_to_be_down_is_down_whatever_is_proven() -> None:
    assert after(down="node b does not run", now=1.0) == {
        "state": "down",
        "reason": "node b does not run",
        "since": at(1),
        "proven": {"by": "", "at": ""},
    }
    _standing.prove("demo", PROVEN, 2.0)
    assert _standing.load("demo")[LINK]["state"] == "down"
    assert after(changed=(LINK,), down="node b does not run", now=3.0)["since"] == at(1)
    assert after(Item("link", LINK, "wrong", "x"), down="node b does not run")["state"] == "error"
    assert after(changed=(LINK,), now=5.0)["state"] == "pending"


def test_links_that_are_declared_no_more_are_forgotten_and_orphans_never_noted() -> None:
    after()
    assert _standing.after_pass("demo", [Item("link", "x", "orphan", "port p"), Item("node", "a", "wrong", "y")], (), (), {}, 1.0) == {}
    assert _standing.load("demo") == {}


def test_a_link_that_no_pass_has_seen_can_be_proven() -> None:
    _standing.prove("demo", {LINK: (True, "device", "")}, 2.0)
    assert _standing.load("demo")[LINK]["proven"] == {"by": "device", "at": at(2)}


def test_nothing_is_written_where_nothing_changed(run_dir: Path) -> None:
    after(now=1.0)
    file = run_dir / "standing.json"
    assert file.stat().st_mode & 0o777 == 0o600
    before = file.stat().st_ino
    after(now=2.0)
    _standing.prove("demo", {}, 3.0)
    assert file.stat().st_ino == before
    assert [one.name for one in run_dir.iterdir()] == ["standing.json"]


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"x": 1}', '{"x": {"state": "up"}}', '{"x": {"state": "up", "reason": "", "since": "", "proven": {}}}']
)
def test_what_is_damaged_is_not_known_and_mended(run_dir: Path, content: str) -> None:
    run_dir.mkdir(parents=True)
    (run_dir / "standing.json").write_text(content)
    assert _standing.load("demo") == {}
    after(now=1.0)
    assert list(json.loads((run_dir / "standing.json").read_text())) == [LINK]


def test_passes_and_proofs_at_once_lose_nothing() -> None:
    names = [f"l{number}" for number in range(8)]
    _standing.after_pass("demo", [Item("link", name, "in sync") for name in names], names, (), {}, 1.0)
    provers = [threading.Thread(target=_standing.prove, args=("demo", {name: (True, "frames", "")}, 2.0)) for name in names]
    for one in provers:
        one.start()
    for one in provers:
        one.join()
    assert {entry["state"] for entry in _standing.load("demo").values()} == {"up"}


STEPS = st.one_of(
    st.tuples(st.just("pass"), st.sampled_from(["in sync", "missing", "wrong", "foreign", "unreadable"]), st.booleans(), st.booleans()),
    st.tuples(st.just("prove"), st.booleans(), st.just(value=False), st.just(value=False)),
)


@settings(deadline=None)
@given(st.lists(STEPS, min_size=1, max_size=8))
def test_up_is_only_what_was_proven_since_the_last_change(steps: list[tuple[str, Any, bool, bool]]) -> None:
    """Against a model of two facts: whether it was proven since it was changed last, and whether that is still known to be so."""
    _standing.after_pass("model", (), (), (), {}, 0.0)
    proven = False
    down = False
    for now, (step, what, changed, off) in enumerate(steps):
        if step == "prove":
            proven = proven if down else what
            _standing.prove("model", {LINK: (what, "frames", "" if what else "no")}, now)
        else:
            fault = what in ("missing", "wrong", "foreign")
            proven = proven and not (fault or changed or off)
            down = not fault and (off or (down and what == "unreadable" and not changed))
            items = [Item("link", LINK, what, "" if what == "in sync" else "x")]
            _standing.after_pass("model", items, [LINK] if changed else [], (), {LINK: "off"} if off else {}, now)
        entry = _standing.load("model").get(LINK)
        assert (entry is not None and entry["state"] == "up") == proven
        assert entry is None or entry["state"] in ("pending", "up", "error", "down")


def test_what_is_about_to_be_changed_is_no_more_proven_and_what_failed_has_done_so_since_then() -> None:
    after()
    _standing.prove("demo", PROVEN, 2.0)
    _standing.changing("demo", [LINK], 3.0)
    assert _standing.load("demo")[LINK]["state"] == "pending"
    assert after(now=4.0)["state"] == "pending"  # whoever was about to was killed, and all is as declared
    failed = after(Item("link", LINK, "wrong", "tag: 1 -> 2"), now=5.0)
    _standing.changing("demo", [LINK], 6.0)
    assert _standing.load("demo")[LINK] == failed
