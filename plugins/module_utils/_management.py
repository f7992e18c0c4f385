# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""A lab's management network on one server, but for its devices, which are ports like others: the names of nodes, what the packet filter
does with what comes from nodes and goes to them, the kernel's settings for that, and what machines are told by DHCP.

The file of names is written first and removed last. So where it is not, and nothing is declared, nothing needs to be looked for.
"""

from __future__ import annotations

import ipaddress
import os
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.archetype.lab.plugins.module_utils import _dhcp, _firewall, _server, _sysctls
from ansible_collections.archetype.lab.plugins.module_utils._changes import Change
from ansible_collections.archetype.lab.plugins.module_utils._errors import ApplyError, LabError, ReadError, VerifyError
from ansible_collections.archetype.lab.plugins.module_utils._firewall import LINK

if t.TYPE_CHECKING:
    from ansible_collections.archetype.lab.plugins.module_utils._declared import Management
    from ansible_collections.archetype.lab.plugins.module_utils._server import Server

_ALWAYS = """\
127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
ff02::1\tip6-allnodes
ff02::2\tip6-allrouters
"""


@dataclass(frozen=True)
class Have:
    """hosts: the text of the file of names, None where there is none. looked: false where nothing was looked for, as nothing can be.

    there: whether the server's own device is.
    """

    hosts: str | None = None
    firewall: _firewall.Have = field(default_factory=_firewall.Have)
    sysctls: _sysctls.Have = field(default_factory=_sysctls.Have)
    dhcp: _dhcp.Have = field(default_factory=_dhcp.Have)
    looked: bool = False
    there: bool = True


@dataclass(frozen=True)
class Plan:
    """hosts: the text to be written; drop_hosts: whether the file is to go."""

    want: Management | None = None
    hosts: str | None = None
    drop_hosts: bool = False
    firewall: _firewall.Plan = field(default_factory=_firewall.Plan)
    sysctls: _sysctls.Plan = field(default_factory=_sysctls.Plan)
    dhcp: _dhcp.Plan = field(default_factory=_dhcp.Plan)
    changes: tuple[Change, ...] = ()


def hosts_path(lab: str) -> Path:
    """The file of names, which nodes have as /etc/hosts."""
    return Path(_server.lab_path(lab, "hosts"))


def hosts_text(lab: str, want: Management) -> str:
    lines = [f"{host.address}\t{' '.join(host.names)}\n" for host in want.hosts]
    return f"# Lab {lab}, by archetype.lab\n{_ALWAYS}{''.join(lines)}"


def read(server: Server, lab: str, want: Management | None, *, everything: bool = False) -> Have:
    """What there is. everything: look for it even where the file of names says that there is nothing. Raises ReadError."""
    hosts = _read_hosts(lab)
    if want is None and hosts is None and not everything:
        return Have()
    if want is None and hosts is None and not server.nft.available():
        return Have()
    firewall = _firewall.parse(lab, server.nft.read())
    own = _own(want)
    versions = [version for version in _sysctls.FORWARDING if _firewall.crosses(want, version)]
    sysctls = _sysctls.read([*own, *(_sysctls.FORWARDING[version] for version in versions)], ipv6=6 in versions)
    return Have(hosts, firewall, sysctls, _dhcp.read(lab, want), looked=True, there=want is None or _sysctls.has_device(want.device))


def _read_hosts(lab: str) -> str | None:
    path = hosts_path(lab)
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise ReadError(f"{path} cannot be read: {error}", objects=(LINK,)) from error


def _own(want: Management | None) -> dict[str, str]:
    """Settings of the server's own device. What nodes advertise must not become a route of the server; and connections that the server
    makes to itself, to a published port, leave it over this device from an address of the loopback, which is dropped otherwise."""
    if want is None:
        return {}
    found = {}
    if any(ipaddress.ip_network(subnet).version == 6 for subnet in want.subnets):
        found[_sysctls.accept_ra(want.device)] = "0"
    if any(ipaddress.ip_address(port.target).version == 4 for port in want.ports):
        found[f"net/ipv4/conf/{want.device}/route_localnet"] = "1"
    return found


def plan(lab: str, want: Management | None, have: Have, *, fresh: bool = False, whole: bool = False) -> Plan:
    """What has to be done; pure.

    fresh: the server's own device is made anew, and has the kernel's settings. whole: the lab's folder is removed by somebody else.
    Where that device is not there, and is not made either (its port is left alone, or failed), nothing is set on it, nor serves on it.
    """
    if not have.looked:
        return Plan()
    firewall = _firewall.plan(lab, want, have.firewall)
    there = fresh or have.there
    own = _own(want) if there else {}
    known = have.sysctls
    if fresh:
        values = {**known.values, **dict.fromkeys(own, None)}
        known = _sysctls.Have(values, known.note, known.advertised)
    versions = [version for version in _sysctls.FORWARDING if _firewall.crosses(want, version)]
    sysctls = _sysctls.plan(lab, LINK, own, _sysctls.shared(versions, known), known)
    dhcp = _dhcp.plan(lab, want, have.dhcp, fresh=fresh) if there else _dhcp.Plan(want)
    text = hosts_text(lab, want) if want else None
    changes: list[Change] = []
    if text is not None and text != have.hosts:
        changes.append(Change("create" if have.hosts is None else "update", "hosts", str(hosts_path(lab)), LINK))
    drop = want is None and have.hosts is not None and not whole
    if drop:
        changes.append(Change("delete", "hosts", str(hosts_path(lab)), LINK))
    hosts = text if text != have.hosts else None
    return Plan(want, hosts, drop, firewall, sysctls, dhcp, (*changes, *firewall.changes, *sysctls.changes, *dhcp.changes))


def apply(server: Server, lab: str, todo: Plan) -> list[LabError]:
    """Carry the plan out but for the names, and read back. Rules are there before packets are forwarded, and gone after that has ended."""
    errors: list[LabError] = []
    if todo.want is None:
        errors += _dhcp.apply(lab, todo.dhcp)
        errors += _sysctls.apply(todo.sysctls)
    if todo.firewall.commands and not errors:
        errors += _try(lambda: server.nft.apply(todo.firewall.commands))
    if todo.want is not None and not errors:
        errors += _sysctls.apply(todo.sysctls) + _dhcp.apply(lab, todo.dhcp)
    errors = [_of_the_link(error) for error in errors]
    if todo.changes and not errors:
        errors += _try(lambda: _verify(server, lab, todo))
    if todo.drop_hosts and not errors:
        errors += _drop_hosts(lab)
    return errors


def _try(step: t.Callable[[], None]) -> list[LabError]:
    try:
        step()
    except LabError as error:
        return [_of_the_link(error)]
    return []


def _of_the_link(error: LabError) -> LabError:
    """The same error, of the management network, so that a report tells it there."""
    return type(error)(error.message, hint=error.hint, objects=(*error.objects, LINK)) if LINK not in error.objects else error


def _verify(server: Server, lab: str, todo: Plan) -> None:
    left = plan(lab, todo.want, read(server, lab, todo.want, everything=True)).changes
    said = [change.to_line() for change in left if change.kind != "hosts" or todo.want is not None]
    if said:
        raise VerifyError(f"the management network is not as wanted: {'; '.join(said)}", hint="run again", objects=(LINK,))


def apply_names(lab: str, todo: Plan) -> list[LabError]:
    """Write the file of names, where it is another. In place: nodes have this very file mounted, and would keep another one."""
    if todo.hosts is None:
        return []
    path = hosts_path(lab)
    try:
        _server.make_state_dir()
        path.parent.mkdir(mode=0o755, exist_ok=True)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644), "wb") as file:
            os.fchmod(file.fileno(), 0o644)  # whatever the umask: processes of nodes that are not root look names up too
            file.write(todo.hosts.encode())
            file.truncate()
    except OSError as error:
        return [ApplyError(f"{path} cannot be written: {error.strerror}", hint="see that the disk has room", objects=(LINK,))]
    return []


def _drop_hosts(lab: str) -> list[LabError]:
    path = hosts_path(lab)
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        return [ApplyError(f"{path} cannot be removed: {error.strerror}", objects=(LINK,))]
    return []
