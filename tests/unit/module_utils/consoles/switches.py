# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Consoles of switches whose command line is like an industry's habit, written by hand after their vendors' guides."""

from __future__ import annotations

from ..console_player import Recorded, Talk, wire
from .common import NO_DISK, PANIC

EOS_CONFIG = """\
! device: leaf1 (vEOS-lab, EOS-4.28.3M)
!
! boot system flash:/vEOS-lab.swi
!
no aaa root
!
username admin privilege 15 role network-admin secret sha512 $6$abc/def
!
hostname leaf1
!
interface Ethernet1
   description to leaf2 # and on
   no switchport
   ip address 192.0.2.1/31
!
end
"""
EOS = Recorded(
    family="Arista EOS",
    kinds=("arista_veos",),
    boot=b"\x1b[H\x1b[J\x1b[1;1HAboot 8.0.0-3255441\r\n\r\n\r\nPress Control-C now to enter Aboot shell\r\nBooting flash:/vEOS-lab.swi\r\n"
    b"[    3.141593] Starting new kernel\r\nWelcome to Arista Networks EOS 4.28.3M\r\n"
    b"Starting ProcMgr: \x1b[60G[\x1b[1;32m  OK  \x1b[0;39m]\r\n\r\n",
    ready=b"leaf1 login: ",
    failures=(PANIC, NO_DISK),
    questions=(b"leaf1#reload\r\nProceed with reload? [confirm]",),
    talk=Talk(
        login=b"\r\nleaf1 login: ",
        motd=b"\r\nLast login: Sat Nov 21 06:12:01 on ttyS0\r\n",
        prompts=(b"\rleaf1>", b"\rleaf1#", b"\rleaf1(config)#"),
        moves={"enable": 1, "configure": 2, "end": 1},
        top=1,
        configuring=2,
        answers={"terminal length 0": b"Pagination disabled.\r\n"},
        command="show running-config",
        output=b"! Command: show running-config\r\n" + wire(EOS_CONFIG),
        expected=EOS_CONFIG,
        pager=b"\x1b[7m --More-- \x1b[m",
        erased=b"\r\x1b[K",
        pager_off="terminal length 0",
        noise=b"Nov 21 06:53:00 leaf1 Ebra: %LINEPROTO-5-UPDOWN: Line protocol on Interface Ethernet1, changed state to down\r\n",
        unknown=b"% Invalid input\r\n",
    ),
)

CX_CONFIG = """\
!
!Version ArubaOS-CX Virtual.10.13.0005
!export-password: default
hostname sw1
user admin group administrators password ciphertext AQBapYw
!
interface 1/1/1
    no shutdown
    ip address 192.0.2.1/31
!
https-server vrf mgmt
"""
CX = Recorded(
    family="Aruba AOS-CX",
    kinds=("aruba_aoscx",),
    boot=b"\x1b[0m\x1b[?25h\r\nWelcome to GRUB!\r\n\r\nBoot Profiles:\r\n\r\n0. Service OS Console\r\n"
    b"1. Primary Software Image [Virtual.10.13.0005]\r\n\r\n"
    b"Select profile(primary): \r\nBooting primary software image...\r\n[    0.000000] Linux version 5.10.0\r\n\r\n"
    b"(C) Copyright 2017-2023 HPE\r\n\r\n",
    ready=b"sw1 login: ",
    failures=(b"\r\nServiceOS Information:\r\n    Version:            GT.01.03.0006\r\n\r\nServiceOS login: ", PANIC, NO_DISK),
    questions=(
        b"\r\nPlease configure the 'admin' user account password.\r\nEnter new password: ",
        b"sw1# boot system\r\nDo you want to save the current configuration (y/n)? ",
    ),
    talk=Talk(
        login=b"\r\n\r\nsw1 login: ",
        motd=b'\r\nLast login: 2026-11-21 06:12:01 from the console\r\nUser "admin" has logged in 2 times in the past 30 days\r\n',
        prompts=(b"\x1b[?2004h\rsw1# ", b"\rsw1(config)# "),
        moves={"configure terminal": 1, "end": 0},
        configuring=1,
        command="show running-config",
        output=b"Current configuration:\r\n" + wire(CX_CONFIG),
        expected=CX_CONFIG,
        pager=b"-- MORE --, next page: Space, next line: Enter, quit: q",
        erased=b"\r" + b" " * 55 + b"\r",
        pager_off="no page",
        unknown=b"Invalid input: show\r\n",
    ),
)

OS10_CONFIG = """\
! Version 10.5.2.3
!
hostname OS10
system-user linuxadmin password $6$5DdOHYg5$JCE1vMSmkQOrbh31U74
username admin password $6$q9QBeYjZ$jfxzVqGhkxX3smxJSH9DDz7/3OJc role sysadmin
!
interface ethernet1/1/1
 no shutdown
 switchport access vlan 1
!
"""
OS10 = Recorded(
    family="Dell SmartFabric OS10",
    kinds=("dell_ftosv",),
    boot=b"\x1b[2J\x1b[01;01H  GNU GRUB  version 2.02\r\n*OS10-A\r\n OS10-B\r\nONIE\r\nLoading OS10 ...\r\n"
    b"[    0.000000] Linux version 4.9.189\r\n"
    b"\x1b[32m  OK  \x1b[0m Started Dell EMC Networking OS10.\r\n\r\nDebian GNU/Linux 9 OS10 ttyS0\r\n\r\n"
    b"Dell EMC Networking Operating System (OS10)\r\n\r\n",
    ready=b"OS10 login: ",
    failures=(PANIC, NO_DISK),
    questions=(b"OS10# reload\r\n\r\nProceed to reboot the system? [confirm yes/no]:",),
    talk=Talk(
        login=b"\r\nOS10 login: ",
        motd=b"\r\n-*-*-*-*-*-*-*-*-*-*-*\r\n-* Dell EMC Network Operating System (OS10) *-\r\n-*-*-*-*-*-*-*-*-*-*-*\r\n\r\n"
        b"%Dell EMC (OS10) %Z\r\n",
        prompts=(b"OS10# ", b"OS10(config)# "),
        moves={"configure terminal": 1, "end": 0},
        configuring=1,
        command="show running-configuration",
        output=b"! Version 10.5.2.3\r\n! Last configuration change at Nov  21 06:40:00 2026\r\n" + wire(OS10_CONFIG.partition("\n")[2]),
        expected=OS10_CONFIG,
        pager=b"--More--",
        erased=b"\r        \r",
        pager_off="terminal length 0",
        unknown=b"% Error: Unrecognized command.\r\n",
        noise=b"<165>1 2026-11-21T06:53:00.1+00:00 OS10 dn_ifm 1234 - - Node.1-Unit.1:PRI [event], Dell EMC (OS10) "
        b"%IFM_OSTATE_DN: Interface is down\r\n",
    ),
)

