# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""containerlab's rules for interface names, written down once more and apart from our kinds, so that tests can compare the two.

They come from a reading of its public sources: an alias is a pattern with a port number, the Linux name is eth<port - offset + 1>, and a
name that is no alias must be an accepted Linux name already.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

ANY = r"\S{1,15}"
ETH = r"eth[1-9]\d*"


@dataclass(frozen=True)
class Rule:
    """accepted: Linux names. alias: vendor names; offset: the port number of the first interface. convert: where it is no plain sum."""

    accepted: str
    alias: str = ""
    offset: int = 1
    convert: Callable[[re.Match[str]], str] | None = None

    def linux(self, name: str) -> str | None:
        """The Linux name of a name, None where containerlab refuses it."""
        found = re.fullmatch(self.alias, name) if self.alias else None
        if found and self.convert:
            name = self.convert(found)
        elif found and not re.fullmatch(ETH, name):
            index = int(found["port"]) - self.offset + 1
            name = f"eth{index}" if index >= 1 else ""
        return name if re.fullmatch(self.accepted, name) else None


def _srlinux(found: re.Match[str]) -> str:
    return "e" + "-".join(part for part in (found["card"], found["port"], found["lane"]) if part)


def _srsim(found: re.Match[str]) -> str:
    return "e" + "-".join(part for part in (found["card"], found["xiom"], found["mda"], found["connector"], found["port"]) if part)


def _iol(found: re.Match[str]) -> str:
    return f"eth{int(found['slot']) * 4 + int(found['port'])}"


def _vm(alias: str = "", offset: int = 1) -> Rule:
    return Rule(ETH, alias, offset)


_JUNOS = _vm(r"(?:et|xe|ge)-0/0/(?P<port>\d+)", 0)
_GIGABIT_ANY = r"(?:Gi|GigabitEthernet)\s?(?P<port>\d+)"
_XR = r"(?:Gi|GigabitEthernet|Te|TenGigE|TenGigabitEthernet)\s?0/0/0/(?P<port>\d+)"

_TABLE: dict[tuple[str, ...], Rule] = {
    ("6wind_vsr", "fdio_vpp", "linux", "veesix_osvbng"): Rule(r"(?!eth0$)" + ANY),
    ("juniper_crpd", "crpd", "juniper_csrx", "keysight_ixia-c-one", "rare", "sonic-vs", "openwrt"): Rule(ANY),
    ("arrcus_arcos", "cumulus_cvx", "cvx"): Rule(r"swp[\d.]+"),
    ("cisco_c8000", "c8000"): Rule(r"(?:Fi|Hu|FH)0_0_0_\d+"),
    ("arista_ceos", "ceos"): Rule(r"(?:eth|et)[1-9][\w.]*"),
    ("cisco_xrd", "xrd"): Rule(r"Gi0-0-0-\d+"),
    ("vyosnetworks_vyos",): Rule(ETH),
    ("nokia_srlinux", "srl"): Rule(
        r"(?:e|ethernet)\d+-\d+(?:-\d+)?",
        r"ethernet-(?P<card>[1-9]\d*)/(?P<port>[1-9]\d*)(?:/(?P<lane>[1-9]\d*))?",
        convert=_srlinux,
    ),
    ("nokia_srsim",): Rule(
        r"e\d+-(?:x\d+-)?\d+(?:-c\d+)?-\d+|eth\d+",
        r"(?P<card>\d+)/(?:(?P<xiom>[xX]\d+)/)?(?P<mda>\d+)(?:/(?P<connector>c\d+))?/(?P<port>\d+)",
        convert=_srsim,
    ),
    ("cisco_iol",): Rule(ETH, r"(?:e|Ethernet)\s?(?P<slot>\d+)/(?P<port>[0-3])", convert=_iol),
    ("spirent_stc",): Rule(r"port[1-9]"),
    ("checkpoint_cloudguard", "cisco_sdwan", "dell_sonic", "generic_vm", "huawei_vrp", "ipinfusion_ocnos", "plvision_sonic"): _vm(),
    ("sonic-vm", "dell_ftosv", "vr-ftosv", "vr-dell_ftosv"): _vm(),
    ("ciena_saos", "vr-ciena_saos"): _vm(r"(?P<port>[1-9]\d*)"),
    ("cisco_asav",): _vm(r"(?:GigabitEthernet|Gi)\s?0/(?P<port>\d+)", 0),
    ("cisco_ftdv",): _vm(r"(?:GigabitEthernet|Gi)\s?0/(?P<port>\d+)", 0),
    ("cisco_vios",): _vm(_GIGABIT_ANY, 0),
    ("cisco_xrd_vrouter",): _vm(_XR, 0),
    ("cisco_xrv9k", "vr-xrv9k", "vr-cisco_xrv9k"): _vm(_XR, 0),
    ("cisco_xrv", "vr-xrv", "vr-cisco_xrv"): _vm(r"(?:Gi|GigabitEthernet)\s?0/0/0/(?P<port>\d+)", 0),
    # The first three interfaces are the device's own.
    ("juniper_cjunosevolved", "cjunosevolved"): Rule(r"eth(?:[4-9]|[1-9]\d+)", r"et-0/0/(?P<port>\d+)", -3),
    ("f5_bigip-ve",): _vm(r"1\.(?P<port>\d+)"),
    ("fortinet_fortigate",): _vm(r"port(?P<port>\d+)", 2),
    ("nvidia_cumulusvx",): _vm(r"swp(?P<port>\d+)"),
    ("aruba_aoscx", "vr-aoscx", "vr-aruba_aoscx"): _vm(r"1/1/(?P<port>\d+)"),
    ("cisco_c8000v",): _vm(_GIGABIT_ANY, 2),
    ("cisco_csr1000v", "vr-csr", "vr-cisco_csr1000v"): _vm(_GIGABIT_ANY, 2),
    ("cisco_cat9kv",): _vm(r"(?:Gi|GigabitEthernet)\s?1/0/(?P<port>\d+)"),
    ("freebsd",): _vm(r"vtnet(?P<port>\d+)"),
    ("cisco_n9kv", "vr-n9kv", "vr-cisco_n9kv"): _vm(r"(?:Ethernet|Et)\s?1/(?P<port>\d+)"),
    ("openbsd",): _vm(r"vio(?P<port>\d+)"),
    ("paloalto_panos", "vr-pan", "vr-paloalto_panos"): _vm(r"Ethernet1/(?P<port>\d+)"),
    ("mikrotik_ros", "vr-ros", "vr-mikrotik_ros"): _vm(r"ether(?P<port>\d+)", 2),
    ("nokia_sros", "vr-sros", "vr-nokia_sros"): _vm(r"1/1/(?P<port>\d+)"),
    ("arista_veos", "vr-veos", "vr-arista_veos"): _vm(r"(?:Et|Ethernet)1/(?P<port>\d+)"),
    ("juniper_vjunosevolved", "juniper_vjunosrouter", "juniper_vjunosswitch"): _JUNOS,
    ("juniper_vmx", "vr-vmx", "vr-juniper_vmx"): _JUNOS,
    ("juniper_vqfx", "vr-vqfx", "vr-juniper_vqfx"): _JUNOS,
    ("juniper_vsrx", "vr-vsrx", "vr-juniper_vsrx"): _JUNOS,
}

