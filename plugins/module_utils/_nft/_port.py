# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""What the layers need of the packet filter, nftables. C(_adapter.py) does it with the program C(nft), which speaks JSON.

There is no well-kept library for it: the one on PyPI that wraps libnftables was left in 2022, and the system's own is for the system's
own Python. One process reads everything, and one changes everything, as a transaction.
"""

from __future__ import annotations

import typing as t

Json = t.Mapping[str, t.Any]


class Nft(t.Protocol):
    """The packet filter of this server's own network namespace."""

    def available(self) -> bool:
        """Whether the program is there. Where it is not, nothing can be said of the packet filter."""

    def read(self) -> t.Sequence[Json]:
        """Every table, chain and rule, as C(libnftables-json) describes them. Raises ReadError."""

    def apply(self, commands: t.Sequence[Json]) -> None:
        """Carry out all commands, or none of them. Raises ApplyError."""

    def close(self) -> None: ...
