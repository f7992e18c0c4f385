# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""What is written beside the first disk of a machine (C(disk.json)): whose it is, and on which image it was made."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass

from ansible_collections.archetype.lab.plugins.module_utils import _vm_files
from ansible_collections.archetype.lab.plugins.module_utils._errors import ReadError
from ansible_collections.archetype.lab.plugins.module_utils._vm_hints import MAKE_ANEW

FORMAT = 1
NAME = "disk.json"


@dataclass(frozen=True)
class Record:
    """The machine, and what its first disk was made on. digest: of the image, see C(Image.digest).

    making: disks that are not made yet; until they are, what is there under their names is of another machine than the rest.
    was: where the image was before, while the disk is told its new path.
    """

    lab: str
    domain: str
    image: str
    digest: str
    making: tuple[str, ...] = ()
    was: str = ""


def read(folder: str, domain: str) -> Record | None:
    """None where there is none. Raises ReadError."""
    path = os.path.join(folder, NAME)
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), encoding="utf-8") as file:
            kept = json.load(file)
        texts = {name: str(kept[name]) for name in ("lab", "domain", "image", "digest", "was")}
        return Record(**texts, making=tuple(map(str, kept["making"])))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ReadError(f"{path} cannot be read: {error}", hint=MAKE_ANEW, objects=(domain,)) from error


def write(folder: str, record: Record) -> None:
    """Whole or not at all. Raises ApplyError."""
    domain = record.domain
    path = os.path.join(folder, NAME)
    new = _vm_files.begin(path, domain)
    try:
        with open(new, "w", encoding="utf-8") as file:
            json.dump({"format": FORMAT, **asdict(record)}, file)
    except OSError as error:
        _vm_files.drop(path)
        raise _vm_files.unwritten(path, error, domain) from error
    _vm_files.settle(path, domain)
