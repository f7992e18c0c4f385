# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The testbed keeps its promises: idempotent, repairs itself, and leaves nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.testbed import cgroups, images, paths
from tests.testbed.daemons import DAEMONS
from tests.testbed.fixtures import run_ansible, session_name
from tests.testbed.testbed import Server, Testbed

SANDBOX = "archetype-lab/sandbox:1"


@pytest.fixture(scope="module")
def jumbo() -> Iterator[Testbed]:
    """Two servers of our own, on an underlay with jumbo frames; tests may break them, as long as C(up) can repair it."""
    one = Testbed(f"{session_name()}j"[:12])
    one.down()
    one.up(servers=2, mtu=9000)
    images.ensure(one, ["sandbox"])
    yield one
    one.down()


@pytest.fixture
def whole(jumbo: Testbed) -> Testbed:
    jumbo.up(servers=2, mtu=9000)
    return jumbo


def processes(testbed: Testbed) -> dict[str, list[int]]:
    """Every process that makes up the servers."""
    return {
        f"{server.name} {name}": [server.holder or 0] if name == "holder" else server.pids(name)
        for server in testbed.servers
        for name in (*DAEMONS, "holder")
    }


def well(testbed: Testbed) -> bool:
    return all(server.daemon("status", name) for server in testbed.servers for name in DAEMONS)


def is_zombie(process: Path) -> bool:
    """Dead; only the machine's first process has not taken note yet."""
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def leftovers(name: str) -> list[str]:
    """Whatever of a testbed is still on this machine."""
    found = [str(path) for path in (paths.HOME / name,) if path.exists()]
    found += [str(path) for path in cgroups.MOUNT.glob(f"**/{paths.PREFIX}/{name}")]
    marks = (f"{paths.HOME}/{name}/", f"{paths.PREFIX}-{name}-", f"{paths.PREFIX}/{name}/")
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and int(process.name) != os.getpid() and not is_zombie(process):
            for file in ("cmdline", "cgroup", "mountinfo"):
                try:
                    text = (process / file).read_text(errors="replace")
                except OSError:
                    continue
                found += [f"{process}/{file}: {mark}" for mark in marks if mark in text]
    links = subprocess.run(["ip", "-oneline", "link", "show"], capture_output=True, text=True, check=True).stdout
    return found + [line for line in links.splitlines() if paths.PREFIX in line]


def ping(testbed: Testbed, *arguments: str) -> bool:
    return testbed.run(["ping", "-n", "-c", "1", "-W", "1", *arguments]).returncode == 0


def docker(server: Server, *arguments: str) -> str:
    return server.run(["docker", *arguments], check=True).stdout.strip()


def test_a_second_up_starts_nothing_and_changes_nothing(whole: Testbed) -> None:
    before = processes(whole)
    began = time.monotonic()
    changed = whole.up(servers=2, mtu=9000)
    assert not changed
    assert processes(whole) == before
    assert time.monotonic() - began < 2.0


def test_servers_have_their_own_name_network_disks_and_daemons(whole: Testbed) -> None:
    names = [server.run(["hostname"], check=True).stdout.strip() for server in whole.servers]
    assert names == ["srv1", "srv2"]
    first, second = whole.servers
    first.run(["touch", "/var/lib/archetype-lab/mine", "/run/mine"], check=True)
    assert second.run(["ls", "/var/lib/archetype-lab", "/run"], check=True).stdout.find("mine") == -1
    assert not Path("/run/mine").exists()
    assert not Path("/var/lib/archetype-lab/mine").exists()
    identities = {
        server.run(["ovs-vsctl", "get", "Open_vSwitch", ".", "external-ids:system-id"], check=True).stdout for server in whole.servers
    }
    assert len(identities) == 2
    assert set(first.run(["ls", "/sys/class/net"], check=True).stdout.split()) >= {"lo", "underlay"}
    assert "eth0" not in first.run(["ls", "/sys/class/net"], check=True).stdout.split()


@pytest.mark.parametrize(("family", "overhead"), [("4", 28), ("6", 48)])
def test_jumbo_frames_pass_whole_between_servers_and_larger_ones_do_not(whole: Testbed, family: str, overhead: int) -> None:
    first, second = whole.servers
    target = second.address if family == "4" else second.address6
    command = ["ping", f"-{family}", "-n", "-c", "1", "-W", "1", "-M", "do", "-s"]
    assert first.run([*command, str(9000 - overhead), target]).returncode == 0
    assert first.run([*command, str(9001 - overhead), target]).returncode != 0


def test_the_mtu_of_the_underlay_can_be_changed_while_it_is_up(whole: Testbed) -> None:
    before = processes(whole)
    assert whole.up(servers=2, mtu=1500)
    assert not ping(whole, "-M", "do", "-s", "1473", whole.server("srv1").address)
    assert ping(whole, "-M", "do", "-s", "1472", whole.server("srv1").address)
    assert processes(whole) == before


