# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Labs on the testbed as a user has them: the playbooks over SSH, what they said, and what the servers then have."""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pytest
import yaml

from tests.integration.lab_server import LabServer
from tests.testbed import cgroups, fixtures
from tests.testbed.daemons import DAEMONS
from tests.testbed.paths import ROOT
from tests.testbed.testbed import Server, Testbed

FRR = "archetype-lab/frr:1"
HOST = "archetype-lab/host:1"
SERVERS = ("srv1", "srv2", "srv3")
Json = dict[str, Any]
T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Run(fixtures.Played):
    """A playbook that was run. results: each task's result on each host, in order."""

    results: Sequence[Json] = ()

    def of(self, task: str) -> dict[str, Json]:
        """Host -> the result of a task."""
        return {one["host"]: one["result"] for one in self.results if one["task"] == task}

    def changes(self, task: str = "Converge") -> dict[str, list[tuple[Any, ...]]]:
        """Server -> all that was (or would be) changed, with the fields and the reason."""
        return {
            host: [
                (one["action"], one["kind"], one["name"], one["label"], json.dumps(one["fields"], sort_keys=True), one["reason"])
                for one in result.get("changes", ())
            ]
            for host, result in sorted(self.of(task).items())
        }

    def names(self, kind: str, task: str = "Converge") -> dict[str, set[str]]:
        return {host: {change[2] for change in changes if change[1] == kind} for host, changes in self.changes(task).items()}

    def changed_labels(self, server: str) -> dict[str, set[str]]:
        """Label -> what was done to the objects of this label."""
        found: dict[str, set[str]] = {}
        for action, kind, _name, label, *_rest in self.changes()[server]:
            found.setdefault(label, set()).add(f"{action} {kind}")
        return found

    @property
    def report(self) -> Json:
        return next(one["result"]["report"] for one in reversed(self.results) if one["task"] == "Report")

    def links(self) -> dict[str, tuple[str, str]]:
        return {one["key"]: (one["state"], one["reason"]) for one in self.report["links"]}

    def nodes(self) -> dict[str, tuple[str, str]]:
        return {one["name"]: (one["state"], one["reason"]) for one in self.report["nodes"]}

    def green(self) -> Run:
        """Itself, if it succeeded and every link and node is proven."""
        self.ok()
        report = self.report
        assert report["ok"], report
        assert {state for state, _reason in self.links().values()} <= {"up"}, self.links()
        assert {state for state, _reason in self.nodes().values()} <= {"ready"}, self.nodes()
        return self

    def failed(self) -> Run:
        assert self.rc != 0, f"the run was to fail\n{self.stdout}"
        assert "Traceback" not in self.stdout + self.stderr
        return self

    @property
    def said(self) -> str:
        """All it printed, on one line."""
        return " ".join((self.stdout + self.stderr).split())


@dataclasses.dataclass
class Lab:
    """A lab file on the controller, and its topology as a value that tests edit."""

    file: Path
    topology: Json

    @property
    def name(self) -> str:
        return str(self.topology["name"])

    @property
    def links(self) -> list[Json]:
        links: list[Json] = self.topology["topology"]["links"]
        return links

    @property
    def nodes(self) -> Json:
        nodes: Json = self.topology["topology"]["nodes"]
        return nodes

    def write(self, **options: Any) -> Lab:
        """Write the topology; the options of the lab file are kept unless given."""
        name = f"{self.name}.clab.yml"
        self.file.with_name(name).write_text(yaml.safe_dump(self.topology, sort_keys=False))
        have = yaml.safe_load(self.file.read_text()) if self.file.exists() else {}
        content = {"plugin": "archetype.lab.topology", "topology": name, "servers": "lab_servers", **have, **options}
        self.file.write_text(yaml.safe_dump(content, sort_keys=False))
        return self

    def container(self, node: str) -> str:
        return f"clab-{self.name}-{node}"


def lock_of(lab: str) -> str:
    """Where a server has the lock of a lab."""
    return f"/run/archetype-lab/labs/{lab}/lock.json"


