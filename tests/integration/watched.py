# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server of the testbed with a small lab and the watcher of this checkout, which mends what the tests break."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.lab_server import LabServer
from tests.testbed import images
from tests.testbed.testbed import Testbed

HOST_IMAGE = "archetype-lab/host:1"
Json = dict[str, Any]


def two_hosts(lab: str, *, tag: int = 700) -> Json:
    """The declared state of two containers with a link between them."""
    ends = [
        {
            "name": f"{lab}p{number}",
            "link": f"{lab}1:eth1--{lab}2:eth1",
            "node": f"{lab}{number}",
            "interface": "eth1",
            "sandbox": f"{lab}-{number}.sb",
            "mac": f"02:00:00:{tag >> 8:02x}:{tag & 255:02x}:{number:02x}",
            "mtu": 1450,
            "device": "veth",
            "group": 3000 + tag,
            "tag": tag,
        }
        for number in (1, 2)
    ]
    containers = [
        {"name": f"{lab}-{number}", "sandbox": f"{lab}-{number}.sb", "node": f"{lab}{number}", "kind": "linux", "image": HOST_IMAGE}
        for number in (1, 2)
    ]
    endpoints = [{"node": one["node"], "interface": "eth1", "server": "srv1", "port": one["name"]} for one in ends]
    links = [{"key": f"{lab}1:eth1--{lab}2:eth1", "mtu": 1450, "endpoints": endpoints}]
    return {"lab": lab, "server": "srv1", "bridge": {}, "ports": ends, "containers": containers, "links": links}


class Watched:
    """The server, and what is asked of it."""

    def __init__(self, server: LabServer) -> None:
        self.box = server
        self.server = server.server
        self._log = self.server.disk / "log" / "watch.log"
        self._before = len(self._log.read_text()) if self._log.exists() else 0

    def deploy(self, declared: Json) -> None:
        """As deploying does, with the lock given back at the end."""
        result = self.box.module("lab_converge", declared=declared, owner="test", token="t")
        assert not result.get("failed"), result
        self.unlock(declared["lab"])

    def unlock(self, lab: str) -> None:
        self.box.run("rm", "-f", f"/run/archetype-lab/labs/{lab}/lock.json")

    def destroy(self, lab: str) -> None:
        result = self.box.module("lab_converge", lab=lab, state="absent")
        assert not result.get("failed"), result

    @property
    def log(self) -> str:
        """What the watcher said since."""
        return self._log.read_text()[self._before :]

    def path(self, path: str) -> Path:
        """A file of the server, seen from here."""
        return Path(f"{self.server.place.root}{path}")

    def journal(self, lab: str) -> list[Json]:
        file = self.path(f"/var/log/archetype-lab/{lab}.jsonl")
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def ports(self) -> set[str]:
        """None where there is no bridge either."""
        return set(self.server.run(["ovs-vsctl", "list-ports", "arch-ovs"]).stdout.split())

    def passes(self, lab: str) -> str:
        """Of the last pass, when it began."""
        with contextlib.suppress(OSError, ValueError):
            return str(json.loads(self.path(f"/run/archetype-lab/labs/{lab}/report.json").read_text())["at"])
        return ""

    def seconds_until(self, question: Callable[[], bool], limit: float, what: str) -> float:
        began = time.monotonic()
        while not question():
            if time.monotonic() - began > limit:
                pytest.fail(f"after {limit:g} s still not: {what}\n{self.log}")
            time.sleep(0.01)
        return time.monotonic() - began

    def quiet(self, lab: str) -> None:
        """Wait until it has nothing to do any more: no pass for a second."""
        last, since = self.passes(lab), time.monotonic()
        deadline = since + 20
        while time.monotonic() - since < 1.0:
            if time.monotonic() > deadline:
                pytest.fail(f"it makes passes for ever\n{self.log}")
            time.sleep(0.05)
            if (now := self.passes(lab)) != last:
                last, since = now, time.monotonic()

    def cpu(self) -> float:
        """Seconds of CPU that the watcher has used."""
        (pid,) = self.server.pids("watch")
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def watched_server(testbed: Testbed, *labs: str) -> Iterator[Watched]:
    """The first server, with a watcher; afterwards without it and these labs."""
    images.ensure(testbed, ["sandbox", "host"])
    one = Watched(LabServer(testbed.servers[0]))
    one.server.daemon("start", "watch")
    try:
        yield one
    finally:
        one.server.daemon("stop", "watch")
        for daemon in ("ovsdb", "vswitchd", "dockerd"):
            one.server.daemon("start", daemon)
        for lab in labs:
            one.unlock(lab)
            one.destroy(lab)
