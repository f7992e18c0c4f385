# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""The disks of virtual machines: C(VM_DIR/<lab>/<domain>/), where a machine's media, log and UEFI variables are as well.

The first disk is an overlay of a backing image, and what it was made on is written beside it (C(disk.json)): its own header names the
image's path only. Disks are made under other names, and C(disk.json) says which are being made until all are there under their own; so a
run that is killed leaves no disk that is half there, none of another image than is said, and no old ones beside new ones.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import typing as t
from dataclasses import replace

from ansible_collections.archetype.lab.plugins.module_utils import _programs, _qcow2, _server, _vm_files, _vm_folders, _vm_record
from ansible_collections.archetype.lab.plugins.module_utils._changes import Change
from ansible_collections.archetype.lab.plugins.module_utils._declared_vm import Vm
from ansible_collections.archetype.lab.plugins.module_utils._errors import ApplyError, LabError, ReadError
from ansible_collections.archetype.lab.plugins.module_utils._vm_hints import MAKE_ANEW
from ansible_collections.archetype.lab.plugins.module_utils._vm_record import Record

SYSTEM = "disk.qcow2"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


# -- folders --------------------------------------------------------------------------------------------------------


def lab_folder(lab: str) -> str:
    """Raises LabError for a name that would lead elsewhere."""
    _server.lab_path(lab)
    return os.path.join(_server.VM_DIR, lab)


def folder_of(lab: str, domain: str) -> str:
    if not _NAME.fullmatch(domain):
        hint = "use letters, digits, dots, dashes and underscores"
        raise LabError(f"{domain!r} is not a name for a virtual machine", hint=hint, objects=(domain,))
    return os.path.join(lab_folder(lab), domain)


def paths_of(lab: str, want: Vm) -> list[str]:
    """The machine's own disk, and its data disks."""
    folder = folder_of(lab, want.name)
    return [os.path.join(folder, name) for name in (SYSTEM, *(f"data{number}.qcow2" for number in range(1, len(want.data_disks) + 1)))]


def is_disk(lab: str, domain: str, path: str) -> bool:
    """Whether the path is of a disk that C(make) makes for this machine, however many it has."""
    folder, name = os.path.split(path)
    return folder == folder_of(lab, domain) and re.fullmatch(r"(disk|data[0-9]+)\.qcow2", name) is not None


def has_folder(lab: str) -> bool:
    """Whether the lab has, or had, machines here."""
    return os.path.lexists(lab_folder(lab))


def folders(lab: str) -> frozenset[str]:
    """What has a folder among the lab's machines, be it one of them or not, see C(foreign). Raises ReadError."""
    try:
        with os.scandir(lab_folder(lab)) as entries:
            return frozenset(entry.name for entry in entries if _NAME.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False))
    except FileNotFoundError:
        return frozenset()
    except OSError as error:
        raise ReadError(f"{lab_folder(lab)} cannot be read: {error.strerror}", hint="look at its owner and mode", objects=(lab,)) from error


def foreign(lab: str, names: t.Iterable[str]) -> dict[str, LabError]:
    """Why some of these folders are none of the lab's. Raises ReadError."""
    return _vm_folders.foreign(lab, lab_folder(lab), names)


def files(lab: str, domains: t.Iterable[str]) -> frozenset[str]:
    """Everything that is whole in the folders of these machines, and secrets that runs left which were killed. Raises ReadError."""
    found: set[str] = set()
    for domain in sorted(domains):
        folder = folder_of(lab, domain)
        try:
            with os.scandir(folder) as entries:
                found |= {entry.path for entry in entries if _counts(entry)}
        except FileNotFoundError:
            continue
        except OSError as error:
            raise ReadError(f"{folder} cannot be read: {error.strerror}", hint="look at its owner and mode", objects=(domain,)) from error
        found -= {os.path.join(folder, name) for name in _making(folder, domain)}
    return frozenset(found)


def _counts(entry: os.DirEntry[str]) -> bool:
    whole = entry.is_file(follow_symlinks=False) and not entry.name.endswith(_vm_files.NEW)
    return whole or _vm_files.is_secret(entry.name)


