# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An image that stands in for the devices nobody may ship: its first process says what it found when it was started, and stays."""

from __future__ import annotations

import base64
import dataclasses
import io
import shutil
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.testbed import images
from tests.testbed.testbed import Testbed

IMAGE = "archetype-lab/standin:1"

PATHS = (
    "/mnt/flash/startup-config",
    "/mnt/flash/system_mac_address",
    "/etc/opt/srlinux/config.json",
    "/etc/opt/srlinux/startup.cli",
    "/opt/srlinux/etc/license.key",
    "/tmp/topology.yml",
    "/etc/xrd/first-boot.cfg",
    "/config/juniper.conf",
    "/config/license/license.lic",
    "/etc/ssh/sshd_config",
    "/iol/NETMAP",
    "/iol/iouyap.ini",
    "/iol/config.txt",
    "/iol/nvram_*",
    "/config/startup-config.cfg",
)

PROGRAM = f"""#!/bin/sh
# Everything is taken before anything else happens, and written in one go.
found() {{
    for device in /sys/class/net/*; do echo "interface $(cat $device/ifindex) ${{device##*/}} $(cat $device/address)"; done
    echo "environ $(base64 -w0 /proc/1/environ)"
    echo "cmdline $(base64 -w0 /proc/1/cmdline)"
    echo "user $(id -u):$(id -g)"
    echo "hostname $(hostname)"
    for path in {" ".join(PATHS)}; do
        [ -f "$path" ] && echo "file $path $(stat -c %a "$path") $(base64 -w0 "$path")"
    done
    for path in /mnt/flash /etc/opt/srlinux /xr-storage /config /var/log; do
        grep -q " $path " /proc/mounts && echo "folder $path"
    done
    echo end
}}
trap 'exit 0' TERM
all=$(found)
echo "begin"
echo "$all"
while :; do sleep 1 & wait $!; done
"""


@dataclasses.dataclass(frozen=True)
class Seen:
    """What the first process found. boot: counted from 1 within its container. interfaces: names in the kernel's order.

    files: path -> (mode, content).
    """

    boot: int
    interfaces: Sequence[str]
    indexes: Sequence[int]
    macs: Mapping[str, str]
    environ: Mapping[str, str]
    argv: Sequence[str]
    user: str
    hostname: str
    files: Mapping[str, tuple[str, str]]
    folders: frozenset[str]


def build(folder: Path) -> Path:
    """The root file system: a shell with its tools, and the program."""
    archive = folder / "standin.tar"
    busybox = shutil.which("busybox")
    if busybox is None:
        raise AssertionError("busybox-static is not installed")
    with tarfile.open(archive, "w") as tar:
        for name in ("bin", "sbin", "etc", "tmp", "proc", "sys", "dev", "opt", "mnt", "var"):
            _add(tar, name, kind=tarfile.DIRTYPE, mode=0o755)
        _add(tar, "bin/busybox", Path(busybox).read_bytes(), mode=0o755)
        for name in ("sh", "cat", "base64", "id", "hostname", "stat", "grep", "sleep", "cmp", "cp", "test", "ip", "tee", "ls"):
            _add(tar, f"bin/{name}", kind=tarfile.SYMTYPE, link="busybox")
        _add(tar, "standin", PROGRAM.encode(), mode=0o755)
    return archive


def _add(
    tar: tarfile.TarFile, name: str, content: bytes = b"", *, kind: bytes = tarfile.REGTYPE, mode: int = 0o777, link: str = ""
) -> None:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode, entry.linkname, entry.size = kind, mode, link, len(content)
    tar.addfile(entry, io.BytesIO(content))


def load(testbed: Testbed, folder: Path) -> None:
    archive = build(folder)
    for server in testbed.servers:
        images.load(server, archive, IMAGE, ['ENTRYPOINT ["/standin"]'])


def last_boot(log: str) -> Seen | None:
    """What the latest start of a stand-in said; None while it has not said all."""
    lines = log.replace("\r", "").split("\n")
    starts = [place for place, line in enumerate(lines) if line == "begin"]
    said = lines[starts[-1] + 1 :] if starts else []
    if "end" not in said:
        return None
    words = [line.split(" ") for line in said[: said.index("end")]]
    devices = sorted((int(index), name, mac) for kind, index, name, mac in (one for one in words if one[0] == "interface"))
    single = {one[0]: one[1] if len(one) > 1 else "" for one in words if one[0] in ("environ", "cmdline", "user", "hostname")}
    return Seen(
        boot=len(starts),
        interfaces=[name for _index, name, _mac in devices],
        indexes=[index for index, _name, _mac in devices],
        macs={name: mac for _index, name, mac in devices},
        environ=dict(one.partition("=")[::2] for one in _strings(single["environ"])),
        argv=_strings(single["cmdline"]),
        user=single["user"],
        hostname=single["hostname"],
        files={one[1]: (one[2], base64.b64decode(one[3] if len(one) > 3 else "").decode()) for one in words if one[0] == "file"},
        folders=frozenset(one[1] for one in words if one[0] == "folder"),
    )


def _strings(text: str) -> list[str]:
    """The strings of a file of /proc, each of which a zero byte ends."""
    return base64.b64decode(text).decode().split("\0")[:-1]
