# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a module as Ansible would, without Ansible, and count what it does to the machine.

Reads C({"module": name, "args": {..}, "check": bool}) from standard input. What it counted is the last line of standard error.
"""

from __future__ import annotations

import atexit
import importlib
import json
import sys
import time
from typing import Any

PROCESS_EVENTS = ("subprocess.Popen", "os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "pty.spawn")
counted: dict[str, Any] = {"processes": 0, "transactions": 0}


def count_process(event: str, _arguments: tuple[Any, ...]) -> None:
    if event in PROCESS_EVENTS:
        counted["processes"] += 1


def count_transactions() -> None:
    from ovs import jsonrpc

    create = jsonrpc.Message.create_request

    def counting(method: str, params: Any) -> Any:
        counted["transactions"] += method == "transact"
        return create(method, params)

    jsonrpc.Message.create_request = staticmethod(counting)


def main() -> None:
    job = json.load(sys.stdin)
    from ansible.module_utils.testing import patch_module_args

    module = importlib.import_module(f"ansible_collections.archetype.lab.plugins.modules.{job['module']}")
    count_transactions()
    sys.addaudithook(count_process)
    began = time.perf_counter()

    def tell() -> None:
        counted["seconds"] = round(time.perf_counter() - began, 3)
        sys.stderr.write(json.dumps(counted) + "\n")

    atexit.register(tell)
    with patch_module_args({**job["args"], "_ansible_check_mode": job.get("check", False), "_ansible_diff": True}):
        module.main()


if __name__ == "__main__":
    main()
