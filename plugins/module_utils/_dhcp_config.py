# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""What a lab's dnsmasq on one server is to tell, as its configuration and the files that it gives away. Pure; C(_dhcp.py) sees to it."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import os
import re
import typing as t
from collections import Counter

from ansible_collections.archetype.lab.plugins.module_utils import _server
from ansible_collections.archetype.lab.plugins.module_utils._errors import LabError, raise_all
from ansible_collections.archetype.lab.plugins.module_utils._firewall import LINK

if t.TYPE_CHECKING:
    from ansible_collections.archetype.lab.plugins.module_utils._declared import Management
    from ansible_collections.archetype.lab.plugins.module_utils._declared_vm import Lease

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
_DEVICE = re.compile(r"[A-Za-z0-9_.-]{1,15}")
_HOSTNAME, _MTU = 12, 26
"""Options of RFC 2132; dnsmasq takes the first by number only. The second is told whoever asks: what is larger is lost in a tunnel."""


def folder_of(lab: str) -> str:
    """Raises LabError for a name that would lead elsewhere."""
    _server.lab_path(lab)
    return os.path.join(_server.DHCP_DIR, lab)


def config_path(lab: str) -> str:
    return os.path.join(folder_of(lab), "dnsmasq.conf")


def root_of(lab: str) -> str:
    """The folder of what is given away."""
    return os.path.join(folder_of(lab), "tftp")


def config_of(lab: str, want: Management, index: int | None, user: str) -> str:
    """The configuration; pure. Raises LabError for what could not be said in it.

    index: of the device: its sockets are lost with it, so another device is another configuration. With C(bind-interfaces) it would give
    its files over every device to whoever knows its address.
    """
    subnets = [network for network in map(ipaddress.ip_network, want.subnets) if network.version == 4]
    _check(want, subnets)
    lines = [
        f"# Lab {lab}, by archetype.lab; device {want.device} has index {index}",
        "port=0",
        f"interface={want.device}",
        "except-interface=lo",
        "bind-dynamic",
        f"user={user}",
        f"pid-file={folder_of(lab)}/dnsmasq.pid",
        "leasefile-ro",
        "dhcp-authoritative",
        "dhcp-ignore=tag:!known",
        "no-ping",
        "dhcp-option=option:router",
    ]
    if want.mtu is not None:
        lines.append(f"dhcp-option-force={_MTU},{want.mtu}")
    lines += [f"dhcp-range={network.network_address},static,{network.netmask},infinite" for network in subnets]
    if any(lease.boot_file for lease in want.leases):
        lines += [f"enable-tftp={want.device}", f"tftp-root={root_of(lab)}", "tftp-secure"]
    for number, lease in enumerate(sorted(want.leases, key=lambda one: one.mac), 1):
        lines += _lines(f"m{number}", lease)
    return "\n".join(lines) + "\n"


def _check(want: Management, subnets: t.Sequence[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> None:
    """What goes into a line must not be two, and no two machines may be told the same: dnsmasq would not start. Says all at once."""
    errors: list[LabError] = []
    if not _DEVICE.fullmatch(want.device):
        errors.append(LabError(f"{want.device!r} is not a name for a device", objects=(LINK,)))
    macs, addresses = Counter(one.mac for one in want.leases), Counter(one.ipv4 for one in want.leases)
    for lease in want.leases:
        names = (lease.hostname, lease.boot_file, *(one.path for one in lease.files))
        said = [repr(name) for name in names if name and not _NAME.fullmatch(name)]
        if not _fits(lease, subnets):
            said.append(f"{lease.mac} with {lease.ipv4}, gateway {lease.gateway or 'none'}")
        said += [f"{one} is another machine's too" for one, times in ((lease.mac, macs), (lease.ipv4, addresses)) if times[one] > 1]
        if not lease.hostname:
            said.append("it has no name")
        if lease.boot_file not in ("", *(one.path for one in lease.files)):
            said.append(f"there is no file {lease.boot_file}")
        if said:
            hint = "addresses are in the management network's IPv4 subnet; names have letters, digits, dots, dashes and underscores"
            message = f"{lease.hostname!r} cannot be told by DHCP: {', '.join(said)}"
            errors.append(LabError(message, hint=hint, objects=(LINK, lease.hostname)))
    raise_all(errors)


def _fits(lease: Lease, subnets: t.Sequence[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> bool:
    try:
        gateway = not lease.gateway or ipaddress.IPv4Address(lease.gateway)
        inside = any(ipaddress.IPv4Address(lease.ipv4) in network for network in subnets)
    except ValueError:
        return False
    return bool(gateway) and inside and _MAC.fullmatch(lease.mac) is not None


def _lines(tag: str, lease: Lease) -> t.Iterator[str]:
    yield f"dhcp-host={lease.mac},set:{tag},{lease.ipv4}"
    yield f"dhcp-option=tag:{tag},{_HOSTNAME},{lease.hostname}"
    if lease.gateway:
        yield f"dhcp-option=tag:{tag},option:router,{lease.gateway}"
    if lease.boot_file:
        yield f"dhcp-boot=tag:{tag},{lease.boot_file}"  # as an option to those that ask for it, else in the head of the answer
        if lease.gateway:
            yield f"dhcp-option-force=tag:{tag},option:tftp-server,{lease.gateway}"


def files_of(want: Management) -> dict[str, bytes]:
    """What is given away by TFTP. Raises LabError where two machines have another file of one name."""
    found: dict[str, bytes] = {}
    for lease in want.leases:
        for one in lease.files if lease.boot_file else ():
            try:
                content = base64.b64decode(one.content, validate=True)
            except binascii.Error as error:
                raise LabError(f"file {one.path} of {lease.hostname} is not base64", objects=(LINK, lease.hostname)) from error
            if found.setdefault(one.path, content) != content:
                raise LabError(f"two machines have a file {one.path}", hint="give it two names", objects=(LINK, lease.hostname))
    return found
