# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A testbed of their own for the long proofs, which are no tests of pytest: up, prepared, and down when they end."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.integration.acceptance import World
from tests.testbed import fixtures, images
from tests.testbed.paths import ROOT
from tests.testbed.testbed import Testbed


@contextlib.contextmanager
def stand(name: str, servers: int) -> Iterator[World]:
    """C(ARCHETYPE_TESTBED_KEEP=1) leaves it up, so that the next run begins at once."""
    testbed = Testbed(name)
    folder = Path(tempfile.mkdtemp(prefix=f"archetype-{name}-"))
    try:
        testbed.up(servers=servers)
        images.ensure(testbed)
        fixtures.run_playbook(testbed, ROOT / "playbooks" / "prepare_servers.yml").ok()
        yield World(testbed, folder)
    finally:
        shutil.rmtree(folder)
        if os.environ.get("ARCHETYPE_TESTBED_KEEP") != "1":
            testbed.down()
