# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Forms that are seen in containerlab's own examples and tests, beyond the files beside this project: each in a few words of our own."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.archetype.lab.plugins.plugin_utils._topology import load_topology
from ansible_collections.archetype.lab.tests.unit.docs.test_schemas import TOPOLOGY, complaints, read

HEAD = "name: x\ntopology:\n  defaults: {kind: linux, image: i}\n"
CARDS = "components: [{slot: A}, {slot: 1, type: iom5-e, sfm: 'm-sfm6-7/12', mda: [{slot: 1, type: me6-100gb-qsfp28}]}]"
WAIT = "stages: {create: {wait-for: [{node: b, stage: create-links}]}}"

FORMS = {
    "a bridge inside a node's network": (["br: {kind: bridge, network-mode: 'container:a'}", "a:"], ["[a:eth1, br:p1]"], 1),
    "a chassis of cards": ([f"s: {{kind: nokia_srsim, type: sr-7, license: /etc/hosts, {CARDS}}}", "a:"], ["['s:1/1/c1/2', a:eth1]"], 2),
    "a chassis of nodes": (
        ["s: {kind: nokia_srsim, license: /etc/hosts}", "t: {kind: nokia_srsim, network-mode: 'container:s', env: {SLOT: 1}}", "a:"],
        ["['t:1/1/c1/1', a:eth1]"],
        3,
    ),
    "a cluster and its containers": (
        ["br: {kind: bridge}", "k: {kind: k8s-kind}", "k-worker: {kind: ext-container}"],
        ["[br:e1, k-worker:eth1]"],
        2,
    ),
    "the management interface as a link": (["a: {network-mode: none}", "b:"], ["[a:eth0, b:eth1]"], 2),
    "slot and port": (["a: {kind: cisco_iol}", "b: {kind: cisco_iol, type: l2}"], ["['a:Ethernet0/1', 'b:e0/2']"], 2),
    "stages and health": ([f"a: {{{WAIT}}}", "b: {healthcheck: {start-period: 5, interval: 1, test: [CMD-SHELL, 'true']}}"], [], 2),
    "a certificate": (["a: {certificate: {issue: true}}"], [], 1),
    "a command over several lines": (
        ["a:\n      exec:\n        - >\n          ash -c '\n          ip link &&\n          ip route'"],
        [],
        1,
    ),
    "numbers and flags as labels": (["a: {labels: {graph-posX: 10, graph-hide: true}}"], [], 1),
    "ports on an address": (["a: {ports: ['0.0.0.0:53:53/udp', '8080']}"], [], 1),
    "old names of kinds": (
        ["a: {kind: vr-sros, license: /etc/hosts}", "b: {kind: vr-vmx}", "c: {kind: vr-xrv9k}", "d: {kind: srl}"],
        ["[a:eth1, b:eth1]", "[c:eth1, d:e1-1]"],
        4,
    ),
    "a generator of traffic": (["a: {kind: keysight_ixia-c-one}", "b: {kind: ostinato}"], ["[a:eth1, b:eth1]"], 2),
    "the server's own end": (["a: {kind: host}", "b:"], ["[a:x1, b:eth1]"], 1),
    "a bridge of Open vSwitch": (["a: {kind: ovs-bridge}", "b:"], ["[a:x1, b:eth1]"], 1),
    "other systems": (["a: {kind: freebsd}", "b: {kind: openbsd}"], ["[a:vtnet1, b:vio1]"], 2),
    "a name of the node in a path": (["a: {binds: ['/etc/__clabNodeName__/x:/x:ro']}"], [], 1),
    "a default of the environment": (["a: {image: 'alpine:${TAG:=3}'}"], [], 1),
    "the management network": (["a:"], ["[a:eth1, mgmt-net:a-eth1]"], 1),
}


@pytest.mark.parametrize("name", FORMS)
def test_it_loads_whole_and_editors_take_it(name: str, tmp_path: Path) -> None:
    nodes, links, devices = FORMS[name]
    text = HEAD + "  nodes:\n" + "".join(f"    {node}\n" for node in nodes)
    text += "  links:\n" + "".join(f"    - endpoints: {link}\n" for link in links) if links else ""
    path = tmp_path / "x.clab.yml"
    path.write_text(text)
    topology = load_topology(str(path), {})
    assert (len(topology.nodes), len(topology.links), topology.missing) == (devices, len(links), ())
    assert complaints(TOPOLOGY, read(text)) == []
