# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the watcher hears of machines, from the real libvirt, also after that was gone."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.testbed.paths import ROOT
from tests.testbed.testbed import Server, Testbed

# It says each thing that it hears on a line of its own.
LISTENER = """
from ansible_collections.archetype.lab.plugins.module_utils._libvirt import _events
from ansible_collections.archetype.lab.plugins.module_utils._watch._events import Inbox, follow
inbox = Inbox()
follow("libvirt", _events.changes, inbox, lambda line: None)
while True:
    for event in inbox.take(60):
        print("back" if event.back else "heard", flush=True)
"""
DOMAIN = "watched-by-a-test"
XML = f"<domain type='qemu'><name>{DOMAIN}</name><memory unit='MiB'>32</memory><os><type arch='x86_64'>hvm</type></os></domain>"


@pytest.fixture
def server(testbed: Testbed) -> Iterator[Server]:
    one = testbed.servers[0]
    yield one
    one.daemon("start", "libvirtd")
    one.run(["virsh", "undefine", DOMAIN])


def virsh(server: Server, *words: str, stdin: str = "") -> None:
    server.run(["virsh", "-q", *words], stdin=stdin, check=True)


def test_machines_are_heard_of_and_libvirtd_may_be_started_anew(server: Server) -> None:
    command = server.entering(["env", f"PYTHONPATH={ROOT}/collections", sys.executable, "-c", LISTENER])
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as listener:
        try:
            lines: Any = listener.stdout
            assert lines.readline() == "heard\n", "it listens"
            virsh(server, "define", "/dev/stdin", stdin=XML)
            assert lines.readline() == "heard\n"
            server.daemon("kill", "libvirtd")
            server.daemon("start", "libvirtd")
            assert lines.readline() == "back\n"
            virsh(server, "undefine", DOMAIN)
            assert lines.readline() == "heard\n"
        finally:
            listener.kill()
