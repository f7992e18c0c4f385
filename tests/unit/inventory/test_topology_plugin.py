# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory plugin, as the real ansible-inventory and ansible run it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ansible_collections.archetype.lab.plugins.plugin_utils._inventory import JUMP

ROOT = Path(__file__).parents[3]
BIN = Path(sys.executable).parent
pytestmark = pytest.mark.skipif(not (BIN / "ansible-inventory").exists(), reason="ansible-inventory is not beside this Python")

SERVERS = """
lab_servers:
  hosts:
    srv1: {ansible_host: 198.51.100.11}
    srv2: {ansible_host: 198.51.100.12, lab_underlay_address: 198.18.0.2}
    srv3: {ansible_connection: local}
  vars: {ansible_user: lab}
"""
TOPOLOGY = """
name: demo
topology:
  defaults: {kind: linux, image: i}
  nodes:
    r1: {group: routers}
    r2: {group: routers}
    h1: {group: edge-hosts}
    br: {kind: bridge}
  links:
    - endpoints: [r1:eth1, r2:eth1]
    - endpoints: [h1:eth1, r1:eth10]
    - endpoints: [r1:eth2, br:p1]
"""
LAB = "plugin: archetype.lab.topology\ntopology: demo.clab.yml\n"


class Folder:
    """A folder with inventories, and Ansible run on them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        (path / "ansible.cfg").write_text(
            "[inventory]\nenable_plugins = ansible.builtin.auto, ansible.builtin.yaml\n[defaults]\nlocalhost_warning = false\n"
        )

    def write(self, **files: str) -> None:
        for name, text in files.items():
            (self.path / name.replace("__", ".")).write_text(text)

    def run(self, program: str, *arguments: str, failing: bool = False) -> subprocess.CompletedProcess[str]:
        environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")},
            "ANSIBLE_CONFIG": str(self.path / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
            "ANSIBLE_NOCOLOR": "1",
            "COLUMNS": "10000",
            "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": str(failing),
        }
        return subprocess.run(
            [str(BIN / program), *arguments], cwd=self.path, env=environment, capture_output=True, text=True, timeout=120, check=False
        )

    def listed(self, *sources: str) -> dict:
        done = self.run("ansible-inventory", "--list", *(word for source in sources for word in ("-i", source)))
        assert done.returncode == 0, done.stderr
        assert "Failed to parse" not in done.stderr, done.stderr
        return json.loads(done.stdout)

    def failure(self, *sources: str) -> str:
        done = self.run("ansible-inventory", "--list", *(word for source in sources for word in ("-i", source)), failing=True)
        assert done.returncode != 0
        assert "Traceback" not in done.stderr
        return done.stderr.replace(f"{self.path}/", "")


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    made = Folder(tmp_path)
    made.write(servers__yml=SERVERS, demo__clab__yml=TOPOLOGY, demo__lab__yml=LAB)
    return made


def test_the_graph_reads_well(folder: Folder) -> None:
    done = folder.run("ansible-inventory", "-i", "servers.yml", "-i", "demo.lab.yml", "--graph")
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "@all:",
        "  |--@ungrouped:",
        "  |--@lab_servers:",
        "  |  |--srv1",
        "  |  |--srv2",
        "  |  |--srv3",
        "  |--@lab_nodes:",
        "  |  |--@lab_demo:",
        "  |  |  |--h1",
        "  |  |  |--r1",
        "  |  |  |--r2",
        "  |--@kind_linux:",
        "  |  |--h1",
        "  |  |--r1",
        "  |  |--r2",
        "  |--@edge_hosts:",
        "  |  |--h1",
        "  |--@routers:",
        "  |  |--r1",
        "  |  |--r2",
    ]


def test_servers_have_addresses_and_the_path_of_the_lab_file(folder: Folder) -> None:
    hosts = folder.listed("servers.yml", "demo.lab.yml")["_meta"]["hostvars"]
    assert {name: hosts[name]["lab_underlay_address"] for name in ("srv1", "srv2", "srv3")} == {
        "srv1": "198.51.100.11",
        "srv2": "198.18.0.2",
        "srv3": "127.0.0.1",
    }
    assert hosts["srv1"]["lab_files"] == {"demo": str(folder.path / "demo.lab.yml")}


def test_an_underlay_address_of_a_group_is_kept(folder: Folder) -> None:
    folder.write(servers__yml="lab_servers: {hosts: {srv1: {ansible_host: 198.51.100.11}}, vars: {lab_underlay_address: 198.18.0.9}}\n")
    assert folder.listed("servers.yml", "demo.lab.yml")["_meta"]["hostvars"]["srv1"]["lab_underlay_address"] == "198.18.0.9"


def test_a_node_has_all_its_variables(folder: Folder) -> None:
    folder.write(demo__lab__yml=LAB + "placement: {r1: srv2}\n")
    hosts = folder.listed("servers.yml", "demo.lab.yml")["_meta"]["hostvars"]
    assert hosts["r1"] == {
        "lab_name": "demo",
        "lab_node": "r1",
        "lab_kind": "linux",
        "lab_server": "srv2",
        "lab_container": "clab-demo-r1",
        "lab_interfaces": [
            {"name": "eth1", "vendor_name": "eth1", "link": "r1:eth1--r2:eth1"},
            {"name": "eth2", "vendor_name": "eth2", "link": "segment:br"},
            {"name": "eth10", "vendor_name": "eth10", "link": "h1:eth1--r1:eth10"},
        ],
        "lab_console": "docker exec -it clab-demo-r1 sh",
        "ansible_host": "198.19.99.190",
        "lab_management": {"ipv4": "198.19.99.190", "ipv6": "3fff:45e:34ce:636f::a1d3"},
        "ansible_ssh_common_args": JUMP,
    }


def test_the_lock_file_holds_nodes_where_they_are_and_pins_win(folder: Folder) -> None:
    placement = {"r1": "srv3", "r2": "srv3", "h1": "srv3"}
    (folder.path / "demo.lock.yml").write_text(yaml.safe_dump({"format": 1, "lab": "demo", "placement": placement}))
    folder.write(demo__lab__yml=LAB + "placement: {r2: srv1}\n")
    hosts = folder.listed("servers.yml", "demo.lab.yml")["_meta"]["hostvars"]
    assert {name: hosts[name]["lab_server"] for name in placement} == {"r1": "srv3", "r2": "srv1", "h1": "srv3"}


def test_servers_can_be_in_the_lab_file_itself(folder: Folder) -> None:
    folder.write(demo__lab__yml=LAB + "servers: {a: {ansible_host: 198.51.100.1, ansible_port: 2222}, b: {ansible_host: '198.51.100.2'}}\n")
    found = folder.listed("demo.lab.yml")
    assert found["lab_servers"]["hosts"] == ["a", "b"]
    assert found["_meta"]["hostvars"]["a"]["ansible_port"] == 2222
    assert found["_meta"]["hostvars"]["b"]["lab_underlay_address"] == "198.51.100.2"


def test_hosts_of_another_group_join_the_servers(folder: Folder) -> None:
    folder.write(servers__yml=SERVERS.replace("lab_servers", "metal"), demo__lab__yml=LAB + "servers: metal\n")
    assert folder.listed("servers.yml", "demo.lab.yml")["lab_servers"]["hosts"] == ["srv1", "srv2", "srv3"]


def test_two_labs_share_the_servers_and_keep_their_nodes_apart(folder: Folder) -> None:
    folder.write(two__clab__yml=TOPOLOGY.replace("name: demo", "name: two"), two__lab__yml=LAB.replace("demo", "two"))
    found = folder.listed("servers.yml", "demo.lab.yml", "two.lab.yml")
    assert found["lab_demo"]["hosts"] == ["h1", "r1", "r2"]
    assert found["lab_two"]["hosts"] == ["two-h1", "two-r1", "two-r2"]
    assert sorted(found["routers"]["hosts"]) == ["r1", "r2", "two-r1", "two-r2"]
    assert found["_meta"]["hostvars"]["two-r1"]["lab_node"] == "r1"
    assert sorted(found["_meta"]["hostvars"]["srv1"]["lab_files"]) == ["demo", "two"]


def test_the_same_lab_file_twice_is_one_lab(folder: Folder) -> None:
    assert folder.listed("servers.yml", "demo.lab.yml", "demo.lab.yml") == folder.listed("servers.yml", "demo.lab.yml")


def test_a_node_with_the_name_of_a_server_gets_the_labs_name_before_its_own(folder: Folder) -> None:
    folder.write(demo__clab__yml=TOPOLOGY.replace("r1", "srv1").replace("h1", "localhost"))
    found = folder.listed("servers.yml", "demo.lab.yml")
    assert sorted(found["lab_demo"]["hosts"]) == ["demo-localhost", "demo-srv1", "r2"]
    assert "lab_node" not in found["_meta"]["hostvars"]["srv1"]
    assert found["_meta"]["hostvars"]["demo-srv1"]["lab_container"] == "clab-demo-srv1"


@pytest.mark.parametrize("group", ["all", "lab_servers", "kind_linux", "lab_x", "lab-servers"])
def test_a_group_of_the_topology_never_mixes_nodes_with_servers(folder: Folder, group: str) -> None:
    folder.write(demo__clab__yml=TOPOLOGY.replace("routers", group))
    found = folder.listed("servers.yml", "demo.lab.yml")
    assert found[f"lab_demo_{group.replace('-', '_')}"]["hosts"] == ["r1", "r2"]
    assert found["lab_servers"]["hosts"] == ["srv1", "srv2", "srv3"]


def test_a_lab_called_servers_does_not_become_servers(folder: Folder) -> None:
    folder.write(demo__clab__yml=TOPOLOGY.replace("name: demo", "name: servers"))
    found = folder.listed("servers.yml", "demo.lab.yml")
    assert found["lab_servers_"]["hosts"] == ["h1", "r1", "r2"]
    assert found["lab_servers"]["hosts"] == ["srv1", "srv2", "srv3"]


def test_what_a_topology_says_is_never_a_template(folder: Folder) -> None:
    folder.write(demo__clab__yml=TOPOLOGY.replace("r1:eth2", '"r1:{{7*7}}"').replace("[r1:eth2", "["))
    hosts = folder.listed("servers.yml", "demo.lab.yml")["_meta"]["hostvars"]
    assert {"__ansible_unsafe": "{{7*7}}"} in [one["name"] for one in hosts["r1"]["lab_interfaces"]]
    done = folder.run("ansible", "r1", "-i", "servers.yml", "-i", "demo.lab.yml", "-m", "debug", "-a", "var=lab_interfaces", "-c", "local")
    assert "{{7*7}}" in done.stdout
    assert '"49"' not in done.stdout


def test_all_problems_of_a_bad_topology_are_shown_with_their_lines(folder: Folder) -> None:
    folder.write(demo__clab__yml=TOPOLOGY.replace("r2: {group", "r2: {kind: lnux, group").replace("h1:eth1", "h9:eth1"))
    shown = folder.failure("servers.yml", "demo.lab.yml")
    assert 'demo.clab.yml:7:16: unknown kind "lnux". Did you mean "linux"?' in shown
    assert 'demo.clab.yml:12:19: unknown node "h9" in a link. Add it under nodes, or correct its name' in shown


def test_a_bad_file_leaves_no_half_of_a_lab(folder: Folder) -> None:
    folder.write(demo__lab__yml=LAB + "placement: {r1: nowhere}\n")
    done = folder.run("ansible-inventory", "-i", "servers.yml", "-i", "demo.lab.yml", "--list")
    assert "node r1 is pinned to server nowhere, which is not one of srv1, srv2, srv3" in done.stderr
    assert set(json.loads(done.stdout)["_meta"]["hostvars"]) == {"srv1", "srv2", "srv3"}
    assert "lab_files" not in json.loads(done.stdout)["_meta"]["hostvars"]["srv1"]


@pytest.mark.parametrize(
    ("servers", "state"), [(SERVERS.replace("lab_servers", "other"), "does not exist"), ("lab_servers: {}\n", "is empty")]
)
def test_a_group_without_hosts_says_which_inventory_must_come_first(folder: Folder, servers: str, state: str) -> None:
    folder.write(servers__yml=servers)
    shown = folder.failure("servers.yml", "demo.lab.yml")
    assert (
        f"demo.lab.yml: group lab_servers, which is to hold the servers, {state}. Put the inventory that defines it before this one"
        in shown
    )


def test_two_lab_files_with_one_lab_are_refused(folder: Folder) -> None:
    folder.write(two__lab__yml=LAB)
    assert "two.lab.yml: lab demo has the name of lab demo in demo.lab.yml. Rename one of the two" in folder.failure(
        "servers.yml", "demo.lab.yml", "two.lab.yml"
    )


def test_labs_whose_groups_would_be_one_are_refused(folder: Folder) -> None:
    for name in ("a-b", "a_b"):
        (folder.path / f"{name}.clab.yml").write_text(TOPOLOGY.replace("name: demo", f"name: {name}"))
        (folder.path / f"{name}.lab.yml").write_text(LAB.replace("demo", name))
    assert "labs a_b and a-b have the same group" in folder.failure("servers.yml", "a-b.lab.yml", "a_b.lab.yml")


def test_a_broken_lock_file_is_an_error_and_not_an_empty_one(folder: Folder) -> None:
    folder.write(demo__lock__yml="format: 7\n")
    assert "demo.lock.yml: this lock file is broken" in folder.failure("servers.yml", "demo.lab.yml")


def test_other_yaml_files_are_left_to_other_plugins(folder: Folder) -> None:
    folder.write(demo__yml=LAB)
    assert "demo.yml" in folder.failure("servers.yml", "demo.yml")


def test_the_filters_and_the_test_work_in_a_template(folder: Folder) -> None:
    message = (
        "{{ 'eth1' | archetype.lab.linux_interface('linux') }} {{ 'eth2' | archetype.lab.vendor_interface('linux') }}"
        " {{ 'eth0' is archetype.lab.interface_of('linux') }} {{ 'eth1' is archetype.lab.interface_of('linux') }}"
    )

    def shown(text: str) -> str:
        done = folder.run("ansible", "localhost", "-m", "debug", "-a", json.dumps({"msg": text}))
        return done.stdout + done.stderr

    assert "eth1 eth2 False True" in shown(message)
    assert "is the management interface of kind linux" in shown("{{ 'eth0' | archetype.lab.linux_interface('linux') }}")
    assert 'unknown kind "lnux". Did you mean "linux"?' in shown("{{ 'eth1' is archetype.lab.interface_of('lnux') }}")


def test_a_lab_file_with_another_name_is_told_to_be_renamed(folder: Folder) -> None:
    folder.write(demo__yml=LAB)
    shown = folder.failure("servers.yml", "demo.yml")
    assert "demo.yml: this is a lab file, but is not called like one. Rename it to end in .lab.yml" in shown


def test_every_lab_knows_its_own_servers(folder: Folder) -> None:
    inline = "lab: {name: two, topology: {nodes: {x: {kind: linux, image: i}}}}\n"
    folder.write(two__lab__yml="plugin: archetype.lab.topology\nservers: {other: {ansible_host: 198.51.100.77}}\n" + inline)
    hosts = folder.listed("servers.yml", "demo.lab.yml", "two.lab.yml")["_meta"]["hostvars"]
    assert hosts["srv1"]["lab_servers_of"] == {"demo": ["srv1", "srv2", "srv3"], "two": ["other"]}
    assert hosts["x"]["lab_server"] == "other"


def test_credentials_and_variables_of_the_topology_are_the_hosts(folder: Folder) -> None:
    lab = (
        "plugin: archetype.lab.topology\nlab:\n  name: demo\n  topology:\n    nodes:\n"
        "      r1: {kind: linux, image: i, config: {vars: {as: 65001, peers: [{a: '{{ 7*7 }}'}]}},\n"
        "           credentials: {username: u, password: 'p {{ 7*7 }}', identity-file: keys/r1}}\n"
    )
    folder.write(demo__lab__yml=lab)
    host = folder.listed("servers.yml", "demo.lab.yml")["_meta"]["hostvars"]["r1"]
    assert host["ansible_user"] == "u"
    assert host["ansible_ssh_private_key_file"] == str(folder.path / "keys/r1")
    assert host["lab_config_vars"] == {"as": 65001, "peers": [{"a": {"__ansible_unsafe": "{{ 7*7 }}"}}]}
    assert "49" not in str(host["lab_config_vars"]) + str(host["ansible_password"])
