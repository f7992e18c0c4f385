#!/usr/bin/python
# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: lab_container
short_description: Run container nodes, each in the network namespace of a sandbox
version_added: 0.1.0
author: archetype.lab contributors (@archetype-lab)
description:
  - Makes container nodes. Each is two containers, unless it has the network of another. The sandbox holds the network namespace with the
    node's hostname, its interfaces and the C(net.) sysctls; the node joins it. So the interfaces exist before the node's first process
    runs, and they survive C(docker restart).
  - A node is made anew only when something that Docker cannot change differs from what it really has; the diff says which fields.
  - A node that is made anew after another one ran in its sandbox gets a new network namespace, so that its interfaces have to be
    made again. What runs elsewhere on the same links is not touched.
  - Commands (O(containers[].exec)) run once per boot of a node's network, which is a new container, or a new process of its sandbox.
    A command that fails is an error of its node, and the next run continues with it. A command that is added to the list runs in the
    next run; one that is taken from it is not undone.
  - Nodes are started wave by wave (O(containers[].wave)). A wave begins when all nodes of the earlier ones run, their commands have run,
    and those that have a O(containers[].hold) are as that says. Where one of them fails, the nodes of later waves that wait for it
    (O(containers[].waits_for)) are errors, and are not started.
  - A container that has a wanted name and does not carry the mark of this lab is an error, and is not touched.
extends_documentation_fragment:
  - archetype.lab.attributes
  - archetype.lab.attributes.actiongroup_lab
  - archetype.lab.layer
  - archetype.lab.containers
