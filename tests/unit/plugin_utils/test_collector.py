# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import gc

import pytest

from ansible_collections.archetype.lab.plugins.plugin_utils._collector import uncollected


def test_nothing_is_collected_meanwhile_and_all_is_as_before_afterwards():
    inner = uncollected(gc.isenabled)
    assert [uncollected(lambda: (gc.isenabled(), inner(), gc.isenabled()))(), gc.isenabled()] == [(False, False, False), True]


def test_a_failure_does_not_leave_it_off():
    with pytest.raises(ZeroDivisionError):
        uncollected(lambda: 1 / 0)()
    assert gc.isenabled()


def test_one_that_is_off_stays_off():
    gc.disable()
    try:
        uncollected(list)()
        assert not gc.isenabled()
    finally:
        gc.enable()
