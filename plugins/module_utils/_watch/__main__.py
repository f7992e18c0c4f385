# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""C(python -m ansible_collections.archetype.lab.plugins.module_utils._watch), which archetype-lab-watch is."""

from __future__ import annotations

from ansible_collections.archetype.lab.plugins.module_utils._watch._main import main

if __name__ == "__main__":
    raise SystemExit(main())
