# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""netlab's nodes as nodes of a containerlab file."""

from __future__ import annotations

import typing as t

from ansible_collections.archetype.lab.plugins.plugin_utils._netlab_tree import made_list, made_map, made_text
from ansible_collections.archetype.lab.plugins.plugin_utils._read import Reader, quote, word
from ansible_collections.archetype.lab.plugins.plugin_utils._yaml import ListValue, MapValue, Problems, Scalar, Value

CONTAINERS = "clab"
MACHINES = "libvirt"
_TRUE = "true"


class Device(t.NamedTuple):
    """What a device of netlab's is here, and how its interfaces are called. interface: C({index}), or empty for netlab's own names.

    add: to netlab's number of an interface.
    """

    kind: str
    interface: str = ""
    add: int = 0


DEVICES: dict[str, Device] = {
    "arcos": Device("arrcus_arcos"),
    "arubacx": Device("aruba_aoscx", "eth{index}"),
    "asav": Device("cisco_asav"),
    "cat8000v": Device("cisco_c8000v", "eth{index}", -1),
    "csr": Device("cisco_csr1000v", "eth{index}", -1),
    "cumulus": Device("cumulus_cvx"),
    "cumulus_nvue": Device("cumulus_cvx"),
    "dellos10": Device("dell_ftosv", "eth{index}"),
    "eos": Device("arista_ceos", "et{index}"),
    "fortios": Device("fortinet_fortigate", "eth{index}", -1),
    "frr": Device("linux"),
    "iosv": Device("cisco_vios", "eth{index}"),
    "iosvl2": Device("cisco_vios", "eth{index}"),
    "iosxr": Device("cisco_xrd", "Gi0-0-0-{index}"),
    "linux": Device("linux"),
    "nxos": Device("cisco_n9kv", "eth{index}"),
    "openbsd": Device("openbsd"),
    "routeros": Device("mikrotik_ros", "eth{index}", -1),
    "routeros7": Device("mikrotik_ros", "eth{index}", -1),
    "sonic": Device("sonic-vs"),
    "vpp": Device("linux"),
    "vptx": Device("juniper_vjunosevolved", "eth{index}", 1),
    "vsrx": Device("juniper_vsrx", "eth{index}", 1),
    "vyos": Device("linux"),
}
"""For nodes to which netlab gives no kind and no container's names of interfaces: virtual machines, mostly."""

_OWN_OF_CLAB = frozenset({"binds", "config_templates", "image", "kind", "name", "srl-agents", "startup-config", "start_after", "stages"})
"""Keys of C(clab) that are not a containerlab file's as they are. All others move as they are, and its readers judge them."""
_MACHINE_KEYS = ("cpu", "libvirt", "memory")


class KnownNode(t.NamedTuple):
    """device: None for a container, whose names of interfaces netlab knows. number: netlab's, of the node."""

    device: Device | None
    number: str
    interfaces: dict[tuple[str, str], MapValue]
    """By number of the link and number of the interface."""