OCNOS_CONFIG = """\
!
! Software version: EC_AS5912-54X-OcNOS-SP-6.3.0 06/02/2026
!
!
service password-encryption
!
hostname OcNOS
!
interface eth1
 ip address 192.0.2.1/31
!
!
end
"""
OCNOS = Recorded(
    family="IP Infusion OcNOS",
    kinds=("ipinfusion_ocnos",),
    boot=b"\x1b[0;30;47mBooting `OcNOS'\x1b[0m\r\nLoading Linux ...\r\n[    0.000000] Linux version 4.19.91\r\n\r\n"
    b"Welcome to OcNOS\r\n\r\n",
    ready=b"pe1 login: ",
    failures=(PANIC, NO_DISK),
    questions=(b"OcNOS#reload\r\nThere is some unsaved configuration. Would you like to save it? (y/n): ",),
    talk=Talk(
        login=b"\r\npe1 login: ",
        motd=b"\r\nOcNOS version EC_AS5912-54X-OcNOS-SP-6.3.0\r\n",
        prompts=(b"pe1>", b"pe1#", b"pe1(config)#"),
        moves={"enable": 1, "configure terminal": 2, "end": 1},
        top=1,
        configuring=2,
        command="show running-config",
        output=wire(OCNOS_CONFIG.replace("2026\n!\n", "2026\n! Last configuration change at 06:40:00 UTC Sat Nov 21 2026 by ocnos\n!\n"))
        + b"\r\n",
        expected=OCNOS_CONFIG,
        pager=b"\x1b[7m--More--\x1b[27m",
        erased=b"\r\x1b[K",
        pager_off="terminal length 0",
        unknown=b"                  ^\r\n% Invalid input detected at '^' marker.\r\n\r\n",
        noise=b"2026 Nov 21 06:53:00.123 : OcNOS : NSM : NOTIF : [IFMGR_IF_DOWN_2]: Interface eth1 changed state to down\r\n",
    ),
)

VRP_CONFIG = """\
#
sysname HUAWEI
#
aaa
 local-user admin password irreversible-cipher $1c$abc$
 #
#
interface GigabitEthernet1/0/0
 description to <HUAWEI2>
 undo shutdown
 ip address 192.0.2.1 255.255.255.252
#
return
"""
VRP = Recorded(
    family="Huawei VRP",
    kinds=("huawei_vrp",),
    boot=b"BIOS Version = 304\r\n\r\nPress Ctrl+B to enter BIOS menu: 1\r\nStarting ...\r\n[    0.000000] Linux version 3.10.0\r\n"
    b"<6>loop: module loaded\r\n"
    b"......................................................\r\nRecover configuration...OK!\r\n\r\n",
    ready=b"Press any key to get started\r\n",
    failures=(PANIC, NO_DISK),
    questions=(
        b"\r\nWarning: The password is not safe. Change now? [Y/N]:",
        b"\r\nPlease configure the login password (8-16)\r\nEnter Password:",
        b"<HUAWEI>reboot\r\nSystem will reboot! Continue? [Y/N]:",
    ),
    talk=Talk(
        start=b"\r\n\r\nPlease Press ENTER.\r\n",
        login=b"\r\n\r\nLogin authentication\r\n\r\n\r\nUsername:",
        secret=b"Password:",
        refused=b"\r\nError: Username or password is invalid.\r\n",
        motd=b"\r\nInfo: The max number of VTY users is 21, the number of current VTY users online is 0.\r\n"
        b"      The last login time is 2026-11-21 06:12:01 from Console through Console.\r\n",
        prompts=(b"<HUAWEI>",),
        command="display current-configuration",
        output=b"!Software Version V800R011C00SPC607B607\r\n!Last configuration was updated at 2026-11-21 06:40:00 UTC by admin\r\n"
        + wire(VRP_CONFIG),
        expected=VRP_CONFIG,
        pager=b"  ---- More ----",
        erased=b"\x1b[42D" + b" " * 42 + b"\x1b[42D",
        pager_off="screen-length 0 temporary",
        answers={"screen-length 0 temporary": b"Info: The configuration takes effect on the current user terminal interface only.\r\n"},
        quits=("quit",),
        unknown=b"      ^\r\nError: Unrecognized command found at '^' position.\r\n",
        noise=b"Nov 21 2026 06:53:00 HUAWEI %%01IFNET/4/LINK_STATE(l)[1]:The line protocol IP on the interface has entered the "
        b"DOWN state.\r\n",
    ),
)

RECORDINGS = (EOS, CX, OS10, OCNOS, VRP)
