# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""What Ansible hands to a lookup or a filter, as plain values.

Since ansible-core 2.19 arguments are lazy containers and tagged strings: subclasses of C(dict), C(list), C(str) and C(int) that
libraries for JSON and YAML treat in their own ways. Everything behind this line sees the built-in types only.
"""

from __future__ import annotations

import typing as t
from collections.abc import Mapping


def plain(value: t.Any) -> t.Any:
    """The same value in dicts with text keys, lists, str, int, float, bool and None."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int.__int__(value)
    if isinstance(value, float):
        return float.__float__(value)
    if isinstance(value, Mapping):
        return {plain(str(key)): plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(one) for one in value]
    return str(value)


def said_of(result: Mapping[str, t.Any]) -> str:
    """What a result says of its failure. Of a module that crashed, Ansible keeps no word where a task may fail."""
    crashed = "it crashed; with ANSIBLE_DISPLAY_TRACEBACK=error and -v, the task shows where: please report it"
    return str(result.get("msg") or "").strip() or (crashed if "failed_when_suppressed_exception" in result else "")
