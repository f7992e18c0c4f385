# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Reconciling: a pass over one lab on one server, which finds what is not as declared, says so, and mends it.

It compares and mends as a deployment does (C(_converge.py)), and differs in what it does about trouble: what one link or node is refused
for does not keep the others from being mended; what failed waits before it is tried again (the watcher), and is then mended more heavily.
A pass that could not read something changes nothing at all.
"""

from __future__ import annotations

import time
import typing as t
from dataclasses import replace

from ansible_collections.archetype.lab.plugins.module_utils import (
    _backoff,
    _carriers,
    _drift,
    _journal,
    _lock,
    _run_files,
    _standing,
    _state,
)
from ansible_collections.archetype.lab.plugins.module_utils._converge import Converger, Stages, links_of
from ansible_collections.archetype.lab.plugins.module_utils._declared import FORMAT, Declared
from ansible_collections.archetype.lab.plugins.module_utils._errors import (
    BlockedError,
    Errors,
    ForeignError,
    LabError,
    ReadError,
    UndeclaredError,
)
from ansible_collections.archetype.lab.plugins.module_utils._outcome import Run
from ansible_collections.archetype.lab.plugins.module_utils._pass_report import Course, Pass, report_of
from ansible_collections.archetype.lab.plugins.module_utils._runner import PartialResult

if t.TYPE_CHECKING:
    from ansible_collections.archetype.lab.plugins.module_utils._server import Server

_ROUNDS = 4
"""How often a pass is planned without what was refused, until nothing is refused any more."""
_FAILURES = ("wrong", "foreign")
"""What an error makes of a link or node when something was tried. What could not be read was not."""
_HEAVY = 3
"""From this level on, all that a link has here is made anew."""
_UNKNOWN = "it was not compared, as something else stopped the pass before"
"""Of links and nodes on which there is no error themselves, where nothing could be planned."""

Json = dict[str, t.Any]


def reconcile(server: Server, todo: Pass, declared: t.Mapping[str, t.Any] | None = None, *, now: t.Callable[[], float] = time.time) -> Json:
    """The report on a pass (docs/design.md, section 4). declared: what is to be; without it, what the server keeps.

    Raises LockedError when a run of somebody else works on this lab, LabError when nothing is declared, and PartialResult, with the report,
    when something is not as declared in the end.
    """
    if todo.check:
        return _pass(server, todo, *_declared(todo, declared), now)
    _lock.refuse_if_held(todo.lab, todo.token, watching=todo.patient)
    with _lock.at_work(todo.lab, patience=0.0 if todo.patient else _lock.PATIENCE):
        _lock.refuse_if_held(todo.lab, todo.token, watching=todo.patient)
        return _pass(server, todo, *_declared(todo, declared), now)


def _declared(todo: Pass, given: t.Mapping[str, t.Any] | None) -> tuple[Declared, Json | None]:
    """What is declared, with what is held; and the same for the server to keep, None where it keeps just that.

    It is read when nobody else works here, as it may have changed, or gone, before.
    """
    known = _state.load(todo.lab)
    if given is not None:
        keep = _state.kept_of(known, given, hold=todo.hold, taken_back=())
        return Declared.from_params(keep), keep if keep != known else None
    if known is None:
        raise UndeclaredError(
            f"nothing is declared for lab {todo.lab} on this server", hint="deploy the lab, or give declared", objects=(todo.lab,)
        )
    if known.get("lab") != todo.lab or known.get("format", FORMAT) != FORMAT:
        raise ReadError(
            f"{_state.path(todo.lab)} is not a declared state of lab {todo.lab} in format {FORMAT}",
            hint="deploy the lab again",
            objects=(todo.lab,),
        )
    keep = _state.kept_of(known, known, hold=todo.hold, taken_back=known.get("taken_back") or ())
    return Declared.from_params(keep), keep if keep != known else None


def _pass(server: Server, todo: Pass, declared: Declared, keep: Json | None, now: t.Callable[[], float]) -> Json:
    begun, clock = now(), time.monotonic()
    tries = _backoff.load(todo.lab)
    course = Course(declared)
    try:
        _go(server, todo, keep, tries, course, begun)
    except Errors as several:
        course.errors += several.errors
    except LabError as error:
        course.errors.append(error)
    return _finish(todo, course, tries, begun, now(), round(1000 * (time.monotonic() - clock)))


def _go(server: Server, todo: Pass, keep: Json | None, tries: _backoff.Tries, course: Course, begun: float) -> None:
    waiting = frozenset(tries.waiting(begun)) if todo.patient else frozenset()
    converger, stages = _plan(server, todo, keep, tries, course, waiting)
    course.seen = [change for layer, changes in stages.changes().items() if layer != "state" for change in changes]
    course.planned = True
    course.left = converger.due
    course.seen += course.left
    course.stopped = converger.stopped
    if todo.check:
        course.layers = stages.changes()
        course.errors += stages.foreseen()
        return
    course.left = course.seen  # until it is known what was done of it
    course.errors += _noting(lambda: _standing.changing(todo.lab, links_of(course.declared, stages.changes()), begun))
    try:
        converger.apply(stages)
        course.left = converger.due
    finally:
        course.layers = converger.outcome.layers
        course.errors += converger.outcome.errors
        course.result = converger.outcome.result


def _plan(
    server: Server, todo: Pass, keep: Json | None, tries: _backoff.Tries, course: Course, waiting: frozenset[str]
) -> tuple[Converger, Stages]:
    """Planned without what is refused: what somebody else has in the way of one link must not keep the others from being mended."""
    declared = course.declared
    wanted = declared.without_links(declared.taken_back)
    doubted = frozenset(node for node in _nodes(declared) if tries.level(node) > 1)
    waits = not todo.patient
    patience = None if waits else 0.0
    run = Run(
        todo.owner,
        todo.token,
        check=todo.check,
        diff=todo.diff,
        patience=patience,
        waits=waits,
        doubted=doubted,
        anew=_anew(declared, tries, todo),
    )
    spare: frozenset[str] = declared.objects_of(waiting)
    course.waiting = waiting | spare
    for place in range(_ROUNDS):
        now = replace(run, spare=spare)
        converger = Converger(server, wanted, now, keep, starting=todo.starting)
        try:
            return converger, converger.plan()
        except Errors as several:
            errors = several.errors
        except LabError as error:
            errors = [error]
        names = {name for error in errors for name in error.objects}
        smaller = wanted.without_objects(names)
        if any(isinstance(error, ReadError) for error in errors) or smaller == wanted or place == _ROUNDS - 1:
            raise Errors(errors)
        course.refused += errors
        gone = _nodes(wanted) - _nodes(smaller)
        spare |= frozenset(names) | declared.objects_of(gone)
        if not smaller.vms:  # then nobody asks who opens taps, and they would be taken for somebody else's
            spare |= {port.name for port in declared.ports if port.device == "tap"}
        wanted = smaller
    raise AssertionError("a plan was neither made nor refused")


def _nodes(declared: Declared) -> set[str]:
    return {*(one.node for one in declared.containers), *(one.node for one in declared.vms)}


def _anew(declared: Declared, tries: _backoff.Tries, todo: Pass) -> frozenset[str]:
    """What lighter mending did not help: the port or tunnel itself at first, then all that its link has here."""
    if todo.check:
        return frozenset()
    levels = {name: tries.level(name) for name in declared.wires}
    heavy = {name for name, level in levels.items() if level >= _HEAVY}
    cables = (link.key for link in declared.links if _carriers.is_cable(link))
    links = {key for key in cables if not heavy.isdisjoint(declared.objects_of([key]))}
    return frozenset({name for name, level in levels.items() if level > 1} | declared.objects_of(links))


# -- what is told of it ---------------------------------------------------------------------------------------------


def _finish(todo: Pass, course: Course, tries: _backoff.Tries, begun: float, ended: float, took: int) -> Json:
    declared = course.declared
    errors = list(dict.fromkeys([*course.refused, *course.errors]))
    before = _drift.drift(declared, course.seen, course.refused if course.planned else errors)
    after = _drift.drift(declared, course.seen if todo.check else course.left, errors)
    if not course.planned:
        after = tuple(one._replace(word="unreadable", detail=_UNKNOWN) if one.word == _drift.IN_SYNC else one for one in after)
    if not todo.check:
        touched = _named(_drift.drift(declared, course.done, ()))
        nodes_and_links = {name for sort, name in touched if sort != "server"}
        links = {name for sort, name in touched if sort == "link"}
        down = _carriers.down_links(declared, course.stopped)
        lost = _noting(lambda: _count(tries, course, after, nodes_and_links, ended))
        errors += lost + _noting(lambda: _standing.after_pass(todo.lab, after, links, errors, down, ended))
    told = [*errors, tries.damage] if tries.damage is not None else errors
    report = report_of(todo, course, after, tries, begun, took, told)
    if not todo.check:
        unwritten = _write_journal(todo, course, before, report, told)
        if unwritten is not None:
            report["warnings"] = [str(unwritten)]
        last = {name: value for name, value in report.items() if name not in ("declared", "diff")}
        errors += _noting(lambda: _run_files.write(todo.lab, _run_files.REPORT, last))
    if errors:
        raise PartialResult(errors, {name: value for name, value in report.items() if name != "errors"})
    return report


def _noting(step: t.Callable[[], object]) -> list[LabError]:
    """What could not be noted is an error, and keeps nothing from being told."""
    try:
        step()
    except LabError as error:
        return [error]
    return []


def _named(items: t.Iterable[_drift.Item]) -> set[tuple[str, str]]:
    return {(one.sort, one.name) for one in items if one.word != _drift.IN_SYNC}


def _count(
    tries: _backoff.Tries,
    course: Course,
    after: t.Sequence[_drift.Item],
    touched: set[str],
    now: float,
) -> None:
    """Links and nodes wait after a failure, and ports and tunnels are mended more heavily. What could not be read, is refused, as something
    foreign is in its way, or waits, did not fail: nothing was tried. So what was in the way needs only to go."""
    tried = [error for error in course.errors if course.planned and not isinstance(error, (BlockedError, ForeignError, ReadError))]
    failed = {one.name: one.detail for one in _drift.drift(course.declared, (), tried) if one.word in _FAILURES and one.sort != "server"}
    failed.update({name: error.message for error in tried for name in error.objects if name in course.declared.wires})
    failed = {name: reason for name, reason in failed.items() if name not in course.waiting}
    for name, reason in sorted(failed.items()):
        tries.failed([name], reason, now)
    done = touched | {change.name for change in course.done if change.kind in ("port", "tunnel")}
    tries.mended(sorted(done - failed.keys()), now)
    well = {one.name for one in after if one.word == _drift.IN_SYNC}
    tries.settled(sorted((well | course.declared.objects_of(well)) - done - failed.keys()), now)
    tries.save()


def _write_journal(
    todo: Pass, course: Course, before: t.Sequence[_drift.Item], report: Json, errors: t.Sequence[LabError]
) -> LabError | None:
    """Nothing is written where there is nothing to tell, or nothing else than the last time: an idle watcher leaves the disk alone."""
    seen = [
        f"{one.sort} {one.name}: {one.word}" + (f" ({one.detail})" if one.detail else "") for one in before if one.word != _drift.IN_SYNC
    ]
    if not course.done and report["errors"] == (_run_files.read(todo.lab, _run_files.REPORT)[0].get("errors") or []):
        return None
    told = {name: report[name] for name in ("at", "server", "waiting", "ms")}
    return _journal.note(todo.lab, todo.trigger, seen=seen, done=course.done, errors=errors, **told)
