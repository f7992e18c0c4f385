# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""What this server's libvirt and QEMU can do."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import time
import typing as t
from xml.etree import ElementTree

from ansible_collections.archetype.lab.plugins.module_utils._errors import ReadError
from ansible_collections.archetype.lab.plugins.module_utils._libvirt._connection import HINT, library, reading, said
from ansible_collections.archetype.lab.plugins.module_utils._libvirt._port import LOG_DIR, Host
from ansible_collections.archetype.lab.plugins.module_utils._vm_hints import PREPARE

ARCHITECTURE = "x86_64"
_KVM = "/dev/kvm"
_FIRMWARE = ("/usr/share/qemu/firmware", "/etc/qemu/firmware")
"""QEMU's descriptions of firmware; one in the second folder replaces that of the same name in the first (docs/interop/firmware.json)."""
_FAILURE_HOLDS = 600.0
"""Seconds for which a KVM that did not work is not tried again. One that does is tried once per boot."""
_PROBE = """\
<domain type='{virt}'>
  <name>{name}</name>
  <memory unit='MiB'>16</memory>
  <vcpu>1</vcpu>
  <os><type arch='x86_64'>hvm</type></os>
  {cpu}
  <devices><controller type='usb' model='none'/><memballoon model='none'/></devices>
</domain>
"""
_CPUS = {
    "kvm": "<cpu mode='host-passthrough' check='none' migratable='off'/>",
    "qemu": "<cpu mode='maximum' check='none'/>",
}
"""Those that machines get (C(_vm_xml.py)): there are servers on which KVM works with a CPU of fewer features, and not with theirs."""
_TRIED = hashlib.sha256((_PROBE + _CPUS["kvm"]).encode()).hexdigest()[:8]
"""What was tried otherwise says nothing."""

Element = ElementTree.Element


def read_host(connection: t.Any, run_dir: str) -> Host:
    """Raises ReadError."""
    with reading("what libvirt can do cannot be read"):
        libvirt, qemu = (_version(number) for number in (connection.getLibVersion(), connection.getVersion()))
        root = ElementTree.fromstring(connection.getCapabilities())  # noqa: S314 - it is what libvirtd wrote
    guests = [one for one in root.iterfind("guest") if one.findtext("os_type") == "hvm" and _arch(one) == ARCHITECTURE]
    if not guests:
        raise ReadError(f"libvirt of this server knows no QEMU for {ARCHITECTURE}", hint=PREPARE)
    uid, gid = _owner(root)
    machines = {}
    for one in guests[0].iterfind("arch/machine"):
        name = one.text or ""
        machines[name] = one.get("canonical", name)
    has = any(one.get("type") == "kvm" for one in guests[0].iterfind("arch/domain"))
    why_not = _why_no_kvm(connection, f"{libvirt} {qemu} {_TRIED}", run_dir) if has else "QEMU of this server has none"
    return Host(libvirt, qemu, not why_not, why_not, uid, gid, machines, read_firmware())


def _version(number: int) -> str:
    return f"{number // 1000000}.{number // 1000 % 1000}.{number % 1000}"


def _arch(guest: Element) -> str:
    found = guest.find("arch")
    return "" if found is None else found.get("name", "")


def _owner(root: Element) -> tuple[int, int]:
    """Who QEMU's processes are: "+64055:+108". Where libvirt sets no owner, they are what libvirtd is, which is root."""
    for model in root.iterfind("host/secmodel"):
        if model.findtext("model") == "dac":
            label = next((one.text or "" for one in model.iterfind("baselabel")), "")
            user, _colon, group = label.partition(":")
            if user.lstrip("+").isdecimal() and group.lstrip("+").isdecimal():
                return int(user), int(group)
            raise ReadError(f"libvirt runs QEMU as {label!r}, which is no pair of numbers")
    return 0, 0


def read_firmware(folders: t.Sequence[str] = _FIRMWARE) -> dict[str, str]:
    """UEFI for this architecture: path of its code -> template of its variables; only what is there. Raises ReadError."""
    described: dict[str, str] = {}
    for folder in folders:
        try:
            described.update({name: os.path.join(folder, name) for name in os.listdir(folder) if name.endswith(".json")})
        except FileNotFoundError:
            continue
        except OSError as error:
            raise ReadError(f"{folder} cannot be read: {error.strerror}") from error
    found: dict[str, str] = {}
    for _name, path in sorted(described.items()):
        try:
            with open(path, encoding="utf-8") as file:
                text = file.read()
            mapping = _flash(json.loads(text)) if text.strip() else None  # an empty file hides one of the distribution's
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ReadError(f"{path}, which describes UEFI, cannot be read: {error!r}") from error
        if mapping and all(os.path.exists(one) for one in mapping):
            found.setdefault(*mapping)
    return found


def _flash(described: t.Mapping[str, t.Any]) -> tuple[str, str] | None:
    mapping = described["mapping"]
    fits = any(target["architecture"] == ARCHITECTURE for target in described["targets"])
    if not fits or "uefi" not in described["interface-types"] or mapping["device"] != "flash" or "nvram-template" not in mapping:
        return None
    return str(mapping["executable"]["filename"]), str(mapping["nvram-template"]["filename"])


# -- KVM ------------------------------------------------------------------------------------------------------------


def _why_no_kvm(connection: t.Any, versions: str, run_dir: str) -> str:
    """Why no machine can be started with it; empty where one can. That the device is there says little: a small machine is started.

    It has the server's own CPU, as machines have: on some clouds' servers all starts but that.
    """
    if not os.path.exists(_KVM):
        return f"there is no {_KVM}"
    path = os.path.join(run_dir, "kvm.json")
    try:
        os.makedirs(run_dir, mode=0o700, exist_ok=True)
        with open(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600), "r+", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            known = _known(file.read())
            if known.get("versions") == versions and (not known["why_not"] or 0 <= time.time() - known["at"] < _FAILURE_HOLDS):
                return str(known["why_not"])
            why_not = _try(connection)
            file.seek(0)
            file.truncate()
            json.dump({"versions": versions, "why_not": why_not, "at": time.time()}, file)
    except OSError as error:
        raise ReadError(f"{path} cannot be used: {error.strerror}", hint="run the module as root (become: true)") from error
    return why_not


def _known(text: str) -> dict[str, t.Any]:
    """Of an earlier run; nothing where it was killed while it wrote."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    right = isinstance(found, dict) and isinstance(found.get("why_not"), str) and isinstance(found.get("at"), float)
    return found if right else {}


def _try(connection: t.Any) -> str:
    """Why KVM does not work. Raises ReadError where nothing does at the moment: that says nothing of KVM, and must not be remembered."""
    why_not = _start(connection, "kvm")
    other = why_not and _start(connection, "qemu")
    if other:
        raise ReadError(f"libvirt on this server starts no machine at all, not even a small one: {other}", hint=HINT)
    return why_not


def _start(connection: t.Any, virt: str) -> str:
    """It goes when this process does, whatever happens. Its name has the process, as another namespace's libvirt may be asked meanwhile."""
    libvirt, name = library(), f"archetype-lab-{virt}-{os.getpid()}"
    xml = _PROBE.format(name=name, virt=virt, cpu=_CPUS[virt])
    try:
        connection.createXML(xml, libvirt.VIR_DOMAIN_START_AUTODESTROY).destroy()
    except libvirt.libvirtError as error:
        return said(error)
    finally:
        with contextlib.suppress(OSError):
            os.unlink(os.path.join(LOG_DIR, f"{name}.log"))  # which libvirt leaves of every machine
    return ""
