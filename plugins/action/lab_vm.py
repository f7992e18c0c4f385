# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller half of M(archetype.lab.lab_vm), see C(lab_converge.py)."""

from __future__ import annotations

from ansible_collections.archetype.lab.plugins.action.lab_converge import ActionModule

__all__ = ["ActionModule"]