def _making(folder: str, domain: str) -> tuple[str, ...]:
    """Disks that a run which was killed was about to replace."""
    try:
        record = _vm_record.read(folder, domain)
    except ReadError:
        return ()  # C(overlays) tells of it; whoever only removes the machine need not know
    return record.making if record else ()


def make_folder(lab: str, domain: str) -> str:
    """The folder of a machine, and those above it, whatever the umask is. Raises ApplyError."""
    folder = folder_of(lab, domain)
    _vm_folders.make((_server.VM_DIR, os.path.dirname(folder), folder), domain)
    return folder


def remove(lab: str, domain: str) -> None:
    """Remove the folder of a machine with all that is in it, and the lab's own when it is the last. Raises ApplyError."""
    folder = folder_of(lab, domain)
    if os.path.islink(os.path.dirname(folder)):
        raise ApplyError(f"{os.path.dirname(folder)} is a link, and is not followed", hint="remove it by hand", objects=(domain,))
    try:
        shutil.rmtree(folder)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise ApplyError(f"{folder} cannot be removed: {error}", hint="remove it by hand", objects=(domain,)) from error
    for above in (lab_folder(lab), _server.VM_DIR):
        with contextlib.suppress(OSError):
            os.rmdir(above)


# -- what there is --------------------------------------------------------------------------------------------------


def overlays(lab: str, domains: t.Iterable[str]) -> tuple[dict[str, str], list[LabError]]:
    """Machine -> digest of the image that its disk was made on; machines without one are left out. And what is wrong with disks.

    That is wrong, too, that the disk is not the one that was made: nobody knows then what is in it, and it is not thrown away for that.
    """
    found: dict[str, str] = {}
    errors: list[LabError] = []
    for domain in sorted(domains):
        try:
            overlay = _overlay(lab, domain)
        except LabError as error:
            errors.append(error)
            continue
        if overlay is not None:
            found[domain] = overlay[0].digest
    return found, errors


def _overlay(lab: str, domain: str) -> tuple[Record, _qcow2.Header] | None:
    folder = folder_of(lab, domain)
    path = os.path.join(folder, SYSTEM)
    record = _vm_record.read(folder, domain)
    if record is not None and (record.lab, record.domain) != (lab, domain):
        hint = f"move {folder} elsewhere, and deploy again; or {MAKE_ANEW}"
        raise ReadError(f"{folder} is of domain {record.domain} of lab {record.lab}, or a copy of that", hint=hint, objects=(domain,))
    if record is not None and SYSTEM in record.making:
        return None
    header = _header(path, domain)
    if header is None:
        return None
    backing = [record.image, record.was] if record else []
    if record is None or header.backing not in backing or header.backing_format != "qcow2" or header.data_file:
        wanted = backing[0] if backing else "nothing"
        said = f"it is based on {header.backing or 'nothing'}, and {wanted} is what is written in {_vm_record.NAME}"
        hint = f"put back what was there; or {MAKE_ANEW}"
        raise ReadError(f"{path} is not the disk that the lab made: {said}", hint=hint, objects=(domain,))
    return record, header


def _header(path: str, domain: str) -> _qcow2.Header | None:
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as file:
            return _qcow2.parse(file.read(_qcow2.HEADER_BYTES))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, _qcow2.NotQcow2) as error:
        hint = f"put back a copy of it; or {MAKE_ANEW}"
        raise ReadError(f"{path} cannot be read as a qcow2 disk: {error}", hint=hint, objects=(domain,)) from error


