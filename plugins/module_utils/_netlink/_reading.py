# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Reading: devices, flood entries, transmit checksum offload, routes and addresses, as C(_port.py) describes them."""

from __future__ import annotations

import array
import errno
import fcntl
import ipaddress
import socket
import struct
import typing as t

from ansible_collections.archetype.lab.plugins.module_utils._errors import ReadError
from ansible_collections.archetype.lab.plugins.module_utils._netlink._port import Device, Route, Tap, Vxlan
from ansible_collections.archetype.lab.plugins.module_utils._netlink._wire import Wire, attribute, attributes

_RTM_GETLINK, _RTM_GETADDR, _RTM_GETROUTE, _RTM_GETNEIGH = 18, 22, 26, 30
_AF_BRIDGE = 7
_IFF_UP, _IFF_LOWER_UP = 0x1, 0x10000
_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MTU, _IFLA_LINK, _IFLA_MASTER = 1, 3, 4, 5, 10
_IFLA_LINKINFO, _IFLA_IFALIAS, _IFLA_GROUP, _IFLA_EXT_MASK, _IFLA_CARRIER = 18, 20, 27, 29, 33
_IFLA_INFO_KIND, _IFLA_INFO_DATA = 1, 2
_SKIP_STATISTICS = 1 << 3
_VXLAN_ID, _VXLAN_GROUP, _VXLAN_LOCAL, _VXLAN_LEARNING = 1, 2, 4, 7
_VXLAN_PORT, _VXLAN_GROUP6, _VXLAN_LOCAL6, _VXLAN_DF = 15, 16, 17, 29
_DF = ("unset", "set", "inherit")
_MACVLAN_MODE = 1
_MACVLAN_MODES = {1: "private", 2: "vepa", 4: "bridge", 8: "passthru", 16: "source"}
_TUN_OWNER, _TUN_TYPE, _TUN_PERSIST, _TUN_MULTI_QUEUE = 1, 3, 6, 7
_TYPE_TAP = 2
_NDA_DST, _NDA_LLADDR = 1, 2
_RTA_DST, _RTA_OIF, _RTA_PREFSRC, _RTA_METRICS, _RTAX_MTU = 1, 4, 7, 8, 2
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
_SIOCETHTOOL = 0x8946
_ETHTOOL_GTXCSUM, _ETHTOOL_STXCSUM = 0x16, 0x17
_LINK = struct.Struct("=BxHiII")
_NEIGHBOUR = struct.Struct("=BxxxiHBB")
_NO_MAC = b"\0" * 6

FloodEntries = t.Mapping[int, tuple[str, ...]]


def read_devices(wire: Wire, what: str) -> dict[str, Device]:
    """All devices of the namespace of this socket, by name. what: whose they are, for an error. Raises ReadError."""
    request = _LINK.pack(0, 0, 0, 0, 0) + attribute(_IFLA_EXT_MASK, struct.pack("=I", _SKIP_STATISTICS))
    flood: FloodEntries | None = None
    devices: dict[str, Device] = {}
    for body in wire.dump(_RTM_GETLINK, request, what):
        try:
            _family, _type, index, flags, _change = _LINK.unpack_from(body)
            found = attributes(body, _LINK.size)
            info = attributes(found.get(_IFLA_LINKINFO, b""))
            kind = _text(info.get(_IFLA_INFO_KIND))
            vxlan = None
            macvlan = attributes(info.get(_IFLA_INFO_DATA, b"")) if kind == "macvlan" else {}
            if kind == "vxlan":
                flood = _flood_entries(wire, what) if flood is None else flood
                vxlan = _vxlan(info.get(_IFLA_INFO_DATA, b""), flood.get(index, ()))
            device = Device(
                name=_text(found.get(_IFLA_IFNAME)),
                index=index,
                kind=kind,
                mtu=_number(found.get(_IFLA_MTU)),
                mac=found.get(_IFLA_ADDRESS, b"").hex(":"),
                up=bool(flags & _IFF_UP),
                carrier=bool(flags & _IFF_LOWER_UP),
                alias=_text(found.get(_IFLA_IFALIAS)),
                group=_number(found.get(_IFLA_GROUP)),
                peer_index=_number(found.get(_IFLA_LINK)) or None if kind == "veth" else None,
                vxlan=vxlan,
                master=_number(found.get(_IFLA_MASTER)),
                parent_index=_number(found.get(_IFLA_LINK)) if kind == "macvlan" else 0,
                mode=_MACVLAN_MODES.get(_number(macvlan.get(_MACVLAN_MODE)), "") if macvlan else "",
                tap=_tap(info.get(_IFLA_INFO_DATA, b""), used=bool(_number(found.get(_IFLA_CARRIER)))) if kind == "tun" else None,
            )
        except (struct.error, ValueError) as error:
            raise ReadError(f"cannot read the {what}: {error}") from error
        devices[device.name] = device
    return devices


