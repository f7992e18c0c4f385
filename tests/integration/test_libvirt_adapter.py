# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The adapter of libvirt against the real libvirtd and QEMU of a server, with machines whose BIOS speaks on their serial port."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.testbed.console import Console
from tests.testbed.paths import ROOT
from tests.testbed.testbed import Server, Testbed

NAME = "la-one"
PORT = 20123
TERMINAL = "<serial type='pty'/>"
TELNET = f"<serial type='tcp'><source mode='bind' host='127.0.0.1' service='{PORT}'/><protocol type='telnet'/></serial>"
XML = """\
<domain type='qemu'>
  <name>{name}</name><uuid>{uuid}</uuid>
  <memory unit='MiB'>32</memory><vcpu>1</vcpu>
  <os><type arch='x86_64' machine='q35'>hvm</type><bios useserial='yes'/></os>
  <devices>{serial}<memballoon model='none'/></devices>
</domain>
"""
DRIVER = """
import dataclasses, json, signal, os, sys, time
from ansible_collections.archetype.lab.plugins.module_utils import _server
from ansible_collections.archetype.lab.plugins.module_utils._errors import LabError
from ansible_collections.archetype.lab.plugins.module_utils._libvirt import _connection
from ansible_collections.archetype.lab.plugins.module_utils._libvirt._adapter import connect

def told(step):
    try:
        return step()
    except LabError as error:
        return {"error": type(error).__name__, "text": str(error)}

def domain(name):
    found = virt.domains().get(name)
    return found and dataclasses.asdict(found)

def hear(stream, wanted, seconds=10.0):
    heard, end = b"", time.monotonic() + seconds
    while wanted not in heard and time.monotonic() < end:
        heard += stream.read(1.0)
    return heard.decode(errors="replace")

given = json.loads(sys.argv[1])
_connection.OPEN_TIMEOUT, _connection._ALIVE_INTERVAL, _connection._ALIVE_COUNT = 3.0, 1, 2
virt = connect(_server.RUN_DIR)
"""


class Adapter:
    """Steps that are done on the server, over one connection."""

    def __init__(self, server: Server) -> None:
        self.server = server

    def __call__(self, script: str, **given: Any) -> Any:
        command = [sys.executable, "-c", f"{DRIVER}\n{script}", json.dumps(given)]
        done = self.server.run(["env", f"PYTHONPATH={ROOT}/collections", *command], timeout=120)
        assert done.returncode == 0, done.stderr
        assert done.stderr == "", "libvirt's library writes errors there, if it is let"
        return json.loads(done.stdout)

    def virsh(self, *words: str) -> str:
        return self.server.run(["virsh", "-q", "-c", "qemu:///system", *words], check=True).stdout.strip()

    def define(self, serial: str = TERMINAL, name: str = NAME) -> None:
        xml = XML.format(name=name, uuid="6f1c0a52-0000-4000-8000-000000000001", serial=serial)
        self("print(json.dumps(virt.define(given['xml'])))", xml=xml)


@pytest.fixture
def virt(testbed: Testbed) -> Iterator[Adapter]:
    server = testbed.servers[0]
    yield Adapter(server)
    server.run(["sh", "-c", f"virsh -q destroy {NAME}; virsh -q undefine --nvram --managed-save {NAME}"])


def test_a_domain_goes_through_its_life(virt: Adapter) -> None:
    """Each step can be done twice: the second time there is nothing to do."""
    virt.define()
    script = """
states = []
for step in given["steps"]:
    told_now = told(lambda: getattr(virt, step)(given["name"]))
    one = domain(given["name"])
    states.append([step, told_now, one and [one["status"], bool(one["live_xml"]), bool(one["started"]), one["managed_save"]]])
print(json.dumps(states))
"""
    steps = ["start", "start", "destroy", "destroy", "undefine", "undefine"]
    on, off = ["running", True, True, False], ["shutoff", False, False, False]
    wanted = [on, on, off, off, None, None]
    assert virt(script, name=NAME, steps=steps) == [[step, None, state] for step, state in zip(steps, wanted, strict=True)]


def test_each_start_is_told_from_others_and_not_by_libvirts_own_restart(virt: Adapter) -> None:
    virt.define()
    look = "print(json.dumps(domain(given['name'])))"
    virt.virsh("start", NAME)
    first = virt(look, name=NAME)
    virt.server.daemon("stop", "libvirtd")
    virt.server.daemon("start", "libvirtd")
    assert virt(look, name=NAME) == first
    virt.virsh("destroy", NAME)
    virt.virsh("start", NAME)
    second = virt(look, name=NAME)
    assert second["started"] != first["started"]
    assert second["started_at"] >= first["started_at"]


