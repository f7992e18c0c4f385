# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Waiting until the log of a node shows that it takes the commands of its kind."""

from __future__ import annotations

import re
import time

from ansible_collections.archetype.lab.plugins.module_utils._container_work import Worker, ended
from ansible_collections.archetype.lab.plugins.module_utils._declared import Container
from ansible_collections.archetype.lab.plugins.module_utils._errors import LabError, VerifyError

EXEC_TIMEOUT = 60.0
"""Seconds that a command has, where nobody says otherwise."""
POLL = 1.0
"""Seconds between two looks at the log."""


def time_of(want: Container) -> float:
    """Seconds that each command of the node's kind has, and the log before it."""
    return want.boot_timeout or EXEC_TIMEOUT


class NotYetError(LabError):
    """What is waited for has not come, and nobody waits for it here."""


def wait_for_log(worker: Worker, want: Container) -> None:
    """Until the log has what it is waited for. What is from before the present process is no sign of it.

    Raises NotYetError where that takes its time, and it is not waited for.
    """
    if not want.ready_log:
        return
    pattern = re.compile(want.ready_log)
    limit = time_of(want)
    begun = time.monotonic()
    while True:
        found = worker.docker.inspect([want.name]).get(want.name)
        if found is None or not found.running:
            raise ended(worker, "container", want.name, want.node, found, f"before its log showed {want.ready_log}")
        written = worker.docker.logs(want.name, since=found.ended_at)
        if pattern.search(written):
            return
        if not worker.waits:
            raise NotYetError(f"the log of node {want.node} does not show {want.ready_log} yet", objects=(want.name,))
        if time.monotonic() - begun > limit:
            last = written.rsplit("\n", 1)[-1].strip() or "(nothing)"
            raise VerifyError(
                f"node {want.node} is not ready after {limit:.0f} s: its log does not show {want.ready_log}; its last line: {last[-500:]}",
                hint="look at the node's log; what is waited for, and for how long, is readiness of its kind",
                objects=(want.name,),
            )
        time.sleep(POLL)
