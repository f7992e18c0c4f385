# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""What brings its configuration to a virtual machine: an ISO, a USB disk, a seed of cloud-init, or what DHCP tells it.

In the shape of C(Medium) and C(Lease) of C(module_utils/_declared_vm.py).
"""

from __future__ import annotations

import base64
import hashlib
import typing as t

import yaml

from ansible_collections.archetype.lab.plugins.plugin_utils._files import FileReader
from ansible_collections.archetype.lab.plugins.plugin_utils._kind_model import CLOUD_INIT
from ansible_collections.archetype.lab.plugins.plugin_utils._model import ManagementAddresses, Node, NodeInterface
from ansible_collections.archetype.lab.plugins.plugin_utils._placeholders import fill_lines
from ansible_collections.archetype.lab.plugins.plugin_utils._poap import poap_files
from ansible_collections.archetype.lab.plugins.plugin_utils._recipe_values import Values, interface_values, node_values
from ansible_collections.archetype.lab.plugins.plugin_utils._startup import startup_content

POAP = "poap"
_LABEL = "cidata"
"""What C(NoCloud) looks for (cloud-init, reference of data sources)."""


def configuration_of(
    node: Node, interfaces: t.Sequence[NodeInterface], reader: FileReader, *, management: ManagementAddresses | None, number: int
) -> bytes:
    """What the machine is to start with; empty where there is nothing."""
    config = node.profile.startup_config
    if not config.medium:
        return b""
    values = node_values(node, reader.lab, len(interfaces), management, number)
    each = [{**values, **interface_values(node.profile, one)} for one in interfaces]
    content = startup_content(node, values, each, reader)
    if config.preamble and not node.suppress_startup_config:
        content = fill_lines(config.preamble, values).encode() + content
    reader.total += len(content)
    return content if config.medium != CLOUD_INIT or content else _user_data(values)


def declare_medium(
    node: Node,
    content: bytes,
    interfaces: t.Sequence[NodeInterface],
    lab: str,
    *,
    management: ManagementAddresses | None,
    mac: str,
) -> dict[str, t.Any] | None:
    """content: from configuration_of. mac: of the machine's management NIC. None where the machine is given no medium."""
    config = node.profile.startup_config
    if config.medium == CLOUD_INIT:
        return _medium(CLOUD_INIT, _LABEL, bus_of(node), _seed(node, content, lab, _network(management, mac, interfaces)))
    if config.medium in ("", POAP) or not content:
        return None
    return _medium(config.medium, config.label, bus_of(node), {config.file: content}, config.archive)


def declare_lease(node: Node, management: ManagementAddresses, content: bytes) -> dict[str, t.Any]:
    """What a machine is told by DHCP on its management NIC; where its kind says so, its configuration too."""
    found: dict[str, t.Any] = {
        "mac": management.mac,
        "ipv4": management.ipv4,
        "hostname": node.hostname or node.name,
        "gateway": management.ipv4_gateway,
    }
    if node.profile.startup_config.medium != POAP or not content:
        return found
    name, files = poap_files(node.name, content, management.ipv4_gateway)
    return {**found, "boot_file": name, "files": _files(files)}


def bus_of(node: Node) -> str:
    """Of the medium: what the kind says, else what its machine has. A q35 has no IDE."""
    config, hardware = node.profile.startup_config, node.profile.hardware
    if config.bus or config.medium == "usb":
        return config.bus or "usb"
    return str(hardware.get("cdrom_bus") or ("ide" if "q35" not in str(hardware.get("machine") or "q35") else "sata"))


def _medium(kind: str, label: str, bus: str, files: t.Mapping[str, bytes], archive: str = "") -> dict[str, t.Any]:
    return {
        "type": kind,
        "label": label,
        "bus": bus,
        "files": _files(files),
        "archive": archive,
    }


def _files(files: t.Mapping[str, bytes]) -> list[dict[str, str]]:
    return [{"path": path, "content": base64.b64encode(content).decode()} for path, content in sorted(files.items())]


# -- cloud-init -------------------------------------------------------------------------------------------------------


def _user_data(values: Values) -> bytes:
    """For a machine of which nothing is said: its name, and the user of its credentials."""
    found: dict[str, t.Any] = {"hostname": values["hostname"]}
    if values["username"] and values["password"]:
        found["user"] = values["username"]
        found["password"] = values["password"]
        found["chpasswd"] = {"expire": False}
        found["ssh_pwauth"] = True
    return b"#cloud-config\n" + _yaml(found)


def _seed(node: Node, user_data: bytes, lab: str, wanted: t.Mapping[str, t.Any]) -> dict[str, bytes]:
    """cloud-init does its work once for each instance: another configuration is another instance, so that it is read at the next start."""
    network = _yaml(wanted)
    digest = hashlib.sha256(user_data + b"\0" + network).hexdigest()[:16]
    meta = {"instance-id": f"{lab}-{node.name}-{digest}", "local-hostname": node.hostname or node.name}
    return {"user-data": user_data, "meta-data": _yaml(meta), "network-config": network}


def _network(management: ManagementAddresses | None, mac: str, interfaces: t.Sequence[NodeInterface]) -> dict[str, t.Any]:
    """Version 2 of network-config. The management NIC is named in any case: with no word of it the guest would wait for DHCP."""
    found: dict[str, t.Any] = {"management": _ethernet(mac)}
    if management is not None:
        pairs = (
            (management.ipv4, management.ipv4_prefix, management.ipv4_gateway, "0.0.0.0/0"),
            (management.ipv6, management.ipv6_prefix, management.ipv6_gateway, "::/0"),
        )
        found["management"]["addresses"] = [f"{address}/{prefix}" for address, prefix, _gateway, _to in pairs if address]
        found["management"]["routes"] = [{"to": to, "via": gateway} for address, _prefix, gateway, to in pairs if address and gateway]
    for one in interfaces:
        addresses = [address for address in (one.ipv4, one.ipv6) if address]
        if addresses:
            found[one.linux] = {**_ethernet(one.mac), "addresses": addresses}
    return {"version": 2, "ethernets": found}


def _ethernet(mac: str) -> dict[str, t.Any]:
    return {"match": {"macaddress": mac}, "dhcp4": False, "dhcp6": False, "accept-ra": False, "optional": True}


def _yaml(values: t.Mapping[str, t.Any]) -> bytes:
    return yaml.safe_dump(dict(values), sort_keys=False, default_flow_style=False, allow_unicode=True).encode()
