# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""What a link does to frames (C(tc)): delays, losses and rates as people write them, with and without units."""

from __future__ import annotations

import re

from ansible_collections.archetype.lab.plugins.plugin_utils._model import Impairment
from ansible_collections.archetype.lab.plugins.plugin_utils._read import Reader, quote
from ansible_collections.archetype.lab.plugins.plugin_utils._yaml import Problems, Scalar, Value

_TIMES = {"": 1.0, "us": 0.001, "ms": 1.0, "s": 1000.0}
"""Milliseconds of a unit."""
_RATES = {"": 1.0, "bit": 0.001, "kbit": 1.0, "mbit": 1000.0, "gbit": 1_000_000.0}
"""kbit/s of a unit."""
_SHARES = {"": 1.0, "%": 1.0}
_MOST_MILLISECONDS = 60_000.0
_MOST_RATE = 4_000_000_000.0
_QUANTITY = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,9})?)\s*([a-zA-Z%]{0,8})")
_PERCENT = ("loss", "corrupt", "duplicate", "reorder")
KEYS = ("delay", "jitter", *_PERCENT, "rate")


class ImpairmentReader(Reader):
    """Reads C(tc) of links and endpoints."""

    def __init__(self, problems: Problems) -> None:
        super().__init__(problems)

    def read(self, value: Value | None, what: str) -> Impairment | None:
        """None where there is nothing to do to frames. what: words for the value in a message."""
        found = self.mapping(value, what)
        if found is None:
            return None
        self.known_keys(found, KEYS, what)
        delay, jitter = (
            self._quantity(found.get(key), f"{key} of {what}", _TIMES, _MOST_MILLISECONDS, "10ms") for key in ("delay", "jitter")
        )
        shares = {key: self._quantity(found.get(key), f"{key} of {what}", _SHARES, 100.0, "0.5%") for key in _PERCENT}
        rate = self._quantity(found.get("rate"), f"rate of {what}", _RATES, _MOST_RATE, "10mbit")
        if jitter and not delay:
            self.problems.add(found.get("jitter"), f"{what} has jitter without delay", "Give it a delay, around which frames jitter")
        if shares["reorder"] and not delay:
            self.problems.add(
                found.get("reorder"), f"{what} has reorder without delay", "Give it a delay, which reordered frames do not have"
            )
        if rate and rate < 1:
            self.problems.add(found.get("rate"), f"rate of {what} is less than 1 kbit/s", "Write it as 10mbit")
        impairment = Impairment(delay=delay, jitter=jitter, rate=round(rate), **shares)
        return None if impairment == Impairment() else impairment

    def _quantity(self, value: Value | None, what: str, units: dict[str, float], most: float, example: str) -> float:
        """A number with a unit; 0 where there is none, and where it is a problem."""
        if value is None or (isinstance(value, Scalar) and value.is_null):
            return 0.0
        found = _QUANTITY.fullmatch(value.text.strip()) if isinstance(value, Scalar) else None
        scale = units.get(found.group(2).lower()) if found else None
        if found is None or scale is None or float(found.group(1)) * scale > most:
            said = quote(value.text) if isinstance(value, Scalar) else "not a number"
            self.problems.add(value, f"{what} is {said}", f"Write it as {example}")
            return 0.0
        return round(float(found.group(1)) * scale, 6)
