# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Consoles of Juniper's devices, written by hand after the vendor's CLI and recovery guides."""

from __future__ import annotations

from ..console_player import PAUSE, Recorded, Talk, wire
from .common import NO_DISK, PANIC

CONFIG = """\
version 23.2R1.14;
system {
    host-name vr1;
    root-authentication {
        encrypted-password "$6$abc$def"; ## SECRET-DATA
    }
    login {
        message "--- more or less --- yours? [no]: ";
    }
}
interfaces {
    ge-0/0/0 {
        description "to r2 > not a prompt";
        unit 0 {
            family inet {
                address 192.0.2.1/30;
            }
        }
    }
}
"""
FAILURES = (
    b"Mounting root from ufs:/dev/gpt/junos\r\npanic: vm_fault: fault on nofault entry\r\nKDB: enter: panic\r\n",
    b"Mounting root from ufs:/dev/vtbd0s1a failed with error 19.\r\n\r\nmountroot> ",
    b"[ thread pid 1 tid 100002 ]\r\nStopped at      kdb_enter+0x3e\r\ndb> ",
    PANIC,
    NO_DISK,
)
BOOT = (
    b"\x1b[2J\x1b[1;1H\x1b[1m FreeBSD/x86 bootstrap loader, Revision 1.1\x1b[m\r\nLoading /boot/defaults/loader.conf\r\n"
    b"Hit [Enter] to boot immediately, or space bar for command prompt.\r\n"
    b"\rBooting [/packages/sets/active/boot/os-kernel/kernel] in 2 seconds... "
    b"\rBooting [/packages/sets/active/boot/os-kernel/kernel]...               \r\n|\b/\b-\b\\\b|\b/\r\n"
    b"Copyright (c) 1992-2023 The FreeBSD Project.\r\nMounting junos-platform-x86_64\r\nStarting Junos ...\r\n"
    b"Nov 21 06:00:04 init: can not access /usr/sbin/smihelperd: No such file or directory\r\n\r\n\x07\x07"
)


def junos(family: str, kinds: tuple[str, ...], host: bytes, above: bytes = b"", shell: bytes = b"", user: bytes = b"admin") -> Recorded:
    """above: a line above its prompts. shell: what root gets first."""
    operational = above + user + b"@" + host + b"> "
    return Recorded(
        family=family,
        kinds=kinds,
        boot=BOOT,
        ready=b"FreeBSD/amd64 (" + host + b") (ttyu0)\r\n\r\nlogin: ",
        failures=FAILURES,
        questions=(
            user + b"@" + host + b"> request system zeroize\r\nwarning: System will be rebooted\r\nErase all data? [yes,no] (no) ",
            user + b"@" + host + b"> request system reboot\r\nReboot the system ? [yes,no] (no) ",
            b"\r\nNew password:",
        ),
        talk=Talk(
            login=b"\r\nFreeBSD/amd64 (" + host + b") (ttyu0)\r\n\r\nlogin: ",
            secret=b"Password:",
            refused=b"Login incorrect\r\n",
            motd=b"\r\nLast login: Sat Nov 21 06:12:01 from 192.0.2.9\r\n\r\n--- JUNOS 23.2R1.14 Kernel 64-bit  JNPR-12.1-20230613\r\n",
            prompts=(*((shell,) if shell else ()), operational, b"\r\n[edit]\r\n" + user + b"@" + host + b"# "),
            moves={"cli": 1, "configure": 2} if shell else {"configure": 1},
            top=1 if shell else 0,
            configuring=2 if shell else 1,
            answers={"set cli screen-length 0": b"Screen length set to 0\r\n"},
            command="show configuration",
            output=b"\r## Last commit: 2026-11-21 06:40:00 UTC by admin\r\n" + PAUSE + wire(CONFIG) + b"\r\n",
            expected=CONFIG,
            pager=b"---(more 38%)---",
            erased=b"\r                                        \r",
            pager_off="set cli screen-length 0",
            unknown=b"                      ^\r\nunknown command.\r\n\r\n",
        ),
    )


RECORDINGS = (
    junos("Juniper Junos", ("juniper_vjunosrouter", "juniper_vjunosswitch", "juniper_vsrx", "juniper_vmx"), b"vr1"),
    junos("Juniper Junos, as root", ("juniper_vsrx", "juniper_vjunosrouter"), b"vr1", shell=b"root@vr1:~ # ", user=b"root"),
    junos("Juniper Junos without a name, as root", ("juniper_vsrx",), b"vr1", shell=b"root@% ", user=b"root"),
    junos("Juniper Junos in a chassis", ("juniper_vqfx", "juniper_vjunosswitch"), b"vqfx1", above=b"\r\n{master:0}\r\n"),
    junos("Juniper Junos Evolved", ("juniper_vjunosevolved",), b"re0"),
    junos("Juniper Junos Evolved, as root", ("juniper_vjunosevolved",), b"re0", shell=b"[vrf:none] root@re0:~# ", user=b"root"),
)
