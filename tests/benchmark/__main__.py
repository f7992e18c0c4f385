# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the benchmarks, one after another, each in a process of its own; print one JSON object. Ends with 1 when a limit is missed."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

BENCHMARKS = ("ports", "tunnels", "lab", "topology")


def machine() -> dict[str, Any]:
    """What the figures depend on. load: how busy the machine was before the benchmarks began."""
    models = [line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "processor": models[0] if models else platform.machine(),
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "ansible_core": version("ansible-core"),
        "load": round(os.getloadavg()[0], 1),
    }


def run(name: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name(f"{name}.py"))],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    if not done.stdout.strip():
        return {"benchmark": name, "ok": False, "error": f"it ended with {done.returncode}"}
    return dict(json.loads(done.stdout))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmark", description=__doc__)
    parser.add_argument("benchmarks", nargs="*", choices=[*BENCHMARKS, []], help=f"{', '.join(BENCHMARKS)}; all when none is given")
    chosen = parser.parse_args().benchmarks or BENCHMARKS
    about = machine()
    found = {name: run(name) for name in chosen}
    ok = all(one["ok"] for one in found.values())
    print(json.dumps({"machine": about, "benchmarks": found, "ok": ok}, indent=2))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
