# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Interface names of every kind: there and back for every port, and as containerlab and netlab have them.

The tables here are written down from the two tools' own rules, apart from the kind files.
"""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.archetype.lab.plugins.plugin_utils import _kinds
from ansible_collections.archetype.lab.plugins.plugin_utils._cards import with_cards
from ansible_collections.archetype.lab.plugins.plugin_utils._forms import examples
from ansible_collections.archetype.lab.plugins.plugin_utils._naming import MAX_INTERFACE, NameFault, linux_name, vendor_name

KINDS = {path.stem: _kinds.find_kind(path.stem) for path in sorted(set(_kinds.kind_files().values()))}
PORTS = 128
CARDS = (1, 2, 9)


def numbers(kind):
    """Indexes of data interfaces, to the last one or so many that it makes no difference."""
    first = kind.interfaces.first
    return range(first, first + (kind.interfaces.maximum or PORTS))


def texts(form):
    """Names of a form: its ports, in several slots, on several cards; those that are none are left out."""
    places = [name for name in re.findall(r"\{(\w+)\}", form.name) if name != "port"]
    grids = [{}]
    for place in places:
        values = range(40) if form.slots else CARDS
        grids = [{**grid, place: value} for grid in grids for value in values]
    ports = range(form.slots) if form.slots else range(PORTS * form.step)
    found = [form.name.format(port=port, **grid) for grid in grids for port in ports]
    return [text for text in found if form.pattern.fullmatch(text)]


def accepted(kind, text):
    """The Linux name, None where the name is refused."""
    try:
        return linux_name(kind, text)
    except NameFault:
        return None


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_every_data_interface_goes_round_by_its_vendor_name(kind):
    names = kind.interfaces
    for index in numbers(kind):
        linux = names.linux.format(index=index)
        assert linux_name(kind, linux) == linux
        vendor = vendor_name(kind, linux)
        assert linux_name(kind, vendor) == linux
        assert linux_name(kind.name, vendor) == linux


@pytest.mark.parametrize("kind", [kind for kind in KINDS.values() if kind.interfaces.forms], ids=lambda kind: kind.name)
def test_every_name_of_every_form_goes_round_and_no_two_ports_are_one_interface(kind):
    for form in kind.interfaces.forms:
        linux = {text: accepted(kind, text) for text in texts(form)}
        good = {text: name for text, name in linux.items() if name is not None}
        assert len(good) >= (form.count or (1 if kind.interfaces.maximum else PORTS // 2)), form.name
        assert len(set(good.values())) == len(good), form.name
        for name in good.values():
            assert len(name.encode()) <= MAX_INTERFACE
            assert linux_name(kind, name) == name
            assert linux_name(kind, vendor_name(kind, name)) == name
        usual = {text: name for text, name in good.items() if form is kind.interfaces.forms[0]}
        assert {text: vendor_name(kind, name) for text, name in usual.items()} == {text: text for text in usual}


@pytest.mark.parametrize("kind", [kind for kind in KINDS.values() if kind.interfaces.forms], ids=lambda kind: kind.name)
def test_what_is_refused_is_before_the_first_port_beside_a_step_or_too_long(kind):
    for form in kind.interfaces.forms:
        for text in texts(form):
            if accepted(kind, text) is None:
                with pytest.raises(NameFault, match=r"before the first|apart|longer than|management|behind the last") as caught:
                    linux_name(kind, text)
                assert caught.value.remedy


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_the_examples_of_a_message_are_names(kind):
    shown = examples(kind.interfaces)
    assert shown
    assert all(accepted(kind, text) for text in shown)
    assert "{" not in "".join(shown)


@pytest.mark.parametrize("kind", [one for one in KINDS.values() if one.provider in ("container", "vm")], ids=lambda kind: kind.name)
def test_management_is_no_end_of_a_link_unless_the_node_has_no_network_and_the_kind_allows_it(kind):
    names = kind.interfaces
    assert names.management == "eth0"
    for text in filter(None, (names.management, names.management_vendor)):
        with pytest.raises(NameFault, match=f"is the management interface of kind {kind.name}"):
            linux_name(kind, text)
        if names.links_may_use_management:
            assert linux_name(kind, text, management=True) == (names.management_link or "eth0")
        else:
            with pytest.raises(NameFault, match="is the management interface"):
                linux_name(kind, text, management=True)


@pytest.mark.parametrize(
    ("names", "linux"),
    [
        ("6wind_vsr fdio_vpp linux veesix_osvbng crpd juniper_csrx rare sonic-vs k8s-kind keysight_ixia-c-one nokia_srsim", "eth0"),
        ("srl", "mgmt0"),
    ],
)
def test_kinds_whose_management_interface_can_be_an_end_as_in_containerlab(names, linux):
    assert {linux_name(name, linux, management=True) for name in names.split()} == {linux}
    assert vendor_name("srl", "mgmt0") == vendor_name("srl", "eth0") == "mgmt0"


@given(st.sampled_from(sorted(KINDS)), st.text(max_size=40))
def test_whatever_is_written_gives_a_name_of_the_kernel_or_a_fault(name, text):
    linux = accepted(name, text)
    if linux is None:
        with pytest.raises(NameFault) as caught:
            linux_name(name, text)
        assert caught.value.remedy
    else:
        assert 0 < len(linux.encode()) <= MAX_INTERFACE
        assert "/" not in linux
        assert linux_name(name, vendor_name(name, linux)) == linux


@given(
    st.sampled_from([kind for kind in KINDS.values() if kind.interfaces.forms]),
    st.sampled_from(["9" * 5000, "0", "00", "-1", "1.0", "x", "", "\u0661", " 1"]),
    st.data(),
)
def test_no_number_breaks_a_form(kind, number, data):
    form = data.draw(st.sampled_from(kind.interfaces.forms))
    linux = accepted(kind, form.name.replace("{port}", number).replace("{slot}", "1").replace("{mda}", "1").replace("{lane}", "1"))
    assert linux is None or len(linux) <= MAX_INTERFACE


# containerlab's rules: names, a regular expression of the vendor's names with its offset, the first data interface, names to try

XR = r"(?:Gi|GigabitEthernet|Te|TenGigE|TenGigabitEthernet)\s?0/0/0/(?P<port>\d+)"
JUNOS = r"(?:et|xe|ge)-0/0/(?P<port>\d+)$"
CONTAINERLAB = [
    ("ciena_saos vr-ciena_saos", r"^(?P<port>[1-9]\d*)$", 1, ["{}"]),
    ("cisco_asav", r"(?:GigabitEthernet|Gi)\s?0/(?P<port>\d+)", 0, ["GigabitEthernet0/{}", "Gi0/{}", "Gi 0/{}"]),
    ("cisco_vios", r"(?:Gi|GigabitEthernet)\s?(?P<port>\d+)$", 0, ["Gi{}", "GigabitEthernet{}", "Gi {}"]),
    ("cisco_xrd_vrouter", XR, 0, ["Gi0/0/0/{}", "GigabitEthernet0/0/0/{}", "Te0/0/0/{}", "TenGigE0/0/0/{}", "TenGigabitEthernet0/0/0/{}"]),
    ("cjunosevolved juniper_cjunosevolved", r"et-0/0/(?P<port>\d+)$", -3, ["et-0/0/{}"]),
    ("f5_bigip-ve", r"^1\.(?P<port>\d+)$", 1, ["1.{}"]),
    ("fortinet_fortigate", r"port(?P<port>\d+)$", 2, ["port{}"]),
    ("nvidia_cumulusvx", r"swp(?P<port>\d+)", 1, ["swp{}"]),
    ("aruba_aoscx vr-aoscx vr-aruba_aoscx", r"1/1/(?P<port>\d+)", 1, ["1/1/{}"]),
    ("cisco_c8000v", r"(?:Gi|GigabitEthernet)\s?(?P<port>\d+)$", 2, ["Gi{}", "GigabitEthernet{}", "GigabitEthernet {}"]),
    ("cisco_cat9kv", r"(?:Gi|GigabitEthernet)\s?1/0/(?P<port>\d+)$", 1, ["Gi1/0/{}", "GigabitEthernet1/0/{}"]),
    ("cisco_csr1000v vr-csr vr-cisco_csr1000v", r"(?:Gi|GigabitEthernet)\s?(?P<port>\d+)$", 2, ["Gi{}", "GigabitEthernet{}"]),
    ("freebsd", r"vtnet(?P<port>\d+)", 1, ["vtnet{}"]),
    ("cisco_ftdv", r"(?:GigabitEthernet|Gi)\s?0/(?P<port>\d+)", 0, ["GigabitEthernet0/{}", "Gi0/{}"]),
    ("cisco_n9kv vr-n9kv vr-cisco_n9kv", r"(?:Ethernet|Et)\s?1/(?P<port>\d+)", 1, ["Ethernet1/{}", "Et1/{}", "Et 1/{}"]),
    ("openbsd", r"vio(?P<port>\d+)", 1, ["vio{}"]),
    ("paloalto_panos vr-pan vr-paloalto_panos", r"Ethernet1/(?P<port>\d+)", 1, ["Ethernet1/{}"]),
    ("mikrotik_ros vr-ros vr-mikrotik_ros", r"ether(?P<port>\d+)", 2, ["ether{}"]),
    ("nokia_sros vr-sros vr-nokia_sros", r"1/1/(?P<port>\d+)", 1, ["1/1/{}"]),
    ("arista_veos vr-veos vr-arista_veos", r"(?:Et|Ethernet)1/(?P<port>\d+)", 1, ["Et1/{}", "Ethernet1/{}"]),
    ("juniper_vjunosevolved", JUNOS, 0, ["et-0/0/{}", "xe-0/0/{}", "ge-0/0/{}"]),
    ("juniper_vjunosrouter", JUNOS, 0, ["et-0/0/{}", "xe-0/0/{}", "ge-0/0/{}"]),
    ("juniper_vjunosswitch", JUNOS, 0, ["et-0/0/{}", "xe-0/0/{}", "ge-0/0/{}"]),
    ("juniper_vmx vr-vmx vr-juniper_vmx", JUNOS, 0, ["et-0/0/{}", "xe-0/0/{}", "ge-0/0/{}"]),
    ("juniper_vqfx vr-vqfx vr-juniper_vqfx", JUNOS, 0, ["et-0/0/{}", "xe-0/0/{}", "ge-0/0/{}"]),
    ("juniper_vsrx vr-vsrx vr-juniper_vsrx", JUNOS, 0, ["et-0/0/{}", "xe-0/0/{}", "ge-0/0/{}"]),
    ("cisco_xrv vr-xrv vr-cisco_xrv", r"(?:Gi|GigabitEthernet)\s?0/0/0/(?P<port>\d+)$", 0, ["Gi0/0/0/{}", "GigabitEthernet0/0/0/{}"]),
    ("cisco_xrv9k vr-xrv9k vr-cisco_xrv9k", XR, 0, ["Gi0/0/0/{}", "GigabitEthernet0/0/0/{}", "Te0/0/0/{}", "TenGigE0/0/0/{}"]),
]


@pytest.mark.parametrize(("names", "pattern", "offset", "forms"), CONTAINERLAB, ids=[row[0].split()[0] for row in CONTAINERLAB])
def test_virtual_machines_number_their_ports_as_containerlab_does(names, pattern, offset, forms):
    """Its rule: port - offset + 1, and an error for what is less than eth1."""
    for name in names.split():
        assert _kinds.find_kind(name).provider == "vm"
        for form in forms:
            for port in range(PORTS):
                text = form.format(port)
                found = re.search(pattern, text)
                index = int(found["port"]) - offset + 1 if found else 0
                assert accepted(name, text) == (f"eth{index}" if index >= 1 else None), text


# containerlab's Linux names: kind, those that it takes, those that it does not; and what names of vendors become

LINUX_NAMES = [
    ("arrcus_arcos", "swp1 swp12 swp1.100", "eth1 xswp1 swp"),
    ("c8000 cisco_c8000", "Fi0_0_0_1 Hu0_0_0_0 FH0_0_0_35", "eth1 Gi0_0_0_1 FH0_0_0_ xFH0_0_0_1"),
    ("ceos arista_ceos", "eth1 eth12 eth1_1 et1 et1_1", "eth0 et0 swp1 geth1"),
    ("checkpoint_cloudguard dell_sonic generic_vm huawei_vrp ipinfusion_ocnos plvision_sonic", "eth1 eth12", "eth0 eth01 geth1 e1-1"),
    ("cisco_sdwan sonic-vm dell_ftosv vr-ftosv vr-dell_ftosv", "eth1 eth12", "eth0 geth1"),
    ("crpd juniper_crpd juniper_csrx k8s-kind keysight_ixia-c-one rare sonic-vs", "eth1 net1 x.100", "eth0"),
    ("cvx cumulus_cvx", "swp1 swp1.100", "eth1"),
    ("6wind_vsr fdio_vpp linux veesix_osvbng", "eth1 swp1 x.100", "eth0"),
    ("cisco_iol", "eth1 eth12", "eth0 e0/0 Ethernet0/0 swp1"),
    ("spirent_stc", "port1 port9", "port0 port10 eth1"),
    ("nokia_srlinux srl", "e1-1 e1-36 e2-1-4", "mgmt0 eth1 e1 e0-1"),
    ("nokia_srsim", "e1-1-1 e1-x2-3-c4-5 e1-1-c1-1 e1-x2-3-4 eth1", "e1-1 swp1"),
    ("vyosnetworks_vyos", "eth1 eth12", "eth0 swp1"),
    ("xrd cisco_xrd", "Gi0-0-0-0 Gi0-0-0-12", "eth1 xGi0-0-0-1 Gi0-0-0-"),
    ("bridge ovs-bridge host ext-container", "eth1 br1-port.7", ""),
    ("openwrt", "eth1 lan1", "eth0"),
]


@pytest.mark.parametrize(("kinds", "taken", "refused"), LINUX_NAMES, ids=[row[0].split()[0] for row in LINUX_NAMES])
def test_linux_names_are_taken_as_containerlab_does(kinds, taken, refused):
    for kind in kinds.split():
        assert {name: accepted(kind, name) for name in taken.split()} == {name: name for name in taken.split()}
        assert {name: accepted(kind, name) for name in refused.split()} == dict.fromkeys(refused.split())


@pytest.mark.parametrize(
    ("kind", "written", "linux"),
    [
        ("srl", "ethernet-1/1", "e1-1"),
        ("srl", "ethernet-2/36/4", "e2-36-4"),
        ("nokia_srsim", "1/x2/3/c4/5", "e1-x2-3-c4-5"),
        ("nokia_srsim", "1/X2/3/4", "e1-x2-3-4"),
        ("nokia_srsim", "1/2/3", "e1-2-3"),
        ("nokia_srsim", "2/2/c3/4", "e2-2-c3-4"),
        ("spirent_stc", "port3", "port3"),
        ("cisco_iol", "Ethernet0/1", "eth1"),
        ("cisco_iol", "e1/0", "eth4"),
        ("cisco_iol", "e 1/1", "eth5"),
        ("cisco_iol", "Ethernet15/3", "eth63"),
        ("ceos", "Ethernet3", "eth3"),
        ("ceos", "Et3/4", "eth3_4"),
        ("ceos", "et3", "et3"),
        ("cisco_xrd", "GigabitEthernet0/0/0/7", "Gi0-0-0-7"),
        ("cisco_xrd", "gi0/0/0/7", "Gi0-0-0-7"),
        ("cisco_c8000", "FourHundredGigE0/0/0/3", "FH0_0_0_3"),
        ("cisco_c8000", "HundredGigE0/0/0/3", "Hu0_0_0_3"),
        ("sonic-vm", "Ethernet8", "eth3"),
        ("sonic-vs", "Ethernet4", "eth2"),
        ("cat-sdwan-vedge", "ge0/0", "eth1"),
        ("citrix_adc", "0/1", "eth1"),
        ("iosvl2", "GigabitEthernet1/0", "eth4"),
        ("light_olt", "1/2/1", "eth1"),
        ("light_olt", "1/1/4", "eth5"),
        ("huawei_vrp", "Ethernet1/0/0", "eth1"),
    ],
)
def test_names_of_vendors(kind, written, linux):
    assert linux_name(kind, written) == linux


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        ("cisco_iol", "Ethernet0/4", "has a port that is not there: a slot has 4, and the first is 0, of kind cisco_iol"),
        ("sonic-vm", "Ethernet5", "is between two interfaces, which are 4 apart, of kind sonic-vm. Write it as Ethernet0 or eth1"),
        ("juniper_vsrx", "ge-0/0/x", "is none of kind juniper_vsrx. Write it as ge-0/0/0 or eth1"),
        ("juniper_vsrx", "GE-0/0/1", "is none of kind juniper_vsrx. Write it as ge-0/0/0 or eth1"),
        ("juniper_cjunosevolved", "eth1", "is none of kind juniper_cjunosevolved. Write it as et-0/0/0 or eth4"),
        ("mikrotik_ros", "ether1", 'interface "ether1" is the management interface of kind mikrotik_ros. Write it as ether2 or eth1'),
        ("cisco_csr1000v", "Gi1", 'interface "Gi1" is before the first one of kind cisco_csr1000v. Write it as GigabitEthernet2 or eth1'),
        ("srl", "ethernet-0/1", "is none of kind nokia_srlinux. Write it as ethernet-1/1, ethernet-1/1/1 or e1-1"),
        ("nokia_srsim", "10/x10/10/c10/1", "is longer than 15 bytes"),
        ("cvx", "eth1", "is none of kind cumulus_cvx. The first one is swp1"),
        ("light_olt", "1/2/2", "is none of kind light_olt. Write it as 1/2/1, 1/1/1 or eth1"),
    ],
)
def test_what_does_not_fit_is_told_with_the_forms_that_do(kind, text, message):
    with pytest.raises(NameFault) as caught:
        linux_name(kind, text)
    assert message in str(caught.value)


# netlab: the name of a device's interface, its first index, the kind, and the name that containerlab gets

NETLAB = [
    ("arubacx", lambda i: f"1/1/{i}", 1, "vr-aoscx", lambda i: f"eth{i}"),
    ("asav", lambda i: f"GigabitEthernet0/{i}", 0, "cisco_asav", None),
    ("cat8000v", lambda i: f"GigabitEthernet{i}", 2, "cisco_c8000v", lambda i: f"eth{i - 1}"),
    ("csr", lambda i: f"GigabitEthernet{i}", 2, "cisco_csr1000v", lambda i: f"eth{i - 1}"),
    ("cisco8000v", lambda i: f"FourHundredGigE0/0/0/{i}", 0, "cisco_c8000", lambda i: f"FH0_0_0_{i}"),
    ("crpd", lambda i: f"eth{i + 1}", 0, "juniper_crpd", lambda i: f"eth{i + 1}"),
    ("cumulus", lambda i: f"swp{i}", 1, "cvx", lambda i: f"swp{i}"),
    ("dellos10", lambda i: f"ethernet1/1/{i}", 1, "vr-ftosv", lambda i: f"eth{i}"),
    ("frr", lambda i: f"eth{i}", 1, "linux", lambda i: f"eth{i}"),
    ("iol", lambda i: f"Ethernet{i // 4}/{i % 4}", 1, "cisco_iol", None),
    ("iosv", lambda i: f"GigabitEthernet0/{i}", 1, "cisco_vios", lambda i: f"eth{i}"),
    ("iosvl2", lambda i: f"GigabitEthernet{i // 4}/{i % 4}", 1, "cisco_vios", lambda i: f"eth{i}"),
    ("iosxr", lambda i: f"GigabitEthernet0/0/0/{i}", 0, "cisco_xrd", lambda i: f"Gi0-0-0-{i}"),
    ("nxos", lambda i: f"Ethernet1/{i}", 1, "cisco_n9kv", lambda i: f"eth{i}"),
    ("openbsd", lambda i: f"vio{i}", 1, "openbsd", None),
    ("routeros7", lambda i: f"ether{i}", 2, "vr-ros", lambda i: f"eth{i - 1}"),
    ("srlinux", lambda i: f"ethernet-1/{i}", 1, "srl", lambda i: f"e1-{i}"),
    ("sros", lambda i: f"1/1/c{i}/1", 1, "vr-sros", lambda i: f"eth{i}"),
    ("vjunos-router", lambda i: f"ge-0/0/{i}", 0, "juniper_vjunosrouter", lambda i: f"eth{i + 1}"),
    ("vmx", lambda i: f"ge-0/0/{i}", 0, "vr-vmx", lambda i: f"eth{i + 1}"),
    ("vsrx", lambda i: f"ge-0/0/{i}", 0, "vr-vsrx", lambda i: f"eth{i + 1}"),
    ("vptx", lambda i: f"et-0/0/{i}", 0, "juniper_vjunosevolved", lambda i: f"eth{i + 1}"),
]


@pytest.mark.parametrize(("device", "name", "first", "kind", "linux"), NETLAB, ids=[row[0] for row in NETLAB])
def test_interfaces_are_those_that_netlab_means(device, name, first, kind, linux):
    for index in range(first, first + 60):
        found = linux_name(kind, name(index))
        if linux is not None:
            assert found == linux_name(kind, linux(index)) == linux(index)


def test_netlabs_names_of_srsim_and_eos_are_taken():
    """Its formula for SR-SIM puts port 12 on MDA 2: it is taken as it is written. For EOS it sets INTFTYPE=et, and names interfaces so."""
    assert [linux_name("nokia_srsim", f"1/{i // 12 + 1}/c{(i - 1) % 12 + 1}/1") for i in (1, 11, 12, 13)] == [
        "e1-1-c1-1",
        "e1-1-c11-1",
        "e1-2-c12-1",
        "e1-2-c1-1",
    ]
    assert linux_name("ceos", "et5") == "et5"
    assert linux_name("ceos", "Ethernet5") == "eth5"


# cards: ports of Nokia SR OS are counted through the components of the node

XIOM = [{"slot": 1, "type": "iom-s-3.0t", "mda": [{"slot": 1, "type": "ms18-100gb-qsfp28"}, {"slot": 2, "type": "ms24-10/100gb-sfpdd"}]}]
SR2S = [{"slot": "A", "type": "cpm-2s"}, {"slot": 2, "type": "xcm-2s", "xiom": XIOM}, {"slot": 1, "type": "xcm-2s", "xiom": XIOM}]
SR7 = [
    {"slot": "A", "type": "cpm5"},
    {"slot": "1", "type": "iom4-e", "mda": [{"slot": 1, "type": "me6-10gb-sfp+"}]},
    {"slot": "2", "type": "iom4-e", "mda": [{"slot": 1, "type": "me6-10gb-sfp+"}]},
]
R6 = [{"slot": "A", "type": "cpiom-ixr-r6", "mda": [{"slot": 1, "type": "m6-10g-sfp++4-25g-sfp28"}, {"slot": 2, "type": "m2-x"}]}]


@pytest.mark.parametrize(
    ("components", "written", "linux"),
    [
        (SR2S, "1/x1/1/1", "eth1"),
        (SR2S, "1/x1/1/18", "eth18"),
        (SR2S, "1/x1/1/19", None),
        (SR2S, "1/X1/2/1", "eth19"),
        (SR2S, "1/x1/2/24", "eth42"),
        (SR2S, "1/2/c24/1", "eth42"),
        (SR2S, "2/x1/1/1", "eth43"),
        (SR2S, "2/x1/2/c1/1", "eth61"),
        (SR2S, "1/x2/1/1", None),
        (SR7, "1/1/3", "eth3"),
        (SR7, "2/1/1", "eth7"),
        (SR7, "3/1/1", None),
        (SR7, "1/2/1", None),
        (SR7, "1/x1/1/1", None),
        (SR7, "2/1/c1/2", None),
        (R6, "1/1/10", "eth10"),
        (R6, "1/2/1", "eth11"),
        (R6, "1/1/11", None),
        ([{**SR7[1], "max-nics": 8}, SR7[2]], "2/1/1", "eth9"),
        ([{"slot": "B"}, {"slot": 1, "max-nics": 4}, {"slot": 2, "max-nics": 4}], "2/1/2", "eth6"),
        ([], "1/1/5", "eth5"),
        ([], "1/1/c5/1", "eth5"),
        ([], "2/1/1", None),
        (SR7, "eth12", "eth12"),
    ],
)
def test_ports_are_counted_through_cards(components, written, linux):
    kind = with_cards(KINDS["nokia_sros"], components)
    assert accepted(kind, written) == linux
    if linux is not None:
        assert linux_name(kind, vendor_name(kind, linux)) == linux


def test_every_port_of_every_card_has_an_interface_of_its_own():
    kind = with_cards(KINDS["nokia_sros"], SR2S)
    written = [f"{slot}/x1/{mda}/{port}" for slot in (1, 2) for mda, count in ((1, 18), (2, 24)) for port in range(1, count + 1)]
    assert [linux_name(kind, text) for text in written] == [f"eth{index}" for index in range(1, 85)]
    assert [vendor_name(kind, f"eth{index}") for index in range(1, 85)] == written


@pytest.mark.parametrize("components", [[{}], [{"slot": "x"}], [{"slot": 1, "mda": "no"}], [{"slot": 1, "mda": [7, {"slot": "y"}]}]])
def test_components_that_say_nothing_of_ports_leave_the_plain_form(components):
    assert accepted(with_cards(KINDS["nokia_sros"], components), "1/1/1") == "eth1"


def test_only_kinds_with_cards_have_any():
    assert with_cards(KINDS["nokia_srsim"], SR7) is KINDS["nokia_srsim"]
