# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""A report as text for the terminal: aligned columns, no colours, reasons wrapped to the width."""

from __future__ import annotations

import textwrap
import typing as t
from datetime import datetime

from ansible_collections.archetype.lab.plugins.plugin_utils._seen import Json

_LINK_WIDTH = 44
_REASON_WIDTH = 24
_MOST_TAGS = 3
_MOST_LINES = 20
_MOST_TOLD = 5
_GAP = "  "
_UNITS = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))
_LINK_TITLES = ("LINK", "STATE", "FOR", "DRIFT", "SERVERS: TAG", "VNI", "MTU", "REASON")
_NODE_TITLES = ("NODE", "KIND", "SERVER", "ADDRESS", "STATE", "DRIFT", "SHELL OR REASON")
_SERVER_TITLES = ("SERVER", "WATCHER", "FOR", "LAST PASS")
_UNBROKEN = "\N{NO-BREAK SPACE}"
"""Stands for the spaces of a command while lines are wrapped, so that it can be copied whole."""


def render_report(report: Json, width: int = 120) -> str:
    """Links, nodes, what servers and notes there are to tell of, and a line that sums up."""
    at = report.get("at") or ""
    parts = [
        _table(_LINK_TITLES, [_link_row(one, at) for one in report["links"]], width),
        _table(_NODE_TITLES, [_node_row(one) for one in report["nodes"]], width),
        _table(_SERVER_TITLES, [_server_row(name, one, at) for name, one in report["servers"].items()], width) if _watched(report) else "",
        _reasons(
            {f"server {name}": one["reason"] or one["state"] for name, one in report["servers"].items() if one["state"] != "ok"}, width
        ),
        "\n".join(line for text in _further(report, at) for line in _wrapped(text, width)),
        _journal(report.get("journal") or (), width),
        "\n".join(line for note in report["notes"] for line in _wrapped(f"note: {note}", width)),
        _summary(report),
    ]
    return "\n\n".join(part for part in parts if part).replace(_UNBROKEN, " ") + "\n"


def _link_row(link: Json, at: str) -> tuple[str, ...]:
    tags = [f"{server}: {tag}" for server, tag in sorted(link["tags"].items())]
    if not tags:
        tags = sorted({end["server"] for end in link["endpoints"]})
    tags[_MOST_TAGS:] = [f"{len(tags) - _MOST_TAGS} more"] if len(tags) > _MOST_TAGS else []
    vni = "" if link["vni"] is None else str(link["vni"])
    mtu = "" if link["mtu"] is None else str(link["mtu"])
    age = _age(link.get("since") or "", at)
    return _shortened(link["key"], _LINK_WIDTH), _state(link), age, _drift(link), ", ".join(tags), vni, mtu, link["reason"]


def _drift(one: Json) -> str:
    """How a link or node compares with what is declared, where this run compared; and whether it is left alone."""
    return ", ".join(word for word in (one.get("word"), "held" if one.get("held") else "") if word)


def _state(link: Json) -> str:
    """What no frame has proven is not told as if one had."""
    return f"{link['state']} (device)" if link["state"] == "up" and link["proof"] == "device" else str(link["state"])


def _node_row(node: Json) -> tuple[str, ...]:
    address = node["management"]["ipv4"] or node["management"]["ipv6"]
    shell = node["shell"].replace(" ", _UNBROKEN)
    words = [shell, node["reason"]] if node["state"] in ("ready", "starting") else [node["reason"] or shell]
    if node.get("detail") and not node["reason"]:
        words.append(node["detail"])
    return node["name"], node["kind"], node["server"], address, node["state"], _drift(node), "; ".join(filter(None, words))


def _watched(report: Json) -> bool:
    """Whether how servers watch themselves is told: to who asks how the lab is, and where it is not the same on all of them."""
    states = {one["watcher"]["state"] for one in report["servers"].values() if one.get("watcher")}
    return bool(states) and ("journal" in report or "stopped" in states or len(states) > 1)


