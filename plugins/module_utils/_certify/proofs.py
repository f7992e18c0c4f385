# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""What one server saw proven of each link: whether all came to its own ends that was to come. Pure.

Whether frames came elsewhere, and what was lost on the way from here, is for who knows all servers to say.
"""

from __future__ import annotations

import typing as t

from ansible_collections.archetype.lab.plugins.module_utils._certify import frames

if t.TYPE_CHECKING:
    from ansible_collections.archetype.lab.plugins.module_utils._declared import Link

Proof = tuple[bool, str, str]
"""Whether it is proven, by what, and what is missing."""
_MOST = 3


def proofs(links: t.Sequence[Link], server: str, seen: t.Mapping[str, t.Any]) -> dict[str, Proof]:
    """seen: what was collected. A link of which nothing was to come here is not in the result."""
    arrived: dict[str, list[t.Mapping[str, t.Any]]] = {}
    for frame in seen["frames"]:
        arrived.setdefault(frame["link"], []).append(frame)
    found = {}
    for link in links:
        ends = [seen["ports"][end.name] | {"name": end.name} for end in link.endpoints if end.server == server]
        faults = [one["error"] or f"no carrier at {one['name']}" for one in ends if one["error"] or not one["carrier"]]
        if link.probe == "device":
            found[link.key] = (not faults, "device", _listed(faults))
            continue
        expected = arrived.get(link.key, [])
        if expected:
            faults += [fault for frame in expected if (fault := _missing(link, frame))]
            found[link.key] = (not faults, "frames", _listed(faults))
    return found


def _missing(link: Link, frame: t.Mapping[str, t.Any]) -> str:
    lost = [kind.name for kind in frames.kinds_of(link) if kind.name not in frame["kinds"]]
    what = "" if len(lost) == len(frames.kinds_of(link)) else f"{', '.join(lost)} "
    return f"no {what}frames from {frame['source']} to {frame['target']}" if lost else ""


def _listed(faults: t.Sequence[str]) -> str:
    more = len(faults) - _MOST
    return "; ".join([*faults[:_MOST], *([f"and {more} more"] if more > 0 else [])])
