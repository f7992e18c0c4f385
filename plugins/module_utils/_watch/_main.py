# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""archetype-lab-watch: keeps what is declared on this server true, without a controller."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import typing as t

from ansible_collections.archetype.lab.plugins.module_utils import _running
from ansible_collections.archetype.lab.plugins.module_utils._declared import FORMAT
from ansible_collections.archetype.lab.plugins.module_utils._errors import LabError
from ansible_collections.archetype.lab.plugins.module_utils._watch import _instance
from ansible_collections.archetype.lab.plugins.module_utils._watch._log import log
from ansible_collections.archetype.lab.plugins.module_utils._watch._watcher import Watcher

NAME = "archetype-lab-watch"
NOT_RUNNING = 3
"""What init scripts say for a service that is not running."""


def main(arguments: t.Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        if options.status:
            return _status()
        if options.once:
            return 0 if Watcher(log).once() else 1
        with _instance.alone():
            return _watch()
    except LabError as error:
        log(str(error))
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=NAME, description="Keep what is declared of labs on this server true.")
    only = parser.add_mutually_exclusive_group()
    only.add_argument("--once", action="store_true", help="make one pass over all labs, and end: 0 when all is as declared, else 1")
    only.add_argument(
        "--status", action="store_true", help=f"tell whether a watcher runs on this server: 0, or {NOT_RUNNING} when none does"
    )
    about = f"%(prog)s {_instance.version()} (declared state of format {FORMAT})"
    only.add_argument("--version", action="version", version=about)
    return parser


def _status() -> int:
    number = _running.running()
    sys.stdout.write(f"{NAME} runs as process {number}\n" if number else f"{NAME} does not run\n")
    return 0 if number else NOT_RUNNING


def _watch() -> int:
    watcher = Watcher(log)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_what: watcher.end())
    signal.signal(signal.SIGHUP, lambda *_what: watcher.now())
    log(f"{NAME} {_instance.version()} watches, as process {os.getpid()}")
    watcher.run()
    log(f"{NAME} ends")
    return 0
