# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How Ansible comes to nodes: the real ansible, with a program in the place of ssh that notes what it was called with."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.archetype.lab.tests.unit.inventory.test_topology_plugin import LAB, TOPOLOGY, Folder

BIN = Path(sys.executable).parent
pytestmark = pytest.mark.skipif(not (BIN / "ansible").exists(), reason="ansible is not beside this Python")

NOTE = f"""#!{sys.executable}
import json, os, sys
with open(os.environ["NOTED"], "a") as file:
    file.write(json.dumps(sys.argv[1:]) + "\\n")
"""


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    made = Folder(tmp_path)
    made.write(demo__clab__yml=TOPOLOGY, demo__lab__yml=LAB + "placement: {r1: srv1, r2: srv2, h1: srv3}\n")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "ssh").write_text(NOTE)
    (tmp_path / "bin" / "ssh").chmod(0o755)
    return made


def noted(folder: Folder, program: list[str]) -> list[list[str]]:
    """What ssh was called with, while a program ran."""
    log = folder.path / "noted"
    log.write_text("")
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")},
        "PATH": f"{folder.path}/bin:{os.environ['PATH']}",
        "NOTED": str(log),
        "ANSIBLE_CONFIG": str(folder.path / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(Path(__file__).parents[3] / "collections"),
        "ANSIBLE_HOME": str(folder.path / "home"),
    }
    done = subprocess.run(program, cwd=folder.path, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    calls = [json.loads(line) for line in log.read_text().splitlines()]
    assert calls, done.stdout + done.stderr
    return calls


def called(folder: Folder, node: str, servers: str) -> tuple[list[str], list[str]]:
    """The words of the ssh to the node, and those of the ssh that is its way there, as the shell has them."""
    folder.write(servers__yml=servers)
    words = noted(
        folder, [str(BIN / "ansible"), "-i", "servers.yml", "-i", "demo.lab.yml", node, "-m", "ansible.builtin.raw", "-a", "true"]
    )[0]
    proxy = [word for word in words if word.startswith("ProxyCommand=")]
    if not proxy:
        return words, []
    node_address = folder.listed("servers.yml", "demo.lab.yml")["_meta"]["hostvars"][node]["ansible_host"]
    command = proxy[0].removeprefix("ProxyCommand=").replace("%%", "\0").replace("%h", node_address).replace("%p", "22").replace("\0", "%")
    return words, noted(folder, ["sh", "-c", f"exec {command}"])[0]


def test_the_way_is_through_the_nodes_own_server(folder: Folder) -> None:
    servers = (
        "lab_servers: {hosts: {srv1: {ansible_host: 198.18.7.1}, srv2: {ansible_host: 198.18.7.2}, srv3: {ansible_host: 198.18.7.3}}}\n"
    )
    for node, server in (("r1", "198.18.7.1"), ("h1", "198.18.7.3")):
        words, way = called(folder, node, servers)
        address = folder.listed("servers.yml", "demo.lab.yml")["_meta"]["hostvars"][node]["lab_management"]["ipv4"]
        assert address in words
        assert way == ["-W", f"[{address}]:22", "-o", "ControlPath=none", "--", server]
        assert "StrictHostKeyChecking=no" in words
        assert "UserKnownHostsFile=/dev/null" in words


def test_the_way_has_all_that_ansible_comes_to_the_server_by(folder: Folder) -> None:
    servers = (
        "lab_servers:\n  hosts: {srv1: {ansible_host: 198.18.7.1, ansible_port: 2222}, srv2: {}, srv3: {}}\n  vars:\n"
        "    ansible_user: o'brien\n"
        "    ansible_ssh_args: -C\n    ansible_ssh_extra_args: '-4'\n"
        "    ansible_ssh_private_key_file: '{{ inventory_dir }}/my key'\n"
        '    ansible_ssh_common_args: -o ProxyCommand="ssh -W %h:%p gate" -F none\n'
    )
    _words, way = called(folder, "r1", servers)
    key = f"{folder.path}/my key"
    arguments = ["-C", "-o", "ProxyCommand=ssh -W %h:%p gate", "-F", "none", "-4"]
    assert way[4:] == [*arguments, "-i", key, "-p", "2222", "-l", "o'brien", "--", "198.18.7.1"]
    _words, way = called(folder, "r2", servers)
    assert way[-2:] == ["--", "srv2"]
    assert "-p" not in way


def test_nodes_on_this_very_machine_need_no_way(folder: Folder) -> None:
    words, way = called(folder, "r1", "lab_servers: {hosts: {srv1: , srv2: , srv3: }, vars: {ansible_connection: local}}\n")
    assert way == []
    assert "UserKnownHostsFile=/dev/null" in words


def test_what_a_server_is_called_is_no_command(folder: Folder) -> None:
    servers = "lab_servers: {hosts: {srv1: {ansible_host: '$(touch evil);-oProxyCommand=touch evil'}, srv2: , srv3: }}\n"
    _words, way = called(folder, "r1", servers)
    assert way[-2:] == ["--", "$(touch evil);-oProxyCommand=touch evil"]
    assert not (folder.path / "evil").exists()


def test_group_variables_win(folder: Folder) -> None:
    (folder.path / "group_vars").mkdir()
    (folder.path / "group_vars" / "lab_nodes.yml").write_text("ansible_ssh_common_args: -F mine\n")
    words, way = called(folder, "r1", "lab_servers: {hosts: {srv1: , srv2: , srv3: }}\n")
    assert words[words.index("-F") + 1] == "mine"
    assert way == []


def test_credentials_are_the_nodes_own_or_its_kinds_and_never_templates(folder: Folder) -> None:
    topology = TOPOLOGY.replace(
        "r2: {group: routers}", "r2: {credentials: {username: '{{ 7 * 7 }}', password: '{{ lookup(\"env\", \"HOME\") }}'}}"
    )
    folder.write(demo__clab__yml=topology, servers__yml="lab_servers: {hosts: {srv1: , srv2: , srv3: }}\n")
    hosts = folder.listed("servers.yml", "demo.lab.yml")["_meta"]["hostvars"]
    assert "7 * 7" in str(hosts["r2"]["ansible_user"])
    done = folder.run("ansible", "-i", "servers.yml", "-i", "demo.lab.yml", "r2", "-m", "ansible.builtin.debug", "-a", "var=ansible_user")
    assert "{{ 7 * 7 }}" in done.stdout
    assert "49" not in done.stdout


def test_nodes_without_a_network_have_no_address(folder: Folder) -> None:
    folder.write(demo__lab__yml=LAB + "management: false\n", servers__yml="lab_servers: {hosts: {srv1: , srv2: , srv3: }}\n")
    hosts = folder.listed("servers.yml", "demo.lab.yml")["_meta"]["hostvars"]
    assert not {"ansible_host", "lab_management"} & set(hosts["r1"])
