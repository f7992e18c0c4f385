# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Consoles of Cisco's devices, written by hand after the vendor's configuration fundamentals, boot and recovery guides."""

from __future__ import annotations

from ..console_player import PAUSE, Recorded, Talk, wire
from .common import NO_DISK, PANIC

IOS_CONFIG = """\
version 15.6
service timestamps debug datetime msec
!
hostname r1
!
enable secret 5 $1$abcd$0123456789abcdefghijk.
!
interface GigabitEthernet0/0
 ip address 192.0.2.1 255.255.255.0
 duplex auto
!
interface GigabitEthernet0/1
 description to r2 # not a prompt
 no ip address
 shutdown
!
banner motd ^C
%Error: this is a text, and --More-- of it
^C
!
line con 0
 exec-timeout 0 0
!
end
"""
IOS_ERASED = b"\b" * 9 + b" " * 8 + b"\b" * 9
IOS_MOVES = {
    "enable": 1,
    "disable": 0,
    "configure terminal": 2,
    "interface GigabitEthernet0/0": 3,
    "interface GigabitEthernet0/1": 3,
    "end": 1,
}
IOS_DIALOG = b"""\
\r
         --- System Configuration Dialog ---\r
\r
Would you like to enter the initial configuration dialog? [yes/no]: """
IOS_NOISE = b"*Nov 21 06:59:00.000: %LINEPROTO-5-UPDOWN: Line protocol on Interface GigabitEthernet0/1, changed state to down\r\n"

IOS = Recorded(
    family="Cisco IOS",
    kinds=("cisco_vios", "cisco_viosl2"),
    boot=b"""\
Booting 'IOSv'\r
\r
Loading from disk..........................................\r
Self decompressing the image : ############################################### [OK]\r
\r
              Restricted Rights Legend\r
\r
Use, duplication, or disclosure by the Government is\r
subject to restrictions as set forth in subparagraph\r
Cisco IOS Software, IOSv Software (VIOS-ADVENTERPRISEK9-M), Version 15.6(2)T\r
Copyright (c) 1986-2016 by Cisco Systems, Inc.\r
\r
*Nov 21 06:00:01.123: %PLATFORM-5-SIGNATURE_VERIFIED: Image 'flash0:/vios' passed code signing verification\r
*Nov 21 06:00:05.001: %LINK-3-UPDOWN: Interface GigabitEthernet0/0, changed state to up\r
\r
\r
""",
    ready=b"Press RETURN to get started!\r\n\r\n\r\n*Nov 21 06:00:07.300: %SYS-5-RESTART: System restarted --\r\n",
    failures=(
        b"boot: cannot open \"flash0:\"\r\nboot: cannot determine first executable file name\r\n\r\nrommon 1 > ",
        b"\r\n%Software-forced reload\r\n\r\n Unexpected exception to CPU: vector 1500, PC = 0x1234\r\n",
    ),
    questions=(
        IOS_DIALOG,
        IOS_DIALOG + b"\r\n*Nov 21 06:00:07.300: %LINK-5-CHANGED: Interface Vlan1, changed state to administratively down\r\n",
        b"\r\nWould you like to terminate autoinstall? [yes]: ",
        b"r1#reload\r\nProceed with reload? [confirm]",
        b"r1#reload\r\n\r\nSystem configuration has been modified. Save? [yes/no]: ",
    ),
    talk=Talk(
        start=b"\r\nr1 con0 is now available\r\n\r\n\r\n\r\nPress RETURN to get started.\r\n\r\n\r\n",
        prompts=(b"\r\nr1>", b"r1#", b"r1(config)#", b"r1(config-if)#"),
        moves=IOS_MOVES,
        top=1,
        configuring=2,
        locked="enable",
        answers={"no shutdown": b""},
        command="show running-config",
        output=b"Building configuration..." + PAUSE + b"\r\n\r\n  \r\nCurrent configuration : 2874 bytes\r\n!\r\n"
        b"! Last configuration change at 06:52:10 UTC Sat Nov 21 2026\r\n!\r\n" + wire(IOS_CONFIG) + b"\r\n",
        expected="!\n!\n" + IOS_CONFIG,
        pager=b" --More-- ",
        erased=IOS_ERASED,
        pager_off="terminal length 0",
        noise=IOS_NOISE,
    ),
)  # fmt: skip

