# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Links and nodes that a run leaves alone, as people name them."""

from __future__ import annotations

import typing as t

from ansible_collections.archetype.lab.plugins.plugin_utils._read import did_you_mean, word

_MOST = 10


def find_holds(
    given: t.Any, links: t.Collection[str], nodes: t.Collection[str], held: t.Collection[str] = (), silent: t.Collection[str] = ()
) -> dict[str, t.Any]:
    """C({names, complaint}): the lab's own names for what is given, sorted, and what is none of them.

    held: what is held now, which were names when they came to be held. silent: servers that could not tell their names.
    """
    known = {**{_unordered(key): key for key in (*links, *held)}, **{node: node for node in nodes}}
    found, unknown = set(), []
    for name in _split(given):
        if _unordered(name) in known:
            found.add(known[_unordered(name)])
        else:
            unknown.append(name)
    return {"names": sorted(found), "complaint": _complaint(list(dict.fromkeys(unknown)), [*links, *nodes], sorted(silent))}


def _split(given: t.Any) -> list[str]:
    """A list of names, each of which may be several with commas between them."""
    texts = given if isinstance(given, list) else [] if given is None else [given]
    return [name for text in texts for one in str(text).split(",") if (name := one.strip())]


def _unordered(name: str) -> str:
    """The ends of a link in one order. Of the name of a node, or of a link with a far end, nothing changes."""
    return "--".join(sorted(name.split("--"))) if "--" in name else name


def _complaint(unknown: t.Sequence[str], known: t.Collection[str], silent: t.Sequence[str]) -> str:
    if not unknown:
        return ""
    neither = "is none that is known" if silent else "is neither"
    told = [" ".join(filter(None, (f"{word(name)} {neither}.", did_you_mean(name, known)))) for name in unknown[:_MOST]]
    more = f" And {len(unknown) - _MOST} more." if len(unknown) > _MOST else ""
    why = f" {', '.join(silent)} could not be asked, so that names of what is only there are not known." if silent else ""
    return f"lab_hold names links and nodes of the lab: {' '.join(told)}{more}{why}"
