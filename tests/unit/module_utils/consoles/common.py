# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What many devices show alike when they do not come up."""

PANIC = b"[    1.2] Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)\r\n"
NO_DISK = b"Booting from Hard Disk...\r\nBoot failed: could not read the boot disk\r\n\r\nNo bootable device.\r\n"
