# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Ports of a node that is built of cards: its C(components) say which cards it has, and in their order its ports are counted.

Slots come in the order of their numbers; in a slot, the MDAs of the card first, then those of its XIOMs. A slot takes C(max-nics) numbers,
or as many as its MDAs have ports, and the type of an MDA says how many these are: C(m6-10g-sfp++4-25g-sfp28) has 6 and 4.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, replace

from ansible_collections.archetype.lab.plugins.plugin_utils._kind_model import InterfaceForm, Kind

Component = t.Mapping[str, t.Any]
_PORTS = re.compile(r"[a-zA-Z]*([0-9]{1,4})")
_CONTROL = frozenset({"", "A", "B"})
"""Slots of the control plane: they have no ports, but for a chassis that is one card."""


def with_cards(kind: Kind, components: t.Sequence[Component]) -> Kind:
    """The kind, its forms being those of the cards; the kind itself where it knows no cards, or the node has none that are understood."""
    if not kind.interfaces.cards or not components:
        return kind
    forms = [form for mda in _mdas(components) for form in _forms(mda)]
    return replace(kind, interfaces=replace(kind.interfaces, forms=tuple(forms))) if forms else kind


@dataclass(frozen=True)
class _Mda:
    """An MDA: its place as it is written, whether the XIOM in it can be left out, and which numbers its ports have."""

    slot: int
    xiom: int
    number: int
    only: bool
    base: int
    count: int


def _forms(mda: _Mda) -> list[InterfaceForm]:
    """The names of its ports: as such, and as connectors with one port each."""
    name, pattern = f"{mda.slot}/{mda.number}", f"{mda.slot}/{mda.number}"
    if mda.xiom:
        xiom = f"[xX]{mda.xiom}/"
        name, pattern = f"{mda.slot}/x{mda.xiom}/{mda.number}", f"{mda.slot}/{f'(?:{xiom})?' if mda.only else xiom}{mda.number}"
    end = mda.base + mda.count if mda.count else 0
    return [
        InterfaceForm(f"{name}/{{port}}", re.compile(rf"{pattern}/(?P<port>[1-9][0-9]*)"), 1 - mda.base, count=end),
        InterfaceForm(f"{name}/c{{port}}/1", re.compile(rf"{pattern}/c(?P<port>[1-9][0-9]*)/1"), 1 - mda.base, count=end),
    ]


def _mdas(components: t.Sequence[Component]) -> t.Iterator[_Mda]:
    """All MDAs, in the order in which their ports are counted."""
    cards = [one for one in components if _slot(one) not in _CONTROL]
    slots = {int(_slot(one)): one for one in cards if _is_number(_slot(one))} if cards else {1: components[0]}
    base = 0
    for slot in sorted(slots):
        card, within = slots[slot], base
        places = [(0, mda) for mda in _parts(card, "mda")]
        places += [(_number(xiom), mda) for xiom in _parts(card, "xiom") for mda in _parts(xiom, "mda")]
        if not places:
            count = _number(card, "max-nics")
            yield _Mda(slot, 0, 1, False, base, count)
            within += count
        seen: set[int] = set()
        for xiom, mda in places:
            number, count = _number(mda), _count(mda)
            yield _Mda(slot, xiom, number, number not in seen, within, count)
            seen.add(number)
            within += count
        base += _number(card, "max-nics") or within - base


def _parts(of: Component, key: str) -> list[Component]:
    """What is plugged into a card or XIOM, in the order of its slots."""
    parts = of.get(key)
    found = [one for one in parts if isinstance(one, dict) and _number(one)] if isinstance(parts, list) else []
    return sorted(found, key=_number)


def _slot(component: Component) -> str:
    return str(component.get("slot") or "").strip().upper()


def _number(of: Component, key: str = "slot") -> int:
    text = str(of.get(key) or "").strip()
    return int(text) if _is_number(text) else 0


def _is_number(text: str) -> bool:
    return text.isdecimal() and len(text) < 6


def _count(mda: Component) -> int:
    """How many ports an MDA has by its type: the first number of each of its groups."""
    found = (_PORTS.match(group) for group in str(mda.get("type") or "").split("+"))
    return sum(int(one.group(1)) for one in found if one)
