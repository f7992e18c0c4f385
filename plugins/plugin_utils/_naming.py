# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Names: of interfaces by kind, of links, labs, nodes and containers. What may not be a name is a NameFault, which says why."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.archetype.lab.plugins.plugin_utils._catalog import Catalog
from ansible_collections.archetype.lab.plugins.plugin_utils._errors import LabFileError
from ansible_collections.archetype.lab.plugins.plugin_utils._forms import FormFault, examples, parse, write
from ansible_collections.archetype.lab.plugins.plugin_utils._kind_model import Kind
from ansible_collections.archetype.lab.plugins.plugin_utils._kinds import find_kind, unknown_kind_remedy
from ansible_collections.archetype.lab.plugins.plugin_utils._read import quote

MAX_INTERFACE = 15
MAX_NAME = 63
DEFAULT_PREFIX = "clab"
LAB_PREFIX = "__lab-name"
RESERVED_NODES = frozenset({"host", "mgmt-net", "macvlan"})

_LAB = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]*")
_NODE = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._|-]*")
_MAC = re.compile(r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}")


class NameFault(ValueError):
    """Something that cannot be a name: what is wrong, and what to do."""

    def __init__(self, what: str, remedy: str = "") -> None:
        super().__init__(what + (f". {remedy}" if remedy else ""))
        self.what = what
        self.remedy = remedy


def _kind(kind: Kind | str) -> Kind:
    if isinstance(kind, Kind):
        return kind
    if not kind:
        raise NameFault("an interface has no name without a kind", "Give the kind of the node, such as linux (eth1)")
    found = find_kind(kind)
    if found is None:
        raise NameFault(f"unknown kind {quote(kind)}", unknown_kind_remedy(kind))
    return found


def kind_named(name: str, folders: t.Sequence[str] | str | None = None) -> Kind:
    """The kind of a name or alias; folders: with kinds of the user. Raises NameFault, and LabFileError for what is wrong with a folder."""
    if not folders:
        return _kind(name)
    catalog = Catalog([folders] if isinstance(folders, str) else folders)
    if catalog.problems:
        raise LabFileError(catalog.problems)
    found = catalog.find(name)
    if found is None:
        raise NameFault(f"unknown kind {quote(name)}", catalog.remedy(name))
    return found


def linux_name(kind: Kind | str, text: str, *, management: bool = False) -> str:
    """The Linux name of an interface that is given by its vendor name, long or short, or its Linux name. Raises NameFault.

    management: whether the management interface may be meant, as the node has no management network (C(network-mode: none)).
    """
    of = _kind(kind)
    names, name = of.interfaces, text
    if names.management and text.casefold() in {one.casefold() for one in (names.management_vendor, names.management_link) if one}:
        name = names.management
    else:
        for form in names.forms:
            try:
                found = parse(names, form, text)
            except FormFault as exc:
                raise NameFault(f"interface {quote(text)} {exc} of kind {of.name}", _forms_of(of)) from exc
            if found is not None:
                name = found
                break
    if names.management and name == names.management:
        return _management(of, text, management)
    return _check_linux(of, text, name)


def vendor_name(kind: Kind | str, linux: str) -> str:
    """The vendor name of an interface that is given by its Linux name; the same name where the vendor has no other."""
    names = _kind(kind).interfaces
    if names.management_vendor and linux in (names.management, names.management_link):
        return names.management_vendor
    return next((found for form in names.forms if (found := write(names, form, linux)) is not None), linux)


def _forms_of(kind: Kind) -> str:
    """How interfaces of a kind are written."""
    *others, last = examples(kind.interfaces)
    return f"Write it as {', '.join(others)} or {last}" if others else f"The first one is {last}"


def _management(kind: Kind, text: str, allowed: bool) -> str:
    if allowed and kind.interfaces.links_may_use_management:
        return kind.interfaces.management_link or kind.interfaces.management
    unless = ", unless the node has network-mode: none" if kind.interfaces.links_may_use_management else ""
    raise NameFault(f"interface {quote(text)} is the management interface of kind {kind.name}", f"{_forms_of(kind)}{unless}")


def _check_linux(kind: Kind, text: str, name: str) -> str:
    if not kind.interfaces.forms:
        check_interface(name)
    if kind.interfaces.accepted.fullmatch(name) is None:
        raise NameFault(f"interface {quote(text)} is none of kind {kind.name}", _forms_of(kind))
    check_interface(name)
    return name


def check_interface(name: str) -> None:
    """The kernel's own rules for a device name. Raises NameFault."""
    if not name:
        raise NameFault("an interface has an empty name", "Write it as node:interface")
    if name in (".", ".."):
        raise NameFault(f"interface {quote(name)} has a name that the kernel refuses", "Give it another name")
    if len(name.encode()) > MAX_INTERFACE:
        raise NameFault(f"interface {quote(name)} is longer than {MAX_INTERFACE} bytes", "Shorten it")
    if any(char in "/:" or char.isspace() or not char.isprintable() for char in name):
        raise NameFault(f"interface {quote(name)} has a character that the kernel refuses", "Leave out '/', ':' and white space")


def link_key(ends: t.Iterable[str]) -> str:
    """The canonical key of a link between two endpoints, each C(node:linux name)."""
    return "--".join(sorted(ends))


def segment_key(name: str) -> str:
    return f"segment:{name}"


def check_lab(name: str) -> None:
    """Raises NameFault unless it can name a lab: it becomes part of paths, marks and container names."""
    _check(name, _LAB, "lab name", "Use letters, digits, '.', '_' and '-', and begin with a letter or digit")


def check_prefix(prefix: str) -> None:
    if prefix not in ("", LAB_PREFIX):
        _check(prefix, _LAB, "prefix", f"Use letters, digits, '.', '_' and '-', or leave it empty, or {quote(LAB_PREFIX)}")


def check_node(name: str) -> None:
    """Raises NameFault unless it can name a node: it becomes a host name and part of paths and container names."""
    if name.lower() in RESERVED_NODES:
        raise NameFault(f"node name {quote(name)} has a meaning of its own in links", "Give the node another name")
    _check(name, _NODE, "node name", "Use letters, digits, '.', '_' and '-', and begin with a letter or digit")
    if "|" in name:
        raise NameFault(
            f"node name {quote(name)}: a bridge inside another node is not supported", "Make it a node of kind bridge of its own"
        )


def _check(name: str, pattern: re.Pattern[str], what: str, remedy: str) -> None:
    if not pattern.fullmatch(name):
        raise NameFault(f"{what} {quote(name)} is not allowed", remedy)
    if len(name) > MAX_NAME:
        raise NameFault(f"{what} {quote(name)} is longer than {MAX_NAME} characters", "Shorten it")


def container_name(lab: str, node: str, prefix: str | None = None) -> str:
    """The name of a node's container, as containerlab makes it. prefix None is the default one."""
    if prefix == "":
        return node
    if prefix == LAB_PREFIX:
        return f"{lab}-{node}"
    return f"{DEFAULT_PREFIX if prefix is None else prefix}-{lab}-{node}"


def mac_address(text: str) -> str:
    """A MAC address in its usual form. Raises NameFault."""
    mac = text.strip().lower().replace("-", ":")
    if not _MAC.fullmatch(mac):
        raise NameFault(f"{quote(text)} is not a MAC address", "Write it as 02:00:00:00:00:01")
    if int(mac[:2], 16) & 1 or mac == "00:00:00:00:00:00":
        raise NameFault(f"{quote(text)} cannot be the MAC address of an interface", "The first byte must be even, and not all bytes zero")
    return mac
