# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which screens get an Enter, and which do not: what is asked there is the user's to answer."""

from __future__ import annotations

import pytest

from ansible_collections.archetype.lab.plugins.module_utils._console._dialog import may_send_enter
from ansible_collections.archetype.lab.plugins.module_utils._console._text import Screen
from ansible_collections.archetype.lab.plugins.module_utils._ready_console import probe

ENTER = [
    "",
    "Router>",
    "Router#",
    "admin@vjunos> ",
    "root@sonic:~# ",
    "[    3.141593] random: crng init done",
    "Press RETURN to get started!",
    "Press RETURN to get started.\n\n*Mar  1 00:00:44.011: %LINK-5-CHANGED: Interface GigabitEthernet0/0, changed state to up",
    "Would you like to enter the initial configuration dialog? [yes/no]: no\n\n\nPress RETURN to get started!\n",
    "Continue? (y/n) n\nswitch#",
]
NO_ENTER = [
    "Would you like to enter the initial configuration dialog? [yes/no]: ",
    "Would you like to enter the initial configuration dialog? [yes/no]: \n*Mar  1 00:00:44.011: %LINK-3-UPDOWN: Interface Vlan1, down",
    "Would you like to enter the initial configuration dialog? [yes/no]: *Mar  1 00:00:44.011: %SYS-5-CONFIG_I: Configured",
    "Would you like to terminate autoinstall? [yes]: ",
    "Do you want to enforce secure password standard (yes/no) [y]: ",
    "Abort Power On Auto Provisioning [yes - continue with normal setup, skip - bypass password]?(yes/skip/no)[no]: ",
    "Proceed with reload? [confirm]",
    "Pre-configure Firewall now through interactive prompts [yes]? ",
    "Format the disk? (y/n) ",
    "Really? [no]:",
    "vios login: ",
    "Username: ",
    "Password: ",
    "router1#show run\nversion 15\n --More-- ",
    "Enter host name [Router]: ",
    "Enter enable secret: ",
    "What do you want?",
    "loader > ",
]


@pytest.mark.parametrize("screen", ENTER)
def test_enter_is_sent_where_it_answers_nothing(screen: str) -> None:
    assert may_send_enter(lines(screen))


@pytest.mark.parametrize("screen", NO_ENTER)
def test_no_enter_is_sent_where_it_would_be_an_answer(screen: str) -> None:
    assert not may_send_enter(lines(screen))


def lines(text: str) -> list[str]:
    screen = Screen()
    screen.feed(text.replace("\n", "\r\n"))
    return screen.tail()


class Stream:
    """A console. first: what comes by itself, answer: after a key."""

    def __init__(self, first: bytes = b"", answer: bytes = b"") -> None:
        self.coming = [first]
        self.answer = answer
        self.sent = b""

    def read(self, timeout: float) -> bytes:
        return self.coming.pop(0) if self.coming else b""

    def write(self, data: bytes) -> None:
        self.sent += data
        self.coming.append(self.answer)

    def close(self) -> None: ...


@pytest.mark.parametrize(
    ("before", "stream", "ready", "sent"),
    [
        ("Router>", Stream(), True, b""),
        ("booting", Stream(b"\r\n\x1b[1mRou\x1b[0mter> "), True, b""),
        ("booting", Stream(answer=b"\r\nRouter>"), True, b"\r"),
        ("booting", Stream(b"still booting"), False, b""),
        ("booting", Stream(answer=b"\r\nbooting on"), False, b"\r"),
        ("booting", Stream(answer=b""), False, b"\r"),
        ("go on? [no]: ", Stream(answer=b"\r\nRouter>"), False, b""),
        ("go on? [yes/no]: ", Stream(b"%SYS-5-X: message\r\n", b"\r\nRouter>"), False, b""),
        ("Press RETURN to get started!", Stream(answer=b"\r\nRouter>"), True, b"\r"),
    ],
)
def test_it_looks_before_it_sends_and_sends_one_key(before: str, stream: Stream, ready: bool, sent: bytes) -> None:
    assert probe(stream, lines(before), r"Router[>#]") is ready
    assert stream.sent == sent
