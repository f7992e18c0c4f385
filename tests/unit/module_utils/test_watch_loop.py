# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When the watcher makes a pass: its clock is a number here, and passes take what the test says."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.archetype.lab.plugins.module_utils._watch._loop import (
    BUSY,
    FIRST_RETRY,
    FULL,
    LAST_RETRY,
    LOCKED,
    LONGEST,
    QUIET,
    REST,
    Loop,
    Pass,
)


@dataclass
class Watch:
    """A loop and its clock. made: each pass with when it began."""

    loop: Loop = field(default_factory=Loop)
    now: float = 1000.0
    made: list[tuple[float, str, str]] = field(default_factory=list)

    def run(self, until: float, *, takes: float = 0.1, locked: frozenset[str] = frozenset()) -> None:
        """Make all passes that are due until then; none changes anything."""
        while True:
            todo = self.loop.next(self.now)
            if isinstance(todo, Pass):
                self.make(todo, takes=takes, locked=locked)
            elif self.now + todo > until:
                self.now = max(self.now, until)
                return
            else:
                self.now += max(todo, 1e-6)

    def make(self, todo: Pass, *, takes: float = 0.1, locked: frozenset[str] = frozenset(), **outcome: object) -> None:
        if todo.lab in locked:
            self.loop.locked(todo.lab, self.now)
            return
        self.made.append((self.now, todo.lab, todo.trigger))
        self.loop.began(todo.lab, self.now)
        self.now += takes
        self.loop.done(todo.lab, self.now, **outcome)  # type: ignore[arg-type]

    def due(self) -> Pass:
        """Wait for the next pass, without making it."""
        while not isinstance(todo := self.loop.next(self.now), Pass):
            self.now += max(todo, 1e-6)
        return todo


@pytest.fixture
def watch() -> Watch:
    """A lab that had its first pass some time ago."""
    one = Watch()
    one.loop.add("a", "start", one.now)
    one.run(one.now + 5)
    assert [(lab, trigger) for _at, lab, trigger in one.made] == [("a", "start")]
    one.made.clear()
    return one


def test_without_labs_nothing_is_ever_due() -> None:
    loop = Loop()
    loop.event("ovsdb", "", 1.0)
    assert loop.next(2.0) == math.inf


def test_a_new_lab_has_a_pass_at_once() -> None:
    loop = Loop()
    loop.add("a", "start", 7.0)
    assert loop.next(7.0) == Pass("a", "start")


def test_an_event_is_followed_by_a_pass_when_it_is_quiet(watch: Watch) -> None:
    began = watch.now
    watch.loop.event("ovsdb", "", began)
    watch.run(began + 1)
    ((at, lab, trigger),) = watch.made
    assert (lab, trigger) == ("a", "ovsdb")
    assert at == pytest.approx(began + QUIET)


def test_a_flood_does_not_keep_a_pass_from_beginning_nor_take_all_time(watch: Watch) -> None:
    began = watch.now
    while watch.now < began + 10:
        watch.loop.event("netlink", "", watch.now)
        watch.run(watch.now + 0.01, takes=0.08)
    assert watch.made[0][0] == pytest.approx(began + LONGEST, abs=0.011)
    assert 25 < len(watch.made) < 55
    watch.run(watch.now + 5)
    last = watch.made[-1][0]
    assert last >= began + 10 - 0.011


def test_a_long_pass_is_followed_by_a_rest_that_is_bounded(watch: Watch) -> None:
    watch.loop.event("ovsdb", "", watch.now)
    watch.make(watch.due(), takes=30.0)
    ended = watch.now
    watch.loop.event("ovsdb", "", ended - 1)
    watch.run(ended + 1)
    assert watch.made[-1][0] == pytest.approx(ended + REST)


def test_an_event_of_one_lab_is_no_other_labs(watch: Watch) -> None:
    watch.loop.add("b", "start", watch.now)
    watch.run(watch.now + 5)
    watch.made.clear()
    watch.loop.event("docker", "b", watch.now)
    watch.loop.event("docker", "unknown", watch.now)
    watch.run(watch.now + 5)
    assert [lab for _at, lab, _trigger in watch.made] == ["b"]
    watch.loop.event("docker", "", watch.now)
    watch.run(watch.now + 5)
    assert sorted(lab for _at, lab, _trigger in watch.made) == ["a", "b", "b"]


def test_where_nothing_happens_there_is_a_pass_every_minute(watch: Watch) -> None:
    watch.run(watch.now + 10 * FULL)
    times = [at for at, _lab, _trigger in watch.made]
    assert len(times) == 10
    assert {trigger for _at, _lab, trigger in watch.made} == {"time"}
    assert all(later - earlier == pytest.approx(FULL) for earlier, later in itertools.pairwise(times))


