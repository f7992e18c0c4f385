# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Apply random edits to a lab that runs on three servers, and compare it with fresh deployments on three others.

Ends with 1 when one is wrong.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections import Counter

from tests.edits.runner import Outcome, Runner
from tests.integration.stand import stand

SERVERS = 3


def summary(outcomes: list[Outcome], seed: str) -> str:
    sorts = Counter(one.edit.sort for one in outcomes)
    wrong = [one.number for one in outcomes if one.problems]
    pings, changes = sum(one.pings for one in outcomes), sum(one.changes for one in outcomes)
    lines = [f"{len(outcomes)} edits with seed {seed}: {changes} changes, {pings} pings along links that were not named"]
    lines.append(", ".join(f"{count} {sort}" for sort, count in sorted(sorts.items())))
    lines.append(f"wrong: {', '.join(map(str, wrong))}" if wrong else "none was wrong")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.edits", description=__doc__)
    parser.add_argument("--edits", type=int, default=50, help="the number of the last edit")
    parser.add_argument("--start", type=int, default=1, help="the number of the first; what those before it lead to is deployed at once")
    parser.add_argument("--seed", default="1")
    parser.add_argument("--fresh", type=int, default=5, help="compare with a fresh deployment after so many edits")
    parser.add_argument("--alone", action="store_true", help="deploy afresh on the same servers, cleared for that, and not on others")
    parser.add_argument("--testbed", default=os.environ.get("ARCHETYPE_TESTBED", "edits"), help="and, with a 2 behind it, the other one")
    chosen = parser.parse_args()
    with contextlib.ExitStack() as stack:
        world = stack.enter_context(stand(chosen.testbed, SERVERS))
        spare = None if chosen.alone else stack.enter_context(stand(f"{chosen.testbed}2", SERVERS))
        outcomes = Runner(world, chosen.seed, spare).run(chosen.edits, fresh=chosen.fresh, start=chosen.start)
    print(summary(outcomes, chosen.seed))
    return 1 if any(one.problems for one in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