class NodeConverter(Reader):
    """known: what links must know of the nodes. left_out: nodes that are no part of the lab."""

    def __init__(self, problems: Problems, exists: t.Callable[[str], bool], provider: str) -> None:
        super().__init__(problems)
        self.exists = exists
        self.provider = provider
        self.notes: list[str] = []
        self.known: dict[str, KnownNode] = {}
        self.left_out: set[str] = set()
        self.loopbacks = False
        self._missing: set[str] = set()
        self._groups: dict[str, list[str]] = {}

    def convert(self, nodes: MapValue | None, groups: MapValue | None) -> dict[str, Value]:
        self._read_groups(groups)
        found: dict[str, Value] = {}
        for name, entry in nodes.entries.items() if nodes else ():
            node = self.mapping(entry.value, f"node {word(name)}")
            if node is None:
                self.problems.add(entry.key, f"node {word(name)} is empty", "Let netlab write the file again")
            elif self._is_left_out(name, node):
                self.left_out.add(name)
            else:
                found[name] = self._node(name, node)
        if self._missing:
            files = f"{len(self._missing)} of netlab's own configuration files are not there ({min(self._missing)}, ...)"
            self.notes.append(f"netlab: {files}, and nodes start without them; netlab initial makes them")
        return found

    def _is_left_out(self, name: str, node: MapValue) -> bool:
        unmanaged = node.get("unmanaged")
        if isinstance(unmanaged, Scalar) and unmanaged.text.lower() == _TRUE:
            self.notes.append(f"node {name}: netlab does not manage it, and it is left out")
            return True
        if self._provider(node) not in (CONTAINERS, MACHINES):
            what = f"node {word(name)}: netlab's provider {quote(self._provider(node))} means a device that is there already"
            self.problems.add(node.get("provider") or node, what, f"Use {CONTAINERS}, or mark the node as unmanaged")
            return True
        return False

    def _provider(self, node: MapValue) -> str:
        return self.text(node.get("provider"), "provider") or self.provider

    def _node(self, name: str, node: MapValue) -> MapValue:
        clab = self.mapping(node.get("clab"), f"clab of node {word(name)}") or made_map(node, {})
        device = self.text(node.get("device"), f"device of node {word(name)}") or ""
        kind, known = clab.get("kind"), DEVICES.get(device)
        self._interfaces(name, node, known if kind is None else None)
        self.loopbacks = self.loopbacks or isinstance(node.get("loopback"), MapValue)
        values: dict[str, Value | None] = {
            "kind": kind or made_text(node.get("device") or node, known.kind if known else device),
            "image": clab.get("image") or node.get("box"),
            "group": self._group(name, node),
            **self._management(node, clab),
            **{key: entry.value for key, entry in clab.entries.items() if key not in _OWN_OF_CLAB},
            "startup-config": self._startup_config(clab),
            "binds": self._binds(name, clab),
            "extras": made_map(clab, {"srl-agents": clab.get("srl-agents")}) if clab.get("srl-agents") else None,
            "stages": self._stages(name, clab),
        }
        self._machine(name, node)
        return made_map(node, values)

    def _interfaces(self, name: str, node: MapValue, device: Device | None) -> None:
        what, found = f"interfaces of node {word(name)}", {}
        for item in self.items(node.get("interfaces"), what):
            one = self.mapping(item, f"an entry of {what}")
            link = self.text(one.get("linkindex"), f"linkindex of {what}") if one else None
            if one and link is not None:
                found[link, self.text(one.get("ifindex"), f"ifindex of {what}") or ""] = one
        self.known[name] = KnownNode(device, self.text(node.get("id"), f"id of node {word(name)}") or "", found)

    def _management(self, node: MapValue, clab: MapValue) -> dict[str, Value | None]:
        mode, management = clab.get("network-mode"), node.get("mgmt")
        if not isinstance(management, MapValue) or (isinstance(mode, Scalar) and mode.text == "none"):
            return {}
        return {f"mgmt-{family}": management.get(family) for family in ("ipv4", "ipv6")}

    def _machine(self, name: str, node: MapValue) -> None:
        """A virtual machine of netlab's: its box is no image here, nor are its settings of any use."""
        if self._provider(node) == MACHINES:
            box = self.text(node.get("box"), f"box of node {word(name)}") or ""
            self.notes.append(f"node {name}: {quote(box)} is a box of Vagrant's; give the image to use in its place under images")
        keys = [key for key in _MACHINE_KEYS if node.get(key) is not None]
        if keys:
            self.notes.append(f"node {name}: netlab's {', '.join(keys)} {'is' if len(keys) == 1 else 'are'} not honoured")

    # groups

    def _read_groups(self, groups: MapValue | None) -> None:
        """Node -> its groups, without those that are netlab's own."""
        for name, entry in groups.entries.items() if groups else ():
            group = entry.value
            if name.startswith(("_", "netlab_")) or not isinstance(group, MapValue):
                continue
            for member in self.scalars(group.get("members"), f"members of group {word(name)}"):
                self._groups.setdefault(member.text, []).append(name)

    def _group(self, name: str, node: MapValue) -> Value | None:
        """A node has one group here; where netlab has more, it is the first one."""
        groups = self._groups.get(name, [])
        if len(groups) > 1:
            self.notes.append(f"node {name}: it is in the groups {', '.join(groups)}; the first one is kept")
        return made_text(node, groups[0], plain=False) if groups else None

    # files

    def _binds(self, name: str, clab: MapValue) -> Value | None:
        """C(source:target[:mode]). What netlab generates itself, and has not yet, is left out."""
        own = self._own_targets(name, clab)
        binds = []
        for item in self.items(clab.get("binds"), f"binds of node {word(name)}"):
            if not isinstance(item, MapValue):
                binds.append(item)
                continue
            parts = [self.text(item.get(key), f"{key} of a bind") or "" for key in ("source", "target", "mode")]
            if parts[1] in own and not self.exists(parts[0]):
                self._missing.add(parts[0])
            else:
                binds.append(made_text(item, ":".join(part for part in parts if part), plain=False))
        return made_list(clab.get("binds") or clab, binds) if binds else None

    def _own_targets(self, name: str, clab: MapValue) -> set[str]:
        templates = self.items(clab.get("config_templates"), f"config_templates of node {word(name)}")
        targets = (self.text(one.get("target"), "target of a template") for one in templates if isinstance(one, MapValue))
        return {target for target in targets if target}

    def _startup_config(self, clab: MapValue) -> Value | None:
        """One that netlab generates is in its folder of generated files."""
        value = clab.get("startup-config")
        if isinstance(value, Scalar) and value.text.startswith("node_files/") and not self.exists(value.text):
            self._missing.add(value.text)
            return None
        return value

    def _stages(self, name: str, clab: MapValue) -> Value | None:
        """C(start_after) names nodes that are to be up before; netlab makes stages of it when it starts a lab."""
        stages, after = clab.get("stages"), self.scalars(clab.get("start_after"), f"start_after of node {word(name)}")
        if not after:
            return stages
        before = {key: one.value for key, one in stages.entries.items()} if isinstance(stages, MapValue) else {}
        create = before.get("create")
        inside = {key: one.value for key, one in create.entries.items()} if isinstance(create, MapValue) else {}
        waits = inside.get("wait-for")
        known = list(waits.items) if isinstance(waits, ListValue) else []
        known += [made_map(one, {"node": one, "stage": made_text(one, "configure")}) for one in after]
        return made_map(after[0], {**before, "create": made_map(after[0], {**inside, "wait-for": made_list(after[0], known)})})
