# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether ovs-vswitchd is at work is told by its answer, not by its files."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.archetype.lab.plugins.module_utils._errors import ReadError
from ansible_collections.archetype.lab.plugins.module_utils._ovsdb import _daemon


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[socket.socket]:
    """A control socket, as a daemon with process number 12 has it."""
    (tmp_path / "ovs-vswitchd.pid").write_text("12\n")
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(tmp_path / "ovs-vswitchd.12.ctl"))
        one.listen()
        yield one


def test_a_daemon_that_answers_is_at_work(tmp_path: Path, listener: socket.socket) -> None:
    asked: list[bytes] = []

    def answer() -> None:
        connection, _address = listener.accept()
        with connection:
            asked.append(connection.recv(1000))
            connection.sendall(b'{"id":0,"result":"ovs-vswitchd 3.1.0","error":null}')

    daemon = threading.Thread(target=answer)
    daemon.start()
    _daemon.check(str(tmp_path))
    daemon.join()
    assert b'"version"' in asked[0]


def test_a_daemon_that_hangs_is_told_from_one_that_does_not_run(tmp_path: Path, listener: socket.socket) -> None:
    with pytest.raises(ReadError, match=r"ovs-vswitchd does not answer: it said nothing for 0\.1 s; look into its log"):
        _daemon.check(str(tmp_path), timeout=0.1)


def test_a_daemon_that_was_killed_left_its_files_behind(tmp_path: Path, listener: socket.socket) -> None:
    listener.close()
    with pytest.raises(ReadError, match="ovs-vswitchd does not run; start Open vSwitch on this server"):
        _daemon.check(str(tmp_path))


def test_a_daemon_that_was_stopped_left_nothing(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="ovs-vswitchd does not run"):
        _daemon.check(str(tmp_path))
