# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Consoles of further routers, written by hand after their vendors' CLI guides."""

from __future__ import annotations

from ansible_collections.archetype.lab.plugins.module_utils._declared_vm import Save

from ..console_player import Recorded, Talk, wire
from .common import NO_DISK, PANIC

ROUTEROS_CONFIG = """\
# software id = 8NBL-KQ4M
#
/interface ethernet
set [ find default-name=ether1 ] disable-running-check=no
/ip address
add address=192.0.2.1/30 comment="to > r2" interface=ether2 network=192.0.2.0
/system identity
set name=gw1
"""
ROUTEROS = Recorded(
    family="MikroTik RouterOS",
    kinds=("mikrotik_ros",),
    boot=b"\r\nLoading kernel... OK\r\nsetting up elf image... OK\r\njumping to kernel code\r\nStarting...\r\n"
    b"Starting services...\r\n\r\n\x1b[c"
    b"MikroTik 7.11.2 (stable)\r\n",
    ready=b"gw1 Login: ",
    failures=(PANIC, NO_DISK),
    questions=(b"\r\nDo you want to see the software license? [Y/n]: ", b"\r\nChange your password\r\n\r\nnew password> "),
    talk=Talk(
        login=b"\r\nMikroTik 7.11.2 (stable)\r\ngw1 Login: ",
        secret=b"Password: ",
        refused=b"\r\nLogin failed, incorrect username or password\r\n\r\n",
        motd=b"\r\n\x1b[m\x1b[?25h  MMM      MMM       KKK                          TTTTTTTTTTT      KKK\r\n\r\n"
        b"  MikroTik RouterOS 7.11.2 (c) 1999-2023\r\n\r\n"
        b"Press F1 for help\r\n\r\n\x1b[9999B\x1b[6n\x1bZ",
        prompts=(b"\r\x1b[K[\x1b[36;1madmin\x1b[m\x1b[32m@\x1b[m\x1b[35;1mgw1\x1b[m] > ",),
        command="/export",
        output=b"# 2026-11-21 06:52:10 by RouterOS 7.11.2\r\n" + wire(ROUTEROS_CONFIG),
        expected=ROUTEROS_CONFIG,
        quits=("quit", "/quit"),
        redraws=True,
        unknown=b"bad command name show (line 1 column 1)\r\n",
    ),
)

SROS_CONFIG = """\
configure {
    card 1 {
        card-type iom-1
    }
    router "Base" {
        interface "to-r2" {
            port 1/1/c1/1
        }
    }
    system {
        name "sr1"
    }
}

"""
SROS = Recorded(
    family="Nokia SR OS",
    kinds=("nokia_sros",),
    boot=b"Nokia BootROM\r\nLooking for cf3:/bof.cfg ... OK, reading\r\n\r\nTotal Memory: 4GB  Chassis Type: sr-1\r\n"
    b"Loading boot.tim\r\nPress 'Enter' to interrupt the boot process, or wait 1 seconds\r\n"
    b"TiMOS-B-23.10.R1 both/x86_64 Nokia 7750 SR Copyright (c) 2000-2023 Nokia.\r\n\r\n",
    ready=b"\r\nLogin: ",
    failures=(PANIC, NO_DISK),
    questions=(b"A:admin@sr1# admin reboot now\r\nAre you sure you want to reset the system (y/n)? ",),
    talk=Talk(
        login=b"\r\n\r\nLogin: ",
        refused=b"\r\nLogin incorrect.\r\n",
        motd=b"\r\nWARNING: Entering with default password.\r\n",
        prompts=(b"\r\n[/]\r\nA:admin@sr1# ", b"\r\n(ex)[/]\r\nA:admin@sr1# "),
        moves={"configure exclusive": 1, "quit-config": 0},
        configuring=1,
        command="admin show configuration",
        output=b"# TiMOS-B-23.10.R1 both/x86_64 Nokia 7750 SR Copyright (c) 2000-2023 Nokia.\r\n"
        b"# Generated SAT NOV 21 06:52:10 2026 UTC\r\n\r\n" + wire(SROS_CONFIG) + b"# Finished SAT NOV 21 06:52:10 2026 UTC\r\n",
        expected="# TiMOS-B-23.10.R1 both/x86_64 Nokia 7750 SR Copyright (c) 2000-2023 Nokia.\n\n" + SROS_CONFIG.rstrip("\n") + "\n",
        pager=b"Press Q to quit, Enter to print next line or any other key to print next page.",
        erased=b"\r\x1b[K",
        pager_off="environment more false",
        quits=("logout",),
        unknown=b"       ^^^^\r\nMINOR: MGMT_CORE #2201: Unknown element - 'show'\r\n",
        save=Save(
            "console",
            "admin show configuration",
            prompt=r"[AB]:[\w.-]+@[\w.-]+#",
            pager_off="environment more false",
            volatile=("^# (?:Generated|Finished) ",),
        ),
    ),
)

RECORDINGS = (ROUTEROS, SROS)