RULES: dict[str, Rule] = {kind: rule for kinds, rule in _TABLE.items() for kind in kinds}
"""Kind or alias -> its rule; every name that containerlab has, but for those of SPECIAL."""

SPECIAL = frozenset({"bridge", "ovs-bridge", "host", "ext-container", "k8s-kind"})
"""Kinds whose nodes are no devices that it starts: the interface belongs to a bridge, to the host, or to a container of somebody else."""


def samples() -> list[tuple[str, str]]:
    """Kind and a name that containerlab takes, in every form that the kind has."""
    forms = {
        "6wind_vsr": ["eth1"], "linux": ["eth1", "eth21", "some1", "e1-1"], "fdio_vpp": ["eth3"], "veesix_osvbng": ["eth2"],
        "juniper_crpd": ["eth1", "eth9"], "sonic-vs": ["eth1"], "rare": ["eth5"], "keysight_ixia-c-one": ["eth2"],
        "arrcus_arcos": ["swp1"], "cumulus_cvx": ["swp1", "swp12"], "cisco_c8000": ["FH0_0_0_3", "Hu0_0_0_12"],
        "arista_ceos": ["eth1", "et2", "eth1_1", "eth12"], "cisco_xrd": ["Gi0-0-0-0", "Gi0-0-0-11"], "vyosnetworks_vyos": ["eth3"],
        "nokia_srlinux": ["e1-1", "ethernet-1/1", "ethernet-1/31/2", "e2-3-4"],
        "nokia_srsim": ["1/1/c1/1", "1/x2/3/c4/5", "2/1/3", "e1-1-c2-1"],
        "cisco_iol": ["Ethernet0/1", "e0/2", "Ethernet1/0", "e2/3", "eth4"], "spirent_stc": ["port1", "port9"],
        "ciena_saos": ["1", "7"], "cisco_asav": ["GigabitEthernet0/0", "Gi0/3"], "cisco_ftdv": ["GigabitEthernet0/0", "Gi0/7"],
        "cisco_vios": ["Gi0", "GigabitEthernet3"], "cisco_xrd_vrouter": ["Gi0/0/0/0", "TenGigE0/0/0/3"],
        "cisco_xrv9k": ["Gi0/0/0/0", "GigabitEthernet0/0/0/2", "TenGigE0/0/0/5"], "cisco_xrv": ["Gi0/0/0/1", "GigabitEthernet0/0/0/0"],
        "juniper_cjunosevolved": ["et-0/0/0", "et-0/0/5"], "f5_bigip-ve": ["1.1", "1.4"], "fortinet_fortigate": ["port2", "port9"],
        "nvidia_cumulusvx": ["swp1", "swp30"], "aruba_aoscx": ["1/1/1", "1/1/12"], "cisco_c8000v": ["Gi2", "GigabitEthernet3"],
        "cisco_csr1000v": ["Gi2", "GigabitEthernet9"], "cisco_cat9kv": ["Gi1/0/1", "GigabitEthernet1/0/8"], "freebsd": ["vtnet1", "vtnet4"],
        "cisco_n9kv": ["Ethernet1/1", "Et1/5"], "openbsd": ["vio1", "vio8"], "paloalto_panos": ["Ethernet1/1", "Ethernet1/9"],
        "mikrotik_ros": ["ether2", "ether12"], "nokia_sros": ["1/1/1", "1/1/6"], "arista_veos": ["Et1/1", "Ethernet1/3"],
        "juniper_vjunosevolved": ["et-0/0/0", "ge-0/0/3"], "juniper_vjunosrouter": ["ge-0/0/0", "xe-0/0/1"],
        "juniper_vjunosswitch": ["ge-0/0/0", "et-0/0/9"], "juniper_vmx": ["ge-0/0/0", "xe-0/0/3"], "juniper_vqfx": ["xe-0/0/0"],
        "juniper_vsrx": ["ge-0/0/0", "ge-0/0/7"],
    }  # fmt: skip
    found = [(kind, name) for kind, names in forms.items() for name in names]
    return found + [(kind, f"eth{index}") for kind, rule in sorted(RULES.items()) if rule.accepted == ETH for index in (1, 9)]
