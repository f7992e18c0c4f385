# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""How each link stands on this server: pending, creating, up, error or down, why, since when, and how that was proven.

C(up) is only what frames have shown since the link was last changed. A pass that mends it makes it C(pending) again.
"""

from __future__ import annotations

import typing as t
from datetime import datetime, timezone

from ansible_collections.archetype.lab.plugins.module_utils import _run_files

if t.TYPE_CHECKING:
    from ansible_collections.archetype.lab.plugins.module_utils._drift import Item
    from ansible_collections.archetype.lab.plugins.module_utils._errors import LabError

FILE = "standing.json"
State = t.Literal["pending", "creating", "up", "error", "down"]
Entry = dict[str, t.Any]
Standing = dict[str, Entry]

UNKNOWN: Entry = {"state": "pending", "reason": "not proven", "since": "", "proven": {"by": "", "at": ""}}
"""Of a link of which nothing was noted."""
_UNPROVEN: dict[str, str] = {"by": "", "at": ""}
_FAULTS = ("missing", "wrong", "foreign")


def load(lab: str) -> Standing:
    """What is known of the links of a lab. What is damaged is not known: its links are pending until they are proven again."""
    return {key: entry for key, entry in _run_files.read(lab, FILE)[0].items() if _is_entry(entry)}


def _is_entry(entry: t.Any) -> bool:
    if not isinstance(entry, dict) or not all(isinstance(entry.get(name), str) for name in ("state", "reason", "since")):
        return False
    proven = entry.get("proven")
    return isinstance(proven, dict) and all(isinstance(proven.get(name), str) for name in ("by", "at"))


def changing(lab: str, links: t.Collection[str], now: float) -> None:
    """Something is about to be changed on these links: a proof counts no more, whether the change comes to its end or not.

    Links that are not up claim nothing, and stay as they are. Raises ApplyError.
    """

    def stand(have: Standing) -> Standing:
        new = {key: _entry(None, "creating", "", now) for key in links if key not in have}
        up = {key: have[key] for key in links if have.get(key, UNKNOWN)["state"] == "up"}
        return {**have, **new, **{key: _entry(one, "pending", "being mended, not proven since", now) for key, one in up.items()}}

    if links:
        _change(lab, stand)


def after_pass(
    lab: str,
    items: t.Sequence[Item],
    changed_links: t.Collection[str],
    errors: t.Sequence[LabError],
    down: t.Mapping[str, str],
    now: float,
) -> Standing:
    """How the declared links stand after a pass, which replaces what was known. Raises ApplyError.

    items: what is so after it, errors included. changed_links: on which something was changed. errors: all that went wrong; one that says
    not on which object may have been on any that was changed. down: links that are meant to be down, with the reason.
    """
    vague = next((str(error) for error in errors if not error.objects), "")
    links = [item for item in items if item.sort == "link" and item.word != "orphan"]

    def stand(have: Standing) -> Standing:
        return {item.name: _after(have.get(item.name), item, item.name in changed_links, vague, down, now) for item in links}

    return _change(lab, stand)


def _after(before: Entry | None, item: Item, changed: bool, vague: str, down: t.Mapping[str, str], now: float) -> Entry:
    if item.word in _FAULTS:
        return _entry(before, "error", f"{item.word}: {item.detail}" if item.detail else item.word, now)
    if changed and vague:
        return _entry(before, "error", vague, now)
    if item.name in down:
        return _entry(before, "down", down[item.name], now)
    if changed:
        made = before is None or before["state"] == "creating" or before["reason"].startswith("missing")
        return _entry(before, "pending", f"{'made' if made else 'mended'} {_iso(now)}, not proven since", now)
    # What could not be read is as it was. A failed proof stands until something is changed; a pass that failed does not.
    if before is not None and (before["state"] in ("up", "pending") or before["proven"]["by"] or item.word == "unreadable"):
        return before
    return _entry(before, "pending", UNKNOWN["reason"], now)


def prove(lab: str, proofs: t.Mapping[str, tuple[bool, str, str]], now: float) -> Standing:
    """What certification has shown: link -> whether it carries frames, by what that was shown, and why not. Raises ApplyError."""

    def stand(have: Standing) -> Standing:
        proven = {
            key: _entry(have.get(key), "up" if good else "error", "" if good else reason, now, {"by": by, "at": _iso(now)})
            for key, (good, by, reason) in proofs.items()
            if have.get(key, {}).get("state") != "down"
        }
        return {**have, **proven}

    return _change(lab, stand)


def _entry(before: Entry | None, state: State, reason: str, now: float, proven: t.Mapping[str, str] | None = None) -> Entry:
    same = before is not None and before["state"] == state
    since = before["since"] if before is not None and same else _iso(now)
    return {"state": state, "reason": reason, "since": since, "proven": dict(proven or _UNPROVEN)}


def _change(lab: str, stand: t.Callable[[Standing], Standing]) -> Standing:
    with _run_files.exclusive(lab):
        have = load(lab)
        want = stand(have)
        if want != have or _run_files.read(lab, FILE)[1] is not None:
            _run_files.write(lab, FILE, want)
    return want


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, tz=timezone.utc).isoformat(timespec="seconds")
