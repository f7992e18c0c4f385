# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Consoles of firewalls and load balancers, written by hand after their vendors' CLI references."""

from __future__ import annotations

from ..console_player import Recorded, Talk, wire
from .common import NO_DISK, PANIC

FORTI_CONFIG = """\
config system global
    set hostname "FGT01"
end
config system interface
    edit "port1"
        set vdom "root"
        set ip 192.0.2.1 255.255.255.0
        set alias "to # the world"
    next
end
"""
FORTINET = Recorded(
    family="Fortinet FortiOS",
    kinds=("fortinet_fortigate",),
    boot=b"Loading flatkc... ok\r\nLoading /rootfs.gz...ok\r\n\r\nDecompressing Linux... Parsing ELF... done.\r\n"
    b"Booting the kernel.\r\n\r\n"
    b"System is starting...\r\nStarting system maintenance...\r\nSerial number is FGVMEVABCDEFGHIJ\r\n\r\n",
    ready=b"FGT01 login: ",
    failures=(PANIC, NO_DISK),
    questions=(
        b"\r\nYou are forced to change your password. Please input a new password.\r\nNew Password: ",
        b"FGT01 # execute reboot\r\nThis operation will reboot the system !\r\nDo you want to continue? (y/n)",
    ),
    talk=Talk(
        login=b"\r\n\r\nFGT01 login: ",
        refused=b"\r\nLogin incorrect\r\n\r\n",
        motd=b"\r\nWelcome!\r\n\r\n",
        prompts=(b"FGT01 # ", b"FGT01 (interface) # "),
        moves={"config system interface": 1, "end": 0},
        configuring=1,
        command="show",
        output=b"#config-version=FGVMK6-7.2.5-FW-build1517-230606:opmode=0:vdom=0:user=admin\r\n#conf_file_ver=187633214\r\n"
        b"#buildno=1517\r\n"
        b"#global_vdom=1\r\n" + wire(FORTI_CONFIG) + b"\r\n",
        expected="#buildno=1517\n#global_vdom=1\n" + FORTI_CONFIG,
        pager=b"--More-- ",
        erased=b"\r         \r",
        unknown=b"Unknown action 0\r\n\r\nCommand fail. Return code -1\r\n\r\n",
        noise=b"",
    ),
)

PAN_CONFIG = """\
config {
  devices {
    localhost.localdomain {
      deviceconfig {
        system {
          hostname fw1;
          login-banner "more? [no]: ";
        }
      }
    }
  }
}
"""
PALOALTO = Recorded(
    family="Palo Alto PAN-OS",
    kinds=("paloalto_panos",),
    boot=b"\x1b[2J\x1b[1;1HWelcome to the PanOS Bootloader.\r\n\r\n  Autobooting in 5 seconds.\r\n[    0.000000] Linux version 4.18.0\r\n"
    b"\x1b[0;32m  OK  \x1b[0m] Started Login Service.\r\n\r\nvm login: \r\nStarting Chassis Services...\r\n\r\nPA-HDF login: "
    b"\r\nMasterd started successfully\r\n\r\n",
    ready=b"fw1 login: ",
    failures=(PANIC, NO_DISK),
    questions=(
        b"\r\nEnter old password : ",
        b"\r\nEnter new password : ",
        b"admin@fw1> request restart system\r\nDo you want to continue? (y or n) ",
    ),
    talk=Talk(
        login=b"\r\nfw1 login: ",
        refused=b"\r\nLogin incorrect\r\n",
        motd=b"\r\nLast login: Sat Nov 21 06:12:01 UTC 2026 on ttyS0\r\n\r\n"
        b"Number of failed attempts since last successful login: 0\r\n\r\n",
        prompts=(b"\x1b[?1h\x1b=\r\radmin@fw1> ", b"\r\n[edit]\r\nadmin@fw1# "),
        moves={"configure": 1, "exit": 0},
        configuring=1,
        command="show config running",
        output=b"\r\n" + wire(PAN_CONFIG),
        expected=PAN_CONFIG,
        pager=b"\x1b[7mlines 1-5 \x1b[27m",
        erased=b"\r\x1b[K",
        pager_off="set cli pager off",
        quits=("quit",),
        unknown=b"Unknown command: show\r\n\r\n",
    ),
)

GAIA_CONFIG = """\
#
# Configuration of gw-01
# Language version: 14.1v1
#
set hostname gw-01
set installer policy check-for-updates-period 3
set interface eth0 ipv4-address 192.0.2.1 mask-length 24
set interface eth0 comments "to the > world"
"""
CHECKPOINT = Recorded(
    family="Check Point Gaia",
    kinds=("checkpoint_cloudguard",),
    boot=b"\x1b[2J\x1b[1;1HLoading the Check Point Gaia kernel\r\n[    0.000000] Linux version 3.10.0-957cpx86_64\r\n"
    b"INIT: Entering runlevel: 3\r\nStarting cpri_d: [  OK  ]\r\nThis system is for authorized use only.\r\n",
    ready=b"gw-01 login: ",
    failures=(PANIC, NO_DISK),
    questions=(b"gw-01> reboot\r\nAre you sure you want to reboot?(Y/N)[N]\r\n",),
    talk=Talk(
        login=b"This system is for authorized use only.\r\ngw-01 login: ",
        motd=b"Last login: Sat Nov 21 06:12:01 on ttyS0\r\n",
        prompts=(b"gw-01> ",),
        command="show configuration",
        output=wire(GAIA_CONFIG.replace("14.1v1\n", "14.1v1\n#\n# Exported by admin on Sat Nov 21 06:52:10 2026\n", 1)),
        expected=GAIA_CONFIG.replace("14.1v1\n", "14.1v1\n#\n", 1),
        pager=b"-- More --",
        erased=b"\r          \r",
        pager_off="set clienv rows 0",
        unknown=b"CLINFR0329  Invalid command:'show'.\r\n",
    ),
)

APPLIANCES = Recorded(
    family="F5, Citrix and Ciena",
    kinds=("f5_bigip-ve", "citrix_adc", "ciena_saos"),
    boot=b"\x1b[2J\x1b[1;1HGNU GRUB\r\n[    0.000000] Linux version 3.10.0\r\n\x1b[0;32m  OK  \x1b[0m] Started Login Service.\r\n"
    b"\r\nBIG-IP 16.1.3 Build 0.0.12\r\n"
    b"Kernel 3.10.0-862.14.4.el7.ve.x86_64 on an x86_64\r\n",
    ready=b"localhost login: ",
    failures=(PANIC, NO_DISK),
)  # fmt: skip

RECORDINGS = (FORTINET, PALOALTO, CHECKPOINT, APPLIANCES)
