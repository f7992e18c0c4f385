# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Which links are cables, where what is at one end shows at the other: the rule of the servers' C(_carriers.py), for plans."""

from __future__ import annotations

import typing as t

from ansible_collections.archetype.lab.plugins.plugin_utils._seen import Json

_SHARED = ("management", "segment:")
"""Links that are a switch and no cable: what is at another end of them shows nowhere."""


def is_cable(key: str, link: Json) -> bool:
    """A far end that is no node is an end, too; of what is there nobody here knows whether it runs."""
    return len(link["endpoints"]) <= 2 and not key.startswith(_SHARED)


def stopped_ends(key: str, link: Json, stopped: t.Collection[str]) -> list[str]:
    """The nodes at a link that do not run, for which it is down: none where it is a switch."""
    return sorted({end["node"] for end in link["endpoints"]}.intersection(stopped)) if is_cable(key, link) else []


def running_ends(link: Json, stopped: t.Collection[str]) -> list[str]:
    """The nodes at a link that run, one for each end."""
    return [end["node"] for end in link["endpoints"] if end["node"] not in stopped]
