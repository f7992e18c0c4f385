# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""The library of the servers (C(plugins/module_utils)) as one thing that is put on a server: what is in it, and an archive of it.

The same collection gives the same version wherever it is installed, as only names and contents of Python files count.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import typing as t
import zipfile
from dataclasses import dataclass
from pathlib import Path

PLACE = "ansible_collections/archetype/lab/plugins/module_utils"
FOLDER = Path(__file__).parents[1] / "module_utils"
_NAME = re.compile(r"\w+(/\w+)*\.py", re.ASCII)
_LONG_AGO = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Library:
    """contents: path -> content, in the order of the paths."""

    contents: t.Mapping[str, bytes]

    @property
    def files(self) -> dict[str, str]:
        """Path -> SHA-256 of the content."""
        return {path: hashlib.sha256(content).hexdigest() for path, content in self.contents.items()}

    @property
    def version(self) -> str:
        return hashlib.sha256(json.dumps(self.files, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def archive(self) -> str:
        """A zip of all files, in base64."""
        target = io.BytesIO()
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as packed:
            for path, content in self.contents.items():
                packed.writestr(zipfile.ZipInfo(path, _LONG_AGO), content, zipfile.ZIP_DEFLATED)
        return base64.b64encode(target.getvalue()).decode()


def read_library(folder: Path = FOLDER) -> Library:
    """The library as it is installed on the controller. Raises OSError.

    The packages above it are real ones: beside a namespace, another C(ansible_collections) of the server's Python would win.
    """
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*.py")}
    contents = {f"{PLACE}/{name}": path.read_bytes() for name, path in found.items() if _NAME.fullmatch(name)}
    parts = PLACE.split("/")
    above = {"/".join([*parts[:depth], "__init__.py"]): b"" for depth in range(1, len(parts))}
    return Library(dict(sorted({**above, **contents}.items())))
