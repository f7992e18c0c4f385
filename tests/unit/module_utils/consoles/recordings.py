# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Recorded consoles, one for each family of devices."""

from __future__ import annotations

from ..console_player import Recorded
from . import cisco, firewalls, juniper, routers, shells, switches

RECORDINGS: tuple[Recorded, ...] = (
    *cisco.RECORDINGS,
    *juniper.RECORDINGS,
    *switches.RECORDINGS,
    *firewalls.RECORDINGS,
    *routers.RECORDINGS,
    *shells.RECORDINGS,
)