def make_lab(folder: Path, name: str, nodes: Mapping[str, Json | str], links: Sequence[Sequence[str]], **options: Any) -> Lab:
    """A lab of hosts and segments. nodes: name -> its server, or its definition with C(server) in it.

    Without a management network, unless it is asked for: most tests are about wires, and count what a wire is made of.
    """
    defined = {node: {"server": one} if isinstance(one, str) else dict(one) for node, one in nodes.items()}
    pins = {node: one.pop("server") for node, one in defined.items() if "server" in one}
    topology = {
        "name": name,
        "topology": {
            "kinds": {"linux": {"image": HOST}},
            "nodes": {node: {"kind": "linux", **one} for node, one in defined.items()},
            "links": [{"endpoints": list(ends)} for ends in links],
        },
    }
    folder.mkdir(parents=True, exist_ok=True)
    return Lab(folder / f"{name}.lab.yml", topology).write(**{"placement": pins, "management": False, **options})


def addressed(server: str, *addresses: str, **more: Any) -> Json:
    """A host with these addresses on eth1, eth2 and so on."""
    commands = [f"ip address add {address} dev eth{index}" for index, address in enumerate(addresses, 1)]
    return {"server": server, "exec": commands, **more}


class World:
    """The testbed with what a user of the collection does on it."""

    def __init__(self, testbed: Testbed, folder: Path) -> None:
        self.testbed = testbed
        self.folder = folder
        self.runs = 0

    def server(self, name: str) -> LabServer:
        return LabServer(self.testbed.server(name))

    def each(self, work: Callable[[Server], T]) -> dict[str, T]:
        """The same on every server at once."""
        servers = self.testbed.servers
        with concurrent.futures.ThreadPoolExecutor(len(servers)) as pool:
            return dict(zip((one.name for one in servers), pool.map(work, servers), strict=True))

    def command(self, playbook: str, lab: Lab | None, *arguments: str) -> tuple[list[str], dict[str, str], Path]:
        """The command line of a playbook where the controller is, its environment, and the file that gets the results."""
        self.runs += 1
        results = self.folder / f"results{self.runs}.jsonl"
        results.touch()
        sources = ["-i", str(self.testbed.inventory_file), *(("-i", str(lab.file)) if lab else ())]
        program = str(ROOT / ".venv" / "bin" / "ansible-playbook")
        line = self.testbed.entering([program, *sources, str(ROOT / "playbooks" / f"{playbook}.yml"), *arguments])
        environment = {
            **fixtures.environment(),
            "ANSIBLE_CALLBACK_PLUGINS": str(Path(__file__).with_name("callbacks")),
            "ANSIBLE_CALLBACKS_ENABLED": "lab_results",
            "LAB_RESULTS": str(results),
        }
        return line, environment, results

    def play(self, playbook: str, lab: Lab | None, *arguments: str) -> Run:
        return self.carry_out(*self.command(playbook, lab, *arguments))

    def carry_out(self, line: list[str], environment: dict[str, str], results: Path) -> Run:
        done = subprocess.run(line, capture_output=True, text=True, env=environment, cwd=self.folder, timeout=600, check=False)
        found = [json.loads(one) for one in results.read_text().splitlines()]
        return Run(done.returncode, done.stdout, done.stderr, fixtures.recap(done.stdout), found)

    def start(self, playbook: str, lab: Lab, *arguments: str) -> tuple[subprocess.Popen[str], Path]:
        """The same, but it is left running: its process, and the file that gets a line for each result."""
        line, environment, results = self.command(playbook, lab, *arguments)
        null = subprocess.DEVNULL
        run = subprocess.Popen(line, stdout=null, stderr=null, text=True, env=environment, cwd=self.folder, start_new_session=True)
        return run, results

    def deploy(self, lab: Lab, *arguments: str) -> Run:
        return self.play("deploy_lab", lab, *arguments)

    def check(self, lab: Lab) -> Run:
        run = self.deploy(lab, "--check", "--diff")
        run.ok()
        return run

    def forget(self, *labs: str) -> None:
        """Take labs away without a playbook, whatever state they and the servers' daemons are in."""

        def clean(server: Server) -> None:
            for daemon in DAEMONS:
                server.daemon("start", daemon)
            one = LabServer(server)
            one.run("rm", "-f", *(lock_of(lab) for lab in labs))
            for lab in labs:
                result = one.module("lab_converge", lab=lab, state="absent")
                assert not result.get("failed"), result

        self.each(clean)

    def hang_up(self, server: str) -> None:
        """Kill the server's sshd with all its sessions: nobody can reach it."""
        self.testbed.server(server).daemon("kill", "sshd")
        for pid in cgroups.pids(self.testbed.name, server, "sshd"):
            if cgroups.comm(pid) == "sshd":
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    # what is on the servers

    def on(self, server: str, *words: str) -> str:
        return self.server(server).run(*words)

    def node(self, server: str, container: str, *words: str) -> str:
        """The output of a command inside a node."""
        return self.on(server, "docker", "exec", container, *words)

    def wait(self, question: Callable[[], bool], seconds: float, what: str) -> None:
        deadline = time.monotonic() + seconds
        while not question():
            if time.monotonic() > deadline:
                pytest.fail(f"after {seconds:.0f} s still not: {what}")
            time.sleep(0.2)

    def docker_names(self, prefix: str) -> dict[str, set[str]]:
        """Server -> the containers whose names begin so."""
        listed = self.each(lambda server: LabServer(server).docker("ps", "-a", "--format", "{{.Names}}").split())
        return {server: {name for name in names if name.startswith(prefix)} for server, names in listed.items()}

    def locked(self) -> list[str]:
        """The servers that have the lock of any lab's run."""
        found = self.each(lambda one: LabServer(one).run("sh", "-c", f"ls {lock_of('*')} 2>/dev/null || true"))
        return [name for name, locks in found.items() if locks.strip()]

    def ovs_marks(self, server: str) -> dict[str, Json]:
        """Every OVS port of a server, with its columns that a lab sets."""
        return ovs_table(self.on(server, "ovs-vsctl", "--format=json", "--columns=name,tag,vlan_mode,external_ids", "list", "Port"))

    def devices(self, server: str) -> dict[str, Json]:
        return {one["ifname"]: one for one in json.loads(self.on(server, "ip", "-json", "-details", "link"))}

    def traces(self, lab: str) -> dict[str, list[str]]:
        """Server -> everything on it that has the lab's name, a mark of it, or a file of it."""
        return {server: found for server, found in self.each(lambda one: traces_of(LabServer(one), lab)).items() if found}


