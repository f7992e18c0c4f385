# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: topology
short_description: The servers and nodes of a lab, from its lab file
version_added: 0.1.0
author: archetype.lab contributors (@archetype-lab)
description:
  - Reads a lab file, whose name ends in C(.lab.yml) or C(.lab.yaml), and the topology that it names, a containerlab file as it is.
  - Servers are in group C(lab_servers). Each has C(lab_underlay_address), the address at which other servers reach it. Unless it is
    set already, it is C(ansible_host), resolved where it is a name, or V(127.0.0.1) for a local connection.
  - Group C(lab_servers) has two variables with an entry for each lab in the inventory. C(lab_files) is its name to the absolute path of its
    lab file, C(lab_servers_of) is its name to its servers.
  - Every node is a host too, in the groups C(lab_nodes), C(lab_<name of the lab>), C(kind_<kind>) and the topology's own group. A lab
    called C(nodes) or C(servers) has the group C(lab_nodes_) or C(lab_servers_). A group of the topology whose name has another meaning in
    the inventory already gets the lab's group before its name, as in C(lab_demo_all).
  - The host of a node is called like the node, or C(<lab>-<node>) if a server or a node of another lab has this name already, or if
    it is C(localhost), C(all) or C(ungrouped).
  - Each node has the variables C(lab_name), C(lab_node), C(lab_kind), C(lab_server), C(lab_container), C(lab_interfaces) (a list of
    C(name), C(vendor_name), C(link), and C(ipv4) and C(ipv6) where the link has them), C(lab_console) (a command that opens a shell on
    it, on its server), and what its kind says of connecting, such as C(ansible_network_os).
  - C(lab_config_vars) is C(vars) of the node's C(config) in the topology, where there are any.
  - A node that is in the management network has C(lab_management) (its C(ipv4) and C(ipv6)) and C(ansible_host), and group C(lab_nodes)
    C(ansible_ssh_common_args), by which SSH goes through the node's server, with the variables by which Ansible reaches that server. Where
    servers need a password, use a key or an agent for them. The host keys of nodes are not checked, as each new node has a new one.
  - Nodes are placed as O(placement) says, then as the lock file C(<name of the lab>.lock.yml) beside the topology says, then by
    a rule that gives the same result each time.
  - What a lab file or a topology says is data. It is never evaluated as a template.
notes:
  - Ansible goes on with an empty inventory when a source has errors. Set C(any_unparsed_is_failed = true) in section C([inventory]) of
    C(ansible.cfg) to have it stop.
options:
  plugin:
    description: Marks the file as one for this plugin.
    type: str
    required: true
    choices: [archetype.lab.topology]
  topology:
    description:
      - Path of the topology, a containerlab file. A relative path is beside the lab file.
      - Forms such as C($NAME) and C(${NAME:-default}) in it are replaced from the environment, as containerlab does it.
      - Exactly one of O(topology) and O(lab) is needed.
    type: path
  lab:
    description: The content of a topology, in the place of O(topology).
    type: dict
  servers:
    description:
      - The name of a group that an inventory source before this one defines. Its hosts are the servers of the lab.
      - Or a mapping of server to its host variables.
    type: raw
    default: lab_servers
  placement:
    description: Node to the server that it is to run on. Nodes that are not named are placed where there is room.
    type: dict
    default: {}
  images:
    description: Image reference in the topology to the reference that is used in its place. References must match exactly.
    type: dict
    default: {}
  kinds_path:
    description:
      - Folders with kinds of your own, or one of them. A relative path is beside the lab file.
      - A kind with the name of one of the collection replaces it.
    type: list
    elements: path
    default: []
  kind_settings:
    description: Kind to a part of a kind file, which is what this lab changes of the kind.
    type: dict
    default: {}
  image_settings:
    description: Image reference, the topology's or its replacement, to a part of a kind file, which is what the image changes of its kind.
    type: dict
    default: {}
  overlay_mode:
    description:
      - V(per_link) gives each link between servers a tunnel of its own.
      - V(shared) gives each pair of servers one tunnel, in which links are told apart by their tag.
    type: str
    choices: [per_link, shared]
    default: per_link
  tags:
    description: The VLAN tags that links may use, as the lowest and the highest one.
    type: dict
    default: {}
    suboptions:
      local:
        description: For links inside one server.
        type: list
        elements: int
        default: [100, 2999]
      cross:
        description: For links between servers.
        type: list
        elements: int
        default: [3000, 4094]
  management:
    description:
      - Whether the lab has a management network, over all of its servers, in which each node has its first interface.
      - V(false) leaves it out, with all that topologies say of it.
    type: bool
    default: true
  link_mtu:
    description: MTU of links for which the topology gives none. A link between servers has at most what the tunnel carries.
    type: int
    default: 9500
  links_down:
    description:
      - Keys of links that are down, as a cable that is pulled is - the interfaces of their nodes have no carrier.
      - They come up with the next deployment that does not name them.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
