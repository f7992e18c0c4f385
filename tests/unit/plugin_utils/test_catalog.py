# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which kinds there are, kinds of one's own, and what images and labs change of a kind."""

from __future__ import annotations

import subprocess
import sys

import pytest

from ansible_collections.archetype.lab.plugins.plugin_utils._catalog import Catalog, merge
from ansible_collections.archetype.lab.plugins.plugin_utils._errors import LabFileError
from ansible_collections.archetype.lab.plugins.plugin_utils._kinds import find_kind, kind_files
from ansible_collections.archetype.lab.plugins.plugin_utils._naming import NameFault, kind_named, linux_name
from ansible_collections.archetype.lab.plugins.plugin_utils._read import plain_data
from ansible_collections.archetype.lab.plugins.plugin_utils._yaml import parse_yaml

CONTAINERLAB = """
6wind_vsr; arrcus_arcos; bridge; c8000 cisco_c8000; ceos arista_ceos; checkpoint_cloudguard; ciena_saos vr-ciena_saos; cisco_asav;
cisco_sdwan; cisco_vios; cisco_xrd_vrouter; cjunosevolved juniper_cjunosevolved; crpd juniper_crpd; cvx cumulus_cvx; dell_sonic;
ext-container; f5_bigip-ve; fdio_vpp; fortinet_fortigate; generic_vm; host; huawei_vrp; cisco_iol; ipinfusion_ocnos; juniper_csrx;
k8s-kind; keysight_ixia-c-one; linux; nvidia_cumulusvx; ovs-bridge; plvision_sonic; rare; sonic-vs; sonic-vm; spirent_stc;
nokia_srlinux srl; nokia_srsim; veesix_osvbng; aruba_aoscx vr-aoscx vr-aruba_aoscx; cisco_c8000v; cisco_cat9kv;
cisco_csr1000v vr-csr vr-cisco_csr1000v; freebsd; cisco_ftdv; dell_ftosv vr-ftosv vr-dell_ftosv; cisco_n9kv vr-n9kv vr-cisco_n9kv;
openbsd; openwrt; paloalto_panos vr-pan vr-paloalto_panos; mikrotik_ros vr-ros vr-mikrotik_ros; nokia_sros vr-sros vr-nokia_sros;
arista_veos vr-veos vr-arista_veos; juniper_vjunosevolved; juniper_vjunosrouter; juniper_vjunosswitch;
juniper_vmx vr-vmx vr-juniper_vmx; juniper_vqfx vr-vqfx vr-juniper_vqfx; juniper_vsrx vr-vsrx vr-juniper_vsrx;
cisco_xrv vr-xrv vr-cisco_xrv; cisco_xrv9k vr-xrv9k vr-cisco_xrv9k; vyosnetworks_vyos; xrd cisco_xrd; border0; ostinato;
frr frrouting; cisco_viosl2; light_olt; juniper_apstra; ciena_saos ciena_saos10 vr-ciena_saos10
"""
ARCHETYPE = """
vyos; cisco_iosxr iosxrv9000 iosxr xrv9k; cisco_xrd; cisco_iosv iosv; iosvl2 iosv-l2; iol-xe iol iol-xe-serial-4eth;
iol-l2 ioll2-xe; cisco_csr1000v csr csr1000v; juniper_crpd; juniper_vsrx3;
juniper_vjunosrouter vjunos-router vjunosrouter vjunos_router; juniper_vjunosevolved vjunos-evolved vjunos_evolved vjunosevolved;
juniper_cjunos cjunos cjunosevolved cjunos-evolved cjunos_evolved; ceos eos arista_eos arista_ceos; nokia_srlinux; cvx; sonic-vs;
juniper_vjunosswitch vjunos-switch vjunosswitch vjunos; cisco_n9kv nxos nxosv9000 n9kv; f5_bigip; haproxy; citrix_adc; cisco_asav;
fortinet_fortigate; paloalto_vmseries; linux; alpine; tcl; frr; windows; c8000v cisco_c8000v cat8000v cat-sdwan-edge;
cat-sdwan-controller; cat-sdwan-manager; cat-sdwan-validator; cat-sdwan-vedge; ftdv cisco_ftdv; fmcv; cat9800 cisco_cat9800;
cat9000v-q200 cisco_cat9000v_q200 cat9000v_q200 cat9kv cisco_cat9kv; cat9000v-uadp cisco_cat9000v_uadp cat9000v_uadp
"""


