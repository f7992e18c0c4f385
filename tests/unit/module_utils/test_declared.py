# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.archetype.lab.plugins.module_utils._declared import Declared

SLICE = {
    "lab": "x",
    "server": "srv1",
    "bridge": {"name": "arch-ovs"},
    "containers": [{"name": "c", "sandbox": "c.sandbox", "node": "a", "image": "i", "cmd": None, "exec": [["ip", "a"]], "env": {"N": 1}}],
    "ports": [{"name": "ap1", "link": "k1", "tag": 100}, {"name": "ap2", "link": "k2", "tag": 101}],
    "tunnels": [
        {"name": "at1", "vni": 1, "local": "l", "remotes": ["b", "a"], "mtu": 1450, "link": "k1", "tag": 100},
        {"name": "at2", "vni": 2, "local": "l", "remotes": ["a"], "mtu": 1450, "links": [{"key": "k1", "tag": 1}, {"key": "k2", "tag": 2}]},
        {"name": "at3", "vni": 3, "local": "l", "remotes": ["a"], "mtu": 1450, "links": [{"key": "k1", "tag": 1}]},
    ],
    "links": [{"key": "k1", "mtu": 1450, "endpoints": [{"node": "a", "interface": "eth1", "server": "srv1", "port": "ap1"}]}],
}


def test_absent_keys_have_their_defaults_and_values_their_types() -> None:
    declared = Declared.from_params(SLICE)
    (container,) = declared.containers
    assert container.cmd is None
    assert container.exec == (("ip", "a"),)
    assert container.env == {"N": "1"}
    assert declared.ports[0].vlan_mode == "dot1q-tunnel"
    assert declared.tunnels[0].remotes == ("a", "b")
    assert declared.tunnels[0].learning
    assert not declared.tunnels[0].shared


def test_taking_a_link_back_leaves_the_interface_and_removes_the_tunnel() -> None:
    declared = Declared.from_params(SLICE).without_links(["k1"])
    assert [(port.name, port.enabled) for port in declared.ports] == [("ap1", False), ("ap2", True)]
    assert [(tunnel.name, [link.key for link in tunnel.links]) for tunnel in declared.tunnels] == [("at2", ["k2"])]
    assert declared.links == ()


def test_what_is_held_is_all_that_it_consists_of_and_what_is_called_so_where_nobody_declares_it() -> None:
    def held(*names: str) -> set[str]:
        return set(Declared.from_params({**SLICE, "hold": list(names)}).held()) - {*names}

    assert held("k2") == {"ap2", "at2"}
    assert held("a") == {"c", "c.sandbox"}
    assert held("k1", "gone") == {"ap1", "at1", "at2", "at3"}
    assert "gone" in Declared.from_params({**SLICE, "hold": ["gone"]}).held()
