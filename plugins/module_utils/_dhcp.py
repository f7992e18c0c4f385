# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""What machines are told by DHCP in the management network: their own address, by dnsmasq, one for each lab that has machines here.

It answers the machines of this server, and nobody else: the network has other servers with their own. It is on the lab's own device only,
and gives no names. Where a machine gets its configuration over the network, its files are there by TFTP.

What it tells is written here and nowhere else: it remembers no leases, which could hold an address back that is now another machine's.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import ipaddress
import os
import re
import shutil
import typing as t
from collections import Counter
from dataclasses import dataclass, field

from ansible_collections.archetype.lab.plugins.module_utils import _dhcp_daemon, _programs, _server
from ansible_collections.archetype.lab.plugins.module_utils._changes import Change
from ansible_collections.archetype.lab.plugins.module_utils._errors import ApplyError, Errors, LabError, ReadError, raise_all
from ansible_collections.archetype.lab.plugins.module_utils._firewall import LINK

if t.TYPE_CHECKING:
    from ansible_collections.archetype.lab.plugins.module_utils._declared import Management
    from ansible_collections.archetype.lab.plugins.module_utils._declared_vm import Lease

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
_DEVICE = re.compile(r"[A-Za-z0-9_.-]{1,15}")
_HOSTNAME, _MTU = 12, 26
"""Options of RFC 2132; dnsmasq takes the first by number only. The second is told whoever asks: what is larger is lost in a tunnel."""
_MODES = {"way": 0o711, "root": 0o755}
"""dnsmasq is no longer root when it reads what it gives away. It lists that folder, or does not start."""


@dataclass(frozen=True)
class Have:
    """config: the text of its configuration, None where there is none. files: name -> SHA-256. running: processes. index: of the device.

    user: as whom it is to run. missing: why it cannot run here. folder: whether anything is left of it.
    """

    config: str | None = None
    files: t.Mapping[str, str] = field(default_factory=dict)
    running: tuple[int, ...] = ()
    index: int | None = None
    user: str = "nobody"
    missing: LabError | None = None
    folder: bool = False


@dataclass(frozen=True)
class Plan:
    """want: what it is to tell, None where there is to be none."""

    want: Management | None = None
    changes: tuple[Change, ...] = ()


def folder_of(lab: str) -> str:
    """Raises LabError for a name that would lead elsewhere."""
    _server.lab_path(lab)
    return os.path.join(_server.DHCP_DIR, lab)


def config_path(lab: str) -> str:
    return os.path.join(folder_of(lab), "dnsmasq.conf")


def _root(lab: str) -> str:
    return os.path.join(folder_of(lab), "tftp")


# -- what there is --------------------------------------------------------------------------------------------------


def read(lab: str, want: Management | None) -> Have:
    """Raises ReadError. Of what is to go, nothing needs to be understood."""
    folder, running = os.path.lexists(folder_of(lab)), _dhcp_daemon.running(config_path(lab))
    if want is None or not want.leases:
        return Have(running=running, folder=folder)
    return Have(
        _text_of(config_path(lab)),
        dict(_digests(_root(lab))),
        running,
        _dhcp_daemon.index_of(want.device),
        _dhcp_daemon.user()[0],
        _missing(),
        folder,
    )


def _missing() -> LabError | None:
    try:
        _programs.find(_dhcp_daemon.PROGRAM)
    except LabError as error:
        return LabError(error.message, hint=error.hint, objects=(*error.objects, LINK))
    return None