def ovs_table(text: str) -> dict[str, Json]:
    table = json.loads(text)
    rows = [dict(zip(table["headings"], row, strict=True)) for row in table["data"]]
    return {row["name"]: {**row, "external_ids": dict(row["external_ids"][1])} for row in rows}


_LOOK = r"""
lab=$1
docker ps -aq --no-trunc | xargs -r docker inspect --format '{{.Name}} {{json .Config.Labels}}' | grep -F -- "$lab" | sed 's/^/container /'
docker volume ls --format '{{.Name}} {{.Labels}}' | grep -F -- "$lab" | sed 's/^/volume /'
docker network ls --format '{{.Name}} {{.Labels}}' | grep -F -- "$lab" | sed 's/^/network /'
ovsdb-client dump | grep -F -- "$lab" | sed 's/^/ovs /'
ip -d link | grep -F -- "archetype-lab:$lab:" | sed 's/^/alias /'
virsh -c qemu:///system list --all --name | grep -F -- "$lab" | sed 's/^/domain /'
find /var/lib/archetype-lab /run/archetype-lab /run/archetype-lab-dhcp /var/lib/libvirt -path "*$lab*" 2>/dev/null | sed 's/^/file /'
grep -rlF -- "\"$lab\"" /run/archetype-lab 2>/dev/null | sed 's/^/file that names it /'
ip netns | grep -F -- "$lab" | sed 's/^/namespace /'
true
"""


def traces_of(server: LabServer, lab: str) -> list[str]:
    return server.run("sh", "-c", _LOOK, "look", lab).splitlines()


@pytest.fixture(scope="session")
def prepared(testbed: Testbed, node_images: Sequence[str]) -> Testbed:
    """The servers as prepare_servers leaves them."""
    played = fixtures.run_playbook(testbed, ROOT / "playbooks" / "prepare_servers.yml")
    played.ok()
    return testbed


@pytest.fixture(scope="module")
def world(prepared: Testbed, tmp_path_factory: pytest.TempPathFactory) -> World:
    prepared.up(servers=3)
    return World(prepared, tmp_path_factory.mktemp("controller"))
