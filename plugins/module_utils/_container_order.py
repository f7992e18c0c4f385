# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""In which order the nodes of a server are started: by waves, and each after the nodes whose name spaces it joins.

A node that joins another one's network or process namespace is started after it, in the same wave or a later one.
"""

from __future__ import annotations

import typing as t

from ansible_collections.archetype.lab.plugins.module_utils._declared import Container

_CONTAINER = "container:"


class Order:
    """What is known of the nodes of a server together. Names are those of containers."""

    def __init__(self, want: t.Sequence[Container]) -> None:
        self._by_name = {one.name: one for one in want}
        self._by_node = {one.node: one.name for one in want}
        self._owners = {one.sandbox: one.name for one in want if one.owns_sandbox}
        self._depths: dict[str, int] = {}
        self._waves: dict[str, int] = {}

    def owner_of(self, want: Container) -> str:
        """The node whose sandbox this one joins; empty where it has its own, or there is none."""
        return self._owners.get(want.sandbox, "") if want.network == "node" else ""

    def process_leader(self, want: Container) -> str:
        """The container whose process namespace the node joins, by its name; empty where it joins none."""
        if not want.pid_mode.startswith(_CONTAINER):
            return ""
        name = want.pid_mode.removeprefix(_CONTAINER)
        return self._by_node.get(name, name)

    def leaders(self, want: Container) -> list[str]:
        """The nodes of this server that must run before this one starts."""
        found = {self.owner_of(want), self.process_leader(want)}
        return sorted(name for name in found if name in self._by_name and name != want.name)

    def circle(self) -> list[str]:
        """Nodes that would have to start before themselves; empty as it should be."""
        left = dict(self._by_name)
        while free := [name for name, one in left.items() if not any(leader in left for leader in self.leaders(one))]:
            for name in free:
                del left[name]
        return sorted(one.node for one in left.values())

    def sorted(self) -> list[Container]:
        """Every node after those that it joins, otherwise as declared."""
        return sorted(self._by_name.values(), key=lambda one: self.depth(one.name))

    def depth(self, name: str) -> int:
        if name not in self._depths:
            self._depths[name] = max((self.depth(one) + 1 for one in self.leaders(self._by_name[name])), default=0)
        return self._depths[name]

    def wave(self, name: str) -> int:
        if name not in self._waves:
            one = self._by_name[name]
            self._waves[name] = max([one.wave, *map(self.wave, self.leaders(one))])
        return self._waves[name]

    def delay(self, name: str, starting: t.Collection[str]) -> int:
        """Seconds after the beginning of its wave: its own, or later where it joins a node that is started in the same wave.

        starting: the nodes that are started at all.
        """
        one = self._by_name[name]
        same = [leader for leader in self.leaders(one) if leader in starting and self.wave(leader) == self.wave(name)]
        return max([one.startup_delay, *(self.delay(leader, starting) for leader in same)])
