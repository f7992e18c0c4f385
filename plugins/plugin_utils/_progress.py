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
"""And where nothing is."""


def pending(nodes: t.Iterable[Json]) -> list[Json]:
    """The nodes, as M(archetype.lab.lab_ready) returned them, for which waiting is of use."""
    return [one for one in nodes if one["state"] == "starting" and not one["late"]]


class Progress:
    """What is told of one server."""

    def __init__(self, server: str) -> None:
        self._server = server
        self._told: list[tuple[str, str]] = []
        self._when = -AT_LAST

    def words(self, nodes: t.Sequence[Json], now: float) -> str:
        """A line for the server and one for each node; nothing where nothing is waited for, or it was told a moment ago."""
        waiting = pending(nodes)
        news = [(one["node"], one["last"]) for one in waiting]
        if not waiting or now - self._when < (AT_LAST if news == self._told else SOON):
            return ""
        self._told, self._when = news, now
        slowest = sorted(waiting, key=lambda one: (one["since"], one["node"]))
        lines = [f"{self._server}: {len(waiting)} of {len(nodes)} nodes {'is' if len(waiting) == 1 else 'are'} not ready yet"]
        lines += [f"  {_line(one)}" for one in slowest[:MOST]]
        more = len(waiting) - MOST
        return "\n".join([*lines, f"  and {more} more"] if more > 0 else lines)


def _line(node: Json) -> str:
    last = node["last"] or "(nothing yet)"
    if len(last) > WIDTH:
        last = f"{last[: WIDTH - 3]}..."
    return f"{node['node']}: since {node['waited']} s of {node['timeout']} s; last: {last}"