XE = Recorded(
    family="Cisco IOS XE",
    kinds=("cisco_csr1000v", "cisco_c8000v", "cisco_cat9kv", "cisco_cat9000v_uadp", "cisco_cat9800"),
    boot=b"\x1b[2J\x1b[1;1H\x1b[0m\x1b[37m\x1b[40m  GNU GRUB  version 0.97  (638K lower / 3143552K upper memory)\r\n\x1b[m"
    b"\x1b[6;3H\x1b[7m CSR1000v - packages.conf \x1b[0m\x1b[23;1H\r\n  Booting 'CSR1000v - packages.conf'\r\n\r\n"
    b"Loading package tree: .....########\r\nCalculating SHA-1 hash...done\r\nSHA-1 hash:\r\n\tcalculated f5a1b3c7\r\n"
    b"              Restricted Rights Legend\r\n\r\nCisco IOS Software [Everest], Virtual XE Software\r\n\0\0\r\n\r\n",
    ready=b"Press RETURN to get started!\r\n\r\n\r\n*Nov 21 06:00:09.000: %CRYPTO-6-ISAKMP_ON_OFF: ISAKMP is OFF\r\n",
    failures=(
        b"Loading package tree: ....\r\n%Error: cannot boot packages.conf\r\n\r\nrommon 1 > ",
        b"\r\n Unexpected exception to CPU: vector 1200, PC = 0xF00D\r\n",
    ),
    questions=(
        IOS_DIALOG,
        b"\r\n  Enter enable secret: ",
        b"\r\n[0] Go to the IOS command prompt without saving this config.\r\nEnter your selection [2]: ",
    ),
    talk=Talk(
        start=b"\r\nr1 con0 is now available\r\n\r\n\r\nPress RETURN to get started.\r\n\r\n",
        login=b"\r\n\r\nUser Access Verification\r\n\r\nUsername: ",
        refused=b"% Login invalid\r\n\r\n",
        prompts=(b"\r\nr1>", b"r1#", b"r1(config)#"),
        moves=IOS_MOVES,
        top=1,
        configuring=2,
        locked="enable",
        command="show running-config",
        output=b"Building configuration..." + PAUSE + b"\r\n\r\nCurrent configuration : 6312 bytes\r\n!\r\n"
        b"! Last configuration change at 06:55:01 UTC Sat Nov 21 2026 by admin\r\n"
        b"! NVRAM config last updated at 06:55:03 UTC Sat Nov 21 2026\r\n"
        b"!\r\n" + wire(IOS_CONFIG) + b"\r\n",
        expected="!\n!\n" + IOS_CONFIG,
        pager=b" --More-- ",
        erased=IOS_ERASED,
        pager_off="terminal length 0",
        noise=IOS_NOISE,
    ),
)

