# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""What the placeholders of C(_placeholders.py) stand for, for one node and for each of its data interfaces."""

from __future__ import annotations

import functools
import ipaddress
import re
import typing as t

from ansible_collections.archetype.lab.plugins.plugin_utils._identifiers import own_number, own_octets
from ansible_collections.archetype.lab.plugins.plugin_utils._kind_model import Kind
from ansible_collections.archetype.lab.plugins.plugin_utils._model import ManagementAddresses, Node, NodeInterface

Values = t.Mapping[str, str]

NUMBERS = (1, 1023)
"""What C({number}) may be: Cisco IOL takes no instance beyond it."""

TYPE_IMAGE = "image"
"""Key of a type's values: the pattern of images that are of this type, where the node says nothing."""

OPTIONAL = "?"
"""At the end of a kind's device or capability: it is left out where the server has none to give."""

_NO_ADDRESSES = ManagementAddresses()


def optional_devices(kind: Kind) -> list[str]:
    """Devices of a kind that a server may lack."""
    return sorted(one.removesuffix(OPTIONAL).partition(":")[0] for one in kind.boot.devices if one.endswith(OPTIONAL))


def type_key(name: str) -> str:
    """Types are the same whether they are written ixr-d2l, IXR-D2L or ixrd2l."""
    return re.sub(r"[-_ ]", "", name).lower()


def type_of(node: Node) -> str:
    """The node's type, else the one that its image is of, else the kind's own."""
    if node.type:
        return node.type
    image = node.image.rpartition("/")[2]
    for name, values in node.profile.boot.types.items():
        if values.get(TYPE_IMAGE) and re.search(values[TYPE_IMAGE], image, re.IGNORECASE):
            return name
    return node.profile.type


def type_values(kind: Kind, name: str) -> Values | None:
    """The placeholders of a type; None where the kind has types and this is none of them."""
    types = {type_key(one): values for one, values in kind.boot.types.items()}
    if not types or not name:
        return {}
    found = types.get(type_key(name))
    return None if found is None else {key: value for key, value in found.items() if key != TYPE_IMAGE}


def node_values(node: Node, lab: str, interfaces: int, management: ManagementAddresses | None, number: int) -> dict[str, str]:
    username, password = node.credentials or (node.profile.connection.username, node.profile.connection.password)
    have = management or _NO_ADDRESSES
    every = {key: "" for values in node.profile.boot.types.values() for key in values if key != TYPE_IMAGE}
    return {
        **every,
        **(type_values(node.profile, type_of(node)) or {}),
        "node": node.name,
        "lab": lab,
        "container": node.container,
        "hostname": node.hostname or node.name,
        "image": node.image,
        "type": type_of(node),
        "username": username,
        "password": password,
        "interfaces": str(interfaces),
        "number": str(number),
        "number_5": f"{number:05d}",
        "enforce": "1" if node.enforce_startup_config else "",
        "unique_2": own_octets(2, lab, node.name),
        "unique_3": own_octets(3, lab, node.name),
        **_family("mgmt_ipv4", have.ipv4, have.ipv4_prefix, have.ipv4_gateway),
        "mgmt_ipv4_netmask": _netmask(have.ipv4_prefix) if have.ipv4 else "",
        **_family("mgmt_ipv6", have.ipv6, have.ipv6_prefix, have.ipv6_gateway),
        "mgmt_mac": have.mac,
    }


def _family(name: str, address: str, prefix: int, gateway: str) -> dict[str, str]:
    if not address:
        return dict.fromkeys((name, f"{name}_prefix", f"{name}_gateway", f"{name}_subnet"), "")
    subnet = _subnet(gateway or address, prefix)
    return {name: address, f"{name}_prefix": str(prefix), f"{name}_gateway": gateway, f"{name}_subnet": subnet}


@functools.lru_cache(maxsize=1024)
def _subnet(address: str, prefix: int) -> str:
    """By the gateway where there is one, which is in the same subnet: many nodes have the same."""
    return str(ipaddress.ip_interface(f"{address}/{prefix}").network)


@functools.lru_cache(maxsize=1024)
def _netmask(prefix: int) -> str:
    return str(ipaddress.IPv4Network((0, prefix)).netmask)


def interface_values(kind: Kind, one: NodeInterface) -> dict[str, str]:
    numbers = re.findall(r"[0-9]+", one.linux)
    index = int(numbers[-1]) if numbers else 0
    slot, port = _slot_and_port(kind, one.vendor, index)
    return {
        "linux": one.linux,
        "vendor": one.vendor,
        "index": str(index),
        "slot": slot,
        "port": port,
        "mac": one.mac,
        "ipv4": one.ipv4,
        "ipv4_address": one.ipv4.partition("/")[0],
        "ipv4_netmask": _netmask(int(one.ipv4.partition("/")[2])) if one.ipv4 else "",
        "ipv6": one.ipv6,
    }


def _slot_and_port(kind: Kind, vendor: str, index: int) -> tuple[str, str]:
    """As the vendor's name has them; where ports are counted through slots, as they follow from the number of the Linux name."""
    for form in kind.interfaces.forms:
        if form.slots:
            place = index - kind.interfaces.first + form.offset
            return str(place // form.slots), str(place % form.slots)
        match = form.pattern.fullmatch(vendor)
        if match:
            groups = match.groupdict(default="")
            return groups.get("slot", ""), groups.get("port", "")
    return "", str(index)


def numbers_of(nodes: t.Mapping[str, Node], lab: str) -> dict[str, int]:
    """Node -> its C({number}), by a digest of its name; where two of a kind want the same, the later by name takes the next free one.

    So a new node renumbers, and remakes, a later one of its kind where it takes the number that this had: rare, as there are many numbers.
    """
    low, high = NUMBERS
    taken: dict[str, set[int]] = {}
    found: dict[str, int] = {}
    for name in sorted(nodes):
        used = taken.setdefault(nodes[name].kind, set())
        wanted = own_number(low, high, lab, name)
        steps = range(high - low + 1) if len(used) <= high - low else ()
        around = (low + (wanted - low + step) % (high - low + 1) for step in steps)
        found[name] = next((one for one in around if one not in used), wanted)
        used.add(found[name])
    return found
