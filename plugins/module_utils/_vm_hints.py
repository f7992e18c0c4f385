# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""What to do about virtual machines, where more than one error says it."""

from __future__ import annotations

MAKE_ANEW = "make the machine anew with deploy_lab -e lab_recreate=NODE, which loses what it wrote"
PREPARE = "run archetype.lab.prepare_servers with -e lab_server_vms=true"
"""Of a server that lacks libvirt, QEMU, or programs that machines need."""
