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

import contextlib
import hashlib
import os
import shutil
import typing as t
from dataclasses import dataclass, field

from ansible_collections.archetype.lab.plugins.module_utils import _dhcp_daemon, _programs, _server, _whole_files
from ansible_collections.archetype.lab.plugins.module_utils._changes import Change
from ansible_collections.archetype.lab.plugins.module_utils._dhcp_config import config_of, config_path, files_of, folder_of, root_of
from ansible_collections.archetype.lab.plugins.module_utils._errors import ApplyError, Errors, LabError, ReadError
from ansible_collections.archetype.lab.plugins.module_utils._firewall import LINK

if t.TYPE_CHECKING:
    from ansible_collections.archetype.lab.plugins.module_utils._declared import Management

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


def read(lab: str, want: Management | None) -> Have:
    """Raises ReadError. Of what is to go, nothing needs to be understood."""
    folder, running = os.path.lexists(folder_of(lab)), _dhcp_daemon.running(config_path(lab))
    if want is None or not want.leases:
        return Have(running=running, folder=folder)
    return Have(
        _text_of(config_path(lab)),
        dict(_digests(root_of(lab))),
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
        shutil.rmtree(root_of(lab))
    os.mkdir(root_of(lab))
    os.chmod(root_of(lab), _MODES["root"])
    for path, content in files_of(want).items():
        target = os.path.join(root_of(lab), path)
        with open(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o400), "wb") as file:
            file.write(content)
            os.fchown(file.fileno(), uid, -1)
    _whole_files.write(config_path(lab), config_of(lab, want, _dhcp_daemon.index_of(want.device), name))


def _remove(lab: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(folder_of(lab))
    with contextlib.suppress(OSError):
        os.rmdir(_server.DHCP_DIR)