XR_CONFIG = """\
!! IOS XR Configuration 7.3.2
!
hostname ios
username admin
 group root-lr
 secret 10 $6$abc/def$ghi
!
interface GigabitEthernet0/0/0/0
 ipv4 address 192.0.2.1 255.255.255.252
!
end
"""
XR = Recorded(
    family="Cisco IOS XR",
    kinds=("cisco_xrv", "cisco_xrv9k", "cisco_xrd_vrouter"),
    boot=b"GNU GRUB  version 2.00\r\n\x1b[5;22H\x1b[mBooting `IOS-XRv 9000'\r\nLoading initrd..\r\n[    1.234567] Linux version 3.14.23\r\n"
    b"SYSTEM CONFIGURATION IN PROCESS\r\n"
    b"RP/0/RP0/CPU0:Nov 21 06:00:00.123 : ifmgr[342]: %PKT_INFRA-LINK-3-UPDOWN : Interface MgmtEth0/RP0/CPU0/0, changed state to Up\r\n",
    ready=b"SYSTEM CONFIGURATION COMPLETE\r\n\r\n\r\nPress RETURN to get started.\r\n",
    detours=(b"\r\nEnter root-system username: ",),
    failures=(
        b"error: no such partition.\r\nEntering rescue mode...\r\ngrub rescue> ",
        b"[   1.5] Kernel panic - not syncing: VFS: no root\r\n",
    ),
    questions=(b"\r\n  --- Administrative User Dialog ---\r\n\r\n  Enter root-system username: ", b"\r\n  Enter secret: "),
    talk=Talk(
        start=b"\r\nios con0/RP0/CPU0 is now available\r\n\r\n\r\nPress RETURN to get started.\r\n\r\n",
        login=b"\r\nUser Access Verification\r\n\r\nUsername: ",
        refused=b"% User Authentication failed\r\n",
        prompts=(b"\r\n\r\nRP/0/RP0/CPU0:ios#", b"RP/0/RP0/CPU0:ios(config)#"),
        moves={"configure": 1, "end": 0},
        configuring=1,
        command="show running-config",
        output=b"Sat Nov 21 06:52:10.123 UTC\r\nBuilding configuration..." + PAUSE + b"\r\n!! IOS XR Configuration 7.3.2\r\n"
        b"!! Last configuration change at Sat Nov 21 06:12:01 2026 by admin\r\n" + wire(XR_CONFIG.partition("\n")[2]) + b"\r\n",
        expected=XR_CONFIG,
        pager=b" --More-- ",
        erased=b"\r" + b" " * 10 + b"\r",
        pager_off="terminal length 0",
        answers={"terminal length 0": b"Sat Nov 21 06:52:09.456 UTC\r\n"},
        noise=b"RP/0/RP0/CPU0:Nov 21 06:53:00.123 : exec[65]: %SECURITY-LOGIN-6-AUTHEN_SUCCESS : Successfully authenticated user "
        b"'admin'\r\n",
    ),
)

NXOS_CONFIG = """\
version 9.3(8) Bios:version
hostname n9k1
vdc n9k1 id 1
  limit-resource vlan minimum 16 maximum 4094

interface Ethernet1/1
  no switchport
  ip address 192.0.2.1/30
"""
POAP = (
    b"2026 Nov 21 06:00:03 switch %$ VDC-1 %$ %POAP-2-POAP_INFO: - Abort Power On Auto Provisioning [yes - continue with normal "
    b"setup, skip -"
    b" bypass password and basic configuration, no - continue with Power On Auto Provisioning] (yes/skip/no)[no]: "
)
NXOS = Recorded(
    family="Cisco NX-OS",
    kinds=("cisco_n9kv",),
    boot=b" Booting bootflash:/nxos.9.3.8.bin...\r\nBooting bootflash:/nxos.9.3.8.bin\r\n"
    b"2026 Nov 21 06:00:00  %$ VDC-1 %$  %USER-2-SYSTEM_MSG:"
    b" <<%USBHSD-2-MOUNT>> logflash: online  - usbhsd\r\n" + POAP + b"\r\nDisabling POAP.......Disabling POAP\r\n\r\n\r\n",
    ready=b"User Access Verification\r\nn9k1 login: ",
    failures=(
        b"Trying to load ramdisk...\r\nError: could not load bootflash:/nxos.bin\r\n\r\n\r\n       Loader Version 5.9.2\r\n\r\nloader > ",
        b"[    8.101] Kernel panic - not syncing: Attempted to kill init!\r\n",
        b"\r\nCould not load startup. Starting recovery\r\n\r\nswitch(boot)# ",
    ),
    questions=(
        POAP,
        POAP + b"\r\n2026 Nov 21 06:01:00 switch %$ VDC-1 %$ %POAP-2-POAP_FAILURE: POAP DHCP discover phase failed\r\n",
        b"\r\nDo you want to enforce secure password standard (yes/no) [y]: ",
        b'\r\n  Enter the password for "admin": ',
    ),
    talk=Talk(
        login=b"\r\nUser Access Verification\r\nn9k1 login: ",
        refused=b"Login incorrect\r\n\r\n",
        motd=b"\r\nCisco Nexus Operating System (NX-OS) Software\r\nTAC support: http://www.cisco.com/tac\r\n"
        b"http://www.opensource.org/licenses/gpl-2.0.php\r\n",
        prompts=(b"\rn9k1# ", b"\rn9k1(config)# "),
        moves={"configure terminal": 1, "end": 0},
        configuring=1,
        command="show running-config",
        output=b"\r\n!Command: show running-config\r\n!Running configuration last done at: Sat Nov 21 06:40:00 2026\r\n"
        b"!Time: Sat Nov 21 06:52:10 2026\r\n"
        b"\r\n" + wire(NXOS_CONFIG) + b"\r\n",
        expected=NXOS_CONFIG,
        pager=b"\x1b[7m--More--\x1b[m",
        erased=b"\r        \r\x1b[K",
        pager_off="terminal length 0",
        noise=b"2026 Nov 21 06:53:00 n9k1 %ETHPORT-5-IF_DOWN_LINK_FAILURE: Interface Ethernet1/1 is down (Link failure)\r\n",
    ),
)