def _server_row(name: str, server: Json, at: str) -> tuple[str, ...]:
    watcher = server.get("watcher") or {}
    state = {"absent": "not installed"}.get(watcher.get("state", ""), watcher.get("state", ""))
    last = server.get("last_pass")
    if not last:
        return name, state or "unknown", _age(watcher.get("since") or "", at), "none"
    done = ", ".join(f"{count} {action}" for action, count in (last.get("plan") or {}).items()) or "nothing to do"
    ago = _age(last["at"], at)
    when = f"{ago} ago" if ago else last["at"]
    return name, state or "unknown", _age(watcher.get("since") or "", at), f"{when} ({last['trigger']}, {last['ms']} ms): {done}"


def _further(report: Json, at: str) -> t.Iterator[str]:
    """What was put right, what is there and not declared, and what is tried again later."""
    mended = report.get("mended") or ()
    for one in mended[:_MOST_LINES]:
        yield f"mended on {one['server']}: {one['what']}"
    if len(mended) > _MOST_LINES:
        yield f"and {len(mended) - _MOST_LINES} more, which are in the report"
    for one in report.get("orphans") or ():
        yield f"orphan on {one['server']}: {one['name']}" + (f" ({one['detail']})" if one.get("detail") else "")
    for one in report.get("waiting") or ():
        left = _age(at, one["next"])
        count = f"{one['failures']} failure" + ("" if one["failures"] == 1 else "s")
        when = f"next try in {left}" if left else "next try now"
        yield f"waiting on {one['server']}: {one['name']}, {count}, {when}: {one['reason']}"


def _journal(entries: t.Sequence[Json], width: int) -> str:
    lines: list[str] = []
    for one in entries:
        told = [*(f"saw {seen}" for seen in one.get("seen") or ()), *map(str, one.get("done") or ()), *map(str, one.get("errors") or ())]
        told[_MOST_TOLD:] = [f"and {len(told) - _MOST_TOLD} more"] if len(told) > _MOST_TOLD else []
        head = f"{one.get('at', '')[:19].replace('T', ' ')} {one.get('server', '')} ({one.get('trigger', '')}, {one.get('ms', 0)} ms): "
        lines += _wrapped(head + ("; ".join(told) or "nothing"), width)
    return "\n".join(["JOURNAL (UTC)", *lines]) if lines else ""


def _age(since: str, at: str) -> str:
    """The time between two times in one unit: C(12s), C(7m), C(3h), C(5d); empty where it cannot be said."""
    try:
        seconds = int((datetime.fromisoformat(at) - datetime.fromisoformat(since)).total_seconds())
    except (TypeError, ValueError):
        return ""
    if seconds < 0:
        return ""
    return next(f"{seconds // size}{unit}" for size, unit in _UNITS if seconds >= size or size == 1)


def _summary(report: Json) -> str:
    counted = []
    for what in ("links", "nodes"):
        counts = report["summary"][what]
        states = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
        counted.append(f"{sum(counts.values())} {what}" + (f" ({states})" if states else ""))
    return f"lab {report['lab']}: {', '.join(counted)}" + ("" if report["ok"] else "; not ok")


def _table(titles: t.Sequence[str], rows: t.Sequence[t.Sequence[str]], width: int) -> str:
    """The last column takes what is left of the width, and goes on below itself; a column that is empty throughout is left out."""
    if not rows:
        return ""
    used = [place for place in range(len(titles)) if any(row[place] for row in rows)]
    lines = [[titles[place] for place in used], *([row[place] for place in used] for row in rows)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(used) - 1)]
    indent = sum(widths) + len(_GAP) * len(widths)
    text = []
    for line in lines:
        first = "".join(cell.ljust(size) + _GAP for cell, size in zip(line, widths, strict=False))
        last = _wrapped(line[-1], max(width - indent, _REASON_WIDTH), "")
        text.append((first + last[0]).rstrip())
        text += [" " * indent + more for more in last[1:]]
    return "\n".join(text)


def _reasons(reasons: t.Mapping[str, str], width: int) -> str:
    lines: list[str] = []
    for name, reason in reasons.items():
        lines += _wrapped(f"{name}: {reason}", width)
    return "\n".join(lines)


def _wrapped(text: str, width: int, indent: str = "  ") -> list[str]:
    """Broken between words only: names and keys can be copied whole."""
    return textwrap.wrap(text, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False) or [""]


def _shortened(text: str, width: int) -> str:
    if len(text) <= width:
        return text
    head = (width - 3 + 1) // 2
    return f"{text[:head]}...{text[len(text) - (width - 3 - head) :]}"
