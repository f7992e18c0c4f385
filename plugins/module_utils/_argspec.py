# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""The pieces that the modules' argument specs are made of, each written once. Shapes are those of C(_declared.py)."""

from __future__ import annotations

import typing as t

Spec = dict[str, dict[str, t.Any]]


def _list_of(options: Spec) -> dict[str, t.Any]:
    return {"type": "list", "elements": "dict", "default": [], "options": options}


def bridge_options() -> Spec:
    return {
        "name": {"type": "str", "default": "arch-ovs"},
        "datapath_type": {"type": "str", "choices": ["auto", "system", "netdev"], "default": "auto"},
        "fail_mode": {"type": "str", "choices": ["standalone", "secure"], "default": "standalone"},
        "forward_bpdu": {"type": "bool", "default": True},
        "vlan_limit": {"type": "int", "default": 1},
    }


def container_options() -> Spec:
    return {
        "name": {"type": "str", "required": True},
        "sandbox": {"type": "str", "required": True},
        "node": {"type": "str", "required": True},
        "image": {"type": "str", "required": True},
        "kind": {"type": "str", "default": "linux"},
        "hostname": {"type": "str", "default": ""},
        "cmd": {"type": "list", "elements": "str"},
        "entrypoint": {"type": "list", "elements": "str"},
        "user": {"type": "str", "default": ""},
        "env": {"type": "dict", "default": {}},
        "labels": {"type": "dict", "default": {}},
        "binds": {"type": "list", "elements": "str", "default": []},
        "files": _list_of(
            {
                "path": {"type": "path", "required": True},
                "content": {"type": "str", "required": True, "no_log": True},
                "mode": {"type": "str", "default": "0644"},
                "enforce": {"type": "bool", "default": False},
            }
        ),
        "sysctls": {"type": "dict", "default": {}},
        "cap_add": {"type": "list", "elements": "str", "default": []},
        "devices": {"type": "list", "elements": "str", "default": []},
        "privileged": {"type": "bool", "default": False},
        "system_paths": {"type": "str", "choices": ["default", "unconfined"], "default": "default"},
        "memory": {"type": "int", "default": 0},
        "cpu": {"type": "float", "default": 0.0},
        "exec": {"type": "list", "elements": "list", "default": []},
        "boot_commands": {"type": "list", "elements": "list", "default": []},
        "boot_timeout": {"type": "int", "default": 0},
        "ready_log": {"type": "str", "default": ""},
        "interfaces": {"type": "list", "elements": "str", "default": []},
        "network": {"type": "str", "choices": ["", "host", "node", "container"], "default": ""},
        "wave": {"type": "int", "default": 0},
        "hold": {"type": "str", "choices": ["", "healthy", "exit"], "default": ""},
        "waits_for": {"type": "list", "elements": "str"},
        "startup_delay": {"type": "int", "default": 0},
        "stage_commands": _list_of(
            {
                "stage": {"type": "str", "required": True},
                "command": {"type": "list", "elements": "str", "required": True},
                "phase": {"type": "str", "choices": ["on-enter", "on-exit"], "default": "on-exit"},
                "target": {"type": "str", "choices": ["container", "host"], "default": "container"},
            }
        ),
        "healthcheck": {
            "type": "dict",
            "options": {
                "test": {"type": "list", "elements": "str", "required": True},
                "interval": {"type": "float", "default": 0.0},
                "timeout": {"type": "float", "default": 0.0},
                "start_period": {"type": "float", "default": 0.0},
                "retries": {"type": "int", "default": 0},
            },
        },
        "tmpfs": {"type": "dict", "default": {}},
        "volumes": {"type": "list", "elements": "str", "default": []},
        "shm_size": {"type": "int", "default": 0},
        "security_opts": {"type": "list", "elements": "str", "default": []},
        "pid_mode": {"type": "str", "default": ""},
        "cgroupns_mode": {"type": "str", "default": ""},
        "cgroup_parent": {"type": "str", "default": ""},
        "cpu_set": {"type": "str", "default": ""},
        "dns": {"type": "list", "elements": "str", "default": []},
        "dns_search": {"type": "list", "elements": "str", "default": []},
        "dns_options": {"type": "list", "elements": "str", "default": []},
    }


