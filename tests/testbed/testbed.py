# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real servers on this one machine: the testbed, and each of its servers."""

from __future__ import annotations

import concurrent.futures
import contextlib
import os
import signal
import socket
import struct
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.testbed import cgroups, daemons, paths, shell, underlay
from tests.testbed.inventory import document
from tests.testbed.paths import Config, TestbedError


class Server:
    """One server. I(index) counts from 1."""

    def __init__(self, config: Config, index: int) -> None:
        self.config = config
        self.index = index
        self.name = f"srv{index}"
        self.address = config.address(index)
        self.address6 = config.address6(index)
        self.disk = config.directory / self.name

    @property
    def holder(self) -> int | None:
        return shell.holder(self.config.name, self.name)

    @property
    def place(self) -> daemons.Place:
        holder = self.holder
        if holder is None:
            raise TestbedError(f"server {self.name} of testbed {self.config.name} is not up; run `up`")
        return daemons.Place(self.config, self.name, self.address, holder)

    def boot(self, network: int) -> bool:
        """Namespaces, cable and daemons, whatever of them is missing."""
        fresh = self.holder is None
        if fresh:
            self.halt()
            self._make_disk()
            binds = [f"{self._own(path)}:{path}" for path in paths.OWN]
            shell.boot(self.config.name, self.name, hostname=self.name, binds=binds)
        place = self.place
        changed = underlay.attach(self.config, network, self.index, place.holder)
        names = ["sshd", "dockerd", "virtlogd", "libvirtd", *(["watch"] if daemons.watch_wanted(self.disk).exists() else [])]
        with concurrent.futures.ThreadPoolExecutor(len(names) + 1) as pool:
            running = [pool.submit(daemons.start, place, name) for name in names]
            running.append(pool.submit(self._start_ovs, place))
            started = [one.result() for one in running]
        return fresh or changed or any(started)

    @staticmethod
    def _start_ovs(place: daemons.Place) -> bool:
        return any([daemons.start(place, "ovsdb"), daemons.start(place, "vswitchd")])

    def _own(self, path: str) -> Path:
        return self.disk / path.strip("/").replace("/", "-")

    def _make_disk(self) -> None:
        for path in (*paths.OWN, "log"):
            self._own(path).mkdir(parents=True, exist_ok=True)

    def halt(self) -> None:
        """Power off: every process and namespace goes; the disks stay."""
        cgroups.kill(self.config.name, self.name)
        cgroups.remove(self.config.name, self.name)

    def run(self, command: Sequence[str], *, stdin: str = "", check: bool = False, timeout: float = 120) -> shell.Completed:
        """Run a command on the server, as if logged in."""
        return shell.call(self.entering(command), stdin=stdin, check=check, timeout=timeout)

    def entering(self, command: Sequence[str]) -> list[str]:
        group = str(cgroups.make(self.config.name, self.name, "login"))
        return shell.entering(self.place.holder, shell.SERVER, group, command)

    def pids(self, daemon: str) -> list[int]:
        return daemons.pids(self.place, daemon)

    def daemon(self, verb: str, daemon: str) -> bool:
        """C(start), C(stop) or C(kill) a daemon; C(status) says whether it runs and answers. Returns whether it changed (or is well)."""
        if verb == "start":
            return daemons.start(self.place, daemon)
        if verb == "status":
            return bool(self.pids(daemon)) and daemons.daemon(daemon).ready(self.place)
        return daemons.end(self.place, daemon, signal.SIGKILL if verb == "kill" else signal.SIGTERM)