def test_what_happens_during_a_pass_is_looked_at_after_it(watch: Watch) -> None:
    watch.loop.event("ovsdb", "", watch.now)
    todo = watch.due()
    watch.loop.began(todo.lab, watch.now)
    watch.loop.event("netlink", "", watch.now + 0.01)
    watch.loop.done(todo.lab, watch.now + 0.5)
    watch.now += 0.5
    watch.run(watch.now + 5)
    assert [trigger for _at, _lab, trigger in watch.made] == ["netlink"]


def test_a_locked_lab_is_left_alone_and_has_a_pass_when_it_is_given_back(watch: Watch) -> None:
    watch.loop.add("b", "start", watch.now)
    watch.run(watch.now + 5)
    watch.made.clear()
    began = watch.now
    watch.loop.event("ovsdb", "", began)
    looks = 0
    while watch.now < began + 10:
        watch.loop.event("ovsdb", "", watch.now)
        todo = watch.due()
        looks += todo.lab == "a"
        watch.make(todo, locked=frozenset("a"))
    assert looks <= 10 / LOCKED + 2
    assert {lab for _at, lab, _trigger in watch.made} == {"b"}
    watch.made.clear()
    watch.run(watch.now + LOCKED + 0.2)
    assert [trigger.split(", ")[0] for _at, lab, trigger in watch.made if lab == "a"] == ["lock given back"]


def test_a_server_at_work_is_tried_again_soon_and_the_reason_is_kept(watch: Watch) -> None:
    watch.loop.event("docker", "", watch.now)
    for _turn in range(5):
        todo = watch.due()
        assert todo == Pass("a", "docker")
        watch.loop.began("a", watch.now)
        before = watch.now
        watch.loop.busy("a", todo.trigger, watch.now)
        watch.due()
        assert watch.now - before == pytest.approx(BUSY, abs=0.001)
    watch.run(watch.now + 5)
    assert [trigger for _at, _lab, trigger in watch.made] == ["docker"]


def test_what_waits_is_tried_when_its_time_comes(watch: Watch) -> None:
    watch.loop.event("ovsdb", "", watch.now)
    watch.make(watch.due(), wait=4.0)
    ended = watch.now
    watch.run(ended + 30)
    assert [(trigger, at) for at, _lab, trigger in watch.made[1:]] == [("tried again", pytest.approx(ended + 4.0))]


def test_what_could_not_be_read_is_not_kept_by_what_waits_for_long(watch: Watch) -> None:
    watch.loop.event("ovsdb", "", watch.now)
    watch.make(watch.due(), failed=True, wait=50.0)
    ended = watch.now
    watch.run(ended + 30)
    assert [(trigger, at) for at, _lab, trigger in watch.made[1:]] == [("tried again", pytest.approx(ended + FIRST_RETRY))]


def test_what_failed_without_saying_when_is_tried_again_ever_later(watch: Watch) -> None:
    watch.loop.event("ovsdb", "", watch.now)
    gaps = []
    for _turn in range(12):
        watch.make(watch.due(), failed=True)
        before = watch.now
        watch.due()
        gaps.append(watch.now - before)
    assert gaps[0] < 0.3
    assert all(later >= earlier * 0.99 for earlier, later in itertools.pairwise(gaps))
    assert gaps[-1] == pytest.approx(LAST_RETRY)
    watch.make(watch.due())
    watch.made.clear()
    watch.run(watch.now + FULL - 1)
    assert watch.made == []


def test_after_a_change_it_looks_once_more_and_then_no_more(watch: Watch) -> None:
    watch.loop.event("ovsdb", "", watch.now)
    watch.make(watch.due(), changed=True)
    watch.run(watch.now + FULL - 1)
    assert [trigger for _at, _lab, trigger in watch.made] == ["ovsdb", "looked again"]


def test_two_labs_that_undo_each_others_work_do_so_ever_more_slowly(watch: Watch) -> None:
    """As when both declare one setting of the server, and differ in it: no link or node is what waits."""
    watch.loop.add("b", "start", watch.now)
    begun = watch.now
    while watch.now < begun + 600:
        watch.make(watch.due(), changed=True)
        watch.loop.event("ovsdb", "", watch.now)
    late = [at for at, _lab, _trigger in watch.made if at > begun + 300]
    assert len(late) <= 2 * 300 / LAST_RETRY + 2
    watch.make(watch.due())
    watch.make(watch.due())
    watch.loop.event("ovsdb", "", watch.now)
    before = watch.now
    watch.make(watch.due())
    assert watch.now - before < 1.0  # it is over, and forgotten


