# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""What the watcher tells Prometheus: a text file for the textfile collector of its node exporter, from the reports of the last passes.

The file is beside RUN_DIR, which is root's alone: the collector is not root.
"""

from __future__ import annotations

import contextlib
import os
import typing as t
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from ansible_collections.archetype.lab.plugins.module_utils import _whole_files
from ansible_collections.archetype.lab.plugins.module_utils._errors import ApplyError

METRICS_DIR = "/run/archetype-lab-metrics"
FILE = "archetype_lab.prom"
STATES = ("pending", "creating", "up", "error", "down")
WORDS = ("in sync", "missing", "wrong", "foreign", "unreadable")

Report = t.Mapping[str, t.Any]
Sample = tuple[t.Mapping[str, str], float]


@dataclass(frozen=True)
class Facts:
    """What the watcher counts itself, by lab, since it started. passes: lab -> what a pass was made for -> how many. dropped: lab -> why a
    message of another watcher was not taken -> how many. refused: labs of which the declared state cannot be understood."""

    version: str = ""
    started: float = 0.0
    passes: t.Mapping[str, t.Mapping[str, int]] = field(default_factory=dict)
    repairs: t.Mapping[str, int] = field(default_factory=dict)
    failures: t.Mapping[str, int] = field(default_factory=dict)
    dropped: t.Mapping[str, t.Mapping[str, int]] = field(default_factory=dict)
    refused: t.Collection[str] = ()


def path() -> str:
    return os.path.join(METRICS_DIR, FILE)


def render(reports: t.Mapping[str, Report], facts: Facts) -> str:
    """The whole file. A state or word that nothing has is told as 0, so that nobody takes a line that is gone for an old value."""
    labs = sorted(reports.items())
    text: list[str] = []

    def tell(name: str, kind: str, words: str, samples: t.Iterable[Sample]) -> None:
        text.extend([f"# HELP {name} {words}", f"# TYPE {name} {kind}"])
        text.extend(f"{name}{_labels(labels)} {_number(value)}" for labels, value in samples)

    tell("archetype_watch_info", "gauge", "The watcher that runs, always 1.", [({"version": facts.version}, 1)])
    tell("archetype_watch_start_time_seconds", "gauge", "When the watcher was started.", [({}, facts.started)])
    tell("archetype_lab_links", "gauge", "Links of a lab on this server, by state.", _counted(labs, "state", STATES, _states))
    tell("archetype_lab_nodes", "gauge", "Nodes of a lab on this server, by how they are.", _counted(labs, "word", WORDS, _words("nodes")))
    tell("archetype_lab_drift", "gauge", "Objects that are not as declared, by how they differ.", _counted(labs, "word", _DRIFT, _drift))
    unreadable = {**{lab: _unreadable(one) for lab, one in labs}, **dict.fromkeys(facts.refused, 1)}
    what = "Links and nodes that could not be read; 1 also where what is declared of the lab could not."
    tell("archetype_lab_unreadable", "gauge", what, _each(unreadable))
    tell(
        "archetype_lab_waiting", "gauge", "What could not be mended, and is tried later.", ((_of(lab), _waiting(one)) for lab, one in labs)
    )
    tell("archetype_lab_pass_seconds", "gauge", "How long the last pass took.", ((_of(lab), _ms(one) / 1000) for lab, one in labs))
    finished = [(_of(lab), moment) for lab, one in labs if (moment := _moment(one.get("at"))) is not None]
    tell("archetype_lab_last_pass_timestamp_seconds", "gauge", "When the last pass was made.", finished)
    tell("archetype_lab_passes_total", "counter", "Passes, by what they were made for.", _by(facts.passes, "trigger"))
    tell("archetype_lab_repairs_total", "counter", "Changes that mended something.", _each(facts.repairs))
    tell("archetype_lab_repair_failures_total", "counter", "Mendings that failed.", _each(facts.failures))
    tell("archetype_lab_peer_messages_dropped_total", "counter", "Messages that were not taken, by why.", _by(facts.dropped, "reason"))
    return "\n".join(text) + "\n"


_DRIFT = (*WORDS[1:], "orphan")


def _of(lab: str) -> dict[str, str]:
    return {"lab": lab}


def _counted(
    labs: t.Sequence[tuple[str, Report]], label: str, always: t.Sequence[str], count: t.Callable[[Report], Counter[str]]
) -> t.Iterator[Sample]:
    for lab, report in labs:
        counts = count(report)
        for value in (*always, *sorted(set(counts) - set(always))):
            yield {"lab": lab, label: value}, counts[value]


def _states(report: Report) -> Counter[str]:
    return Counter(str(one.get("state") or "pending") for one in report.get("links") or ())


def _words(part: str) -> t.Callable[[Report], Counter[str]]:
    return lambda report: Counter(str(one.get("word")) for one in report.get(part) or ())


def _drift(report: Report) -> Counter[str]:
    counts = _words("links")(report) + _words("nodes")(report)
    del counts["in sync"]
    counts["orphan"] = len(report.get("orphans") or ())
    return counts


def _unreadable(report: Report) -> int:
    return _drift(report)["unreadable"]


def _waiting(report: Report) -> int:
    return len(report.get("waiting") or ())


def _ms(report: Report) -> float:
    value = report.get("ms")
    return float(value) if isinstance(value, (int, float)) else 0.0


def _moment(at: t.Any) -> float | None:
    """Seconds since the epoch, of such or of an ISO time."""
    if isinstance(at, (int, float)):
        return float(at)
    try:
        return datetime.fromisoformat(str(at)).timestamp()
    except ValueError:
        return None


def _each(counts: t.Mapping[str, int]) -> t.Iterator[Sample]:
    yield from (({"lab": lab}, count) for lab, count in sorted(counts.items()))


def _by(counts: t.Mapping[str, t.Mapping[str, int]], label: str) -> t.Iterator[Sample]:
    yield from (({"lab": lab, label: name}, count) for lab, one in sorted(counts.items()) for name, count in sorted(one.items()))


def _labels(labels: t.Mapping[str, str]) -> str:
    told = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return f"{{{told}}}" if told else ""


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(round(value, 6))


def write(text: str) -> None:
    """In one piece, for everybody to read. Raises ApplyError."""
    try:
        with contextlib.suppress(FileExistsError):
            os.mkdir(METRICS_DIR)
            os.chmod(METRICS_DIR, 0o755)  # noqa: S103 - whatever the umask of the watcher is, the collector reads it
        _whole_files.write(path(), text, mode=0o644)
    except OSError as error:
        raise ApplyError(f"{path()} cannot be written: {error.strerror}", hint="see that /run has room") from error
