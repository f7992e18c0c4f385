# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The node images behave as nodes: their first process, their daemons, their tools."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import pytest

from tests.testbed import images
from tests.testbed.fixtures import run_playbook
from tests.testbed.paths import ROOT
from tests.testbed.testbed import Server, Testbed

DAEMONS = """zebra=yes
ospfd=yes
vtysh_enable=yes
zebra_options=" --daemon -A 127.0.0.1"
ospfd_options=" --daemon -A 127.0.0.1"
"""
CONFIG = """frr version 10.5.1
frr defaults traditional
hostname probe
interface lo
 ip address 198.51.100.1/32
router ospf
 network 198.51.100.0/24 area 0.0.0.0
"""
CAPABILITIES = [f"--cap-add={name}" for name in ("NET_ADMIN", "NET_RAW", "SYS_ADMIN")]


@pytest.fixture
def server(testbed: Testbed, node_images: Sequence[str]) -> Iterator[Server]:
    one = testbed.servers[0]
    yield one
    one.run(["docker", "rm", "--force", "probe"])


def docker(server: Server, *arguments: str) -> str:
    return server.run(["docker", *arguments], check=True).stdout.strip()


def start(server: Server, *arguments: str) -> None:
    docker(server, "run", "--detach", "--name", "probe", "--network", "none", *arguments)


def stopped(server: Server) -> tuple[float, str]:
    """Seconds that an orderly stop took, and the exit status."""
    began = time.monotonic()
    docker(server, "stop", "--time", "10", "probe")
    return time.monotonic() - began, docker(server, "inspect", "--format", "{{.State.ExitCode}}", "probe")


def ospf_of_loopback(server: Server) -> str:
    """What vtysh says, as soon as the daemons have read their configuration."""
    deadline = time.monotonic() + 20
    said = ""
    while "Internet Address" not in said and time.monotonic() < deadline:
        time.sleep(0.2)
        said = server.run(["docker", "exec", "probe", "vtysh", "-c", "show ip ospf interface lo"]).stdout
    return said


def test_images_that_are_there_are_neither_built_nor_loaded_again(testbed: Testbed, node_images: Sequence[str]) -> None:
    assert not images.ensure(testbed)


@pytest.mark.parametrize("image", ["archetype-lab/host:1", "archetype-lab/sandbox:1", "archetype-lab/frr:1"])
def test_the_first_process_ends_at_once_when_it_is_asked(server: Server, image: str) -> None:
    start(server, *CAPABILITIES, image)
    seconds, _status = stopped(server)
    assert seconds < 3.0


@pytest.mark.parametrize("image", ["archetype-lab/host:1", "archetype-lab/frr:1"])
def test_the_first_process_buries_orphans(server: Server, image: str) -> None:
    start(server, *CAPABILITIES, image)
    docker(server, "exec", "probe", "bash", "-c", "(exec -a orphan sleep 0.1 &)")
    time.sleep(0.4)
    assert "defunct" not in docker(server, "exec", "probe", "ps", "ax")


def test_frr_starts_what_its_files_name_and_vtysh_answers(server: Server) -> None:
    server.run(["mkdir", "-p", "/var/lib/archetype-lab/probe"], check=True)
    for name, text in (("daemons", DAEMONS), ("frr.conf", CONFIG)):
        server.run(["tee", f"/var/lib/archetype-lab/probe/{name}"], stdin=text, check=True)
    binds = [f"--volume=/var/lib/archetype-lab/probe/{name}:/etc/frr/{name}" for name in ("daemons", "frr.conf")]
    start(server, *CAPABILITIES, *binds, "archetype-lab/frr:1")
    assert "Internet Address 198.51.100.1/32" in ospf_of_loopback(server)
    running = docker(server, "exec", "probe", "ps", "-eo", "user,comm")
    assert {("frr", "zebra"), ("frr", "ospfd"), ("root", "watchfrr")} <= {tuple(line.split()) for line in running.splitlines()}
    docker(server, "restart", "probe")
    assert "Internet Address 198.51.100.1/32" in ospf_of_loopback(server)
    server.run(["rm", "-r", "/var/lib/archetype-lab/probe"], check=True)


def test_a_host_has_the_tools_of_a_host(server: Server) -> None:
    start(server, *CAPABILITIES, "archetype-lab/host:1")
    for tool in ("ip -V", "ping -V", "iperf3 --version", "tcpdump --version", "curl --version", "ethtool --version", "bash --version"):
        docker(server, "exec", "probe", *tool.split())
    assert "1 received" in docker(server, "exec", "probe", "ping", "-c", "1", "127.0.0.1")


def test_the_role_predicts_what_it_does_and_does_it_once(testbed: Testbed, node_images: Sequence[str]) -> None:
    server = testbed.servers[1]
    docker(server, "rmi", "archetype-lab/sandbox:1")
    variables = {"lab_images_cache": str(images.CACHE), "lab_images_names": ["sandbox"]}
    play = ROOT / "tests" / "integration" / "files" / "lab_images.yml"
    changes = [
        run_playbook(testbed, play, "--limit", server.name, *arguments, variables=variables).ok().changed
        for arguments in (["--check"], [], ["--check"], [])
    ]
    assert changes == [1, 1, 0, 0]