def test_a_lab_that_went_is_forgotten_also_in_the_middle_of_its_pass(watch: Watch) -> None:
    watch.loop.event("ovsdb", "", watch.now)
    todo = watch.due()
    watch.loop.began(todo.lab, watch.now)
    watch.loop.forget("a")
    watch.loop.done("a", watch.now, changed=True)
    assert watch.loop.next(watch.now + 100) == math.inf


LABS = ("a", "b", "c")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("wait"), st.floats(0.0, 3.0)),
        st.tuples(st.just("wait"), st.floats(0.0, 0.06)),
        st.tuples(st.just("event"), st.sampled_from(("", *LABS))),
        st.tuples(st.just("add"), st.sampled_from(LABS)),
        st.tuples(st.just("lock"), st.sampled_from(LABS)),
        st.tuples(st.just("unlock"), st.sampled_from(LABS)),
        st.tuples(st.just("outcome"), st.sampled_from(("", "changed", "failed", "busy", "wait"))),
        st.tuples(st.just("takes"), st.floats(0.001, 2.0)),
    ),
    max_size=60,
)


@dataclass
class Story:
    """A loop in a random life. For each lab: what no pass has followed yet, and whether the next pass has a cause."""

    loop: Loop = field(default_factory=Loop)
    now: float = 0.0
    takes: float = 0.1
    outcome: str = ""
    locked: set[str] = field(default_factory=set)
    open: dict[str, list[float]] = field(default_factory=dict)
    cause: dict[str, bool] = field(default_factory=dict)
    began: dict[str, float] = field(default_factory=dict)
    events: list[tuple[float, str, str]] = field(default_factory=list)

    def note(self, lab: str) -> None:
        for one in (lab,) if lab else LABS:
            if one in self.cause:
                self.open[one].append(self.now)
                self.cause[one] = True

    def add(self, lab: str) -> None:
        self.cause[lab] = True
        self.open.setdefault(lab, []).append(self.now)
        self.loop.add(lab, "start", self.now)

    def wait(self, seconds: float) -> None:
        until = self.now + seconds
        while self.now <= until:
            todo = self.loop.next(self.now)
            if isinstance(todo, Pass):
                self.make(todo.lab)
            elif self.now + todo > until:
                break
            else:
                self.now += max(todo, 1e-6)
        self.now = max(self.now, until)

    def make(self, lab: str) -> None:
        if lab in self.locked:
            self.loop.locked(lab, self.now)
            self.cause[lab] = True
            return
        assert self.cause[lab] or self.now - self.began[lab] >= FULL - 1e-6, "a pass without a cause"
        self.cause[lab], self.open[lab], self.began[lab] = False, [], self.now
        self.loop.began(lab, self.now)
        self.now += self.takes
        if self.outcome == "busy":
            self.loop.busy(lab, "event", self.now)
            self.open[lab].append(self.now)
        else:
            wait = 1.5 if self.outcome == "wait" else None
            self.loop.done(lab, self.now, changed=self.outcome == "changed", failed=self.outcome == "failed", wait=wait)
        self.cause[lab] = bool(self.outcome)


@given(STEPS)
@settings(max_examples=300, deadline=None)
def test_no_event_is_lost_and_no_pass_has_no_cause(steps: list[tuple[str, object]]) -> None:
    story = Story()
    for word, what in steps:
        if word == "wait":
            story.wait(float(what))  # type: ignore[arg-type]
        elif word == "event":
            story.note(str(what))
            story.loop.event("ovsdb", str(what), story.now)
        elif word == "add":
            story.add(str(what))
        elif word == "lock":
            story.locked.add(str(what))
        elif word == "unlock":
            story.locked.discard(str(what))
        elif word == "outcome":
            story.outcome = str(what)
        else:
            story.takes = float(what)  # type: ignore[arg-type]
    # Whatever happened: once nobody locks and passes work, all is looked at soon, and then it is quiet but for a pass every minute.
    story.locked.clear()
    story.outcome, story.takes = "", 0.1
    story.wait(LAST_RETRY + LOCKED + LONGEST + len(LABS) * (0.1 + REST) + 3.0)
    assert not any(story.open.values()), story.open
    before = dict(story.began)
    story.wait(FULL + 1.0)
    assert all(at > before[lab] for lab, at in story.began.items())
    assert all(not cause for cause in story.cause.values())