def test_the_controller_reaches_servers_and_nothing_else(whole: Testbed) -> None:
    assert ping(whole, whole.server("srv2").address)
    assert ping(whole, whole.server("srv2").address6)
    route = whole.run(["ip", "route", "get", "192.0.2.1"])
    assert "unreachable" in route.stderr


def test_ansible_reaches_servers_from_the_controller_and_from_the_machine(whole: Testbed) -> None:
    inside = run_ansible(whole, "ansible", "lab_servers", "-m", "ansible.builtin.command", "-a", "hostname")
    assert inside.returncode == 0, inside.stdout + inside.stderr
    assert {"srv1", "srv2"} <= set(inside.stdout.split())
    command = [str(Path(sys.executable).with_name("ansible")), "-i", str(whole.inventory_file), "srv2", "-m", "ansible.builtin.ping"]
    outside = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert outside.returncode == 0, outside.stdout + outside.stderr
    assert "pong" in outside.stdout


def test_a_pulled_cable_cuts_a_server_off_until_it_is_plugged_in(whole: Testbed) -> None:
    server = whole.server("srv2")
    whole.set_underlay("srv2", "down")
    assert not ping(whole, server.address)
    assert ping(whole, whole.server("srv1").address)
    whole.set_underlay("srv2", "up")
    assert ping(whole, server.address)


@pytest.mark.parametrize("name", list(DAEMONS))
def test_a_killed_daemon_is_gone_and_comes_back_by_name(whole: Testbed, name: str) -> None:
    server = whole.server("srv1")
    before = processes(whole)
    assert server.daemon("kill", name)
    assert server.pids(name) == []
    assert not server.daemon("status", name)
    assert server.daemon("start", name)
    assert server.daemon("status", name)
    after = processes(whole)
    assert {key for key in before if before[key] != after[key]} == {f"srv1 {name}"}
    assert not server.daemon("start", name)


@pytest.mark.parametrize("name", list(DAEMONS))
def test_a_daemon_stops_in_order(whole: Testbed, name: str) -> None:
    server = whole.server("srv2")
    assert server.daemon("stop", name)
    assert not server.daemon("status", name)
    assert not server.daemon("stop", name)
    assert server.daemon("start", name)


def test_up_repairs_what_is_broken(whole: Testbed) -> None:
    first, second = whole.servers
    first.daemon("kill", "dockerd")
    first.daemon("kill", "ovsdb")
    first.daemon("kill", "vswitchd")
    whole.set_underlay("srv1", "down")
    os.kill(second.holder or 0, signal.SIGKILL)
    assert whole.up(servers=2, mtu=9000)
    assert well(whole)
    assert ping(whole, first.address)
    assert ping(whole, second.address)
    assert not whole.up(servers=2, mtu=9000)


def test_a_reboot_ends_every_process_and_keeps_the_disks(whole: Testbed) -> None:
    server = whole.server("srv1")
    before = processes(whole)
    docker(server, "rm", "--force", "sleeper")
    docker(server, "run", "--detach", "--name", "sleeper", "--network", "none", SANDBOX)
    add = "--may-exist add-br br9 -- set bridge br9 datapath_type=netdev external_ids:kept=yes -- --may-exist add-port br9 gone0"
    server.run(["ip", "link", "add", "gone0", "type", "veth", "peer", "name", "gone1"], check=True)
    server.run(["ovs-vsctl", *add.split()], check=True)
    server.run(["touch", "/var/lib/archetype-lab/kept", "/run/volatile"], check=True)
    members = cgroups.pids(whole.name, "srv1")

    whole.reboot("srv1")

    assert well(whole)
    assert not [pid for pid in members if pid in cgroups.pids(whole.name)]
    assert docker(server, "inspect", "--format", "{{.State.Status}}", "sleeper") == "exited"
    assert "kept=yes" in server.run(["ovs-vsctl", "get", "bridge", "br9", "external_ids"], check=True).stdout
    assert "No such device" in server.run(["ovs-vsctl", "get", "interface", "gone0", "error"], check=True).stdout
    assert server.run(["ls", "/var/lib/archetype-lab/kept"]).returncode == 0
    assert server.run(["ls", "/run/volatile"]).returncode != 0
    after = processes(whole)
    assert {key for key in before if before[key] == after[key]} == {key for key in before if key.startswith("srv2 ")}
    server.run(["ovs-vsctl", "del-br", "br9"], check=True)


def machines(server: Server) -> list[int]:
    return [pid for pid in cgroups.pids(server.config.name, server.name) if cgroups.comm(pid).startswith("qemu-system")]