def _text(data: bytes | None) -> str:
    return (data or b"").rstrip(b"\0").decode("utf-8", "replace")


def _number(data: bytes | None) -> int:
    """An unsigned number of the machine's byte order, whatever its width."""
    return int(struct.unpack_from("=I", data)[0]) if data and len(data) >= 4 else data[0] if data else 0


def _address(data: bytes | None) -> str:
    return str(ipaddress.ip_address(data)) if data else ""


def _vxlan(data: bytes, flood: tuple[str, ...]) -> Vxlan:
    found = attributes(data)
    group = _address(found.get(_VXLAN_GROUP) or found.get(_VXLAN_GROUP6))
    df = _number(found.get(_VXLAN_DF))
    return Vxlan(
        vni=_number(found.get(_VXLAN_ID)),
        local=_address(found.get(_VXLAN_LOCAL) or found.get(_VXLAN_LOCAL6)),
        remotes=flood or ((group,) if group else ()),
        dst_port=int.from_bytes(found.get(_VXLAN_PORT, b""), "big"),
        learning=bool(_number(found.get(_VXLAN_LEARNING))),
        df=_DF[df] if df < len(_DF) else str(df),
    )


def _tap(data: bytes, *, used: bool) -> Tap | None:
    """None for a device of that kind that carries packets, not frames. The kernel shows a carrier while somebody has a tap open."""
    found = attributes(data)
    if _number(found.get(_TUN_TYPE)) != _TYPE_TAP:
        return None
    owner = found.get(_TUN_OWNER)
    several, persistent = _number(found.get(_TUN_MULTI_QUEUE)), _number(found.get(_TUN_PERSIST))
    return Tap(_number(owner) if owner else None, bool(several), bool(persistent), used)


def _flood_entries(wire: Wire, what: str) -> FloodEntries:
    """Where each VXLAN device sends what it has no entry for: ifindex -> remote addresses, sorted."""
    entries: dict[int, set[str]] = {}
    for body in wire.dump(_RTM_GETNEIGH, _NEIGHBOUR.pack(_AF_BRIDGE, 0, 0, 0, 0), f"forwarding entries of the {what}"):
        _family, index, _state, _flags, _type = _NEIGHBOUR.unpack_from(body)
        found = attributes(body, _NEIGHBOUR.size)
        if found.get(_NDA_LLADDR) == _NO_MAC and _NDA_DST in found:
            entries.setdefault(index, set()).add(_address(found[_NDA_DST]))
    return {index: tuple(sorted(remotes)) for index, remotes in entries.items()}


def tx_checksum(control: socket.socket, name: str) -> bool | None:
    """Whether the device leaves the checksum to whoever comes next; None where the device does not know the question."""
    try:
        return bool(_ethtool(control, name, _ETHTOOL_GTXCSUM, 0))
    except OSError as error:
        if error.errno in (errno.EOPNOTSUPP, errno.ENODEV):
            return None
        raise


def set_tx_checksum(control: socket.socket, name: str, *, on: bool) -> None:
    """Raises OSError."""
    _ethtool(control, name, _ETHTOOL_STXCSUM, int(on))


def _ethtool(control: socket.socket, name: str, command: int, value: int) -> int:
    block = array.array("I", [command, value])
    fcntl.ioctl(control, _SIOCETHTOOL, struct.pack("16sP16x", name.encode(), block.buffer_info()[0]))
    return block[1]


def read_route(wire: Wire, address: str, devices: t.Mapping[str, Device]) -> Route:
    """How the kernel would send to an address. Raises ReadError when it would not."""
    far = ipaddress.ip_address(address)
    family = socket.AF_INET if far.version == 4 else socket.AF_INET6
    request = struct.pack("=BBBBBBBBI", family, far.max_prefixlen, 0, 0, 0, 0, 0, 0, 0) + attribute(_RTA_DST, far.packed)
    found = attributes(wire.ask(_RTM_GETROUTE, request, f"route to {address}"), 12)
    out = _number(found.get(_RTA_OIF))
    device = next((one for one in devices.values() if one.index == out), None)
    if device is None:
        raise ReadError(f"the route to {address} has no device")
    mtu = _number(attributes(found.get(_RTA_METRICS, b"")).get(_RTAX_MTU)) or device.mtu
    return Route(source=_address(found.get(_RTA_PREFSRC)), device=device.name, mtu=min(mtu, device.mtu))


def read_addresses(wire: Wire) -> list[str]:
    """All addresses of the namespace of this socket."""
    addresses = []
    for body in wire.dump(_RTM_GETADDR, struct.pack("=BBBBI", 0, 0, 0, 0, 0), "addresses of this server"):
        found = attributes(body, 8)
        addresses.append(_address(found.get(_IFA_LOCAL) or found.get(_IFA_ADDRESS)))
    return addresses
