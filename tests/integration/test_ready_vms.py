# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Machines that really boot are waited for, look by look: what each probe sees of them, and what is remembered of which boot.

The tests share two machines that are on all the time, and go on where the one before left them.
"""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.lab_server import LabServer
from tests.testbed import guest
from tests.testbed.testbed import Testbed

LAB = "rw"
BRIDGE = "rw-ovs"
KEPT = f"/var/lib/archetype-lab/{LAB}/ready.json"
NODES = ("admin1", "r2")
"""The first has the password of both in its name."""
ADDRESS, OWN = "10.98.0.2", "10.98.0.1"
NEVER = {"probe": "log", "pattern": "this never comes"}
LOGIN = {"probe": "log", "pattern": "login:"}
COMMANDS = ("terminal length 0", "shell echo told $((6 * 7))")
MARKERS = {"boot_markers": ["SYSLINUX", r"guest: boot \d+"], "failure_markers": ["Kernel panic"]}


class Guests(LabServer):
    def log(self, node: str) -> str:
        return f"/var/lib/libvirt/archetype-lab/{LAB}/{LAB}-{node}/console.log"

    def wrote(self, node: str) -> str:
        return self.run("cat", self.log(node))

    def console(self, node: str) -> guest.Console:
        return guest.Console(self.server, f"{LAB}-{node}")

    def virsh(self, *words: str) -> str:
        return self.run("virsh", "-q", "-c", "qemu:///system", *words).strip()

    def forget(self) -> None:
        """What was found to be ready is looked at anew."""
        self.run("rm", "-f", KEPT)

    def kept(self) -> dict[str, Any]:
        return dict(json.loads(self.run("cat", KEPT))["nodes"])

    def hush(self, node: str, seconds: int = 6, *, empty: bool = False) -> None:
        """As if a machine had written nothing for some time, or nothing at all; but not as if its log were of before its start."""
        self.run("sh", "-c", f"{': >' if empty else ':'} {self.log(node)}; touch -d '-{seconds} seconds' {self.log(node)}")

    def look(self, *nodes: tuple[str, dict[str, Any]], post_boot: tuple[str, ...] = (), **options: Any) -> dict[str, Any]:
        """What the module says of these nodes, each with its probe."""
        result = self.module("lab_ready", lab=LAB, access=[access(node, post_boot, **probe) for node, probe in nodes], **options)
        assert not result.get("failed"), result
        return result

    def state(self, node: str, probe: dict[str, Any], **options: Any) -> tuple[str, str]:
        (found,) = self.look((node, probe), **options)["nodes"]
        return found["state"], found["reason"]

    def reset(self) -> None:
        """Remove whatever a test left, without the code under test."""
        for node in NODES:
            for command in (f"virsh -q destroy {LAB}-{node}", f"virsh -q undefine {LAB}-{node}", f"ip link del rw-{node}"):
                self.run("sh", "-c", f"{command} 2>/dev/null || true")
        self.run("rm", "-rf", f"/var/lib/libvirt/archetype-lab/{LAB}", f"/var/lib/archetype-lab/{LAB}")
        self.run("ovs-vsctl", "--if-exists", "del-br", BRIDGE)


def access(node: str, post_boot: tuple[str, ...] = (), **probe: Any) -> dict[str, Any]:
    return {
        "node": node,
        "type": "vm",
        "name": f"{LAB}-{node}",
        "readiness": {"timeout": 600, **MARKERS, **probe},
        "username": "admin",
        "password": "admin",
        "post_boot": list(post_boot),
    }


def machine(node: str, place: int) -> dict[str, Any]:
    text = f"hostname {node}\naddress 1 10.98.0.{place + 2}/24\n"
    return {
        "name": f"{LAB}-{node}",
        "node": node,
        "image": guest.PATH,
        "memory": 128 * 2**20,
        "nics": [
            {"mac": f"02:00:00:98:00:{place:02d}", "role": "management"},
            {"mac": f"02:00:00:98:01:{place:02d}", "tap": f"rw-{node}", "interface": "eth1"},
        ],
        "medium": {
            "type": "iso",
            "label": "config",
            "bus": "scsi",
            "files": [{"path": "guest.cfg", "content": base64.b64encode(text.encode()).decode()}],
        },
    }


@pytest.fixture(scope="module")
def guests(testbed: Testbed, guest_image: str) -> Iterator[Guests]:
    """Two machines that were started this moment, on a bridge of which the server is part."""
    made = Guests(testbed.servers[0])
    made.reset()
    ports = [{"name": f"rw-{node}", "device": "tap", "node": node, "interface": "eth1", "mtu": 1500, "tag": 98} for node in NODES]
    machines = [machine(node, place) for place, node in enumerate(NODES)]
    for name, given in (
        ("ovs_bridge", {"bridges": [{"name": BRIDGE}]}),
        ("ovs_port_vlan", {"lab": LAB, "ports": ports, "bridge": BRIDGE}),
        ("lab_vm", {"lab": LAB, "vms": machines, "bridge": BRIDGE}),
    ):
        result = made.module(name, **given)
        assert not result.get("failed"), result
    made.run("ovs-vsctl", "add-port", BRIDGE, "rw-own", "tag=98", "--", "set", "interface", "rw-own", "type=internal")
    made.run("ip", "address", "add", f"{OWN}/24", "dev", "rw-own")
    made.run("ip", "link", "set", "rw-own", "up")
    yield made
    made.reset()


def test_all_are_waited_for_in_one_call_and_nothing_is_lost_to_a_password_in_a_name(guests: Guests) -> None:
    probes = [(node, LOGIN) for node in NODES]
    first = guests.look(*probes)
    assert not first["ready"]
    assert {one["state"] for one in first["nodes"]} == {"starting"}
    result = guests.look(*probes, wait=60)
    found = {one["node"]: (one["state"], one["last"], one["marker"]) for one in result["nodes"]}
    assert found == {"admin1": ("ready", "admin1 login:", "guest: boot 1"), "r2": ("ready", "r2 login:", "guest: boot 1")}
    assert (result["ready"], result["changed"]) == (True, False)
    assert sorted(guests.kept()) == ["admin1", "r2"]


def test_what_was_ready_stays_so_though_its_log_is_gone_until_that_is_forgotten(guests: Guests) -> None:
    saved = guests.wrote("r2")
    guests.run("truncate", "-s", "0", guests.log("r2"))
    probe: dict[str, Any] = {**LOGIN, "timeout": 2}
    assert guests.state("r2", probe) == ("ready", "")
    guests.run("sh", "-c", f"echo '{{' > {KEPT}")
    broken = guests.look(("r2", probe))
    assert f"{KEPT} is broken" in str(broken["warnings"])
    assert "nodes are looked at anew" in str(broken["warnings"])
    state, reason = broken["nodes"][0]["state"], broken["nodes"][0]["reason"]
    assert (state, "is not ready after" in reason, "its kind gives it 2 s" in reason) == ("starting", True, True), reason
    guests.run("sh", "-c", f"printf '%s' '{saved}' > {guests.log('r2')}")
    mended = guests.look(("r2", probe))
    assert mended["nodes"][0]["state"] == "ready"
    assert sorted(guests.kept()) == ["r2"]


def test_a_console_is_woken_by_enter_and_a_question_on_it_is_left_to_its_user(guests: Guests) -> None:
    with guests.console("admin1") as line:
        line.login()
    prompt = {"probe": "console", "pattern": r"^admin1#$"}
    guests.hush("admin1", empty=True)
    guests.forget()
    assert guests.state("admin1", prompt) == ("ready", "")
    assert "admin1#" in guests.wrote("admin1")
    with guests.console("admin1") as line:
        guests.forget()
        guests.run("truncate", "-s", "0", guests.log("admin1"))
        assert guests.state("admin1", prompt)[1].startswith("waits for '^admin1#$' since ")
        guests.hush("admin1")
        state, reason = guests.state("admin1", prompt)
        assert (state, "is in use by somebody else" in reason) == ("starting", True), reason
        line.login()
        line.send("shell echo -n 'Would you like to enter the dialog? [''no]: ' >/dev/ttyS0; read x </dev/ttyS0; echo answered \"<$x>\"\n")
        line.wait_for(r"dialog\? \[no\]: $")
    guests.forget()
    guests.hush("admin1")
    state, reason = guests.state("admin1", {"probe": "console", "pattern": "answered <[m>]"})
    assert (state, reason.rpartition("; ")[2]) == ("starting", "last: Would you like to enter the dialog? [no]:")
    with guests.console("admin1") as line:
        line.send("mine\n")
        assert "answered <mine>" in line.wait_for("answered <.*>")


def test_an_answer_over_the_network_is_looked_at_too(guests: Guests) -> None:
    near = {"address": ADDRESS, "port": 2222}
    refused = guests.look(("admin1", {"probe": "tcp", **near}), ("r2", {"probe": "ssh", "address": "10.98.0.77"}))["nodes"]
    assert {one["state"] for one in refused} == {"starting"}
    assert f"waits for TCP at {ADDRESS} port 2222 since" in refused[0]["reason"]
    assert "it does not answer there (Connection refused)" in refused[0]["reason"]
    assert "waits for SSH at 10.98.0.77 port 22 since" in refused[1]["reason"]
    with guests.console("admin1") as line:
        line.login()
        line.run("shell nc -ll -p 2222 -e echo hello >/dev/null 2>&1 & nc -ll -p 22 -e echo SSH-2.0-guest >/dev/null 2>&1 &")
    state, reason = guests.state("admin1", {"probe": "ssh", **near})
    assert (state, "what answers there is no SSH: hello" in reason) == ("starting", True), reason
    assert guests.state("admin1", {"probe": "ssh", "address": ADDRESS}) == ("ready", "")
    guests.forget()
    assert guests.state("admin1", {"probe": "tcp", **near}) == ("ready", "")


def told(guests: Guests, node: str) -> int:
    return guests.wrote(node).count("told 42")


def test_commands_run_once_a_boot_and_none_in_check_mode(guests: Guests) -> None:
    both = [(node, LOGIN) for node in NODES]
    foreseen = guests.look(*both, post_boot=COMMANDS, check_mode=True)
    expected = [(node, command) for node in NODES for command in COMMANDS]
    assert [(change["label"], change["reason"]) for change in foreseen["changes"]] == expected
    assert told(guests, "r2") == 0
    result = guests.look(*both, post_boot=COMMANDS)
    assert sorted((change["label"], change["reason"]) for change in result["changes"]) == sorted(expected)
    assert (result["changed"], result["plan"]) == (True, {"run": 4})
    assert [told(guests, node) for node in NODES] == [1, 1]
    again = guests.look(*both, post_boot=(*COMMANDS, "show disks"))
    assert sorted((change["label"], change["reason"]) for change in again["changes"]) == [(node, "show disks") for node in NODES]


def test_a_panic_is_told_and_a_guest_that_starts_again_by_itself_is_in_the_same_boot(guests: Guests) -> None:
    """One that QEMU was started anew for is in another."""
    with guests.console("admin1") as line:
        line.login()
        line.send("shell echo c >/proc/sysrq-trigger\n")
        line.wait_for("Rebooting in 5 seconds")
    assert guests.state("admin1", NEVER) == ("ready", "")
    guests.virsh("destroy", f"{LAB}-r2")
    guests.run("cp", KEPT, f"{KEPT}.aside")
    guests.forget()
    state, reason = guests.state("admin1", NEVER)
    assert state == "starting"
    assert "Kernel panic - not syncing: sysrq triggered crash, after which it may start again; last: " in reason
    guests.hush("admin1", 13)
    state, reason = guests.state("admin1", NEVER)
    assert (state, reason.startswith("its log shows [")) == ("failed", True), reason
    shown = "Kernel panic - not syncing: sysrq triggered crash, after which it does not become ready"
    assert reason.endswith(f"{shown}; look at it: virsh -c qemu:///system console {LAB}-admin1")
    guests.run("touch", guests.log("admin1"))
    guests.virsh("start", f"{LAB}-r2")
    started = {"probe": "log", "pattern": r"boot 2[\s\S]*login:"}
    found = {one["node"]: (one["state"], one["marker"]) for one in guests.look(("admin1", started), ("r2", started), wait=60)["nodes"]}
    assert found == dict.fromkeys(NODES, ("ready", "guest: boot 2"))
    guests.run("mv", f"{KEPT}.aside", KEPT)
    result = guests.look(("admin1", started), ("r2", started), post_boot=COMMANDS)
    assert [(change["label"], change["reason"]) for change in result["changes"]] == [("r2", command) for command in COMMANDS]
    assert [told(guests, node) for node in NODES] == [1, 1]


def test_a_machine_of_somebody_else_is_left_alone_though_it_has_the_name(guests: Guests) -> None:
    """The same machine as it would be if somebody had made it: without the mark."""
    name = f"{LAB}-r2"
    uri = "https://archetype-lab.example/xmlns/1"
    guests.forget()
    mark = guests.virsh("metadata", name, uri)
    for where in ("--live", "--config"):
        guests.virsh("metadata", name, uri, where, "--remove")
    guests.hush("r2")
    before = guests.wrote("r2")
    prompt = {"probe": "console", "pattern": "this never comes"}
    result = guests.look(("r2", prompt), post_boot=("show disks",))
    told = f"domain {name} is foreign (it has no mark), not node r2 of lab {LAB}; remove or rename it, or give the lab another name"
    assert [(one["state"], one["reason"], one["foreign"]) for one in result["nodes"]] == [("stopped", told, True)]
    save = {"method": "console", "command": "show running-config", "prompt": "r2#"}
    (config,) = guests.module("lab_config", lab=LAB, access=[{**access("r2"), "save": save}])["configs"]
    assert (config["config"], config["error"]) == ("", f"it is stopped: {told}")
    assert guests.wrote("r2") == before
    guests.virsh("metadata", name, uri, "--live", "--config", "--key", "mark", "--set", mark)
    assert guests.state("r2", LOGIN) == ("ready", "")


def test_a_machine_that_dies_is_not_waited_for_any_longer(guests: Guests) -> None:
    guests.forget()
    later = threading.Timer(1.0, guests.virsh, ["destroy", f"{LAB}-r2"])
    later.start()
    begun = time.monotonic()
    assert guests.state("r2", NEVER, wait=30) == ("stopped", f"domain {LAB}-r2 is shutoff")
    later.join()
    assert time.monotonic() - begun < 10
    guests.virsh("suspend", f"{LAB}-admin1")
    assert guests.state("admin1", NEVER, wait=30) == ("stopped", f"domain {LAB}-admin1 is paused")
    guests.virsh("undefine", f"{LAB}-r2")
    assert guests.state("r2", NEVER, wait=30) == ("stopped", f"domain {LAB}-r2 is not there")
