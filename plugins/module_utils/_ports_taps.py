# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""What has to be done for taps, the devices that virtual machines open. Pure.

A tap that a machine has open is never made anew, nor given another owner: that would cut off what runs. Such a difference can wait, for it
counts only when a machine opens the tap; then it is not open. Whether frames have a header in front is not compared at all: it is
whoever opened the tap last that decides it.
"""

from __future__ import annotations

import typing as t

from ansible_collections.archetype.lab.plugins.module_utils._changes import UNMENDED
from ansible_collections.archetype.lab.plugins.module_utils._netlink._port import NewTap, SetTapOwner

if t.TYPE_CHECKING:
    from ansible_collections.archetype.lab.plugins.module_utils._declared import Port
    from ansible_collections.archetype.lab.plugins.module_utils._netlink._port import Device
    from ansible_collections.archetype.lab.plugins.module_utils._ports_model import Request

_MTU = 1500


class Taps:
    def __init__(self, want: Request) -> None:
        self.want = want

    def why_anew(self, port: Port, device: Device) -> str:
        """Why a device of ours that has the name has to be made again, or nothing."""
        if device.tap is None:
            return f"it is a {device.kind or 'device'} and not a tap"
        if self._in_use(port, device):
            return ""
        if not device.tap.persistent:
            return "it goes with the machine that has it open"
        if device.tap.queues != (port.queues > 1):
            return f"it has {_queues(device.tap.queues)} and not {_queues(port.queues > 1)}"
        return UNMENDED if port.name in self.want.anew else ""

    def new(self, port: Port, alias: str) -> NewTap:
        return NewTap(port.name, self.want.tap_owner, port.mtu or _MTU, alias, port.group, port.enabled, queues=port.queues > 1)

    def adjusted(self, port: Port, device: Device) -> tuple[list[SetTapOwner], dict[str, tuple[t.Any, t.Any]]]:
        """What differs on a tap that stays, besides what every device has."""
        if device.tap is None or device.tap.owner == self.want.tap_owner or self._in_use(port, device):
            return [], {}
        op = SetTapOwner(port.name, self.want.tap_owner, device.tap.queues)
        return [op], {"owner": (device.tap.owner, self.want.tap_owner)}

    def _in_use(self, port: Port, device: Device) -> bool:
        return device.tap is not None and device.tap.used and port.name not in self.want.closing


def _queues(several: bool) -> str:
    return "several queues" if several else "one queue"
