# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keys of a node, of the defaults, of a kind and of a group."""

from __future__ import annotations

from tests.schemas.types import (
    Schema,
    anything,
    boolean,
    integer,
    items,
    mapping,
    needing,
    number,
    one_of,
    suggested,
    text,
    text_map,
    texts,
)

STAGES = ("create", "create-links", "configure", "healthy", "exit")
_WAIT = needing(
    mapping(
        "what this stage waits for",
        {"node": text("name of a node"), "stage": one_of("stage that it must have reached", STAGES)},
    ),
    ["node", "stage"],
)
_COMMAND = needing(
    mapping(
        "a command of the stage",
        {
            "command": text("command line; there is no shell"),
            "phase": one_of("before or after the stage", ("on-enter", "on-exit")),
            "target": one_of("in the node, or on its server", ("container", "host")),
        },
    ),
    ["command"],
)
STAGE = mapping(
    "a stage of the node's start",
    {
        "wait-for": items("stages of other nodes that must be reached first", _WAIT),
        "exec": {
            "description": "commands that run before or after the stage",
            "anyOf": [
                items("commands", _COMMAND),
                mapping("command lines by phase, which run in the node", {"on-enter": texts("before"), "on-exit": texts("after")}),
            ],
        },
    },
)
_HEALTHCHECK = mapping(
    "how Docker finds out whether the node is healthy",
    {
        "test": texts("[CMD, program, argument, ...], or [CMD-SHELL, a line for the shell]"),
        "interval": integer("seconds between checks", 0, 10**7),
        "timeout": integer("seconds after which a check has failed", 0, 10**7),
        "start-period": integer("seconds at the start in which a failed check does not count", 0, 10**7),
        "retries": integer("failed checks after which the node is unhealthy", 0, 10**7),
    },
)
_DNS = mapping(
    "name servers of the node",
    {"servers": texts("addresses"), "search": texts("domains"), "options": texts("options of resolv.conf")},
)
_CERTIFICATE = mapping(
    "a certificate for the node",
    {
        "issue": boolean("whether one is made"),
        "key-size": integer("bits of the key", 0, 65536),
        "sans": texts("further names and addresses in it"),
        "validity-duration": text("how long it is valid, such as 8760h"),
    },
)
_CREDENTIALS = mapping(
    "how to log in to the node",
    {"username": text("user"), "password": text("password"), "identity-file": text("path of a private SSH key on the controller")},
)
_EXTRAS = mapping(
    "settings of single kinds",
    {
        "srl-agents": texts("SR Linux: paths of agents' YAML files"),
        "ceos-copy-to-flash": texts("cEOS: paths of files that are copied to flash"),
        "k8s_kind": anything("k8s-kind: settings of the cluster"),
        "mysocket-proxy": text("not used any more"),
    },
)


def node_properties(kinds: list[str]) -> Schema:
    """kinds: names and aliases, for proposals; others may come from kinds_path of the lab file."""
    return {
        "aliases": texts("further names of the node in the management network"),
        "auto-remove": boolean("remove the container when it stops"),
        "binds": texts("source:target[:options]; a relative source is beside the topology, an absolute one on the server"),
        "cap-add": texts("capabilities, such as NET_ADMIN"),
        "certificate": _CERTIFICATE,
        "cgroup-parent": text("cgroup below which the container's is"),
        "cgroupns-mode": suggested("cgroup namespace of the container", ("host", "private")),
        "cmd": text("command line of the container; there is no shell"),
        "components": items("line cards and control cards of a chassis", anything("a card: slot, type, mda, ...")),
        "config": mapping("variables for configuration templates", {"vars": anything("name to value")}),
        "cpu": number("CPUs, with fractions"),
        "cpu-set": text("CPUs by number, such as 0-3"),
        "credentials": _CREDENTIALS,
        "devices": texts("/dev/name, or /dev/name:/dev/name:rwm"),
        "dns": _DNS,
        "enforce-startup-config": boolean("start with startup-config even where the node has saved another"),
        "entrypoint": text("entrypoint of the container; there is no shell"),
        "env": text_map("environment variables"),
        "env-files": texts("files with environment variables, beside the topology"),
        "exec": texts("commands that run in the node once its network is complete; there is no shell"),
        "extras": _EXTRAS,
        "group": text("group of the topology that the node inherits from"),
        "healthcheck": _HEALTHCHECK,
        "hostname": text("host name of the node; its name without one"),
        "image": text(
            "reference of the image, such as quay.io/frrouting/frr:10.5.1; or a disk image, such as xrv9k.qcow2, for a virtual machine"
        ),
        "image-pull-policy": suggested("when the image is fetched", ("Always", "IfNotPresent", "Never")),
        "kind": suggested("type of the device", kinds),
        "labels": text_map("labels of the container"),
        "license": text("path of a licence file, beside the topology"),
        "link-apply-mode": suggested("how a changed link reaches a node that runs", ("live", "recreate", "restart")),
        "memory": text("limit of a container, or what a virtual machine has, such as 512MB or 1Gib"),
        "mgmt-ipv4": text("fixed address in the management network"),
        "mgmt-ipv6": text("fixed address in the management network"),
        "network-mode": suggested("bridge, none, host, container:<node>", ("bridge", "host", "none")),
        "password": text("old form of credentials"),
        "pid-mode": text("PID namespace: host, or container:<name>"),
        "ports": texts("published ports, such as 8080:80/tcp"),
        "position": text("place of the node in a drawing"),
        "privileged": boolean("give the container all capabilities and devices", default=False),
        "restart-policy": suggested("when Docker starts a container again", ("always", "no", "on-failure", "unless-stopped")),
        "runtime": suggested("container runtime", ("docker", "podman")),
        "security-opts": texts("security options of Docker"),
        "shm-size": text("size of /dev/shm, such as 256MB"),
        "stages": mapping("stages of the node's start", {key: {"$ref": "#/definitions/stage"} for key in STAGES}),
        "startup-config": text("path of the start-up configuration beside the topology, or its text"),
        "startup-delay": integer("seconds that the node's start is put off", 0, 24 * 60 * 60),
        "suppress-startup-config": boolean("start without any start-up configuration"),
        "sysctls": text_map("sysctls of the node's network"),
        "tmpfs": text_map("path in the node to options of a tmpfs there"),
        "type": text("variant of the kind, such as ixr-d2l"),
        "user": text("user that the container's process runs as"),
        "username": text("old form of credentials"),
        "volumes": texts("volumes of Docker, name:target"),
    }


NODE_ONLY = ("aliases", "mgmt-ipv4", "mgmt-ipv6")


def level_properties(kinds: list[str]) -> Schema:
    """The same above nodes, where some keys say nothing, whatever they are."""
    return {**node_properties(kinds), **{key: {"description": "says nothing above a node"} for key in NODE_ONLY}}
