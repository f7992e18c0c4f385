# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The daemons of a server: how each is started on its default paths, and when it is ready."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.testbed import _ns, cgroups, shell
from tests.testbed.paths import ROOT, Config, TestbedError

SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"
OVS_RUN = "/run/openvswitch"

# libvirt's keepalive messages: length, program "keep", version, procedure (ping, pong), type (message), serial number, status.
LIBVIRT_PING, LIBVIRT_PONG = (struct.pack(">7I", 28, 0x6B656570, 1, procedure, 2, 0, 0) for procedure in (1, 2))
QEMU_CONF = """\
security_driver = "none"
user = "root"
group = "root"
cgroup_controllers = []
namespaces = []
remember_owner = 0
"""


@dataclasses.dataclass(frozen=True)
class Place:
    """A server as its daemons see it. root: its file system, seen from outside."""

    config: Config
    name: str
    address: str
    holder: int

    @property
    def group(self) -> tuple[str, str]:
        return (self.config.name, self.name)

    @property
    def disk(self) -> Path:
        return self.config.directory / self.name

    @property
    def root(self) -> str:
        return f"/proc/{self.holder}/root"

    def command(self, daemon: str, *command: str, background: bool = False) -> shell.Completed:
        log = str(self.disk / "log" / f"{daemon}.log") if background else ""
        group = str(cgroups.make(*self.group, daemon))
        return shell.call(shell.entering(self.holder, shell.SERVER, group, command, log))


def start_sshd(place: Place) -> None:
    place.command("sshd", "/usr/sbin/sshd", "-f", str(place.config.directory / "sshd_config"), "-E", str(place.disk / "log" / "sshd.log"))


def ready_sshd(place: Place) -> bool:
    with contextlib.suppress(OSError), _ns.connect_from(place.holder, place.address, 22, 2.0) as connection:
        connection.settimeout(5.0)
        return connection.recv(4) == b"SSH-"
    return False


def start_ovsdb(place: Place) -> None:
    if not Path(f"{place.root}/etc/openvswitch/conf.db").exists():
        place.command("ovsdb", "ovsdb-tool", "create", "/etc/openvswitch/conf.db", SCHEMA)
    remotes = ("--remote=punix:/var/run/openvswitch/db.sock", "--remote=db:Open_vSwitch,Open_vSwitch,manager_options")
    quiet = ("-vconsole:emer", "-vsyslog:emer", "-vfile:info")
    options = ("--no-chdir", "--log-file", "--pidfile", "--detach")
    place.command("ovsdb", "ovsdb-server", "/etc/openvswitch/conf.db", *quiet, *remotes, *options)
    place.command("ovsdb", "ovs-vsctl", "--no-wait", "init")


def ready_ovsdb(place: Place) -> bool:
    return _accepts(f"{place.root}{OVS_RUN}/db.sock")


def start_vswitchd(place: Place) -> None:
    quiet = ("-vconsole:emer", "-vsyslog:emer", "-vfile:info")
    options = ("--no-chdir", "--log-file", "--pidfile", "--detach")
    place.command("vswitchd", "ovs-vswitchd", "unix:/var/run/openvswitch/db.sock", *quiet, *options)
    version = place.command("vswitchd", "ovs-vswitchd", "--version").stdout.split("\n", maxsplit=1)[0].rpartition(" ")[2]
    values = (f"external-ids:system-id={place.name}", f"external-ids:hostname={place.name}", f"ovs-version={version}")
    place.command("vswitchd", "ovs-vsctl", "--timeout=30", "set", "Open_vSwitch", ".", *values)


def ready_vswitchd(place: Place) -> bool:
    return any(_accepts(str(path)) for path in Path(f"{place.root}{OVS_RUN}").glob("ovs-vswitchd.*.ctl"))


def start_dockerd(place: Place) -> None:
    network = ("--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false")
    groups = ("--exec-opt=native.cgroupdriver=cgroupfs", f"--cgroup-parent={cgroups.docker_parent(*place.group)}")
    place.command("dockerd", "dockerd", *network, *groups, background=True)


def ready_dockerd(place: Place) -> bool:
    return _accepts(f"{place.root}/run/docker.sock", b"GET /_ping HTTP/1.0\r\nHost: docker\r\n\r\n", b"200 OK")


def start_virtlogd(place: Place) -> None:
    place.command("virtlogd", "virtlogd", background=True)


def ready_virtlogd(place: Place) -> bool:
    return _accepts(f"{place.root}/run/libvirt/virtlogd-sock", LIBVIRT_PING, LIBVIRT_PONG)


def start_libvirtd(place: Place) -> None:
    """No network C(default) is there, so that it makes no bridge; QEMU needs no more rights or confinement than the test itself."""
    configuration = Path(f"{place.root}/etc/libvirt/qemu.conf")
    if not configuration.exists():
        configuration.write_text(QEMU_CONF)
    Path(f"{place.root}/var/lib/libvirt/images").mkdir(mode=0o711, exist_ok=True)
    place.command("libvirtd", "libvirtd", background=True)


def ready_libvirtd(place: Place) -> bool:
    """It answers once its drivers are complete, some time after the socket is there."""
    return _accepts(f"{place.root}/run/libvirt/libvirt-sock", LIBVIRT_PING, LIBVIRT_PONG)