options:
  containers:
    description: The container nodes.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the node's container.
        type: str
        required: true
      sandbox:
        description: Name of the container that holds the node's network namespace.
        type: str
        required: true
      node:
        description: Name of the node in the topology.
        type: str
        required: true
      image:
        description: Reference of the image, which must be on the server. The node is made anew when the reference names another image.
        type: str
        required: true
      kind:
        description: Kind of the node, written on its container.
        type: str
        default: linux
      hostname:
        description: Hostname of the node. The default is O(containers[].node).
        type: str
        default: ""
      cmd:
        description: Command, as a list of arguments. The default is the image's own.
        type: list
        elements: str
      entrypoint:
        description: Entrypoint, as a list of arguments. The default is the image's own.
        type: list
        elements: str
      user:
        description: User that the node runs as. The default is the image's own.
        type: str
        default: ""
      env:
        description: Environment. The diff names variables that differ, and never tells their values.
        type: dict
        default: {}
      labels:
        description: Labels of the node's container, beside the collection's own marks.
        type: dict
        default: {}
      binds:
        description: Binds, C(source:target[:options]). Sources are paths on the server, and must exist or be in O(containers[].files).
        type: list
        elements: str
        default: []
      files:
        description:
          - Files that are written on the server for the node's binds.
          - A file that the node changed on the disk is left alone for as long as its declaration stays as it is.
        type: list
        elements: dict
        default: []
        suboptions:
          path:
            description: Absolute path below C(/var/lib/archetype-lab/<lab>/files/<node>/).
            type: path
            required: true
          content:
            description: Content, in base64.
            type: str
            required: true
          mode:
            description: Mode, in octal.
            type: str
            default: "0644"
          enforce:
            description: Write it whenever a run starts the node, whatever the node saved in its place.
            type: bool
            default: false
      sysctls:
        description: Sysctls. Those of the network (C(net.)) are set on the sandbox, the others on the node. IPv6 is on by default.
        type: dict
        default: {}
      cap_add:
        description: Capabilities that are added.
        type: list
        elements: str
        default: []
      devices:
        description: Devices of the server, C(path[:path in the node[:permissions]]).
        type: list
        elements: str
        default: []
      privileged:
        description: Whether the node has all privileges.
        type: bool
        default: false
      system_paths:
        description: V(unconfined) leaves C(/proc/sys) and the like writable for the node, as routers need it.
        type: str
        choices: [default, unconfined]
        default: default
      memory:
        description: Memory limit in bytes; V(0) is none.
        type: int
        default: 0
      cpu:
        description: Limit in numbers of CPUs; V(0) is none.
        type: float
        default: 0.0
      exec:
        description: Commands that run in the node once per boot of its network, each a list of arguments. There is no shell around them.
        type: list
        elements: list
        default: []
      boot_commands:
        description: Commands of the node's kind, before those of O(containers[].exec), as these are.
        type: list
        elements: list
        default: []
      boot_timeout:
        description: Seconds that each of O(containers[].boot_commands) has, and the log before them. V(0) is 60, what other commands have.
        type: int
        default: 0
      ready_log:
        description:
          - A regular expression that the node's log must show before the first of O(containers[].boot_commands) that is due.
          - What it wrote before it was last started does not count. Empty is that nothing is waited for.
        type: str
        default: ""
      interfaces:
        description: Interfaces that must be in the sandbox before the node is started.
        type: list
        elements: str
        default: []
      network:
        description:
          - Whose network the node has. Empty is its own, in O(containers[].sandbox), which it owns.
          - V(host) is the server's; there is no sandbox then, and no hostname.
          - V(node) is that of another node of the lab on this server; O(containers[].sandbox) names that node's sandbox. The node is
            started after the other one, and restarted or made anew with the sandbox.
          - V(container) is that of the container named by O(containers[].sandbox), which is not the lab's. It must run, and is never
            touched.
          - Interfaces, DNS and the C(net.) sysctls belong to whoever owns the network.
        type: str
        choices: ["", host, node, container]
        default: ""
      wave:
        description: The node is started after those of all lower waves.
        type: int
        default: 0
      hold:
        description:
          - What the waves after this node's wait for. Empty is that it runs and its commands have run.
          - V(healthy) is that Docker calls it healthy, which takes a health check of the node or of its image. A node that is unhealthy, or
            ends, is an error, with what its check said last.
          - V(exit) is that its process has ended with 0. A node that did so is not started again in this boot of its network.
        type: str
        choices: ["", healthy, exit]
        default: ""
      waits_for:
        description:
          - Nodes of lower waves without which this one is not started, and those that they wait for themselves. Each may be on any server.
          - Without it, it is not started without any node of a lower wave.
        type: list
        elements: str
      startup_delay:
        description: Seconds after the beginning of its wave before the node is started. A node that runs is not delayed.
        type: int
        default: 0
      stage_commands:
        description:
          - Commands that run when the node enters or leaves a stage, once per boot, as those of O(containers[].exec) do.
          - Stage C(create) is entered between making the container and starting it, and left when it was started. C(create-links) is
            entered and left then too, as the links are there before the node's first process. Then come C(configure),
            O(containers[].exec), C(healthy), which is left when Docker calls the node healthy, and C(exit), which is left when its
            process has ended with 0.
          - Commands of C(healthy) make it wait for that, whatever O(containers[].hold) is. Those of C(exit) run only with
            O(containers[].hold=exit), as a node may run for ever.
        type: list
        elements: dict
        default: []
        suboptions:
          stage:
            description: V(create), V(create-links), V(configure), V(healthy) or V(exit).
            type: str
            required: true
          command:
            description: The command, as a list of arguments. There is no shell around it, and it has to end within a minute.
            type: list
            elements: str
            required: true
          phase:
            description: Whether it runs when the stage is entered or left.
            type: str
            choices: [on-enter, on-exit]
            default: on-exit
          target:
            description: Where it runs, in the node or on the server. In the node it cannot when C(create) is entered, or C(exit) left.
            type: str
            choices: [container, host]
            default: container
      healthcheck:
        description: How Docker finds out whether the node is healthy. What is not said is the image's, and then Docker's own default.
        type: dict
        suboptions:
          test:
            description: The check, in Docker's words, for example C([CMD, pgrep, bgpd]), C([CMD-SHELL, "pgrep bgpd"]), or C([NONE]).
            type: list
            elements: str
            required: true
          interval:
            description: Seconds between two checks.
            type: float
            default: 0.0
          timeout:
            description: Seconds that a check may take.
            type: float
            default: 0.0
          start_period:
            description: Seconds after the start in which failing checks do not count.
            type: float
            default: 0.0
          retries:
            description: Number of failing checks in a row that make the node unhealthy.
            type: int
            default: 0
      tmpfs:
        description: Path in the node to the options of a tmpfs that is mounted there, which may be empty.
        type: dict
        default: {}
      volumes:
        description:
          - Volumes, C(path) for an anonymous one, which goes with its node, or C(name:path[:options]).
          - A named volume that is not there is made with the lab's mark. With O(prune=true) it is removed, with its content, when no node
            has it any more. One that was there without a mark is used and stays; one of another lab is an error.
        type: list
        elements: str
        default: []
      shm_size:
        description: Size of C(/dev/shm) in bytes; V(0) is 64 MiB, as with Docker.
        type: int
        default: 0
      security_opts:
        description: Security options in Docker's words, and C(systempaths=unconfined), which is O(containers[].system_paths).
        type: list
        elements: str
        default: []
      pid_mode:
        description:
          - V(host), or C(container:) and a node of the lab on this server, or a container that is not the lab's. Empty is its own.
          - A node that joins the processes of another is started after it, and restarted with it.
        type: str
        default: ""
      cgroupns_mode:
        description: V(private) or V(host). Empty is what Docker does by itself, which depends on the kernel's cgroup version.
        type: str
        default: ""
      cgroup_parent:
        description: Control group above that of the node. Empty is Docker's own.
        type: str
        default: ""
      cpu_set:
        description: CPUs that the node may run on, C(0-3) or C(0,3).
        type: str
        default: ""
      dns:
        description: DNS servers. Empty leaves C(/etc/resolv.conf) to Docker.
        type: list
        elements: str
        default: []
      dns_search:
        description: Domains in which names are looked up.
        type: list
        elements: str
        default: []
      dns_options:
        description: Options of C(/etc/resolv.conf).
        type: list
        elements: str
        default: []
  state:
    description:
      - V(present) makes sandboxes and nodes, runs the sandboxes, and leaves it as it is whether a node runs. Ports can then be made with
        M(archetype.lab.ovs_port_vlan).
      - V(started) also starts the nodes, and runs their commands. It fails, before anything is changed, when a node would be started
        whose sandbox lacks one of its O(containers[].interfaces).
      - V(stopped) stops the nodes; their sandboxes run on, so that their interfaces stay.
      - V(absent) removes the containers that are named, and what was delivered for them. With O(prune=true) it removes all of the lab's.
    type: str
    choices: [present, started, stopped, absent]
    default: started
