# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a run did what its edit named and nothing else, and whether each tag is the one that it must be.

Pure: in goes what runs told, out come complaints.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.archetype.lab.plugins.plugin_utils import _identifiers as ids
from tests.edits.generator import Edit
from tests.edits.topology import Link, Topology

Tags = Mapping[str, Mapping[str, int]]
"""Link key -> server -> tag."""
Changes = Mapping[str, Sequence[tuple[Any, ...]]]
"""Server -> (action, kind, name, label ...), as C(Run.changes) tells them."""
NODE_KINDS = ("container", "sandbox")


def mispredicted(said: Changes, done: Changes) -> Iterator[str]:
    """What check mode said that was not done, and what was done that it did not say."""
    for server in sorted({*said, *done}):
        for change in said.get(server, ()):
            if change not in done.get(server, ()):
                yield f"{server}: said and not done: {change}"
        for change in done.get(server, ()):
            if change not in said.get(server, ()):
                yield f"{server}: done and not said: {change}"
        if sorted(map(str, said.get(server, ()))) == sorted(map(str, done.get(server, ()))) and said.get(server) != done.get(server):
            yield f"{server}: done in another order than said"


def unnamed(changes: Changes, edit: Edit, links: frozenset[str], before: Topology, after: Topology) -> Iterator[str]:
    """Changes of what the edit does not name. The kept state of the lab is of all of it."""
    of_ends = {end: link.key for one in (before, after) for link in one.links if link.key in links for end in link.endpoints}
    for server, told in changes.items():
        for change in told:
            _action, kind, name, label = change[:4]
            named = {
                "port": label in of_ends or label.partition(":")[0] in edit.nodes,
                "tunnel": label in links,
                "state": label == after.name,
                **dict.fromkeys(NODE_KINDS, label in edit.nodes),
            }
            if not named.get(kind, False):
                yield f"{server}: {kind} {name} ({label}) was changed, which {edit.text!r} does not name: {change}"


def untouched(changes: Changes, edit: Edit, links: frozenset[str], before: Topology, after: Topology) -> Iterator[str]:
    """Named links and nodes that nothing was changed of. A node whose links alone are others is not named."""
    labels = {str(change[3]) for told in changes.values() for change in told}
    for node in sorted(edit.nodes - labels):
        yield f"node {node} is named by {edit.text!r}, and nothing of it was changed"
    for key in sorted(links):
        link = after.by_key.get(key) or before.by_key[key]
        if not {key, *link.endpoints} & labels:
            yield f"link {key} is named by {edit.text!r}, and nothing of it was changed"


def wrong_tags(topology: Topology, tags: Tags, before: Tags) -> Iterator[str]:
    """A tag stays while the file allows it. A new one is what lab, link and range give, unless another link has or had it there."""
    for key, link in sorted(topology.by_key.items()):
        low, high = topology.range_of(link)
        preferred = ids.preferred_tag(topology.name, key, (low, high))
        if set(tags.get(key, {})) != {topology.nodes[node].server for node in link.nodes}:
            yield f"link {key} has tags on {sorted(tags.get(key, {}))}"
        for server, tag in sorted(tags.get(key, {}).items()):
            had = before.get(key, {}).get(server)
            others = {one[server] for told in (before, tags) for name, one in told.items() if name != key and server in one}
            if not low <= tag <= high:
                yield f"link {key} has tag {tag} on {server}, which is outside of {low}-{high}"
            elif had is not None and low <= had <= high and tag != had:
                yield f"link {key} had tag {had} on {server}, which it could keep, and has {tag}"
            elif (had is None or not low <= had <= high) and tag != preferred and preferred not in others:
                yield f"link {key} has tag {tag} on {server}, where {preferred} was free"
            if sum(one.get(server) == tag for one in tags.values()) > 1:
                yield f"tag {tag} is that of several links on {server}"


def quiet(before: Topology, after: Topology, edit: Edit, links: frozenset[str]) -> list[Link]:
    """The links that are there before and after and that the edit does not name."""
    return [link for link in after.links if link.key in before.by_key and link.key not in links and not edit.nodes & set(link.nodes)]
