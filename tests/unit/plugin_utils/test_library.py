# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import io
import zipfile
from pathlib import Path

from ansible_collections.archetype.lab.plugins.plugin_utils._library import FOLDER, PLACE, read_library

ABOVE = [f"{'/'.join(PLACE.split('/')[:depth])}/__init__.py" for depth in range(1, 5)]


def make(folder: Path, **files: str) -> Path:
    for name, content in files.items():
        path = folder / name.replace("__in__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_suffix(".py").write_text(content)
    return folder


def test_all_python_files_of_the_servers_side_are_in_it_and_nothing_else(tmp_path: Path) -> None:
    folder = make(tmp_path, __init__="", _a="a = 1\n", _sub__in__b="b = 1\n")
    (folder / "_a.pyc").write_bytes(b"x")
    (folder / "__pycache__").mkdir()
    (folder / "notes.txt").write_text("x")
    (folder / ".#_a.py").write_text("what an editor leaves")
    names = sorted([*ABOVE, f"{PLACE}/__init__.py", f"{PLACE}/_a.py", f"{PLACE}/_sub/b.py"])
    library = read_library(folder)
    assert list(library.contents) == names
    with zipfile.ZipFile(io.BytesIO(base64.b64decode(library.archive))) as packed:
        assert packed.namelist() == names
        assert packed.read(f"{PLACE}/_sub/b.py") == b"b = 1\n"


def test_the_version_is_that_of_names_and_contents(tmp_path: Path) -> None:
    one = read_library(make(tmp_path / "one", _a="a = 1\n", _b="b = 1\n"))
    same = read_library(make(tmp_path / "same", _b="b = 1\n", _a="a = 1\n"))
    other = read_library(make(tmp_path / "other", _a="a = 2\n", _b="b = 1\n"))
    renamed = read_library(make(tmp_path / "renamed", _a="a = 1\n", _c="b = 1\n"))
    assert (one.version, one.archive) == (same.version, same.archive)
    assert len({one.version, other.version, renamed.version}) == 3


def test_it_is_that_of_this_collection() -> None:
    contents = read_library().contents
    assert contents[f"{PLACE}/_errors.py"] == (FOLDER / "_errors.py").read_bytes()
    assert {path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.py")} == {
        path.removeprefix(f"{PLACE}/") for path in contents if path.startswith(f"{PLACE}/")
    }
