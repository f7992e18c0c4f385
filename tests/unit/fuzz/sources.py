# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Good files to break: one with everything that a topology can say, our own examples, and those of other people where they are there."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).parents[3]
SHARED = Path(os.environ.get("ARCHETYPE_LAB_TOPOLOGIES") or ROOT.parent / "shared" / "topologies")

EVERYTHING = """\
name: fuzz
prefix: x
mgmt:
  {network: n, bridge: br-m, ipv4-subnet: 198.18.9.0/24, ipv6-subnet: "2001:db8:9::/64", ipv4-gw: 198.18.9.1, mtu: 1400,
   external-access: true}
settings: {certificate-authority: {validity-duration: 8760h}}
debug: {}
topology:
  defaults:
    {kind: linux, image: "a/b:1", env: {A: 1}, memory: 1G, cpu: 1.5, dns: {servers: [198.51.100.53], search: [x.test], options: [rotate]}}
  kinds: {linux: {exec: ["ip a"], sysctls: {net.ipv4.ip_forward: 1}}, nokia_srlinux: {type: ixr-d2l, license: lic.txt}}
  groups: {g: {binds: ["/a:/b:ro"], labels: {x: y}, privileged: true, tmpfs: {/t: size=1m}}}
  nodes:
    a:
      {group: g, cmd: sh -c "x", cap-add: [NET_ADMIN], devices: [/dev/net/tun], user: root, mgmt-ipv4: 198.18.9.10,
       ports: ["8080:80", "127.0.0.1:53:53/udp"]}
    b:
      {startup-config: "one\\ntwo", entrypoint: /x, mgmt-ipv6: "2001:db8:9::10", startup-delay: 3, hostname: bb, aliases: [b1],
       volumes: ["v:/v"]}
    c:
      {kind: nokia_srlinux, image: srl:1, healthcheck: {test: [CMD-SHELL, "true"], interval: 5, timeout: 2, start-period: 3, retries: 1}}
    d:
      {kind: arista_ceos, image: ceos:1,
       stages: {create: {wait-for: [{node: a, stage: healthy}]}, configure: {exec: [{command: ls, phase: on-exit}]}}}
    e:
      {kind: juniper_crpd, image: crpd:1, config: {vars: {x: 1}}, credentials: {username: u, password: p}, extras: {srl-agents: [a.yml]}}
    f:
      {network-mode: none, shm-size: 64m, security-opts: [seccomp=unconfined], pid-mode: host, cpu-set: 0-1, restart-policy: no,
       runtime: docker}
    g:
      {network-mode: "container:a", cgroupns-mode: host, cgroup-parent: x.slice, image-pull-policy: Never, link-apply-mode: live}
    h:
      {kind: cisco_xrd, image: xrd:1, enforce-startup-config: true, suppress-startup-config: false, auto-remove: true,
       certificate: {issue: true}}
    i:
      {kind: nokia_sros, image: sros:1, components: [{slot: A}, {slot: 1, type: iom5-e, mda: [{slot: 1, type: me6-100gb-qsfp28}]}]}
    j:
    br: {kind: bridge}
  links:
    - endpoints: ["a:eth1", "b:eth1"]
    - {endpoints: ["a:eth2", "br:p1"], mtu: 1400, labels: {l: 1}, vars: {v: [1, 2]}}
    - {type: veth, endpoints: [{node: b, interface: eth2, mac: "02:00:00:00:00:01", ipv4: 198.18.7.1/24}, {node: br, interface: p2}]}
    - endpoints: ["c:ethernet-1/1", "d:eth1"]
    - {endpoints: ["c:e1-2", "e:eth1"], ipv4: [198.18.8.1/24, 198.18.8.2/24], tc: {delay: 10ms, jitter: 1ms, loss: 1, rate: 10mbit}}
    - endpoints: ["h:Gi0-0-0-0", "i:eth1"]
    - endpoints: ["a:eth3", "host:fz3"]
    - endpoints: ["b:eth3", "macvlan:${parent:=ens3}"]
    - {type: mgmt-net, endpoint: {node: j, interface: eth1}, host-interface: fz4}
    - {type: vxlan, endpoint: {node: j, interface: eth2}, remote: 198.51.100.9, vni: 100, dst-port: 4789}
    - {type: dummy, endpoint: {node: j, interface: dum1}}
    - {type: veth-stitch, endpoints: [{node: f, interface: eth0}, {node: j, interface: eth3}]}
"""

LAB = """\
plugin: archetype.lab.topology
servers: {s1: {ansible_host: 198.51.100.1}, s2: {ansible_host: 198.51.100.2, ansible_port: 2222}}
placement: {a: s1, b: s2}
images: {"a/b:1": "local/b:1"}
overlay_mode: shared
tags: {local: [100, 2999], cross: [3000, 4094]}
link_mtu: 9000
management: true
kind_settings: {linux: {image: other:1}}
image_settings: {"local/b:1": {readiness: {probe: log, pattern: up}}}
"""


def topologies() -> list[str]:
    own = [path.read_text(encoding="utf-8") for path in sorted((ROOT / "playbooks" / "files").glob("**/*.clab.yml"))]
    others = [path.read_text(encoding="utf-8") for path in sorted((*SHARED.glob("*/*/*.clab.yml"), *SHARED.glob("*/*/*.clab.yaml")))]
    return [EVERYTHING, *own, EVERYTHING, *others]


def lab_files() -> list[str]:
    inline = "lab:\n" + "".join(f"  {line}\n" for line in EVERYTHING.splitlines())
    return [LAB + inline, LAB + "topology: good.clab.yml\n"]