def start_watch(place: Place) -> None:
    """The watcher of this checkout. Once it was started, it comes back with the server."""
    watch_wanted(place.disk).touch()
    module = "ansible_collections.archetype.lab.plugins.module_utils._watch"
    place.command("watch", "env", f"PYTHONPATH={ROOT}/collections", sys.executable, "-m", module, background=True)


def ready_watch(place: Place) -> bool:
    """It has written its number."""
    with contextlib.suppress(OSError, ValueError):
        return int(Path(f"{place.root}/run/archetype-lab/watch.lock").read_text()) in pids(place, "watch")
    return False


def watch_wanted(disk: Path) -> Path:
    """Is there when a server has the watcher; see C(start_watch)."""
    return disk / "watch"


def _accepts(path: str, question: bytes = b"", answer: bytes = b"") -> bool:
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(5.0)
        connection.connect(path)
        if not question:
            return True
        connection.sendall(question)
        return answer in connection.recv(200)
    return False


@dataclasses.dataclass(frozen=True)
class Daemon:
    """program: what the kernel calls its process; stop: seconds that an orderly end may take."""

    name: str
    program: str
    start: Callable[[Place], None]
    ready: Callable[[Place], bool]
    stop: float = 10.0
    leftovers: tuple[str, ...] = ()


DAEMONS = {
    daemon.name: daemon
    for daemon in (
        Daemon("ovsdb", "ovsdb-server", start_ovsdb, ready_ovsdb, leftovers=(f"{OVS_RUN}/db.sock", f"{OVS_RUN}/ovsdb-server.*")),
        Daemon("vswitchd", "ovs-vswitchd", start_vswitchd, ready_vswitchd, leftovers=(f"{OVS_RUN}/ovs-vswitchd.*",)),
        Daemon("sshd", "sshd", start_sshd, ready_sshd),
        Daemon("dockerd", "dockerd", start_dockerd, ready_dockerd, 30.0, ("/run/docker.pid", "/run/docker/containerd/containerd.pid")),
        Daemon("virtlogd", "virtlogd", start_virtlogd, ready_virtlogd, leftovers=("/run/virtlogd.pid", "/run/libvirt/virtlogd-*sock")),
        Daemon("libvirtd", "libvirtd", start_libvirtd, ready_libvirtd, leftovers=("/run/libvirtd.pid", "/run/libvirt/libvirt-*sock*")),
    )
}

OPTIONAL = {"watch": Daemon("watch", Path(sys.executable).name, start_watch, ready_watch, 60.0)}
"""What a server only has when it was started there."""


def daemon(name: str) -> Daemon:
    known = {**DAEMONS, **OPTIONAL}
    if name not in known:
        raise TestbedError(f"there is no daemon {name!r}; there are {', '.join(known)}")
    return known[name]


def _is_session(pid: int) -> bool:
    """sshd tells by its title what a process is; a session whose listener was killed has no parent to tell it by."""
    with contextlib.suppress(OSError):
        title = Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
        return title.startswith("sshd: ") and "[listener]" not in title
    return True


def pids(place: Place, name: str) -> list[int]:
    """The daemon itself; not its children, such as ssh sessions, which outlive it as on every server."""
    program = daemon(name).program
    ours = [pid for pid in cgroups.pids(*place.group, name) if cgroups.comm(pid) == program and not _is_session(pid)]
    return [pid for pid in ours if cgroups.parent(pid) not in ours]


def start(place: Place, name: str, timeout: float = 60.0) -> bool:
    """Start a daemon that does not run and wait until it answers. Returns whether it had to be started."""
    this = daemon(name)
    if pids(place, name) and this.ready(place):
        return False
    if not pids(place, name):
        for pattern in this.leftovers:
            for path in Path(place.root).glob(pattern.lstrip("/")):
                path.unlink(missing_ok=True)
        this.start(place)
    _wait(
        lambda: this.ready(place),
        timeout,
        lambda: f"{name} of {place.name} does not answer after {timeout:.0f} s; {_log_hint(place, name)}",
    )
    return True


def _log_hint(place: Place, name: str) -> str:
    path = place.disk / "log" / f"{name}.log"
    if not path.exists():
        return f"look at {place.disk}/log"
    return f"the end of {path}:\n" + "\n".join(path.read_text(errors="replace").splitlines()[-5:])


def end(place: Place, name: str, number: signal.Signals) -> bool:
    """Send a signal to a daemon and wait until it is gone."""
    victims = pids(place, name)
    if name in OPTIONAL and number == signal.SIGTERM:
        watch_wanted(place.disk).unlink(missing_ok=True)
    for pid in victims:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
    limit = daemon(name).stop
    _wait(lambda: not pids(place, name), limit, lambda: f"{name} of {place.name} is still there {limit:.0f} s after {number.name}")
    return bool(victims)


def _wait(done: Callable[[], bool], timeout: float, message: Callable[[], str]) -> None:
    deadline = time.monotonic() + timeout
    while not done():
        if time.monotonic() > deadline:
            raise TestbedError(message())
        time.sleep(0.02)
