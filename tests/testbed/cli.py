# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line of the testbed."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import yaml

from tests.testbed import images, paths
from tests.testbed.daemons import DAEMONS, OPTIONAL
from tests.testbed.testbed import Testbed


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m tests.testbed", description="Real servers on this machine, as namespaces.")
    verbs = top.add_subparsers(dest="verb", required=True)

    def add(verb: str, text: str) -> argparse.ArgumentParser:
        one = verbs.add_parser(verb, help=text, description=text)
        one.add_argument("--name", default="t", help="which testbed (default: t)")
        return one

    up = add("up", "make the testbed whole; a second time changes nothing")
    up.add_argument("--servers", type=int, default=3)
    up.add_argument("--mtu", type=int, default=1500, help="MTU of the underlay (1500, 9000)")
    add("down", "remove the testbed, whatever state it is in")
    add("inventory", "print the Ansible inventory of the servers")
    add("status", "print which daemons answer")
    run = add("run", "run a command where the controller is")
    run.add_argument("command", nargs=argparse.REMAINDER)
    one = add("exec", "run a command on a server")
    one.add_argument("server")
    one.add_argument("command", nargs=argparse.REMAINDER)
    daemon = add("daemon", "stop, start or kill a daemon of a server")
    daemon.add_argument("action", choices=("start", "stop", "kill", "status"))
    daemon.add_argument("server")
    daemon.add_argument("daemon", choices=(*DAEMONS, *OPTIONAL))
    reboot = add("reboot", "pull the plug of a server and start it again; its disks are kept")
    reboot.add_argument("server")
    cable = add("underlay", "plug a server's cable in or out")
    cable.add_argument("server")
    cable.add_argument("state", choices=("up", "down"))
    build = add("images", "build the node images and load them in all servers")
    build.add_argument("images", nargs="*", metavar="IMAGE", help="frr, host, sandbox; all, if none is given")
    load = add("load", "import a root file system as an image")
    load.add_argument("server", help="a server, or all")
    load.add_argument("tar", type=Path)
    load.add_argument("reference")
    load.add_argument("--change", action="append", default=[], help='an instruction such as CMD ["sh"]; may be given several times')
    return top


def _become(command: Sequence[str]) -> int:
    os.execvp(command[0], list(command))


def _words(command: Sequence[str]) -> list[str]:
    words = list(command[1:] if command[:1] == ["--"] else command)
    if not words:
        raise paths.TestbedError("which command? write it after --")
    return words


def status(testbed: Testbed) -> int:
    well = True
    for server in testbed.servers:
        states = {name: server.holder is not None and server.daemon("status", name) for name in DAEMONS}
        well = well and all(states.values())
        print(server.name, server.address, server.address6, *(f"{name}={'up' if good else 'DOWN'}" for name, good in states.items()))
    return 0 if well else 1


def _daemon(options: argparse.Namespace, testbed: Testbed) -> int:
    done = testbed.server(options.server).daemon(options.action, options.daemon)
    if options.action == "status":
        print("up" if done else "down")
        return 0 if done else 1
    print("changed" if done else "ok")
    return 0


def _inventory(testbed: Testbed) -> int:
    print(yaml.safe_dump(testbed.inventory(), sort_keys=False, width=1000), end="")
    return 0


def _load(options: argparse.Namespace, testbed: Testbed) -> bool:
    servers = testbed.servers if options.server == "all" else [testbed.server(options.server)]
    done = [images.load(server, options.tar, options.reference, options.change) for server in servers]
    return any(done)


def _timed(verb: str, work: Callable[[], bool]) -> int:
    began = time.monotonic()
    changed = work()
    print(f"{'changed' if changed else 'ok'}: {verb} in {time.monotonic() - began:.1f} s")
    return 0


def act(options: argparse.Namespace, testbed: Testbed) -> int:
    changes: dict[str, Callable[[], bool]] = {
        "up": lambda: testbed.up(options.servers, options.mtu),
        "down": testbed.down,
        "reboot": lambda: testbed.reboot(options.server),
        "underlay": lambda: testbed.set_underlay(options.server, options.state),
        "images": lambda: images.ensure(testbed, options.images),
        "load": lambda: _load(options, testbed),
    }
    answers: dict[str, Callable[[], int]] = {
        "inventory": lambda: _inventory(testbed),
        "status": lambda: status(testbed),
        "daemon": lambda: _daemon(options, testbed),
        "run": lambda: _become(testbed.entering(_words(options.command))),
        "exec": lambda: _become(testbed.server(options.server).entering(_words(options.command))),
    }
    if options.verb in changes:
        return _timed(options.verb, changes[options.verb])
    return answers[options.verb]()


def main(arguments: Sequence[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    try:
        return act(options, Testbed(options.name))
    except paths.TestbedError as exc:
        print(f"testbed: {exc}", file=sys.stderr)
        return 1