def port_options() -> Spec:
    return {
        "name": {"type": "str", "required": True},
        "device": {"type": "str", "choices": ["none", "veth", "host", "macvlan", "dummy", "tap"], "default": "none"},
        "link": {"type": "str", "default": ""},
        "node": {"type": "str", "default": ""},
        "interface": {"type": "str", "default": ""},
        "sandbox": {"type": "str", "default": ""},
        "mac": {"type": "str", "default": ""},
        "mtu": {"type": "int"},
        "tag": {"type": "int"},
        "trunks": {"type": "list", "elements": "int", "default": []},
        "vlan_mode": {"type": "str", "choices": ["access", "trunk", "dot1q-tunnel"], "default": "dot1q-tunnel"},
        "group": {"type": "int", "default": 0},
        "enabled": {"type": "bool", "default": True},
        "parent": {"type": "str", "default": ""},
        "mode": {"type": "str", "choices": ["", "private", "vepa", "bridge", "passthru", "source"], "default": ""},
        "addresses": {"type": "list", "elements": "str", "default": []},
        "routes": _list_of({"to": {"type": "str", "required": True}, "via": {"type": "str", "required": True}}),
        "impairment": {
            "type": "dict",
            "options": {
                **{name: {"type": "float", "default": 0.0} for name in ("delay", "jitter", "loss", "corrupt", "duplicate", "reorder")},
                "rate": {"type": "int", "default": 0},
            },
        },
        "queues": {"type": "int", "default": 1},
    }


def tunnel_options() -> Spec:
    return {
        "name": {"type": "str", "required": True},
        "vni": {"type": "int", "required": True},
        "local": {"type": "str", "required": True},
        "remotes": {"type": "list", "elements": "str", "required": True},
        "mtu": {"type": "int", "required": True},
        "link": {"type": "str", "default": ""},
        "tag": {"type": "int"},
        "links": _list_of({"key": {"type": "str", "required": True, "no_log": False}, "tag": {"type": "int", "required": True}}),
        "dst_port": {"type": "int", "default": 4789},
        "group": {"type": "int", "default": 0},
    }


def link_options() -> Spec:
    return {
        "key": {"type": "str", "required": True, "no_log": False},
        "mtu": {"type": "int", "required": True},
        "probe": {"type": "str", "choices": ["full", "light", "device"], "default": "full"},
        "endpoints": {
            "type": "list",
            "elements": "dict",
            "required": True,
            "options": {
                "node": {"type": "str", "required": True},
                "interface": {"type": "str", "required": True},
                "server": {"type": "str", "required": True},
                "port": {"type": "str", "required": True},
                "sandbox": {"type": "str", "default": ""},
            },
        },
    }


def management_options() -> Spec:
    return {
        "device": {"type": "str", "required": True},
        "subnets": {"type": "list", "elements": "str", "default": []},
        "masquerade": {"type": "bool", "default": False},
        "ports": _list_of(
            {
                "server_port": {"type": "int", "required": True},
                "target": {"type": "str", "required": True},
                "node_port": {"type": "int", "required": True},
                "protocol": {"type": "str", "choices": ["tcp", "udp", "sctp"], "default": "tcp"},
                "address": {"type": "str", "default": ""},
            }
        ),
        "hosts": _list_of({"address": {"type": "str", "required": True}, "names": {"type": "list", "elements": "str", "required": True}}),
        "leases": _list_of(
            {
                "mac": {"type": "str", "required": True},
                "ipv4": {"type": "str", "required": True},
                "hostname": {"type": "str", "required": True},
                "gateway": {"type": "str", "default": ""},
                "boot_file": {"type": "str", "default": ""},
                "files": _list_of(_file_options()),
            }
        ),
        "mtu": {"type": "int"},
    }


def _file_options() -> Spec:
    return {"path": {"type": "str", "required": True}, "content": {"type": "str", "required": True, "no_log": True}}