ASA_CONFIG = """\
ASA Version 9.16(1)
!
hostname fw1
enable password ***** pbkdf2
!
interface GigabitEthernet0/0
 nameif outside
 security-level 0
!
"""
ASA = Recorded(
    family="Cisco ASA",
    kinds=("cisco_asav",),
    boot=b"Booting from ROM..\r\nLoading /asa9-16-1-smp-k8.bin... Booting...\r\nPlatform ASAv\r\n\r\nTotal NICs found: 10\r\n"
    b"INFO: Power-On Self-Test in process.\r\n.......................................................................\r\n"
    b"INFO: Power-On Self-Test complete.\r\n\r\n",
    ready=b"User enable_1 logged in to fw1\r\nLogins over the last 1 days: 1.\r\n"
    b"Type help or '?' for a list of available commands.\r\n\rfw1> ",
    failures=(b"Loading /asa9.bin...\r\n" + PANIC, NO_DISK),
    questions=(
        b"\r\nPre-configure Firewall now through interactive prompts [yes]? ",
        b"ciscoasa> enable\r\nThe enable password is not set.  Please set it now.\r\nEnter  Password: ",
        b"ciscoasa> enable\r\nThe enable password is not set.  Please set it now.\r\nEnter  Password: ********\r\nRepeat Password: ",
    ),
    talk=Talk(
        prompts=(b"\rfw1> ", b"\rfw1# ", b"\rfw1(config)# "),
        moves={"enable": 1, "configure terminal": 2, "end": 1},
        top=1,
        configuring=2,
        locked="enable",
        answers={"pager 0": b""},
        command="show running-config",
        output=b": Saved\r\n\r\n: \r\n: Serial Number: 9A1B2C3D4E5\r\n: Hardware:   ASAv, 2048 MB RAM, CPU Xeon 2100 MHz\r\n:\r\n"
        b"ASA Version 9.16(1) \r\n" + wire(ASA_CONFIG.partition("\n")[2]) + b"Cryptochecksum:5b4a1c2d3e4f5a6b7c8d9e0f1a2b3c4d\r\n: end\r\n",
        expected=ASA_CONFIG,
        pager=b"<--- More --->",
        erased=b"\r              \r",
        pager_off="terminal pager 0",
        noise=b"%ASA-4-411002: Line protocol on Interface GigabitEthernet0/0, changed state to down\r\n",
    ),
)

LINUX_BASED = Recorded(
    family="Cisco FTD, FMC and SD-WAN",
    kinds=("cisco_ftdv", "fmcv", "cat-sdwan-manager", "cat-sdwan-controller", "cat-sdwan-validator", "cat-sdwan-vedge"),
    boot=b"[    0.000000] Linux version 4.18.45\r\n\x1b[32m[  OK  ]\x1b[0m Started Login Service.\r\n\r\n"
    b"Cisco Firepower Threat Defense for KVM v7.0.1\r\n",
    ready=b"firepower login: ",
    failures=(PANIC, NO_DISK),
    questions=(b"\r\nPlease enter 'YES' or press <ENTER> to AGREE to the EULA: ", b"\r\nDo you want to configure IPv4? (y/n) [y]: "),
)  # fmt: skip

RECORDINGS = (IOS, XE, XR, NXOS, ASA, LINUX_BASED)
