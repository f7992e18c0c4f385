# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""What servers know of a lab over time: how each link stood before this run, and what reconciling found. Both ends taken together."""

from __future__ import annotations

import re
import typing as t
from datetime import datetime, timezone

from ansible_collections.archetype.lab.plugins.plugin_utils._seen import Json

IN_SYNC = "in sync"
WORDS = ("unreadable", "foreign", "missing", "wrong", "orphan", IN_SYNC)
"""From the worst to the best: of a link with several ends, the worst counts."""
_RESTS = re.compile(r"\bnot running(?! as)")
"""What the detail of a node says that does not run, and would be started."""
_STATES = ("error", "down", "creating", "pending", "up")
"""From the worst to the best, too."""


class Watched:
    """results: server -> what its modules returned; see C(_report.make_report)."""

    def __init__(self, results: Json) -> None:
        self.passes: dict[str, Json] = {}
        """Server -> the report of its last pass: of this run, else the one that it keeps."""
        self.fresh: set[str] = set()
        """Servers whose pass is of this run, so that its words are true now."""
        self.facts: dict[str, Json] = {}
        self._words: dict[str, dict[tuple[str, str], tuple[str, str]]] = {}
        """Server -> link or node -> its word and detail, where this run compared them."""
        self._found: dict[str, dict[tuple[str, str], tuple[str, str]]] = {}
        """The same, also where it only foretells what it would do."""
        for server, result in sorted(results.items()):
            facts = result.get("watch") or {}
            now, before = result.get("reconcile"), (facts.get("reconciler") or {}).get("report")
            if now and "links" in now:
                self.fresh.add(server)
                self.passes[server] = now
                self._words[server] = {
                    (sort, str(one[name])): (str(one["word"]), str(one["detail"] or ""))
                    for sort, name in (("link", "key"), ("node", "name"))
                    for one in now[f"{sort}s"]
                }
            elif before:
                self.passes[server] = before
            self.facts[server] = facts
            drift = (result.get("converge") or {}).get("drift")
            if drift and result.get("certify") and not now:
                self._words[server] = {(one["sort"], one["name"]): (one["word"], one["detail"]) for one in drift}
            told = {(str(one["sort"]), str(one["name"])): (str(one["word"]), str(one["detail"] or "")) for one in drift or ()}
            self._found[server] = self._words.get(server) or told
        self._links = {server: {one["key"]: one for one in found.get("links") or ()} for server, found in self.passes.items()}

    @property
    def compared(self) -> bool:
        """Whether this run compared what is there with what is declared."""
        return bool(self.fresh)

    # links

    def link_word(self, key: str, servers: t.Iterable[str]) -> tuple[str, str]:
        """The word for a link, and what differs where; empty where this run did not compare."""
        found = [(server, one) for server in servers if (one := self._words.get(server, {}).get(("link", key)))]
        if not found:
            return "", ""
        details = [f"{server}: {detail or word}" for server, (word, detail) in found if word != IN_SYNC]
        return min((word for _server, (word, _detail) in found), key=_rank), "; ".join(details)

    def rests(self, name: str, server: str) -> str:
        """That a node does not run, where a comparison found that, in words; also of one that is left alone."""
        return "not running" if _RESTS.search(self._found.get(server, {}).get(("node", name), ("", ""))[1]) else ""

    def standing(self, key: str, servers: t.Sequence[str]) -> tuple[str, str]:
        """How a link stands as its servers know it, and why. Up where it is so on each of them; empty where one knows nothing."""
        found = [self._links.get(server, {}).get(key) for server in servers]
        known = [one for one in found if one and one.get("state")]
        if not known or len(known) < len(found):
            return "", ""
        state = min((str(one["state"]) for one in known), key=lambda one: _STATES.index(one) if one in _STATES else 0)
        reasons = dict.fromkeys(str(one.get("reason") or "") for one in known if one["state"] == state)
        return state, "; ".join(reason for reason in reasons if reason)

    def since(self, key: str, servers: t.Iterable[str], state: str, now: str) -> str:
        """Since when a link is in this state: since now, where the servers know it in another one. Empty where they know nothing of it."""
        known = [one for server in servers if (one := self._links.get(server, {}).get(key)) and one.get("state")]
        times = [moment(one.get("since")) for one in known if one.get("state") == state]
        if not known:
            return ""
        if not all(times) or not times or (state == "up" and len(times) < len(known)):
            return now
        return max(times) if state == "up" else min(times)

    def proven(self, key: str, servers: t.Iterable[str]) -> dict[str, str]:
        """By what a link was proven since it was last changed, and when by all of its ends. Empty where one of them has no proof."""
        proofs = [self._links.get(server, {}).get(key, {}).get("proven") or {} for server in servers]
        if not proofs or not all(one.get("by") for one in proofs):
            return {"by": "", "at": ""}
        return {"by": str(proofs[0]["by"]), "at": min(moment(one.get("at")) for one in proofs)}

    # nodes

    def node_word(self, name: str, server: str) -> tuple[str, str]:
        return self._words.get(server, {}).get(("node", name), ("", ""))

    # all of them

    def orphans(self) -> list[dict[str, str]]:
        found = [{"server": server, **one} for server in sorted(self.fresh) for one in self.passes[server].get("orphans") or ()]
        for server, words in sorted(self._words.items()):
            listed = words.items() if server not in self.fresh else ()
            found += [
                {"server": server, "name": name, "kind": sort, "detail": detail}
                for (sort, name), (word, detail) in listed
                if word == "orphan"
            ]
        return found

    def faults_of_server(self, server: str) -> list[str]:
        """What is not as declared of the server itself, such as its bridge."""
        found = self.passes[server].get("server_items") or () if server in self.fresh else ()
        return [f"{one['name']}: {one['detail'] or one['word']}" for one in found if one["word"] != IN_SYNC]

    def waiting(self) -> list[dict[str, t.Any]]:
        """What could not be mended, and is tried again by the watcher at its time."""
        return [{"server": server, **one} for server, found in self.passes.items() for one in found.get("waiting") or ()]

    def held(self) -> set[str]:
        """What is left alone, as the servers know it."""
        found: set[str] = set()
        for server, facts in self.facts.items():
            told = self.passes[server] if server in self.fresh else facts.get("reconciler") or {}
            found.update(map(str, told.get("held") or ()))
        return found

    def held_before(self) -> set[str]:
        """What was left alone when this run came, as the servers keep it."""
        return {str(name) for server in self.fresh for name in self.passes[server].get("held_before") or ()}

    def watcher(self, server: str) -> dict[str, t.Any] | None:
        """The process that watches a server; None where nobody looked."""
        found = self.facts.get(server, {}).get("watcher")
        return dict(found) if found else None

    def last_pass(self, server: str) -> dict[str, t.Any] | None:
        """When a server last compared what it has with what is declared, why, and what it did; before this run where that only looked."""
        found = (self.facts.get(server, {}).get("reconciler") or {}).get("report") or self.passes.get(server)
        return {name: found.get(name) for name in ("at", "trigger", "ms", "changed", "plan")} if found else None

    def journal(self, most: int) -> list[Json]:
        """The last entries of all servers, oldest first."""
        entries = [
            one
            for server, facts in self.facts.items()
            for one in (facts.get("reconciler") or {}).get("journal") or ()
            if one.get("server") == server
        ]
        return sorted(entries, key=lambda one: moment(one.get("at")))[-most:] if most else []


def _rank(word: str) -> int:
    return WORDS.index(word) if word in WORDS else 0


def moment(value: t.Any) -> str:
    """A time as text that sorts, whether it was given as seconds or as text; empty where there is none."""
    if not value:
        return ""
    if isinstance(value, (int, float)):
        return datetime.fromtimestamp(value, tz=timezone.utc).isoformat(timespec="seconds")
    return str(value)
