# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the real netlab (C(make netlab)). It needs no root, no network and no images to transform a topology."""

from __future__ import annotations

import subprocess
from pathlib import Path

NETLAB = Path(__file__).parents[1] / ".build" / "netlab" / "bin" / "netlab"
VERSION = "26.10"


def netlab(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run it in a folder, which is its home too, so that nobody's own settings of netlab play a part. Raises when it fails."""
    if not NETLAB.exists():
        raise RuntimeError(f"{NETLAB} is missing: run make netlab")
    environment = {"HOME": str(folder), "PATH": f"{NETLAB.parent}:/usr/bin:/bin"}
    done = subprocess.run(
        [str(NETLAB), *words], cwd=folder, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )
    if done.returncode:
        raise RuntimeError(f"netlab {' '.join(words)} failed:\n{done.stdout}{done.stderr}")
    return done


def transformed(folder: Path, topology: str, output: str = "json:nodefault=lab.json") -> Path:
    """The file that netlab makes of a topology, in this folder."""
    (folder / "topology.yml").write_text(topology)
    netlab(folder, "create", "-o", output)
    return folder / output.partition("=")[2]