# demo.lab.yml, used as: ansible-inventory -i servers.yml -i demo.lab.yml --graph
plugin: archetype.lab.topology
topology: demo.clab.yml
servers: lab_servers

---
# Everything in one file.
plugin: archetype.lab.topology
servers:
  srv1: {ansible_host: 198.51.100.11}
  srv2: {ansible_host: 198.51.100.12}
placement: {r1: srv1}
images: {"quay.io/frrouting/frr:10.5.1": "local/frr:1"}
lab:
  name: pair
  topology:
    defaults: {kind: linux, image: "quay.io/frrouting/frr:10.5.1"}
    nodes: {r1: {}, r2: {}}
    links:
      - endpoints: ["r1:eth1", "r2:eth1"]
"""

import re
import typing as t

from ansible.errors import AnsibleParserError
from ansible.inventory.group import to_safe_group_name
from ansible.inventory.helpers import get_group_vars
from ansible.plugins.inventory import BaseInventoryPlugin
from ansible.template import trust_as_template

from ansible_collections.archetype.lab.plugins.plugin_utils import _inventory as names
from ansible_collections.archetype.lab.plugins.plugin_utils._errors import LabFileError
from ansible_collections.archetype.lab.plugins.plugin_utils._labfile import SUFFIXES, load_lab_file
from ansible_collections.archetype.lab.plugins.plugin_utils._model import LabFile
from ansible_collections.archetype.lab.plugins.plugin_utils._placement import place, read_lock

_PLUGIN = re.compile(r"plugin:\s*[\"']?archetype\.lab\.topology\b")
_WORDS = re.compile(r"[\w ./:,@+|=-]*")


def _is_misnamed(path: str) -> bool:
    """Whether a YAML file of another name says that it is for this plugin; the other plugins would only say that it is not for them."""
    if not path.endswith((".yml", ".yaml")):
        return False
    with open(path, encoding="utf-8", errors="replace") as stream:
        return any(_PLUGIN.match(line) for line in stream)


def _safe(name: str) -> str:
    return str(to_safe_group_name(name, force=True, silent=True))


def _shown(value: t.Any) -> t.Any:
    """A value whose plain words are marked as harmless; what could be a template stays unmarked, and so is never evaluated.

    Without the mark, C(ansible-inventory --list) shows every text as a mapping with the key C(__ansible_unsafe).
    """
    if isinstance(value, str):
        return trust_as_template(value) if _WORDS.fullmatch(value) else value
    if isinstance(value, dict):
        return {key: _shown(one) for key, one in value.items()}
    return [_shown(one) for one in value] if isinstance(value, list) else value


class InventoryModule(BaseInventoryPlugin):  # type: ignore[misc]
    """C(archetype.lab.topology). All is decided before the inventory is touched, so that a bad file leaves no half of a lab in it."""

    NAME = "archetype.lab.topology"

    def verify_file(self, path: str) -> bool:
        return bool(super().verify_file(path)) and (path.endswith(SUFFIXES) or _is_misnamed(path))

    def parse(self, inventory: t.Any, loader: t.Any, path: str, cache: bool = True) -> None:
        super().parse(inventory, loader, path, cache)
        if not path.endswith(SUFFIXES):
            raise AnsibleParserError(f"{path}: this is a lab file, but is not called like one. Rename it to end in {SUFFIXES[0]}")
        try:
            lab_file = load_lab_file(path)
            servers = self._server_names(lab_file)
            lock = read_lock(lab_file.lock_file)
            pins, places = lab_file.pins, lab_file.pin_places
            placement = place(lab_file.topology, servers, pins, lock.placement, file=lab_file.path, places=places)
            underlay = {server: self._underlay_address(lab_file, server) for server in servers}
            addresses = names.management_addresses(lab_file.topology, placement, underlay, lock)
        except LabFileError as exc:
            raise AnsibleParserError(self._told(path, exc)) from None
        self._check_lab(lab_file)
        self._add_servers(lab_file, underlay)
        self._add_nodes(lab_file, placement, addresses)

    def _told(self, path: str, error: LabFileError) -> str:
        """Show the problems here, once and as they are. What a plugin raises, Ansible shows twice, among what the next plugins say."""
        count = len(error.problems)
        counted = f"{path}: {count} {'problem' if count == 1 else 'problems'}"
        self.display.error("\n".join([counted, *(f"  {problem}" for problem in error.problems)]), wrap_text=False)
        return f"{counted}, shown above"

    def _server_names(self, lab_file: LabFile) -> list[str]:
        if not isinstance(lab_file.servers, str):
            return list(lab_file.servers)
        group = self.inventory.groups.get(lab_file.servers)
        hosts = sorted(str(host.name) for host in group.get_hosts()) if group else []
        if not hosts:
            what = f"group {lab_file.servers}, which is to hold the servers, {'is empty' if group else 'does not exist'}"
            remedy = (
                "Put the inventory that defines it before this one (-i servers.yml -i demo.lab.yml; a folder is read in the order of names)"
            )
            raise AnsibleParserError(f"{lab_file.path}: {what}. {remedy}")
        return hosts

    def _servers_var(self, name: str) -> dict[str, t.Any]:
        """What the lab files before this one have written into a variable of the group of all servers."""
        group = self.inventory.groups.get(names.SERVERS)
        return dict(group.get_vars().get(name) or {}) if group else {}

    def _check_lab(self, lab_file: LabFile) -> None:
        """Two labs of one name, or of names with one group, would be taken for each other."""
        lab = lab_file.topology.name
        for other, path in self._servers_var("lab_files").items():
            same = other == lab and path != lab_file.path
            if same or (other != lab and names.lab_group(other, _safe) == names.lab_group(lab, _safe)):
                what = f"lab {lab} has the name of lab {other} in {path}" if same else f"labs {lab} and {other} have the same group"
                raise AnsibleParserError(f"{lab_file.path}: {what}. Rename one of the two")

    def _add_servers(self, lab_file: LabFile, servers: t.Mapping[str, str]) -> None:
        """servers: server -> its underlay address, empty where that cannot be said."""
        self.inventory.add_group(names.SERVERS)
        declared = {} if isinstance(lab_file.servers, str) else lab_file.servers
        for server in servers:
            self.inventory.add_host(server, group=names.SERVERS)
            for key, value in declared.get(server, {}).items():
                self.inventory.set_variable(server, key, _shown(value))
            if servers[server]:
                self.inventory.set_variable(server, "lab_underlay_address", _shown(servers[server]))
            else:
                self.display.warning(f"server {server} has no address that can be resolved; set lab_underlay_address for it")
        files = {**self._servers_var("lab_files"), lab_file.topology.name: lab_file.path}
        self.inventory.set_variable(names.SERVERS, "lab_files", _shown(files))
        members = {**self._servers_var("lab_servers_of"), lab_file.topology.name: sorted(servers)}
        self.inventory.set_variable(names.SERVERS, "lab_servers_of", _shown(members))

    def _underlay_address(self, lab_file: LabFile, server: str) -> str:
        """As the inventory has it already, or what can be told from the other variables of a server."""
        host = self.inventory.hosts.get(server)
        variables = {**get_group_vars(host.get_groups()), **host.vars} if host else {}
        variables.update({} if isinstance(lab_file.servers, str) else lab_file.servers.get(server, {}))
        return str(variables.get("lab_underlay_address") or names.underlay_address(server, variables) or "")

    def _add_nodes(self, lab_file: LabFile, placement: t.Mapping[str, str], addresses: t.Mapping[str, t.Mapping[str, str]]) -> None:
        topology = lab_file.topology
        lab_group = names.lab_group(topology.name, _safe)
        for group in (names.NODES, lab_group):
            self.inventory.add_group(group)
        self.inventory.add_child(names.NODES, lab_group)
        self.inventory.set_variable(names.NODES, "ansible_ssh_common_args", trust_as_template(names.JUMP))
        hosts = names.host_names(topology, lambda name: self._is_taken(name, topology.name))
        groups = {
            group: names.topology_group(group, topology.name, _safe, self._is_foreign_group)
            for group in {node.group for node in topology.nodes.values() if node.group}
        }
        for node, variables in names.node_variables(topology, placement, addresses).items():
            self.inventory.add_host(hosts[node], group=lab_group)
            for group in filter(None, (_safe(f"kind_{topology.nodes[node].kind}"), groups.get(topology.nodes[node].group))):
                self.inventory.add_group(group)
                self.inventory.add_child(group, hosts[node])
            for key, value in variables.items():
                self.inventory.set_variable(hosts[node], key, _shown(value))

    def _is_taken(self, name: str, lab: str) -> bool:
        """Whether a host that is no node of this lab has the name."""
        host = self.inventory.hosts.get(name)
        return host is not None and host.vars.get("lab_name") != lab

    def _is_foreign_group(self, name: str) -> bool:
        """Whether a group has hosts that are no nodes, so that nodes must not be mixed with them."""
        group = self.inventory.groups.get(name)
        return group is not None and any("lab_node" not in host.vars for host in group.get_hosts())