def part(text, file="t.lab.yml"):
    return parse_yaml(text, file)


def parts(**texts):
    return {name: part(text) for name, text in texts.items()}


@pytest.fixture
def folder(tmp_path):
    def write(**files):
        for name, text in files.items():
            (tmp_path / f"{name}.yml").write_text(text)
        return str(tmp_path)

    return write


OWN = (
    "name: vendor_switch\naliases: [vsw]\nprovider: container\nconnection: {network_os: vendor.os}\n"
    "interfaces: {forms: [{name: 'Port{port}', pattern: '(?:Port|P)(?P<port>[0-9]+)', offset: 1}]}\n"
)


@pytest.mark.parametrize("names", [*CONTAINERLAB.split(";"), *ARCHETYPE.split(";")], ids=str.strip)
def test_every_name_of_both_systems_is_there_and_names_of_one_device_are_one_kind(names):
    found = {name: find_kind(name) for name in names.split()}
    assert None not in found.values()
    assert len({kind.name for kind in found.values()}) == 1


@pytest.mark.parametrize(
    ("provider", "names"),
    [
        ("segment", "bridge ovs-bridge"),
        ("host", "host"),
        ("external", "ext-container k8s-kind"),
        ("container", "linux srl ceos crpd cisco_iol xrd sonic-vs cvx vyosnetworks_vyos cisco_c8000 nokia_srsim frr haproxy"),
        ("vm", "cisco_n9kv vr-sros vr-vmx generic_vm sonic-vm juniper_cjunosevolved openwrt fmcv windows"),
    ],
)
def test_providers(provider, names):
    assert {find_kind(name).provider for name in names.split()} == {provider}


def test_canonical_names_are_containerlabs():
    assert [find_kind(name).name for name in ("ceos", "srl", "xrv9k", "csr", "vr-sros", "nxos", "vyos", "cvx", "frrouting")] == [
        "arista_ceos",
        "nokia_srlinux",
        "cisco_xrv9k",
        "cisco_csr1000v",
        "nokia_sros",
        "cisco_n9kv",
        "vyosnetworks_vyos",
        "cumulus_cvx",
        "frr",
    ]


def test_one_kind_is_found_without_reading_the_others():
    """Counted in a process of its own: which kind files are opened for one name."""
    code = (
        "import sys\nfrom ansible_collections.archetype.lab.plugins.plugin_utils import _kinds\n"
        "read = []\nload = _kinds.load_yaml\n_kinds.load_yaml = lambda path: (read.append(path), load(path))[1]\n"
        "_kinds.find_kind('linux')\nprint([path.rsplit('/', 1)[1] for path in read])"
    )
    done = subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": ":".join(sys.path)}, capture_output=True, text=True, check=True)
    assert done.stdout == "['linux.yml']\n"


# kinds of one's own


def test_a_new_kind_is_a_file_and_nothing_else(folder):
    catalog = Catalog([folder(any=OWN)])
    assert catalog.find("vsw") is catalog.find("Vendor_Switch")
    assert catalog.find("vsw").connection.network_os == "vendor.os"
    assert linux_name(catalog.find("vsw"), "P3") == "eth3"
    assert catalog.find("linux") is find_kind("linux")
    assert "vsw" in catalog.names
    assert set(kind_files()) < set(catalog.names)
    assert catalog.remedy("vendor_swich") == 'Did you mean "vendor_switch"?'
    assert find_kind("vsw") is None


def test_a_kind_of_ones_own_replaces_one_of_the_collection_under_all_its_names(folder):
    catalog = Catalog([folder(x="name: arista_ceos\nprovider: container\nimage: mine:1\n")])
    assert {catalog.find(name).image for name in ("arista_ceos", "ceos", "eos")} == {"mine:1"}
    assert not catalog.find("ceos").interfaces.forms
    assert catalog.resolve(catalog.find("ceos")).image == "mine:1"
    assert find_kind("ceos").image == ""


