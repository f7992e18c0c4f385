# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Requests that make and change devices, encoded by pyroute2, which is imported when the first of them is made."""

from __future__ import annotations

import functools
import ipaddress
import struct
import typing as t

from ansible_collections.archetype.lab.plugins.module_utils._errors import MissingLibraryError
from ansible_collections.archetype.lab.plugins.module_utils._netlink._port import NewInside, NewTap, NewVeth, NewVxlan
from ansible_collections.archetype.lab.plugins.module_utils._netlink._wire import NLM_F_ACK, NLM_F_REQUEST, attribute, message

RTM_NEWLINK, RTM_DELLINK, RTM_SETLINK, _RTM_NEWNEIGH = 16, 17, 19, 28
_NLM_F_EXCL, _NLM_F_CREATE, _NLM_F_APPEND = 0x200, 0x400, 0x800
_NEW = _NLM_F_CREATE | _NLM_F_EXCL
_IFF_UP = 1
_AF_BRIDGE = 7
_NUD_PERMANENT, _NUD_NOARP, _NTF_SELF = 0x80, 0x40, 0x02
_DF = {"unset": 0, "set": 1, "inherit": 2}
_NO_MAC = "00:00:00:00:00:00"
_ADDR_GEN_MODE_NONE = 1
_IFLA_IFNAME, _IFLA_AF_SPEC, _AF_INET, _IFLA_INET_CONF = 3, 26, 2, 1
_DEVCONF_ARP_IGNORE, _ANSWER_NOTHING = 19, 8
_NUMBER = struct.Struct("=I")
_NO_DEVICE = bytes(16)
"""The head of a request whose device is named in its attributes."""

Attributes = list[tuple[str, t.Any]]


class _Library(t.NamedTuple):
    link: t.Any
    neighbour: t.Any


@functools.cache
def _library() -> _Library:
    """pyroute2's message classes. Imported when the first change is made: the import takes longer than reading everything."""
    try:
        from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
        from pyroute2.netlink.rtnl.ndmsg import ndmsg
    except ImportError as error:
        raise MissingLibraryError("pyroute2", str(error)) from error
    return _Library(ifinfmsg, ndmsg)


def _encoded(request: t.Any, kind: int, flags: int) -> bytearray:
    request["header"]["type"] = kind
    request["header"]["flags"] = flags | NLM_F_REQUEST | NLM_F_ACK
    request.encode()
    return bytearray(request.data)


def link(kind: int, attrs: Attributes, *, flags: int = 0, up: bool | None = None, index: int = 0) -> bytearray:
    """A request about a device, which its attributes name, or its index."""
    request = _library().link()
    request["index"] = index
    if up is not None:
        request["flags"] = _IFF_UP if up else 0
        request["change"] = _IFF_UP
    request["attrs"] = attrs
    return _encoded(request, kind, flags)


def named(name: str, *attrs: tuple[str, t.Any], up: bool | None = None) -> bytearray:
    return link(RTM_SETLINK, [("IFLA_IFNAME", name), *attrs], up=up)


def new_veth(op: NewVeth, netns: int, index: int) -> bytearray:
    """A pair whose other end is made where it belongs. That end cannot be up yet: it has no peer when it is made.

    An end that is marked has the next index, so that its mark can be in the same message.
    """
    peer: Attributes = [("IFLA_IFNAME", op.peer_name), ("IFLA_MTU", op.mtu), ("IFLA_NET_NS_FD", netns)]
    if op.peer_mac:
        peer.append(("IFLA_ADDRESS", op.peer_mac))
    if op.peer_alias:
        peer.append(("IFLA_GROUP", op.group))
    data = {"attrs": [("VETH_INFO_PEER", {"index": index + 1 if op.peer_alias else 0, "attrs": peer})]}
    info = {"attrs": [("IFLA_INFO_KIND", "veth"), ("IFLA_INFO_DATA", data)]}
    attrs: Attributes = [("IFLA_IFNAME", op.name), ("IFLA_MTU", op.mtu), ("IFLA_GROUP", op.group), ("IFLA_LINKINFO", info)]
    return link(RTM_NEWLINK, attrs, flags=_NEW, up=op.up, index=index)