def test_a_machine_outlives_libvirt_and_ends_with_its_server(whole: Testbed) -> None:
    devices = "<memballoon model='none'/><serial type='pty'><log file='/var/log/libvirt/m.log'/></serial>"
    system = "<memory unit='MiB'>32</memory><os><type machine='q35'>hvm</type></os>"
    links = subprocess.run(["ip", "-brief", "link"], capture_output=True, text=True, check=True).stdout
    server = whole.server("srv1")
    server.run(["sh", "-c", "cat >/run/m.xml && virsh define /run/m.xml && virsh start m"], check=True, stdin=(
        f"<domain type='qemu'><name>m</name>{system}<devices>{devices}</devices></domain>"
    ))  # fmt: skip
    (machine,) = machines(server)

    for verb in ("stop", "kill"):
        server.daemon(verb, "libvirtd")
        server.daemon(verb, "virtlogd")
        assert machines(server) == [machine]
        server.daemon("start", "virtlogd")
        server.daemon("start", "libvirtd")
        assert server.run(["virsh", "domstate", "m"], check=True).stdout.strip() == "running"

    whole.reboot("srv1")
    assert machines(server) == []
    assert server.run(["virsh", "domstate", "m"], check=True).stdout.strip() == "shut off"
    assert whole.server("srv2").run(["virsh", "list", "--all", "--name"], check=True).stdout.split() == []
    assert "virbr" not in server.run(["ip", "-brief", "link"], check=True).stdout
    assert subprocess.run(["ip", "-brief", "link"], capture_output=True, text=True, check=True).stdout == links
    server.run(["virsh", "undefine", "m"], check=True)


def test_a_root_file_system_becomes_an_image_once(whole: Testbed, tmp_path: Path) -> None:
    server = whole.server("srv1")
    root = tmp_path / "root"
    root.mkdir()
    (root / "hello").write_text("hello")
    archive = tmp_path / "root.tar"
    subprocess.run(["tar", "-C", str(root), "-cf", str(archive), "."], check=True)
    assert images.load(server, archive, "test/hello:1", ['CMD ["/hello"]'])
    identity = docker(server, "image", "inspect", "--format", "{{.Id}} {{.Config.Cmd}}", "test/hello:1")
    assert identity.endswith("[/hello]")
    assert not images.load(server, archive, "test/hello:1", ['CMD ["/hello"]'])
    assert images.load(server, archive, "test/hello:1", ['CMD ["/other"]'])


def test_two_testbeds_are_up_at_once_with_different_addresses(whole: Testbed) -> None:
    other = Testbed(f"{session_name()}k"[:12])
    try:
        other.up(servers=1)
        addresses = {server.address for one in (whole, other) for server in one.servers}
        assert len(addresses) == 3
        before = processes(whole)
    finally:
        other.down()
    assert processes(whole) == before
    assert leftovers(other.name) == []


def test_down_leaves_nothing_of_containers_crashed_daemons_or_connections() -> None:
    one = Testbed(f"{session_name()}l"[:12])
    one.up(servers=1)
    server = one.server("srv1")
    images.ensure(one, ["sandbox"])
    docker(server, "run", "--detach", "--network", "none", SANDBOX)
    run_ansible(one, "ansible", "srv1", "-m", "ansible.builtin.ping")
    with subprocess.Popen(one.entering(["sh", "-c", "echo inside; exec sleep 300"]), stdout=subprocess.PIPE, text=True) as stranger:
        assert stranger.stdout is not None
        assert stranger.stdout.readline() == "inside\n"
        server.daemon("kill", "dockerd")
        server.daemon("kill", "vswitchd")
        os.kill(server.holder or 0, signal.SIGKILL)
        assert one.down()
        assert stranger.wait(5) == -signal.SIGKILL
    assert leftovers(one.name) == []
    assert not one.down()


@pytest.mark.parametrize("seconds", [0.12, 0.2, 0.3, 0.45])
def test_down_cleans_up_after_an_up_that_was_killed_in_the_middle(seconds: float) -> None:
    name = f"{session_name()}m"[:12]
    with subprocess.Popen([sys.executable, "-m", "tests.testbed", "up", "--name", name], cwd=paths.ROOT) as process:
        time.sleep(seconds)
        process.kill()
    Testbed(name).down()
    assert leftovers(name) == []


def test_up_goes_on_where_a_killed_up_stopped() -> None:
    one = Testbed(f"{session_name()}m"[:12])
    try:
        with subprocess.Popen(
            [sys.executable, "-m", "tests.testbed", "up", "--name", one.name, "--servers", "1"], cwd=paths.ROOT
        ) as process:
            time.sleep(0.3)
            process.kill()
        one.up(servers=1)
        assert well(one)
        assert not one.up(servers=1)
    finally:
        one.down()


@pytest.mark.parametrize("name", ["", "Upper", "9first", "much-too-long-a-name", "../etc"])
def test_a_bad_name_is_refused(name: str) -> None:
    with pytest.raises(paths.TestbedError, match="no name for a testbed"):
        Testbed(name)
