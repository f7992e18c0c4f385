# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Prometheus is told."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.archetype.lab.plugins.module_utils import _metrics
from ansible_collections.archetype.lab.plugins.module_utils._errors import ApplyError
from ansible_collections.archetype.lab.plugins.module_utils._metrics import Facts, render

REPORT: dict[str, Any] = {
    "at": "2026-11-21T10:00:00.500+00:00",
    "ms": 80,
    "links": [
        {"key": "a", "word": "in sync", "state": "up"},
        {"key": "b", "word": "wrong", "state": "error"},
        {"key": "c", "word": "unreadable", "state": "up"},
    ],
    "nodes": [{"name": "r1", "word": "in sync"}, {"name": "r2", "word": "missing"}, {"name": "r3", "word": "unreadable"}],
    "orphans": [{"name": "x"}, {"name": "y"}],
    "waiting": [{"name": "b"}],
}
FACTS = Facts("1.2.3", 1000.25, {"demo": {"ovsdb": 3, "time": 1}}, {"demo": 7}, {"demo": 2}, {"": {"code": 4}, "demo": {"old": 1}})
SAMPLE = re.compile(r'([a-z_]+)(?:\{((?:[a-z]+="(?:[^"\\\n]|\\["\\n])*",?)+)\})? ([-+0-9.e]+)')


def samples(text: str) -> dict[str, float]:
    """Every sample of a file that is as Prometheus wants it: HELP, TYPE, then the samples of this name, none twice."""
    found: dict[str, float] = {}
    named: list[str] = []
    lines = text.split("\n")
    assert lines.pop() == ""
    for place, line in enumerate(lines):
        if line.startswith("# HELP "):
            name = line.split()[2]
            assert name not in named
            named.append(name)
            assert lines[place + 1] in (f"# TYPE {name} gauge", f"# TYPE {name} counter")
            assert (lines[place + 1].endswith("counter")) == name.endswith("_total")
        elif not line.startswith("# TYPE "):
            match = SAMPLE.fullmatch(line)
            assert match is not None, line
            assert match[1] == named[-1]
            key = line.rpartition(" ")[0]
            assert key not in found
            found[key] = float(match[3])
    return found


def test_all_that_is_known_is_told() -> None:
    told = samples(render({"demo": REPORT}, FACTS))
    assert {key: value for key, value in told.items() if value} == {
        'archetype_watch_info{version="1.2.3"}': 1,
        "archetype_watch_start_time_seconds": 1000.25,
        'archetype_lab_links{lab="demo",state="up"}': 2,
        'archetype_lab_links{lab="demo",state="error"}': 1,
        'archetype_lab_nodes{lab="demo",word="in sync"}': 1,
        'archetype_lab_nodes{lab="demo",word="missing"}': 1,
        'archetype_lab_nodes{lab="demo",word="unreadable"}': 1,
        'archetype_lab_drift{lab="demo",word="wrong"}': 1,
        'archetype_lab_drift{lab="demo",word="missing"}': 1,
        'archetype_lab_drift{lab="demo",word="unreadable"}': 2,
        'archetype_lab_drift{lab="demo",word="orphan"}': 2,
        'archetype_lab_unreadable{lab="demo"}': 2,
        'archetype_lab_waiting{lab="demo"}': 1,
        'archetype_lab_pass_seconds{lab="demo"}': 0.08,
        'archetype_lab_last_pass_timestamp_seconds{lab="demo"}': 1795255200.5,
        'archetype_lab_passes_total{lab="demo",trigger="ovsdb"}': 3,
        'archetype_lab_passes_total{lab="demo",trigger="time"}': 1,
        'archetype_lab_repairs_total{lab="demo"}': 7,
        'archetype_lab_repair_failures_total{lab="demo"}': 2,
        'archetype_lab_peer_messages_dropped_total{lab="",reason="code"}': 4,
        'archetype_lab_peer_messages_dropped_total{lab="demo",reason="old"}': 1,
    }


def test_what_nothing_has_is_told_as_none() -> None:
    told = samples(render({"demo": {}}, Facts()))
    assert told['archetype_lab_links{lab="demo",state="up"}'] == 0
    assert told['archetype_lab_drift{lab="demo",word="orphan"}'] == 0
    assert 'archetype_lab_last_pass_timestamp_seconds{lab="demo"}' not in told
    assert not any("in sync" in key for key in told if "drift" in key)


def test_a_lab_that_is_gone_has_no_samples() -> None:
    assert not any("lab=" in key for key in samples(render({}, Facts("1", 1.0))))


def test_labs_are_in_one_order() -> None:
    assert render({"b": REPORT, "a": REPORT}, FACTS) == render({"a": REPORT, "b": REPORT}, FACTS)


@settings(deadline=None)
@given(st.text(), st.text(), st.floats(min_value=0, max_value=4e9), st.integers(min_value=0))
def test_whatever_labels_hold_the_file_is_well_formed(version: str, trigger: str, started: float, count: int) -> None:
    told = samples(render({"de.mo-1": REPORT}, Facts(version, started, {"de.mo-1": {trigger: count}})))
    escaped = trigger.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    assert told[f'archetype_lab_passes_total{{lab="de.mo-1",trigger="{escaped}"}}'] == float(count)


def test_the_file_is_for_everybody_and_replaced_in_one_piece(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "metrics"
    monkeypatch.setattr(_metrics, "METRICS_DIR", str(folder))
    for text in ("one\n", "two\n"):
        _metrics.write(text)
    file = folder / "archetype_lab.prom"
    assert file.read_text() == "two\n"
    assert (file.stat().st_mode & 0o777, folder.stat().st_mode & 0o777) == (0o644, 0o755)
    assert [one.name for one in folder.iterdir()] == ["archetype_lab.prom"]


def test_what_cannot_be_written_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "metrics").write_text("a file")
    monkeypatch.setattr(_metrics, "METRICS_DIR", str(tmp_path / "metrics"))
    with pytest.raises(ApplyError, match="cannot be written"):
        _metrics.write("")


def test_a_lab_whose_declared_state_cannot_be_understood_is_seen_by_who_watches_what_cannot_be_read() -> None:
    text = render({}, Facts(refused=("demo",)))
    assert 'archetype_lab_unreadable{lab="demo"} 1' in text.splitlines()