def test_a_killed_machine_is_crashed_and_a_saved_state_is_not_gone_on_with(virt: Adapter) -> None:
    virt.define()
    virt.virsh("start", NAME)
    virt.server.run(["sh", "-c", f"kill -9 $(cat /run/libvirt/qemu/{NAME}.pid)"], check=True)
    script = """
end = time.monotonic() + 5
while domain(given["name"])["status"] == "running" and time.monotonic() < end:
    time.sleep(0.1)
print(json.dumps(domain(given["name"])))
"""
    assert virt(script, name=NAME)["status"] == "crashed"
    virt.virsh("start", NAME)
    virt.virsh("managedsave", NAME)
    look = "print(json.dumps([domain(given['name'])['managed_save'], virt.start(given['name']), domain(given['name'])['managed_save']]))"
    assert virt(look, name=NAME) == [True, None, False]


def test_nothing_is_left_of_a_machine_that_ended_with_its_server(virt: Adapter) -> None:
    """libvirt forgets that it ran, and leaves its sockets. Those of others stay."""
    virt.define()
    virt.virsh("start", NAME)
    virt.server.daemon("kill", "libvirtd")
    stop = f"kill -9 $(cat /run/libvirt/qemu/{NAME}.pid); rm /run/libvirt/qemu/{NAME}.*; mkdir /var/lib/libvirt/qemu/domain-7-x-{NAME}"
    virt.server.run(["sh", "-ec", stop], check=True)
    virt.server.daemon("start", "libvirtd")
    find = ["find", "/var/lib/libvirt", "-name", f"*{NAME}*"]
    assert f"-{NAME}/" in virt.server.run(["find", "/var/lib/libvirt", "-path", f"*{NAME}*"]).stdout
    virt("print(json.dumps(virt.undefine(given['name'])))", name=NAME)
    assert virt.server.run(find, check=True).stdout.split() == [f"/var/lib/libvirt/qemu/domain-7-x-{NAME}"]
    virt.server.run(["rmdir", f"/var/lib/libvirt/qemu/domain-7-x-{NAME}"], check=True)


def test_what_it_can_do_is_tried_not_read(virt: Adapter) -> None:
    """This machine has /dev/kvm, with which no machine starts: see docs/vms.md."""
    script = "print(json.dumps(dataclasses.asdict(virt.host())))"
    host = virt(script)
    works = virt.server.run(["test", "-e", "/dev/kvm"]).returncode == 0 and not host["why_not"]
    assert host["kvm"] is works
    assert host["kvm"] or host["why_not"]
    assert (host["uid"], host["gid"]) == (0, 0), "the testbed's QEMU is root"
    assert host["machines"]["q35"].startswith("pc-q35-")
    assert host["machines"]["pc"].startswith("pc-i440fx-")
    assert "/usr/share/OVMF/OVMF_CODE_4M.fd" in host["firmware"]
    assert "archetype-lab-kvm" not in virt.virsh("list", "--all", "--name")
    began = "began = time.monotonic(); virt.host(); print(json.dumps(time.monotonic() - began))"
    assert virt(began) < 0.3, "it is remembered"


def test_a_console_is_heard_and_lets_in_one_at_a_time(virt: Adapter) -> None:
    virt.define()
    virt.virsh("start", "--paused", NAME)
    script = """
stream = virt.console(given["name"])
nothing = stream.read(0.2).decode()
second = told(lambda: virt.console(given["name"]))
import libvirt
libvirt.open("qemu:///system").lookupByName(given["name"]).resume()
heard = hear(stream, b"SeaBIOS")
stream.write(b"x")
virt.destroy(given["name"])
ended = told(lambda: [stream.read(5.0) and None for _turn in range(100)])
stream.close()
print(json.dumps([nothing, second, heard, ended]))
"""
    nothing, second, heard, ended = virt(script, name=NAME)
    assert nothing == ""
    assert second["error"] == "LockedError"
    assert "SeaBIOS" in heard
    assert ended["error"] == "ReadError"
    assert "ended" in ended["text"]


def test_a_console_that_is_given_back_can_be_had_again(virt: Adapter) -> None:
    virt.define()
    virt.virsh("start", NAME)
    with Console(virt.server, NAME) as person:
        person.send("\r")
        person.wait_for("SeaBIOS|Boot|No boot|iPXE", 20.0)
        script = "print(json.dumps(told(lambda: virt.console(given['name']).close())))"
        assert virt(script, name=NAME)["text"].startswith(f"the console of {NAME} is in use by somebody else; leave virsh console")
    again = """
for turn in range(3):
    stream = virt.console(given["name"])
    stream.close()
print(json.dumps(None))
"""
    assert virt(again, name=NAME) is None