def outdated(lab: str, want: Vm) -> list[Change]:
    """What differs in the disks that are there, and can be mended without loss once the machine is off.

    That is a data disk that is to be larger, and an image that is the same and is at another path. Raises LabError where a disk cannot be
    read, or would have to shrink.
    """
    folder = folder_of(lab, want.name)
    changes = []
    making = _making(folder, want.name)
    overlay = _overlay(lab, want.name)
    if overlay is not None and overlay[1].backing != want.image:
        changes.append(Change("update", "disk", os.path.join(folder, SYSTEM), want.node, {"image": (overlay[1].backing, want.image)}))
    for path, size in zip(paths_of(lab, want)[1:], want.data_disks, strict=True):
        header = None if os.path.basename(path) in making else _header(path, want.name)
        if header is None or header.virtual_size == _whole(size):
            continue
        if header.virtual_size > size:
            hint = f"declare that size, or {MAKE_ANEW}"
            said = f"data disk {path} has {header.virtual_size} bytes, and cannot shrink to {size}"
            raise LabError(said, hint=hint, objects=(want.name,))
        changes.append(Change("update", "disk", path, want.node, {"size": (header.virtual_size, _whole(size))}))
    return changes


def _whole(size: int) -> int:
    """A disk has whole sectors."""
    return -(-size // 512) * 512


# -- making ---------------------------------------------------------------------------------------------------------


def make(lab: str, want: Vm, digest: str, paths: t.Iterable[str]) -> None:
    """Make these of the machine's disks, which is off, and throw away what is in their place. Raises LabError.

    digest: of the image, which was checked. Those that are made together with the first one are not used without it.
    """
    folder = make_folder(lab, want.name)
    system, *data = paths_of(lab, want)
    wanted = list(paths)
    for path in wanted:
        if path not in (system, *data):
            raise ApplyError(f"{path} is no disk of the machine", objects=(want.name,))
        if os.path.lexists(path):
            _free(path, want.name)
    record = Record(lab, want.name, want.image, digest)
    if system in wanted:
        _vm_record.write(folder, replace(record, making=tuple(map(os.path.basename, wanted))))
    for path in wanted:
        if path == system:
            _create(path, want.name, "-F", "qcow2", "-b", want.image)
        else:
            _create(path, want.name, size=_whole(want.data_disks[data.index(path)]))
        _vm_files.settle(path, want.name)
    if system in wanted:
        _vm_record.write(folder, record)


def mend(lab: str, want: Vm) -> None:
    """Do what C(outdated) tells, to a machine that is off. Raises LabError."""
    system = paths_of(lab, want)[0]
    for change in outdated(lab, want):
        if change.name == system:
            _rebase(lab, system, want)
        else:
            _qemu_img(want.name, "resize", "-q", "-f", "qcow2", change.name, str(change.fields["size"][1]))


def _rebase(lab: str, path: str, want: Vm) -> None:
    """Only the header is written. The record has both paths meanwhile, as a run may be killed before and after."""
    folder = os.path.dirname(path)
    overlay = _overlay(lab, want.name)
    if overlay is None:
        return
    record, header = overlay
    _vm_record.write(folder, replace(record, image=want.image, was=header.backing))
    _qemu_img(want.name, "rebase", "-q", "-u", "-f", "qcow2", "-F", "qcow2", "-b", want.image, path)
    _vm_record.write(folder, replace(record, image=want.image, was=""))


def _create(path: str, domain: str, *arguments: str, size: int | None = None) -> None:
    """Make a disk that is to be at this path, see C(_vm_files.py)."""
    new = _vm_files.begin(path, domain)
    try:
        _qemu_img(domain, "create", "-q", "-f", "qcow2", *arguments, new, *([] if size is None else [str(size)]))
    except LabError:
        _vm_files.drop(path)
        raise


def _free(path: str, domain: str) -> None:
    """QEMU locks the disks that it has open. Raises ApplyError where that is so."""
    done = _programs.run("qemu-img", "info", "-f", "qcow2", path)
    if done.exit_code and _qcow2.LOCKED in done.output:
        raise ApplyError(f"{path} is used by a machine that runs, and is not touched", hint="power it off first", objects=(domain,))


def _qemu_img(domain: str, *arguments: str) -> None:
    done = _programs.run("qemu-img", *arguments)
    if done.exit_code:
        said = " ".join(done.output.split()).removeprefix("qemu-img: ")
        raise ApplyError(f"qemu-img {arguments[0]} failed: {said}", hint="see that the disk has room", objects=(domain,))