def test_a_kind_of_ones_own_can_be_like_another(folder):
    catalog = Catalog([folder(x="name: frontend\nprovider: container\nlike: linux\nimage: mine:1\nconsole: {command: bash}\n")])
    found = catalog.find("frontend")
    assert (found.name, found.image, found.console.command, found.console.method) == ("frontend", "mine:1", "bash", "exec")
    assert found.boot == find_kind("linux").boot


def test_a_kind_that_is_like_one_with_an_opt_out_speaks_for_itself(folder):
    text = "name: mine\nprovider: container\nlike: juniper_crpd\nreadiness: {probe: tcp, port: 22}\n"
    assert Catalog([folder(x=text)]).find("mine").readiness.probe == "tcp"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: a\n", ":1:1: provider is missing. It is one of container, external, host, segment, vm"),
        ("name: a\nprovider: docker\n", ":2:11: provider is docker. It is one of"),
        ("provider: container\n", ":1:1: name is missing"),
        ("name: a\nprovider: container\nimge: x\n", ':3:1: unknown key "imge" in a kind. Did you mean "image"?'),
        ("name: a\nprovider: container\ninterfaces: {accepted: '('}\n", ":3:24: accepted is not a regular expression"),
        ("name: a\nprovider: container\ninterfaces: {forms: [{name: 'x{port}'}]}\n", ":3:22: a form needs name and pattern"),
        ("name: a\nprovider: container\nreadiness: {prob: log}\n", ':3:13: unknown key "prob" in readiness. Did you mean "probe"?'),
        ("name: a\nprovider: container\nreadiness: {probe: logs}\n", ":3:20: probe is logs. It is one of console, log, none, ssh, tcp"),
        ("name: a\nprovider: container\nmemory: much\n", ":3:9: memory is not an amount of memory. Write it as 512MB or 1Gib"),
        ("name: a\nprovider: container\nboot: {files: [{content: x}]}\n", ":3:16: a file needs its path in the node"),
        ("name: a\nprovider: container\nhardware: {disk: ide}\n", ':3:12: unknown key "disk" in hardware. Did you mean "disk_bus"?'),
        ("name: a\nprovider: vm\nboot: {privileged: maybe}\n", ":3:20: privileged must be true or false"),
        ("[]\n", ":1:1: a kind must be a mapping, not a list"),
        ("", ": the file is empty. One document is expected"),
    ],
)
def test_a_bad_kind_file_is_told_with_its_line(folder, tmp_path, text, message):
    problems = Catalog([folder(a=text)]).problems
    assert f"{tmp_path}/a.yml{message}" in "\n".join(str(one) for one in problems)


