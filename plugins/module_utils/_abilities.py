# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""What this server cannot give to a container, because it is itself confined: a server in a container lacks capabilities.

Docker would refuse to start a node that asks for one of them, a privileged one among them.
"""

from __future__ import annotations

import re

from ansible_collections.archetype.lab.plugins.module_utils._errors import ReadError

STATUS = "/proc/self/status"
LAST = "/proc/sys/kernel/cap_last_cap"

NAMES = (
    "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP", "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER", "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT",
    "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE", "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE",
    "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP", "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ",
    "PERFMON", "BPF", "CHECKPOINT_RESTORE",
)  # fmt: skip
"""By their number, as linux/capability.h has them; it only ever grows at its end."""


def lacking_capabilities() -> list[str]:
    """Capabilities that the kernel has and that no process here can have, sorted. Raises ReadError."""
    try:
        with open(STATUS, encoding="ascii") as status, open(LAST, encoding="ascii") as last:
            return lacking(status.read(), int(last.read()))
    except (OSError, ValueError) as error:
        raise ReadError(f"the capabilities of this server cannot be read: {error}", hint=f"look at {STATUS} and {LAST}") from error


def lacking(status: str, last: int) -> list[str]:
    """status: the text of /proc/self/status. last: number of the last capability that the kernel has."""
    found = re.search(r"^CapBnd:\s*([0-9a-f]+)$", status, re.MULTILINE)
    if found is None:
        raise ValueError("CapBnd is not there")
    bounding = int(found.group(1), 16)
    return sorted(name for number, name in enumerate(NAMES) if number <= last and not bounding >> number & 1)