def test_a_console_on_a_tcp_port_is_spoken_to_as_telnet(virt: Adapter) -> None:
    virt.define(TELNET)
    virt.virsh("start", "--paused", NAME)
    script = """
stream = virt.console(given["name"])
second = told(lambda: virt.console(given["name"]))
import libvirt
libvirt.open("qemu:///system").lookupByName(given["name"]).resume()
heard = hear(stream, b"SeaBIOS")
virt.destroy(given["name"])
ended = told(lambda: [stream.read(5.0) and None for _turn in range(100)])
print(json.dumps([second, heard, ended]))
"""
    second, heard, ended = virt(script, name=NAME)
    assert second["error"] == "LockedError"
    assert str(PORT) in second["text"]
    assert "SeaBIOS" in heard
    assert "\ufffd" not in heard.split("SeaBIOS")[0], "telnet's own words are dropped"
    assert ended["error"] == "ReadError"


def test_what_libvirt_refuses_is_told_with_its_words(virt: Adapter) -> None:
    script = """
bad = given["xml"].replace("<vcpu>1</vcpu>", "<vcpu>1</vcpu><nonsense/>")
steps = [lambda: virt.define(bad), lambda: virt.start("la-none"), lambda: virt.console("la-none")]
print(json.dumps([told(step) for step in steps]))
"""
    xml = XML.format(name=NAME, uuid="6f1c0a52-0000-4000-8000-000000000001", serial=TERMINAL)
    defined, started, opened = virt(script, xml=xml)
    assert defined["error"] == started["error"] == "ApplyError"
    assert "nonsense" in defined["text"]
    assert "la-none" in started["text"]
    assert opened["error"] == "ReadError"


def test_another_domain_of_the_name_is_left_alone(virt: Adapter) -> None:
    """Somebody may replace a domain while a run is at work, as looking at images takes its time."""
    virt.define()
    script = """
virt.domains()
import libvirt
other = libvirt.open("qemu:///system")
other.lookupByName(given["name"]).undefine()
other.defineXML(given["xml"])
steps = ["start", "destroy", "undefine", "console"]
print(json.dumps([told(lambda: getattr(virt, step)(given["name"]))["error"] for step in steps]))
"""
    xml = XML.format(name=NAME, uuid="6f1c0a52-0000-4000-8000-000000000002", serial=TERMINAL)
    assert virt(script, name=NAME, xml=xml) == ["ForeignError"] * 4
    assert virt.virsh("domuuid", NAME).endswith("0002")


def test_what_says_nothing_of_kvm_is_not_remembered(virt: Adapter) -> None:
    """Without virtlogd no machine starts at all."""
    virt.server.run(["rm", "-f", "/run/archetype-lab/kvm.json"], check=True)
    virt.server.daemon("stop", "virtlogd")
    script = "print(json.dumps(told(lambda: dataclasses.asdict(virt.host()))))"
    found = virt(script)
    virt.server.daemon("start", "virtlogd")
    again = virt(script)
    assert "virtlogd" in str(found), found
    assert again["why_not"] == "" or "virtlogd" not in again["why_not"], again


def test_a_call_that_does_not_end_is_given_up(virt: Adapter) -> None:
    """libvirtd answers keepalives while a call waits in it, and nothing else is asked on that connection then."""
    script = """
from ansible_collections.archetype.lab.plugins.module_utils._libvirt import _adapter
_adapter.READ_TIMEOUT = 1.0
virt._connection = type("Stuck", (), {"listAllDomains": lambda self, flags: time.sleep(60)})()
began = time.monotonic()
found = [told(virt.domains), told(lambda: virt.start("la-none")), told(virt.close)]
print(json.dumps([found, time.monotonic() - began]))
"""
    (listed, started, closed), seconds = virt(script)
    assert (listed["error"], started["error"], closed) == ("ReadError", "ApplyError", None)
    assert "within 1 s" in listed["text"]
    assert seconds < 5


@pytest.mark.parametrize("how", ["stop", "freeze"])
def test_a_libvirt_that_does_not_answer_is_not_an_empty_one(virt: Adapter, how: str) -> None:
    """Whether it is gone or only silent, and whether it went before or after the connection was made."""
    virt.define()
    script = """
for pid in given["pids"]:
    os.kill(pid, given["signal"])
try:
    found = [told(lambda: list(virt.domains())), told(lambda: connect(_server.RUN_DIR))]
finally:
    for pid in given["pids"]:
        os.kill(pid, signal.SIGCONT) if given["signal"] == signal.SIGSTOP else None
print(json.dumps(found))
"""
    number = {"stop": 15, "freeze": 19}[how]
    listed, opened = virt(script, pids=virt.server.pids("libvirtd"), signal=number)
    virt.server.daemon("start", "libvirtd")
    assert listed["error"] == opened["error"] == "ReadError"
    assert "systemctl status libvirtd" in opened["text"]
    assert virt.virsh("list", "--all", "--name") == NAME
