# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a testbed keeps its things, and the little that it has to remember."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import ipaddress
import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

PREFIX = "altb"
HOME = Path("/var/lib") / PREFIX
ROOT = Path(__file__).resolve().parents[2]
NS_SCRIPT = Path(__file__).resolve().with_name("_ns.py")

# A server's own directories, over the machine's; created empty. The machine's Open vSwitch, Docker, libvirt are neither seen nor touched.
OWN = (
    "/var/lib/docker",
    "/var/lib/containerd",
    "/var/lib/openvswitch",
    "/var/lib/libvirt",
    "/var/lib/archetype-lab",
    "/var/cache/libvirt",
    "/etc/openvswitch",
    "/etc/docker",
    "/etc/libvirt",
    "/var/log/openvswitch",
    "/var/log/libvirt",
    "/var/log/archetype-lab",
    "/etc/archetype-lab",
    "/usr/local/lib/archetype-lab",
    "/usr/local/sbin",
)


class TestbedError(Exception):
    """Something a user can do something about."""

    __test__ = False


@dataclasses.dataclass(frozen=True)
class Config:
    """number: third byte of the testbed's subnets, so that two testbeds never have the same addresses."""

    name: str
    number: int
    servers: int
    mtu: int

    @property
    def directory(self) -> Path:
        return HOME / self.name

    @property
    def server_names(self) -> list[str]:
        return [f"srv{index}" for index in range(1, self.servers + 1)]

    @property
    def controller(self) -> str:
        return f"198.18.{self.number}.254"

    @property
    def controller6(self) -> str:
        return str(ipaddress.ip_address(f"2001:db8:18:{self.number:x}::fe"))

    def address(self, index: int) -> str:
        return f"198.18.{self.number}.{index}"

    def mac(self, index: int) -> str:
        """A server keeps its address when it is rebooted, as a network card does."""
        return f"02:1a:b0:00:{self.number:02x}:{index:02x}"

    def address6(self, index: int) -> str:
        return str(ipaddress.ip_address(f"2001:db8:18:{self.number:x}::{index:x}"))


def check_name(name: str) -> str:
    """Short, because socket paths (108 bytes) and device names (15 bytes) are made from it."""
    if not re.fullmatch(r"[a-z][a-z0-9]{0,11}", name):
        raise TestbedError(f"{name!r} is no name for a testbed: use 1 to 12 lower-case letters and digits, a letter first")
    return name


def load(name: str) -> Config | None:
    try:
        return Config(**json.loads((HOME / check_name(name) / "config.json").read_text()))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError):
        return None  # killed while it was written: `up` writes it again, `down` needs no more than the name


def save(config: Config) -> None:
    path = config.directory / "config.json"
    partial = path.with_suffix(".new")
    partial.write_text(json.dumps(dataclasses.asdict(config)))
    partial.replace(path)


def configs() -> list[Config]:
    names = sorted(path.parent.name for path in HOME.glob("*/config.json"))
    return [config for name in names if (config := load(name)) is not None]


@contextlib.contextmanager
def lock(name: str = "") -> Iterator[None]:
    """One command at a time on a testbed, or on the list of all. The directory itself is locked, so that no lock file is left."""
    directory = HOME / name
    while True:
        try:
            directory.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            continue  # removed by the end of another testbed
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        with contextlib.suppress(FileNotFoundError):
            if os.stat(directory).st_ino == os.fstat(descriptor).st_ino:
                break
        os.close(descriptor)  # whoever had the lock removed the directory
    try:
        yield
    finally:
        os.close(descriptor)


def decide(name: str, servers: int, mtu: int) -> Config:
    """The configuration of a testbed that is to be up; it keeps its number for life."""
    if not 1 <= servers <= 200:
        raise TestbedError(f"{servers} servers: choose 1 to 200")
    if not 1280 <= mtu <= 65000:
        raise TestbedError(f"MTU {mtu}: choose 1280 (the least for IPv6) to 65000")
    with lock():
        known = load(name)
        taken = {config.number for config in configs()}
        number = known.number if known else next(free for free in range(256) if free not in taken)
        config = Config(name, number, servers, mtu)
        config.directory.mkdir(exist_ok=True)
        if config != known:
            save(config)
        _make_mountpoints()
    return config


def _make_mountpoints() -> None:
    """A directory can only be mounted over if it is there. Those that had to be made are remembered and removed with the last testbed."""
    remembered = HOME / "mountpoints"
    for path in OWN:
        if not Path(path).is_dir():
            with remembered.open("a") as notes:
                notes.write(f"{path}\n")
            Path(path).mkdir(parents=True)


def forget(name: str) -> None:
    """Remove the directory of a testbed, and with the last one everything else."""
    with lock():
        directory = HOME / name
        if directory.exists():
            shutil.rmtree(directory)
        if any(path.name != "mountpoints" for path in HOME.iterdir()):
            return
        _remove_mountpoints()
        with contextlib.suppress(OSError):  # the next testbed is being made already
            HOME.rmdir()


def _remove_mountpoints() -> None:
    """Only what is not in use: removing a directory takes away what others have mounted on it in their namespaces."""
    remembered = HOME / "mountpoints"
    if not remembered.exists():
        return
    mounted: set[str] = set()
    for table in Path("/proc").glob("[0-9]*/mountinfo"):
        with contextlib.suppress(OSError):
            mounted.update(line.split()[4] for line in table.read_text().splitlines())
    for path in remembered.read_text().split():
        if path not in mounted:
            with contextlib.suppress(OSError):
                Path(path).rmdir()
    remembered.unlink()
