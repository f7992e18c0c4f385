# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The watcher runs on servers that have no Ansible, with the library as it is installed there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from ansible_collections.archetype.lab.plugins.plugin_utils._library import read_library

# Also what is imported when it is used, and would be missed by importing the files alone.
SCRIPT = """
import ast, importlib, pathlib, sys
root = pathlib.Path(sys.argv[1])
sys.path.insert(0, str(root))
sys.modules["ansible"] = None
names = [".".join(path.relative_to(root).with_suffix("").parts) for path in sorted(root.rglob("*.py"))]
names = [name.removesuffix(".__init__") for name in names if not name.endswith("__main__")]
for name in names:
    importlib.import_module(name)
    assert sys.modules[name].__file__.startswith(str(root)), name


def needed(tree):
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
        yield from needed(node)


late = [f"{path}: {name}" for path in root.rglob("*.py") for name in needed(ast.parse(path.read_text())) if name.split(".")[0] == "ansible"]
assert not late, late
print(len(names))
"""


def test_nothing_of_the_servers_side_needs_ansible(tmp_path: Path) -> None:
    library = read_library()
    for path, content in library.contents.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    command = [sys.executable, "-I", "-c", SCRIPT, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    mains = [path for path in library.contents if path.endswith("/__main__.py")]
    assert int(done.stdout) == len(library.contents) - len(mains) > 100
