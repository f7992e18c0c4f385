# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Tells that something changed in the Open vSwitch database. What it is does not matter: who listens reads everything anew."""

from __future__ import annotations

import typing as t

from ansible_collections.archetype.lab.plugins.module_utils._ovsdb._snapshot import COLUMNS, DATABASE, Asker

UNHEARD = {"Open_vSwitch": ("bridges", "cur_cfg", "next_cfg", "ovs_version")}
"""Columns that change with every transaction, whoever makes it, or with a row that is heard of anyway."""
TIMEOUT = 5.0


def heard() -> dict[str, dict[str, t.Any]]:
    """Table -> what is heard of: that a row comes, changes in a column that is used, or goes; not what is there at the beginning."""
    return {
        table: {"columns": [one for one in columns if one not in UNHEARD.get(table, ())], "select": {"initial": False}}
        for table, columns in COLUMNS.items()
    }


def changes(address: str) -> t.Iterator[str]:
    """An empty word when it listens, and one for each change from then on. Raises ReadError when the connection is lost."""
    asker = Asker(address, TIMEOUT)
    try:
        asker.ask("monitor", [DATABASE, None, heard()])
        yield ""
        while True:
            if any(message.get("method") == "update" for message in asker.told()):
                yield ""
    finally:
        asker.close()
