# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kill runs at random points, on the controller and on a server, and see what the next run makes of it.

Ends with 1 when a case is wrong. A case is run again alone with its seed and number.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from collections.abc import Collection

from tests.integration.stand import stand
from tests.kills.modules import Modules
from tests.kills.runner import Outcome, Runner
from tests.kills.story import SERVERS


def summary(outcomes: list[Outcome], seed: str) -> str:
    wrong = [one.case.number for one in outcomes if one.problems]
    sorts = Counter(f"{one.case.victim} during {one.case.operation}" for one in outcomes)
    late = sum(one.late for one in outcomes)
    each = sum(one.seconds for one in outcomes) / max(len(outcomes), 1)
    lines = [f"{len(outcomes)} kills with seed {seed}, {late} of them too late, {each:.1f} s each"]
    lines += [f"{count:4} {sort}" for sort, count in sorted(sorts.items())]
    lines.append(f"wrong: {', '.join(map(str, wrong))}" if wrong else "none was wrong")
    return "\n".join(lines)


def modules(testbed: str, seed: str, numbers: Collection[int]) -> int:
    with stand(testbed, 1) as world, Modules(world, seed).beside_others() as one:
        wrong = one.run(numbers)
    print(f"{len(numbers)} kills of the module with seed {seed}: {len(wrong)} wrong", *wrong, sep="\n")
    return 1 if wrong else 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.kills", description=__doc__)
    parser.add_argument("--kills", type=int, default=200, help="the number of the last case")
    parser.add_argument("--start", type=int, default=1, help="the number of the first")
    parser.add_argument("--case", type=int, help="this one alone")
    parser.add_argument("--second", type=int, default=1, help="run the playbook a second time after so many cases")
    parser.add_argument("--seed", default="1")
    parser.add_argument("--modules", type=int, default=0, help="kill the module alone so often, in place of playbooks")
    parser.add_argument("--testbed", default=os.environ.get("ARCHETYPE_TESTBED", "kills"))
    chosen = parser.parse_args()
    if chosen.modules:
        return modules(chosen.testbed, chosen.seed, [chosen.case] if chosen.case else range(chosen.start, chosen.modules + 1))
    numbers = [chosen.case] if chosen.case else range(chosen.start, chosen.kills + 1)
    with stand(chosen.testbed, len(SERVERS)) as world, Runner(world, chosen.seed, second=chosen.second).beside_others() as runner:
        outcomes = runner.run(numbers)
    print(summary(outcomes, chosen.seed))
    return 1 if any(one.problems for one in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
