# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""The one place for hashes and names: everything that is called something because of the lab and a link key or an endpoint.

The algorithm: SHA-256 (FIPS 180-4) over a purpose and the parts of the identity, joined by zero bytes, which no name may hold; so
C(("a", "bc")) and C(("ab", "c")) differ, and a MAC address tells nothing of a tag. Numbers are the first eight bytes, big endian, modulo
the size of the range. Names are Base32 (RFC 4648, section 6) in lower case: 13 characters hold 65 bits, and with a prefix of two
they fill the 15 bytes that Linux has for a device name (IFNAMSIZ less the closing zero). MAC addresses are unicast and locally
administered (IEEE 802, section 8: the second lowest bit of the first octet).

Changing anything here renumbers every lab: the golden vectors of the unit tests are there to say so.

A preferred value may be taken. For numbers the next ones of the range are tried (C(_allocation.py)); names and MAC addresses are
hashed again with the number of the attempt.
"""

from __future__ import annotations

import base64
import hashlib
import re
import typing as t

PORT_PREFIX = "ap"
TUNNEL_PREFIX = "at"
MANAGEMENT_PREFIX = "am"
NAME_LENGTH = 15
VNI_RANGE = (1, 2**24 - 1)
DST_PORT = 4789
"""IANA's UDP port for VXLAN (RFC 7348, section 5), which tunnels between servers have."""
ATTEMPTS = 8
"""How many names or MAC addresses one object may have; a live one that is none of these was not given by us."""

_GROUP_RANGE = (2**16, 2**31 - 1)
"""Above the groups that people write into /etc/iproute2/group, below where the kernel's int turns negative."""


def _digest(purpose: str, *parts: str) -> bytes:
    return hashlib.sha256("\0".join((purpose, *parts)).encode()).digest()


def _number(low: int, high: int, purpose: str, *parts: str) -> int:
    return low + int.from_bytes(_digest(purpose, *parts)[:8], "big") % (high - low + 1)


def _name(prefix: str, purpose: str, *parts: str) -> str:
    text = base64.b32encode(_digest(purpose, *parts)[:10]).decode().lower()
    return prefix + text[: NAME_LENGTH - len(prefix)]


def _again(attempt: int) -> tuple[str, ...]:
    return (f"#{attempt}",) if attempt else ()


def preferred_tag(lab: str, key: str, tags: tuple[int, int]) -> int:
    """The tag that a link has where nothing is in its way; the same on all its servers."""
    return _number(*tags, "tag", lab, key)


def preferred_vni(lab: str, key: str) -> int:
    """The VNI of a tunnel, by its link key or its C(shared_key)."""
    return _number(*VNI_RANGE, "vni", lab, key)


def link_group(lab: str) -> int:
    """The link group of a lab's devices, for deleting them at a stroke. Never 0, which is where all other devices are."""
    return _number(*_GROUP_RANGE, "group", lab)


def port_name(lab: str, node: str, interface: str, attempt: int = 0) -> str:
    """The device of an endpoint on its server."""
    return _name(PORT_PREFIX, "port", lab, node, interface, *_again(attempt))


def tunnel_name(lab: str, key: str, attempt: int = 0) -> str:
    """The device of a tunnel, by its link key or its C(shared_key)."""
    return _name(TUNNEL_PREFIX, "tunnel", lab, key, *_again(attempt))


def management_name(lab: str, server: str) -> str:
    """The device that a server itself has in the management network of a lab."""
    return _name(MANAGEMENT_PREFIX, "management", lab, server)


def subnet_number(lab: str, version: int, count: int) -> int:
    """Which of so many subnets the management network of a lab has in an IP version."""
    return _number(0, count - 1, f"subnet{version}", lab)


def preferred_address(lab: str, node: str, addresses: tuple[int, int]) -> int:
    """The management address, of a range of them as numbers, that a node has where nothing is in its way."""
    return _number(*addresses, "address", lab, node)


def mac_address(lab: str, node: str, interface: str, attempt: int = 0) -> str:
    """The MAC address of a node's interface."""
    octets = _digest("mac", lab, node, interface, *_again(attempt))[:5]
    return "02:" + ":".join(f"{octet:02x}" for octet in octets)


def own_octets(count: int, lab: str, node: str) -> str:
    """Octets of addresses that a device makes of its own, as C(aa:bb)."""
    return ":".join(f"{octet:02x}" for octet in _digest("octets", lab, node)[:count])


def own_number(low: int, high: int, lab: str, node: str) -> int:
    """The number that a device has where none of its kind wants the same."""
    return _number(low, high, "number", lab, node)


def console_port(lab: str, node: str, serial: int, ports: tuple[int, int]) -> int:
    """The TCP port, of a range, that a machine's serial port has on its server where nothing is in its way."""
    return _number(*ports, "console", lab, node, str(serial))


def candidates(first: str, again: t.Callable[[int], str]) -> t.Iterator[str]:
    """The names or addresses that one object may have, best first."""
    yield first
    for attempt in range(1, ATTEMPTS):
        yield again(attempt)


def shared_key(servers: t.Iterable[str]) -> str:
    """The identity of the tunnel that two servers share, in place of a link key."""
    return "shared:" + "--".join(sorted(servers))


def sandbox_name(container: str) -> str:
    """The name of the sandbox of a container node."""
    return f"{container}-sandbox"


def natural(name: str) -> tuple[str | int, ...]:
    """What interfaces are sorted by: C(eth2) is before C(eth10). Devices number their ports in the kernel's order."""
    return tuple(int(part) if place % 2 else part for place, part in enumerate(re.split(r"(\d+)", name, flags=re.ASCII)))


def lab_folder(lab: str) -> str:
    """The folder of a lab on a server that stands for C(__clabDir__): what its nodes keep there lasts until the lab is destroyed."""
    return f"/var/lib/archetype-lab/{lab}/folders"


def node_folder(lab: str, node: str) -> str:
    """The folder of a node on its server that stands for C(__clabNodeDir__)."""
    return f"{lab_folder(lab)}/{node}"