class Testbed:
    """A testbed by name. Nothing is remembered in the object: the machine is asked."""

    __test__ = False

    def __init__(self, name: str = "t") -> None:
        self.name = paths.check_name(name)

    @property
    def config(self) -> Config:
        config = paths.load(self.name)
        if config is None:
            raise TestbedError(f"there is no testbed {self.name!r}; run `up --name {self.name}`")
        return config

    @property
    def servers(self) -> list[Server]:
        config = self.config
        return [Server(config, index) for index in range(1, config.servers + 1)]

    def server(self, name: str) -> Server:
        for server in self.servers:
            if server.name == name:
                return server
        raise TestbedError(f"testbed {self.name} has no server {name!r}; it has {', '.join(self.config.server_names)}")

    @property
    def underlay(self) -> int:
        """The process by which the controller's network namespace is entered."""
        holder = shell.holder(self.name, underlay.GROUP)
        if holder is None:
            raise TestbedError(f"testbed {self.name!r} is not up; run `up --name {self.name}`")
        return holder

    def up(self, servers: int = 3, mtu: int = 1500) -> bool:
        """Make it whole. Returns whether anything had to be done."""
        if os.geteuid() != 0:
            raise TestbedError("namespaces and daemons need root: run it with sudo")
        with paths.lock(self.name):
            before = paths.load(self.name)
            config = paths.decide(self.name, servers, mtu)
            changed = self._files(config)
            network, made = underlay.up(config)
            for index in range(config.servers + 1, (before.servers if before else 0) + 1):
                self._remove_server(config, index, network)
            done = self._each(lambda server: server.boot(network))
            return changed or made or config != before or any(done)

    def _each(self, work: Callable[[Server], Any]) -> list[Any]:
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            return list(pool.map(work, self.servers))

    def _remove_server(self, config: Config, index: int, network: int) -> None:
        server = Server(config, index)
        server.halt()
        underlay.detach(network, server.name)
        shell.call(["rm", "-rf", str(server.disk)])

    def _files(self, config: Config) -> bool:
        """Keys and the configuration of sshd, for all servers of this testbed."""
        directory = config.directory
        changed = False
        for key in ("key", "hostkey"):
            if not (directory / f"{key}.pub").exists():
                (directory / key).unlink(missing_ok=True)
                shell.call(
                    ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"{paths.PREFIX}-{config.name}", "-f", str(directory / key)]
                )
                changed = True
        (directory / "cp").mkdir(exist_ok=True, mode=0o700)
        text = _sshd_config(directory)
        inventory = yaml.safe_dump(document(config), sort_keys=False, width=1000)
        return any([changed, _write(directory / "sshd_config", text), _write(directory / "inventory.yml", inventory)])

    def down(self) -> bool:
        """Remove everything, whatever state it is in. Returns whether there was anything."""
        there = (paths.HOME / self.name).exists() or bool(cgroups.pids(self.name))
        if not there and not (cgroups.tracking_root() / paths.PREFIX / self.name).exists():
            return False
        with paths.lock(self.name):
            self._end_connections()
            cgroups.kill(self.name)
            cgroups.remove(self.name)
            paths.forget(self.name)
        return there

    def _end_connections(self) -> None:
        """Persistent connections of ssh belong to whoever ran Ansible, but keep the underlay's namespace alive."""
        for path in (paths.HOME / self.name / "cp").glob("*"):
            with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
                connection.connect(str(path))
                pid = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]
                if cgroups.comm(pid) == "ssh":
                    os.kill(pid, signal.SIGTERM)

    def reboot(self, name: str) -> bool:
        """Pull the plug of a server and start it again."""
        with paths.lock(self.name):
            server = self.server(name)
            server.halt()
            return server.boot(self.underlay)

    def set_underlay(self, name: str, state: str) -> bool:
        return underlay.set_link(self.underlay, self.server(name).name, state)

    def entering(self, command: Sequence[str]) -> list[str]:
        """The command line that runs I(command) where the controller is: in the underlay's network, on the machine's files."""
        return shell.entering(self.underlay, "net", str(cgroups.make(self.name, cgroups.RUN)), command)

    def run(
        self, command: Sequence[str], *, env: dict[str, str] | None = None, cwd: str | None = None, timeout: float = 600
    ) -> shell.Completed:
        return subprocess.run(
            self.entering(command),
            capture_output=True,
            text=True,
            env=env,
            cwd=cwd or str(paths.ROOT),
            timeout=timeout,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    @property
    def inventory_file(self) -> Path:
        return self.config.directory / "inventory.yml"

    def inventory(self) -> dict[str, Any]:
        return document(self.config)


def _write(path: Path, text: str) -> bool:
    if path.exists() and path.read_text() == text:
        return False
    path.write_text(text)
    return True


def _sshd_config(directory: Path) -> str:
    """PAM only where root's account is locked, because sshd refuses such an account otherwise.

    A login shell that seems to be within another does not read this machine's C(~/.bashrc): whatever its user has put there is not on a
    server, and would run with every task.
    """
    entries = [line.split(":") for line in Path("/etc/shadow").read_text().splitlines() if line.startswith("root:")]
    locked = any(entry[1].startswith("!") for entry in entries)
    return "\n".join(
        (
            f"HostKey {directory}/hostkey",
            f"AuthorizedKeysFile {directory}/key.pub",
            "PermitRootLogin prohibit-password",
            "PasswordAuthentication no",
            "StrictModes no",
            "UseDNS no",
            "MaxStartups 100",
            "MaxSessions 100",
            f"UsePAM {'yes' if locked else 'no'}",
            "Subsystem sftp internal-sftp",
            "SetEnv SHLVL=1",
            "",
        )
    )
