# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""What is told while nodes are waited for: who, since when, of how long, and what each wrote last."""

from __future__ import annotations

import typing as t

from ansible_collections.archetype.lab.plugins.plugin_utils._seen import Json

MOST = 5
"""Nodes that are told of, each on a line of its own."""
WIDTH = 70
"""Characters of a node's last line."""
SOON = 10.0
"""Seconds between two words, where anything is new."""
AT_LAST = 30.0
"""And where nothing is. A node that wrote nothing for so long is told to be silent."""


def pending(nodes: t.Iterable[Json]) -> list[Json]:
    """The nodes, as M(archetype.lab.lab_ready) returned them, for which waiting is of use."""
    return [one for one in nodes if one["state"] == "starting" and not one["late"]]


class Progress:
    """What is told of one server. Silence counts from when it was looked at first."""

    def __init__(self, server: str) -> None:
        self._server = server
        self._told: list[tuple[str, str]] = []
        self._when = -AT_LAST
        self._wrote: dict[str, tuple[str, float]] = {}

    def words(self, nodes: t.Sequence[Json], now: float) -> str:
        """A line for the server and one for each node; nothing where nothing is waited for, or it was told a moment ago."""
        waiting = pending(nodes)
        for one in waiting:
            if one["node"] not in self._wrote or self._wrote[one["node"]][0] != one["last"]:
                self._wrote[one["node"]] = (one["last"], now)
        news = [(one["node"], one["last"]) for one in waiting]
        if not waiting or now - self._when < (AT_LAST if news == self._told else SOON):
            return ""
        self._told, self._when = news, now
        slowest = sorted(waiting, key=lambda one: (one["since"], one["node"]))
        told = slowest[:MOST]
        wide, long = max(len(one["node"]) for one in told), max(len(_time(one)) for one in told)
        lines = [f"{self._server}: waiting for {len(waiting)} of {len(nodes)} nodes"]
        lines += [f"  {one['node']:<{wide}}  {_time(one):>{long}}  {self._last(one, now)}" for one in told]
        more = len(waiting) - MOST
        return "\n".join([*lines, f"  and {more} more"] if more > 0 else lines)

    def _last(self, node: Json, now: float) -> str:
        last, when = self._wrote[node["node"]]
        if len(last) > WIDTH:
            last = f"{last[: WIDTH - 3]}..."
        silent = f" (silent for {now - when:.0f} s)" if last and now - when >= AT_LAST else ""
        return (last or "(nothing yet)") + silent


def _time(node: Json) -> str:
    return f"{node['waited']} s of {node['timeout']} s"
