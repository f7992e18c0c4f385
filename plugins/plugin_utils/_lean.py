# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""What a server takes for granted of containers and ports, and so is left out of the slices of a plan.

The defaults are those of C(module_utils/_declared.py), which this side does not import; a test compares the two.
"""

from __future__ import annotations

import typing as t

Json = t.Mapping[str, t.Any]

CONTAINER: Json = {
    "kind": "linux",
    "hostname": "",
    "cmd": None,
    "entrypoint": None,
    "user": "",
    "env": {},
    "labels": {},
    "binds": [],
    "files": [],
    "sysctls": {},
    "cap_add": [],
    "devices": [],
    "privileged": False,
    "system_paths": "default",
    "memory": 0,
    "cpu": 0.0,
    "exec": [],
    "boot_commands": [],
    "boot_timeout": 0,
    "ready_log": "",
    "interfaces": [],
    "network": "",
    "wave": 0,
    "hold": "",
    "waits_for": None,
    "startup_delay": 0,
    "stage_commands": [],
    "healthcheck": None,
    "tmpfs": {},
    "volumes": [],
    "shm_size": 0,
    "security_opts": [],
    "pid_mode": "",
    "cgroupns_mode": "",
    "cgroup_parent": "",
    "cpu_set": "",
    "dns": [],
    "dns_search": [],
    "dns_options": [],
}
PORT: Json = {
    "device": "none",
    "link": "",
    "node": "",
    "interface": "",
    "sandbox": "",
    "mac": "",
    "mtu": None,
    "tag": None,
    "trunks": [],
    "vlan_mode": "dot1q-tunnel",
    "group": 0,
    "enabled": True,
    "parent": "",
    "mode": "",
    "addresses": [],
    "routes": [],
    "impairment": None,
    "queues": 1,
}
VM: Json = {
    "kind": "generic_vm",
    "sha256": "",
    "memory": 0,
    "cpus": 1,
    "data_disks": [],
    "nics": [],
    "serial_ports": [],
    "medium": None,
    "link_apply_mode": "recreate",
    "wave": 0,
    "hold": "",
    "waits_for": None,
    "startup_delay": 0,
}
"""Without hardware, of which only what the kind says is declared."""


def lean(declared: Json, defaults: Json) -> dict[str, t.Any]:
    """Without what is as it would be anyway."""
    return {key: value for key, value in declared.items() if key not in defaults or value != defaults[key]}


def whole(declared: Json, defaults: Json) -> dict[str, t.Any]:
    """With what was left out."""
    return {**defaults, **declared}
