# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory by which Ansible reaches the servers.

Connections are made in the underlay by a small program that hands the connected socket to ssh, so Ansible may run anywhere on the
machine; it may also run inside the underlay (C(run)), and then nothing of it can leave the machine.
"""

from __future__ import annotations

import shlex
import sys
from typing import Any

from tests.testbed import cgroups, shell
from tests.testbed.paths import PREFIX, Config

GROUP = "lab_servers"


def ssh_args(config: Config) -> str:
    holder = cgroups.tracking_root() / PREFIX / config.name / "net" / "holder"
    proxy = " ".join(shell.script("proxy", str(holder), "%h", "%p"))
    options = (
        "StrictHostKeyChecking=no",
        "UserKnownHostsFile=/dev/null",
        "GlobalKnownHostsFile=/dev/null",
        "LogLevel=ERROR",
        "ControlMaster=auto",
        "ServerAliveInterval=5",
        "ServerAliveCountMax=4",
        "ControlPersist=60s",
        f"ControlPath={config.directory}/cp/%C",
        f"ProxyCommand={proxy}",
        "ProxyUseFdpass=yes",
        "IdentitiesOnly=yes",
    )
    return " ".join(f"-o {shlex.quote(option)}" for option in options)


def document(config: Config) -> dict[str, Any]:
    hosts = {
        name: {"ansible_host": config.address(index), "lab_testbed_address6": config.address6(index)}
        for index, name in enumerate(config.server_names, 1)
    }
    common = {
        "ansible_user": "root",
        "ansible_port": 22,
        "ansible_ssh_private_key_file": str(config.directory / "key"),
        "ansible_ssh_args": ssh_args(config),
        "ansible_python_interpreter": sys.executable,
        "lab_server_python": sys.executable,
        # Tests break what a watcher would mend before they have looked; those that are about it ask for it.
        "lab_server_watch": False,
    }
    return {"all": {"children": {GROUP: {"hosts": hosts, "vars": common}}}}
