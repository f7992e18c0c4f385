# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The network between the servers: a bridge in a namespace of its own, one cable per server, and the controller's address."""

from __future__ import annotations

import json
from typing import Any

from tests.testbed import shell
from tests.testbed.paths import Config

GROUP = "net"
BRIDGE = "br0"
DEVICE = "underlay"


def inside(pid: int, *command: str, stdin: str = "", check: bool = True) -> shell.Completed:
    return shell.call(["nsenter", f"--net=/proc/{pid}/ns/net", "--", *command], stdin=stdin, check=check)


def devices(pid: int) -> dict[str, dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(inside(pid, "ip", "-json", "address", "show").stdout)
    return {row["ifname"]: row for row in rows}


def addresses(device: dict[str, Any]) -> set[str]:
    return {entry["local"] for entry in device.get("addr_info", [])}


def batch(pid: int, lines: list[str]) -> None:
    if lines:
        inside(pid, "ip", "-batch", "-", stdin="\n".join(lines) + "\n")


def up(config: Config) -> tuple[int, bool]:
    """The bridge, as it should be. Returns the pid to enter it by, and whether anything had to be done."""
    pid = shell.holder(config.name, GROUP)
    booted = pid is None
    if pid is None:
        pid = shell.boot(config.name, GROUP)
    have = devices(pid)
    lines = []
    if BRIDGE not in have:
        lines += [f"link add {BRIDGE} mtu {config.mtu} type bridge stp_state 0 forward_delay 0 mcast_snooping 0", "link set lo up"]
    bridge = have.get(BRIDGE, {})
    if bridge.get("mtu") != config.mtu:
        lines.append(f"link set {BRIDGE} mtu {config.mtu}")
    if "UP" not in bridge.get("flags", []):
        lines.append(f"link set {BRIDGE} up")
    if config.controller not in addresses(bridge):
        lines.append(f"address add {config.controller}/24 dev {BRIDGE}")
    if config.controller6 not in addresses(bridge):
        lines.append(f"address add {config.controller6}/64 dev {BRIDGE} nodad")
    batch(pid, lines)
    return pid, booted or bool(lines)


def attach(config: Config, underlay: int, index: int, server: int) -> bool:
    """A server's cable, as it should be. A cable whose far end went with a namespace is gone at both ends, though not at once."""
    name = f"srv{index}"
    far = devices(server)
    changed = False
    if DEVICE not in far:
        inside(underlay, "ip", "link", "delete", name, check=False)
        mtu, mac = config.mtu, config.mac(index)
        inside(underlay, *f"ip link add {name} mtu {mtu} type veth peer name {DEVICE} mtu {mtu} address {mac} netns {server}".split())
        batch(underlay, [f"link set {name} master {BRIDGE} up"])
        batch(server, ["link set lo up", f"link set {DEVICE} up"])
        far = devices(server)
        changed = True
    lines = []
    if far[DEVICE]["mtu"] != config.mtu:
        batch(underlay, [f"link set {name} mtu {config.mtu}"])
        lines.append(f"link set {DEVICE} mtu {config.mtu}")
    if config.address(index) not in addresses(far[DEVICE]):
        lines.append(f"address add {config.address(index)}/24 dev {DEVICE}")
    if config.address6(index) not in addresses(far[DEVICE]):
        lines.append(f"address add {config.address6(index)}/64 dev {DEVICE} nodad")
    if "UP" not in far[DEVICE]["flags"]:
        lines.append(f"link set {DEVICE} up")
    batch(server, lines)
    near = devices(underlay).get(name, {})
    if near.get("master") != BRIDGE or "UP" not in near.get("flags", []):
        batch(underlay, [f"link set {name} master {BRIDGE} up"])
        changed = True
    return changed or bool(lines)


def detach(underlay: int, name: str) -> None:
    inside(underlay, "ip", "link", "delete", name, check=False)


def set_link(underlay: int, name: str, state: str) -> bool:
    """Pull a server's cable at the bridge, or plug it in again."""
    plugged = "UP" in devices(underlay)[name]["flags"]
    inside(underlay, "ip", "link", "set", name, state)
    return plugged != (state == "up")
