# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A disk image that really boots: Debian's cloud kernel, busybox, and a console that talks as a router does.

It takes its configuration from a medium, as the devices of the kinds do: C(guest_files/init) says which and what. Made without mounting
anything and without root: a FAT file system with syslinux in it, written by mtools.

The kernel has no drivers for AHCI and USB. Its disk may be on virtio, scsi (virtio-scsi) or ide; a medium too.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.testbed import images, shell
from tests.testbed.console import Console
from tests.testbed.paths import TestbedError
from tests.testbed.testbed import Server, Testbed

__all__ = ["PATH", "Console", "guest_image", "image", "install"]

PATH = "/var/lib/libvirt/images/guest.qcow2"
FILES = Path(__file__).with_name("guest_files")
KERNEL = "linux-image-cloud-amd64"
BUSYBOX = Path("/usr/bin/busybox")
SIZE = 64 * 2**20
FILE_SYSTEM = 32 * 2**20
"""Of the disk's size; what is behind it is for the counter of boots and for what the guest is told to write."""
COUNTER = SIZE // 512 - 8
"""The sector in which boots are counted."""
DRIVERS = (
    "virtio_pci",
    "virtio_blk",
    "virtio_net",
    "virtio_scsi",
    "ata_piix",
    "sd_mod",
    "sr_mod",
    "isofs",
    "vfat",
    "nls_cp437",
    "nls_ascii",
)
BOOT = f"""SERIAL 0 115200
DEFAULT guest
LABEL guest
LINUX /vmlinuz
INITRD /initrd
APPEND console=ttyS0,115200 quiet panic=5 COUNTER={COUNTER}
"""


def image(cache: Path = images.CACHE) -> Path:
    """The image, built if the cache does not have it."""
    package = _kernel_package()
    recipe = hashlib.sha256(Path(__file__).read_bytes() + package.encode())
    for path in sorted(FILES.iterdir()):
        recipe.update(path.read_bytes())
    made = cache / f"guest-{recipe.hexdigest()[:12]}.qcow2"
    with images.building(cache):
        if not made.exists():
            with tempfile.TemporaryDirectory(dir=cache, prefix="guest-") as folder:
                _build(Path(folder), package).replace(made)
    return made


def install(server: Server, cache: Path = images.CACHE) -> str:
    """Put the image where a server's images are, if another or none is there. Returns its path on the server."""
    source = image(cache)
    target = Path(f"{server.place.root}{PATH}")
    if not target.exists() or _look(target) != _look(source):
        target.parent.mkdir(mode=0o711, parents=True, exist_ok=True)
        partial = target.with_suffix(".new")
        shutil.copy2(source, partial)
        partial.replace(target)
    return PATH


@pytest.fixture(scope="session")
def guest_image(testbed: Testbed) -> str:
    """The test guest, on all servers: its path there."""
    for server in testbed.servers:
        install(server)
    return PATH


def _look(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns


def _kernel_package() -> str:
    """The newest kernel that this machine's Debian has."""
    for attempt in range(2):
        told = shell.call(["apt-cache", "depends", KERNEL], check=False).stdout
        found = re.search(r"Depends: (linux-image-\S+)", told)
        if found is not None:
            return found[1]
        if not attempt:
            _update()
    raise TestbedError(f"apt knows no package {KERNEL}")


def _update() -> None:
    """Machines of CI often come without apt's lists, or with old ones, of which packages are gone."""
    shell.call(["apt-get", "-q", "update"], timeout=600)


def _download(folder: Path, package: str) -> Path:
    command = ["sh", "-c", 'cd "$0" && apt-get -q download "$1"', str(folder), package]
    if shell.call(command, check=False, timeout=600).returncode != 0:
        _update()
        shell.call(command, timeout=600)
    (archive,) = folder.glob("*.deb")
    return archive


def _build(folder: Path, package: str) -> Path:
    archive = _download(folder, package)
    root = folder / "kernel"
    shell.call(["dpkg-deb", "-x", str(archive), str(root)])
    (kernel,) = (root / "boot").glob("vmlinuz-*")
    (folder / "initrd").write_bytes(_initrd(root))
    (folder / "syslinux.cfg").write_text(BOOT)
    disk, result = folder / "disk", folder / "guest.qcow2"
    with disk.open("wb") as raw:
        raw.truncate(SIZE)
    sectors = str(FILE_SYSTEM // 512)
    shell.call(["mformat", "-i", str(disk), "-T", sectors, "-h", "16", "-s", "63", "-v", "TESTGUEST", "-N", "41542e47", "::"])
    for source, name in ((kernel, "vmlinuz"), (folder / "initrd", "initrd"), (folder / "syslinux.cfg", "syslinux.cfg")):
        shell.call(["mcopy", "-i", str(disk), str(source), f"::{name}"])
    shell.call(["syslinux", "--install", str(disk)])
    shell.call(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", str(disk), str(result)])
    return result


def _initrd(root: Path) -> bytes:
    """What the kernel unpacks as its root file system: it is not compressed, as emulation would take seconds for that."""
    modules = _ordered({path.stem.replace("-", "_"): path for path in root.glob("lib/modules/*/kernel/**/*.ko")})
    files = {f"modules/{path.name}": (path.read_bytes(), 0o644) for path in modules}
    files["modules/order"] = ("".join(f"{path.name}\n" for path in modules).encode(), 0o644)
    files["bin/busybox"] = (BUSYBOX.read_bytes(), 0o755)
    files["bin/sh"] = (b"busybox", stat.S_IFLNK | 0o777)
    files |= {f"bin/{name}": ((FILES / name).read_bytes(), 0o755) for name in ("console", "lease")}
    files["init"] = ((FILES / "init").read_bytes(), 0o755)
    return b"".join(_archive(files))


def _ordered(known: dict[str, Path]) -> Sequence[Path]:
    """The drivers and what they need, in the order in which they can be loaded. What is not a file is part of the kernel."""
    found: dict[str, Path] = {}

    def need(name: str) -> None:
        if name in known and name not in found:
            needed = re.search(rb"\0depends=([^\0]*)\0", known[name].read_bytes())
            for one in needed[1].decode().split(",") if needed else ():
                need(one.replace("-", "_"))
            found[name] = known[name]

    for driver in DRIVERS:
        need(driver)
    return list(found.values())


def _archive(files: dict[str, tuple[bytes, int]]) -> Iterator[bytes]:
    """As cpio writes it (format "newc", as the kernel's buffer-format.rst describes it)."""
    entries = {"bin": (b"", stat.S_IFDIR | 0o755), "modules": (b"", stat.S_IFDIR | 0o755)}
    entries |= dict.fromkeys(("dev", "mnt", "proc", "run", "sys"), entries["bin"])
    entries |= {"dev/console": (b"", stat.S_IFCHR | 0o600)}
    for number, (name, (content, mode)) in enumerate({**entries, **files, "TRAILER!!!": (b"", 0)}.items(), 1):
        kind = mode if stat.S_IFMT(mode) else mode | stat.S_IFREG
        device = (5, 1) if stat.S_ISCHR(kind) else (0, 0)
        values = (number, kind, 0, 0, 1, 0, len(content), 0, 0, *device, len(name) + 1, 0)
        header = b"070701" + b"".join(b"%08X" % value for value in values) + name.encode() + b"\0"
        yield header + bytes(-len(header) % 4) + content + bytes(-len(content) % 4)