def _text_of(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ReadError(f"{path} cannot be read: {error.strerror}", objects=(LINK,)) from error


def _digests(folder: str) -> t.Iterator[tuple[str, str]]:
    """What is no file has no digest, and is none of what is wanted."""
    try:
        for entry in sorted(os.scandir(folder), key=lambda one: one.name):
            content = None
            if entry.is_file(follow_symlinks=False):
                with open(entry.path, "rb") as file:
                    content = file.read()
            yield entry.name, "" if content is None else hashlib.sha256(content).hexdigest()
    except FileNotFoundError:
        return
    except OSError as error:
        raise ReadError(f"{folder} cannot be read: {error.strerror}", objects=(LINK,)) from error


# -- what is wanted -------------------------------------------------------------------------------------------------


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
        lines += [f"enable-tftp={want.device}", f"tftp-root={_root(lab)}", "tftp-secure"]
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
        said = [
            repr(name)
            for name in (lease.hostname, lease.boot_file, *(one.path for one in lease.files))
            if name and not _NAME.fullmatch(name)
        ]
        if not _fits(lease, subnets):
            said.append(f"{lease.mac} with {lease.ipv4}, gateway {lease.gateway or 'none'}")
        said += [f"{one} is another machine's too" for one, times in ((lease.mac, macs), (lease.ipv4, addresses)) if times[one] > 1]
        if not lease.hostname or lease.boot_file not in ("", *(one.path for one in lease.files)):
            said.append(f"there is no file {lease.boot_file}" if lease.hostname else "it has no name")
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


# -- from one to the other ------------------------------------------------------------------------------------------


def plan(lab: str, want: Management | None, have: Have, *, fresh: bool = False) -> Plan:
    """What has to be done; pure. fresh: the device is made anew. Raises LabError."""
    path = config_path(lab)
    if want is None or not want.leases:
        return Plan(None, (Change("delete", "dhcp", path, LINK),) if have.folder or have.running else ())
    text = config_of(lab, want, have.index, have.user)
    files = {name: hashlib.sha256(content).hexdigest() for name, content in files_of(want).items()}
    if have.missing is not None:
        raise have.missing
    if have.config is None:
        return Plan(want, (Change("create", "dhcp", path, LINK),))
    if fresh or have.config != text or have.files != files:
        return Plan(want, (Change("update", "dhcp", path, LINK, reason=_reason(text, have, fresh=fresh)),))
    if len(have.running) != 1:
        reason = "it runs more than once" if have.running else "it does not run"
        return Plan(want, (Change("start", "dhcp", path, LINK, reason=reason),))
    return Plan(want)


def _reason(text: str, have: Have, *, fresh: bool) -> str:
    if have.config == text and not fresh:
        return "its files are others"
    same = str(have.config).split("\n")[1:] == text.split("\n")[1:]
    return "its device is another one" if fresh or same else "what it tells is another"


def apply(lab: str, todo: Plan) -> list[LabError]:
    """Carry the plan out. It is started anew whatever changed: that takes no moment, and machines that ask meanwhile ask again."""
    if not todo.changes:
        return []
    try:
        if todo.want is not None:
            _dhcp_daemon.check_device(todo.want.device)
        _dhcp_daemon.stop(config_path(lab))
        if todo.want is None:
            _remove(lab)
        else:
            _write(lab, todo.want)
            _dhcp_daemon.start(config_path(lab))
    except OSError as error:
        hint = "see that /run has room, and that nothing else is in this folder"
        return [ApplyError(f"{folder_of(lab)}: {error.strerror}", hint=hint, objects=(LINK,))]
    except Errors as several:
        return several.errors
    except LabError as error:
        return [error]
    return []


def _write(lab: str, want: Management) -> None:
    """The configuration is written last: where it is as wanted, so are the files."""
    name, uid = _dhcp_daemon.user()
    for folder in (_server.DHCP_DIR, folder_of(lab)):
        with contextlib.suppress(FileExistsError):
            os.makedirs(folder)
        os.chmod(folder, _MODES["way"])  # whatever the umask
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(_root(lab))
    os.mkdir(_root(lab))
    os.chmod(_root(lab), _MODES["root"])
    for path, content in files_of(want).items():
        target = os.path.join(_root(lab), path)
        with open(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o400), "wb") as file:
            file.write(content)
            os.fchown(file.fileno(), uid, -1)
    new = f"{config_path(lab)}.new"
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "w", encoding="utf-8") as file:
        file.write(config_of(lab, want, _dhcp_daemon.index_of(want.device), name))
    os.replace(new, config_path(lab))


def _remove(lab: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(folder_of(lab))
    with contextlib.suppress(OSError):
        os.rmdir(_server.DHCP_DIR)
