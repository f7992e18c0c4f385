# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Consoles of devices that are at a shell of Linux or BSD, written by hand after their projects' and vendors' guides."""

from __future__ import annotations

from ..console_player import PAUSE, Recorded, Talk, wire
from .common import NO_DISK, PANIC

SYSTEMD = (
    b"\x1b[2J\x1b[1;1HGNU GRUB  version 2.06\r\n\x1b[m\x1b[0;30;47m*Linux\x1b[m\r\n[    0.000000] Linux version 6.1.0\r\n"
    b"\x1b[0;32m  OK  \x1b[0m] Started \x1b[0;1;39mOpenBSD Secure Shell server\x1b[0m.\r\n"
    b"[\x1b[0;1;31m*\x1b[0m\x1b[0;31m*    \x1b[0m] A start job is running for Wait for Network (5s / no limit)\r\x1b[K\r\n"
)

SONIC_CONFIG = """\
{
    "DEVICE_METADATA": {
        "localhost": {
            "hostname": "sonic",
            "type": "LeafRouter"
        }
    },
    "PORT": {
        "Ethernet0": {
            "admin_status": "up",
            "description": "to $leaf2$"
        }
    }
}
"""
SONIC = Recorded(
    family="SONiC",
    kinds=("sonic-vm", "dell_sonic", "plvision_sonic"),
    boot=SYSTEMD + b"[   20.1] rc.local[512]: + sonic_version=SONiC-OS-202305\r\n\r\nDebian GNU/Linux 11 sonic ttyS0\r\n\r\n",
    ready=b"sonic login: ",
    failures=(PANIC, NO_DISK),
    questions=(b"\r\nYou are required to change your password immediately (administrator enforced).\r\nCurrent password: ",),
    talk=Talk(
        login=b"\r\n\r\nDebian GNU/Linux 11 sonic ttyS0\r\n\r\nsonic login: ",
        motd=b"Linux sonic 5.10.0 #1 SMP x86_64\r\nYou are on\r\n  ____   ___  _   _ _  ____\r\n / ___| / _ \\| \\ | (_)/ ___|\r\n\r\n"
        b"-- Software for Open Networking in the Cloud --\r\n\r\nHelp:    https://sonic-net.github.io/SONiC/\r\n\r\n\x1b[?2004h",
        prompts=(b"\x1b]0;admin@sonic: ~\x07admin@sonic:~$ ",),
        command="show runningconfiguration all",
        output=PAUSE + wire(SONIC_CONFIG),
        expected=SONIC_CONFIG,
        unknown=b"-bash: show: command not found\r\n",
        noise=b"[  300.123456] eth0: link down\r\n",
    ),
)

CUMULUS_CONFIG = """\
nv set interface swp1 ip address 192.0.2.1/31
nv set interface swp1 type swp
nv set system hostname leaf1
"""
CUMULUS = Recorded(
    family="NVIDIA Cumulus Linux",
    kinds=("nvidia_cumulusvx",),
    boot=SYSTEMD + b"\r\nDebian GNU/Linux 10 leaf1 ttyS0\r\n\r\n",
    ready=b"leaf1 login: ",
    failures=(PANIC, NO_DISK),
    questions=(
        b"\r\nYou are required to change your password immediately (root enforced)\r\nChanging password for cumulus.\r\nCurrent password: ",
    ),
    talk=Talk(
        login=b"\r\n\r\nDebian GNU/Linux 10 leaf1 ttyS0\r\n\r\nleaf1 login: ",
        motd=b"Linux leaf1 5.10.0-cl-1-amd64\r\n\r\nWelcome to NVIDIA Cumulus VX (TM)\r\n\r\n"
        b"NVIDIA Cumulus VX (TM) is a community supported appliance.\r\n\r\n",
        prompts=(b"\x1b]0;cumulus@leaf1: ~\x07\x1b[01;32mcumulus@leaf1\x1b[00m:\x1b[01;34mmgmt\x1b[00m:\x1b[01;34m~\x1b[00m$ ",),
        command="nv config show -o commands | cat",
        output=PAUSE + wire(CUMULUS_CONFIG),
        expected=CUMULUS_CONFIG,
        unknown=b"-bash: nv: command not found\r\n",
        noise=b"[  300.123456] swp1: link down\r\n",
    ),
)

UCI_CONFIG = """\
package network

config interface 'loopback'
\toption device 'lo'
\toption proto 'static'

config interface 'lan'
\toption device 'br-lan'
\toption ipaddr '192.0.2.1'
"""
OPENWRT = Recorded(
    family="OpenWrt",
    kinds=("openwrt",),
    boot=b"\x1b[2JGNU GRUB\r\n[    0.000000] Linux version 5.15.134\r\n[    6.1] init: - preinit -\r\n"
    b"Press the [f] key and hit [enter] to enter failsafe mode\r\n"
    b"Press the [1], [2], [3] or [4] key and hit [enter] to select the debug level\r\n[    9.0] procd: - init complete -\r\n",
    ready=b"[   12.1] br-lan: port 1(eth0) entered forwarding state\r\n",
    failures=(PANIC, NO_DISK),
    talk=Talk(
        start=b"\r\n\r\nPlease press Enter to activate this console. ",
        motd=b"\r\n\r\nBusyBox v1.36.1 (2023-10-09) built-in shell (ash)\r\n\r\n  _______                     ________        __\r\n"
        b" |       |.-----.-----.-----.|  |  |  |.----.|  |_\r\n -----------------------------------------------------\r\n",
        prompts=(b"root@OpenWrt:/# ",),
        command="uci export",
        output=wire(UCI_CONFIG),
        expected=UCI_CONFIG.replace("\t", "        "),
        unknown=b"/bin/ash: show: not found\r\n",
        noise=b"[  300.123456] br-lan: port 1(eth0) entered disabled state\r\n",
    ),
)

LINUX = Recorded(
    family="Linux",
    kinds=("linux", "alpine", "generic_vm", "juniper_apstra"),
    boot=SYSTEMD + b"[   12.3] cloud-init[601]: Cloud-init v. 22.4.2 finished. Datasource DataSourceNoCloud "
    b"[seed=/dev/sr0][dsmode=net].\r\n\r\n"
    b"Debian GNU/Linux 12 h1 ttyS0\r\n\r\n",
    ready=b"h1 login: ",
    failures=(PANIC, NO_DISK),
    questions=(b"\r\nYou are required to change your password immediately (administrator enforced).\r\nNew password: ",),
)  # fmt: skip

TCL = Recorded(
    family="Tiny Core Linux",
    kinds=("tcl",),
    boot=b"Booting Core 14.0\r\nRunning Linux Kernel 6.1.2-tinycore.\r\nLoading TCE extensions... Done.\r\n",
    ready=b"###### BOOT CONFIG DONE ######\r\n",
    failures=(PANIC, NO_DISK),
)

BSD = Recorded(
    family="BSD",
    kinds=("freebsd", "openbsd"),
    boot=b"\x1b[2J\x1b[1;1HConsoles: serial port\r\nLoading /boot/loader.conf\r\n"
    b"Autoboot in 3 seconds, hit [Enter] to boot or any other key to stop\r\n"
    b"Copyright (c) 1992-2023 The FreeBSD Project.\r\nvtnet0: <VirtIO Networking Adapter> on virtio_pci0\r\nStarting sshd.\r\n\r\n"
    b"FreeBSD/amd64 (bsd1) (ttyu0)\r\n\r\n",
    ready=b"login: ",
    failures=(PANIC, NO_DISK),
)

RECORDINGS = (SONIC, CUMULUS, OPENWRT, LINUX, TCL, BSD)
