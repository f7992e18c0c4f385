# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure how quickly the watcher repairs: C(python -m tests.faults), needs root.

Without a word: the fault table. C(soak): an hour of random faults. C(idle): what a watcher costs that has nothing to do.
Ends with 1 when a limit is missed.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.faults import polling, run, show, soak
from tests.testbed.paths import ROOT


def faults(options: argparse.Namespace) -> dict[str, Any]:
    chosen = run.chosen(options.only)
    with run.servers(options.name, 2, keep=options.keep, prepared=options.prepared) as testbed, tempfile.TemporaryDirectory() as folder:
        if options.polling:
            chosen = [fault for fault in chosen if fault.independent]
        with run.scene_on(testbed, Path(folder), chosen, interval=0.05 if options.polling else 0.01) as scene:
            if options.polling:
                polled = polling.measure(scene, chosen, options.runs, options.period)
                print(show.table(polled, None))
                return {"what": "polling", "period": options.period, "rows": [dataclasses.asdict(row) for row in polled], "ok": True}
            found, mine = run.run(scene, chosen, options.runs)
    print(show.table(found.rows, run.LIMIT))
    print(show.bystanders(found.losses))
    print(*(f"TOUCHED what is an admin's during {one}" for one in found.touched), sep="\n", end="")
    rows = [dataclasses.asdict(row) for row in found.rows]
    return {"what": "faults", "limit": run.LIMIT, "by_hand": mine, "rows": rows, "losses": found.losses, "ok": found.ok(run.LIMIT)}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("what", nargs="?", choices=("table", "soak", "idle"), default="table")
    parser.add_argument("--runs", type=int, default=20, help="how often each fault is made; rounds, with --polling")
    parser.add_argument("--only", default="", help="names of faults, or beginnings of them, with commas between")
    parser.add_argument("--polling", action="store_true", help="no events, but a full pass every --period seconds")
    parser.add_argument("--period", type=float, default=60.0)
    parser.add_argument("--minutes", type=float, default=60.0, help="of soak; idle takes 3 of them at most")
    parser.add_argument("--seed", type=int, default=1, help="of the faults of soak")
    parser.add_argument("--json", type=Path, help="a file for what was measured")
    parser.add_argument("--name", default="ft", help="of the testbed")
    parser.add_argument("--keep", action="store_true", help="leave the testbed up")
    parser.add_argument("--prepared", action="store_true", help="the testbed is up and prepared, and is left so")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(143))  # what was made is taken away
    sys.path.insert(0, str(ROOT / "collections"))
    found = faults(options) if options.what == "table" else soak.main(options)
    if options.json:
        options.json.write_text(json.dumps({"machine": run.about(), **found}, indent=2) + "\n")
    return 0 if found["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
