# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules that handle containers need."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options: {}
requirements:
  - docker >= 7.1.0
notes:
  - Talks to the C(dockerd) of the machine that it runs on, over C(/var/run/docker.sock); it needs to be root there.
"""