def new_vxlan(op: NewVxlan, index: int) -> bytearray:
    vxlan = op.vxlan
    six = "6" if ipaddress.ip_address(vxlan.local).version == 6 else ""
    data: Attributes = [
        ("IFLA_VXLAN_ID", vxlan.vni),
        (f"IFLA_VXLAN_LOCAL{six}", vxlan.local),
        ("IFLA_VXLAN_PORT", vxlan.dst_port),
        ("IFLA_VXLAN_LEARNING", int(vxlan.learning)),
    ]
    if vxlan.df != "unset":
        data.append(("IFLA_VXLAN_DF", _DF[vxlan.df]))
    if len(vxlan.remotes) == 1:
        data.append((f"IFLA_VXLAN_GROUP{six}", vxlan.remotes[0]))
    info = {"attrs": [("IFLA_INFO_KIND", "vxlan"), ("IFLA_INFO_DATA", {"attrs": data})]}
    attrs: Attributes = [("IFLA_IFNAME", op.name), ("IFLA_MTU", op.mtu), ("IFLA_GROUP", op.group), ("IFLA_LINKINFO", info)]
    return link(RTM_NEWLINK, attrs, flags=_NEW, index=index)


def new_inside(op: NewInside, index: int, parent: tuple[int, int] | None) -> bytearray:
    """A device of the namespace that the request is sent in. parent: index of the device below it, and the id of that one's namespace."""
    data: dict[str, t.Any] = {"attrs": []}
    attrs: Attributes = [("IFLA_IFNAME", op.name)]
    if op.mtu is not None:
        attrs.append(("IFLA_MTU", op.mtu))
    if op.mac and op.mode != "passthru":
        attrs.append(("IFLA_ADDRESS", op.mac))
    if parent is not None:
        attrs += [("IFLA_LINK", parent[0]), ("IFLA_LINK_NETNSID", parent[1])]
        data["attrs"].append(("IFLA_MACVLAN_MODE", op.mode or "bridge"))
    info: Attributes = [("IFLA_INFO_KIND", op.kind)]
    if parent is not None:
        info.append(("IFLA_INFO_DATA", data))
    attrs.append(("IFLA_LINKINFO", {"attrs": info}))
    return link(RTM_NEWLINK, attrs, flags=_NEW, up=op.up, index=index)


def mark(index: int, alias: str) -> bytearray:
    return link(RTM_SETLINK, [("IFLA_IFALIAS", alias)], index=index)


def set_tap(op: NewTap, index: int) -> bytearray:
    """All that a tap is to have; what makes it can say nothing of this."""
    attrs: Attributes = [("IFLA_IFALIAS", op.alias), ("IFLA_GROUP", op.group), ("IFLA_MTU", op.mtu)]
    return link(RTM_SETLINK, attrs, up=op.up, index=index)


def flood_entry(index: int, remote: str) -> bytearray:
    """One more remote that gets what the device has no entry for."""
    request = _library().neighbour()
    request["family"] = _AF_BRIDGE
    request["ifindex"] = index
    request["state"] = _NUD_PERMANENT | _NUD_NOARP
    request["flags"] = _NTF_SELF
    request["attrs"] = [("NDA_LLADDR", _NO_MAC), ("NDA_DST", remote)]
    return _encoded(request, _RTM_NEWNEIGH, _NLM_F_CREATE | _NLM_F_APPEND)


def silence(name: str) -> list[bytearray]:
    """The server is not to be heard on the wire: no link-local address on its end, and no answer to who asks by ARP for its addresses.

    A userspace datapath only listens at the device, so that its server sees all that a node sends. Two requests, as a kernel without IPv6
    refuses the first.
    """
    inet6 = {"attrs": [("IFLA_INET6_ADDR_GEN_MODE", _ADDR_GEN_MODE_NONE)]}
    never = attribute(_AF_INET, attribute(_IFLA_INET_CONF, attribute(_DEVCONF_ARP_IGNORE, _NUMBER.pack(_ANSWER_NOTHING))))
    body = _NO_DEVICE + attribute(_IFLA_IFNAME, name.encode() + b"\0") + attribute(_IFLA_AF_SPEC, never)
    return [named(name, ("IFLA_AF_SPEC", {"attrs": [("AF_INET6", inet6)]})), message(RTM_SETLINK, NLM_F_ACK, body)]