seealso:
  - module: archetype.lab.ovs_port_vlan
  - module: archetype.lab.lab_converge
"""

EXAMPLES = r"""
- name: Make a node and its sandbox, and leave the node stopped
  archetype.lab.lab_container:
    lab: demo
    state: present
    containers: &nodes
      - name: demo-r1
        sandbox: demo-r1.sandbox
        node: r1
        image: local/frr:1
        cap_add: [NET_ADMIN, NET_RAW, SYS_ADMIN]
        system_paths: unconfined
        sysctls:
          net.ipv4.ip_forward: "1"
        interfaces: [eth1]
        exec:
          - [ip, address, add, 198.51.100.1/24, dev, eth1]

- name: Give it an interface
  archetype.lab.ovs_port_vlan:
    lab: demo
    ports:
      - name: ap-demo-r1
        device: veth
        node: r1
        interface: eth1
        sandbox: demo-r1.sandbox
        tag: 112

- name: Start it
  archetype.lab.lab_container:
    lab: demo
    containers: *nodes

- name: Remove every container of the lab
  archetype.lab.lab_container:
    lab: demo
    state: absent
    prune: true
"""

RETURN = r"""
containers:
  description: The nodes of the list, with their status after the run; in check mode, before it.
  returned: always
  type: list
  elements: dict
  sample:
    - lab: demo
      name: demo-r1
      sandbox: demo-r1.sandbox
      node: r1
      kind: linux
      image: local/frr:1
      status: running
      sandbox_status: running
      started_at: "2026-01-01T10:00:00.5Z"
      done: false
sandboxes:
  description: Their sandboxes.
  returned: always
  type: list
  elements: dict
  sample: [{name: demo-r1.sandbox, node: r1, status: running}]
plan:
  description: How many objects are changed, by action.
  returned: always
  type: dict
  sample: {create: 2, run: 1}
changes:
  description: Every object that is changed, with the fields that differ.
  returned: always
  type: list
  elements: dict
  sample: [{action: recreate, kind: container, name: demo-r1, label: r1, fields: {memory: {have: 0, want: 67108864}}, reason: ""}]
errors:
  description: Every error, with the objects that it concerns.
  returned: on failure
  type: list
  elements: dict
  sample: [{type: ForeignError, msg: container demo-r1 is wanted, hint: remove or rename it, objects: [demo-r1]}]
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.archetype.lab.plugins.module_utils._argspec import container_options, lab_option, state_options
from ansible_collections.archetype.lab.plugins.module_utils._containers import converge
from ansible_collections.archetype.lab.plugins.module_utils._declared import Container
from ansible_collections.archetype.lab.plugins.module_utils._runner import run_module
from ansible_collections.archetype.lab.plugins.module_utils._server import Server


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "containers": {"type": "list", "elements": "dict", "default": [], "options": container_options()},
            **lab_option(),
            **state_options("present", "started", "stopped", "absent", default="started"),
        },
        supports_check_mode=True,
    )
    params = module.params

    def work() -> dict[str, t.Any]:
        want = [Container.from_params(one) for one in params["containers"]]
        with Server() as server:
            result = converge(server, params["lab"], want, state=params["state"], prune=params["prune"], check_mode=module.check_mode)
        return result.to_result("containers", diff=module._diff)  # noqa: SLF001

    run_module(module, work)


if __name__ == "__main__":
    main()