def vm_options() -> Spec:
    return {
        "name": {"type": "str", "required": True},
        "node": {"type": "str", "required": True},
        "image": {"type": "path", "required": True},
        "kind": {"type": "str", "default": "generic_vm"},
        "sha256": {"type": "str", "default": ""},
        "memory": {"type": "int", "default": 0},
        "cpus": {"type": "int", "default": 1},
        "hardware": {
            "type": "dict",
            "options": {
                "machine": {"type": "str", "default": "pc-q35-6.2"},
                "cpu_model": {"type": "str", "default": ""},
                "cpu_flags_off": {"type": "list", "elements": "str", "default": []},
                "sockets": {"type": "int", "default": 0},
                "nested": {"type": "bool", "default": False},
                "efi": {"type": "str", "choices": ["", "stateless", "vars"], "default": ""},
                "smbios": {"type": "dict", "default": {}},
                "disk_bus": {"type": "str", "choices": ["ide", "sata", "scsi", "virtio"], "default": "virtio"},
                "nic_model": {"type": "str", "default": "virtio"},
                "nic_queues": {"type": "int", "default": 1},
                "serial_type": {"type": "str", "choices": ["pty", "tcp"], "default": "pty"},
                "serial_count": {"type": "int", "default": 1},
                "graphics": {"type": "str", "choices": ["none", "vnc"], "default": "none"},
            },
        },
        "data_disks": {"type": "list", "elements": "int", "default": []},
        "nics": _list_of(
            {
                "mac": {"type": "str", "required": True},
                "tap": {"type": "str", "default": ""},
                "role": {"type": "str", "choices": ["management", "reserved", "data"], "default": "data"},
                "interface": {"type": "str", "default": ""},
            }
        ),
        "serial_ports": {"type": "list", "elements": "int", "default": []},
        "medium": {
            "type": "dict",
            "options": {
                "type": {"type": "str", "choices": ["iso", "cloud-init", "usb"], "required": True},
                "label": {"type": "str", "default": ""},
                "bus": {"type": "str", "choices": ["ide", "sata", "scsi", "usb", "virtio"], "required": True},
                "files": _list_of(_file_options()),
                "archive": {"type": "str", "default": ""},
            },
        },
        "link_apply_mode": {"type": "str", "choices": ["live", "restart", "recreate"], "default": "recreate"},
        "wave": {"type": "int", "default": 0},
        "hold": {"type": "str", "choices": ["", "healthy", "exit"], "default": ""},
        "waits_for": {"type": "list", "elements": "str"},
        "startup_delay": {"type": "int", "default": 0},
    }


def access_options() -> Spec:
    """What is marked as a secret is blotted out of results: a node named C(admin2), whose password is C(admin), would lose its name, and a
    configuration with that word would be damaged. So the password is not marked; the controller's halves of the modules keep it out of
    logs and results.
    """
    return {
        "node": {"type": "str", "required": True},
        "type": {"type": "str", "choices": ["container", "vm"], "required": True},
        "name": {"type": "str", "required": True},
        "readiness": {
            "type": "dict",
            "options": {
                "probe": {"type": "str", "choices": ["none", "log", "console", "tcp", "ssh"], "default": "none"},
                "pattern": {"type": "str", "default": ""},
                "address": {"type": "str", "default": ""},
                "port": {"type": "int", "default": 0},
                "timeout": {"type": "int", "default": 120},
                "boot_markers": {"type": "list", "elements": "str", "default": []},
                "failure_markers": {"type": "list", "elements": "str", "default": []},
            },
        },
        "save": {
            "type": "dict",
            "options": {
                "method": {"type": "str", "choices": ["none", "exec", "console", "ssh", "file"], "default": "none"},
                "command": {"type": "str", "default": ""},
                "prompt": {"type": "str", "default": ""},
                "pager_off": {"type": "str", "default": ""},
                "enable": {"type": "str", "default": ""},
                "volatile": {"type": "list", "elements": "str", "default": []},
            },
        },
        "post_boot": {"type": "list", "elements": "str", "default": []},
        "username": {"type": "str", "default": ""},
        "password": {"type": "str", "default": "", "no_log": False},
    }


def lab_option(*, required: bool = True) -> Spec:
    return {"lab": {"type": "str", "required": required}}


def run_options() -> Spec:
    """What every module that makes a server as declared takes, and who calls it."""
    return {
        "declared": {"type": "dict"},
        "hold": {"type": "list", "elements": "str"},
        "owner": {"type": "str", "default": "someone"},
        "token": {"type": "str", "default": "", "no_log": False},
    }


def state_options(*choices: str, default: str = "present") -> Spec:
    """state and prune. prune deletes what the lab owns and the list does not name; it needs the full list."""
    return {
        "state": {"type": "str", "choices": list(choices or ("present", "absent")), "default": default},
        "prune": {"type": "bool", "default": False},
    }


def layer_options() -> Spec:
    """What every module that writes to the bridge takes."""
    return {"bridge": {"type": "str", "default": "arch-ovs"}}