def test_all_that_is_wrong_with_all_folders_is_told_at_once(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.yml").write_text("name: same\nprovider: container\nimge: x\n")
    folders = [str(tmp_path / name) for name in ("one", "two", "three")]
    told = [
        'one/a.yml:3:1: unknown key "imge" in a kind. Did you mean "image"?',
        "three: there is no such folder of kinds. Correct kinds_path, or make the folder",
        'two/a.yml:1:1: kind "same" is in another file of kinds_path already. Give it another name',
        'two/a.yml:3:1: unknown key "imge" in a kind. Did you mean "image"?',
    ]
    assert sorted(str(problem).replace(f"{tmp_path}/", "") for problem in Catalog(folders).problems) == told
    with pytest.raises(LabFileError) as caught:
        kind_named("same", folders)
    assert [str(problem).replace(f"{tmp_path}/", "") for problem in caught.value.problems] == told


def test_a_kind_is_named_within_folders(folder):
    assert kind_named("vsw", folder(any=OWN)).name == "vendor_switch"
    assert kind_named("ceos", [folder()]) is find_kind("ceos")
    assert kind_named("ceos") is find_kind("ceos")
    with pytest.raises(NameFault, match=r'unknown kind "vsx"\. Did you mean "vsw"'):
        kind_named("vsx", [folder()])


# layers


def test_without_settings_a_kind_is_itself():
    assert Catalog().resolve(find_kind("linux"), "i:1") is find_kind("linux")


def test_the_lab_overrides_the_image_which_overrides_the_kind():
    catalog = Catalog(
        kind_settings=parts(ceos="readiness: {probe: log, timeout: 30}\nconnection: {username: lab}"),
        image_settings={"ceos:1": part("readiness: {probe: tcp, timeout: 20, port: 22}\nconnection: {username: image, password: image}")},
    )
    ceos = catalog.find("ceos")
    plain, shaped = catalog.resolve(ceos, "ceos:2"), catalog.resolve(ceos, "ceos:1")
    assert (plain.readiness.timeout, plain.connection.username, plain.connection.password) == (30, "lab", "admin")
    assert (shaped.readiness.probe, shaped.readiness.timeout, shaped.readiness.port) == ("log", 30, 22)
    assert (shaped.connection.username, shaped.connection.password) == ("lab", "image")
    assert shaped.connection.network_os == "arista.eos.eos"
    assert shaped.readiness.pattern == ceos.readiness.pattern
    assert catalog.resolve(ceos, "ceos:1") is shaped
    assert catalog.resolve(catalog.find("linux"), "ceos:1").connection.username == "image"


def test_mappings_are_merged_and_lists_and_scalars_replaced():
    base, over = part("a: {x: 1, y: {p: 1}}\nl: [1, 2]\ns: old\nt: kept"), part("a: {y: {q: 2}}\nl: [3]\ns: new")
    assert plain_data(merge(base, over)) == {"a": {"x": 1, "y": {"p": 1, "q": 2}}, "l": [3], "s": "new", "t": "kept"}
    assert plain_data(base) == {"a": {"x": 1, "y": {"p": 1}}, "l": [1, 2], "s": "old", "t": "kept"}
    catalog = Catalog(kind_settings=parts(linux="boot: {capabilities: [NET_ADMIN], env: {A: '1'}}"))
    found = catalog.resolve(catalog.find("linux"))
    assert (found.boot.capabilities, dict(found.boot.env)) == (("NET_ADMIN",), {"A": "1"})
    assert found.boot.sysctls == find_kind("linux").boot.sysctls


@pytest.mark.parametrize("layer", ["kind_settings", "image_settings"])
def test_no_later_layer_undoes_an_opt_out_of_the_kind(layer):
    settings = {layer: {{"kind_settings": "juniper_crpd", "image_settings": "crpd:1"}[layer]: part("readiness: {probe: tcp, port: 22}")}}
    catalog = Catalog(**settings)
    found = catalog.resolve(catalog.find("crpd"), "crpd:1")
    assert (found.readiness.probe, found.readiness.optout) == ("none", True)


def test_any_layer_can_opt_out_and_the_next_cannot_undo_it():
    catalog = Catalog(kind_settings=parts(ceos="readiness: {probe: tcp, port: 22}"), image_settings={"ceos:1": part("readiness: none")})
    found = catalog.resolve(catalog.find("ceos"), "ceos:1")
    assert (found.readiness.probe, found.readiness.optout) == ("none", True)
    assert catalog.resolve(catalog.find("ceos"), "ceos:2").readiness.probe == "tcp"


def test_image_settings_hold_for_the_reference_in_the_file_and_for_its_replacement():
    settings = {"public:1": part("console: {command: zsh}\ncpu: 1"), "local:1": part("cpu: 2")}
    catalog = Catalog(image_settings=settings, images={"public:1": "local:1"})
    found = catalog.resolve(catalog.find("linux"), "public:1")
    assert (found.console.command, found.cpu) == ("zsh", 2.0)
    assert catalog.resolve(catalog.find("linux"), "local:1").console.command == "sh"


def test_the_image_of_a_kind_counts_where_the_node_names_none():
    settings = {"mine:1": part("cpu: 2")}
    catalog = Catalog(kind_settings=parts(linux="image: mine:1"), image_settings=settings)
    assert (catalog.resolve(catalog.find("linux")).image, catalog.resolve(catalog.find("linux")).cpu) == ("mine:1", 2.0)
    assert catalog.resolve(catalog.find("linux"), "other:1").cpu == 0


def test_a_setting_of_an_alias_is_one_of_the_kind():
    catalog = Catalog(kind_settings=parts(eos="cpu: 2", arista_ceos="memory: 1GiB"))
    found = catalog.resolve(catalog.find("ceos"))
    assert (found.cpu, found.memory) == (2.0, 2**30)
