# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Branch and commit of the working copy that a topology is in, read from its files: planning starts no process."""

from __future__ import annotations

import os
import re

SHORT = 7
DETACHED = "HEAD"
"""What stands for the branch where a commit is checked out rather than a branch, as containerlab has it."""

_MAX = 4 * 1024 * 1024
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_REF = re.compile(r"refs/[^\s\0]{1,500}")


class GitFault(ValueError):
    """Why branch or commit cannot be said."""


class WorkingCopy:
    """The working copy that a folder is in. Raises GitFault where it is in none, or where it cannot be read."""

    def __init__(self, folder: str) -> None:
        self._git = _git_folder(folder)
        common = _text(os.path.join(self._git, "commondir"), missing="")
        self._common = os.path.normpath(os.path.join(self._git, common)) if common else self._git
        head = _text(os.path.join(self._git, "HEAD"))
        self._ref = head.removeprefix("ref:").strip() if head.startswith("ref:") else ""
        self._commit = head
        if self._ref and not _REF.fullmatch(self._ref):
            raise GitFault(f"HEAD of {self._git} names {self._ref[:60]!r}, which is no reference")
        if self._ref == "refs/heads/.invalid":
            raise GitFault(f"{self._git} keeps its references in a form that is not known here")

    @property
    def branch(self) -> str:
        return self._ref.removeprefix("refs/heads/") if self._ref else DETACHED

    @property
    def commit(self) -> str:
        """The short form of the commit that is checked out."""
        commit = self._commit if not self._ref else self._loose() or self._packed()
        if not commit and self._ref:
            raise GitFault(f"branch {self.branch} has no commit yet")
        if not _COMMIT.fullmatch(commit):
            raise GitFault(f"{self._git} does not say which commit is checked out")
        return commit[:SHORT]

    def _loose(self) -> str:
        path = os.path.normpath(os.path.join(self._common, self._ref))
        if not path.startswith(os.path.join(self._common, "refs") + os.sep):
            raise GitFault(f"HEAD of {self._git} names {self._ref!r}, which is no reference")
        return _text(path, missing="")

    def _packed(self) -> str:
        for line in _text(os.path.join(self._common, "packed-refs"), missing="").splitlines():
            commit, _space, ref = line.partition(" ")
            if ref.strip() == self._ref:
                return commit
        return ""


def _git_folder(folder: str) -> str:
    """The folder C(.git) of a working copy, or what the file C(.git) of a linked one names."""
    here = os.path.abspath(folder)
    while True:
        path = os.path.join(here, ".git")
        if os.path.isdir(path):
            return path
        if os.path.isfile(path):
            named = _text(path)
            if not named.startswith("gitdir:"):
                raise GitFault(f"{path} does not name a folder of git")
            return os.path.normpath(os.path.join(here, named.removeprefix("gitdir:").strip()))
        above = os.path.dirname(here)
        if above == here:
            raise GitFault(f"{folder} is not in a working copy of git")
        here = above


def _text(path: str, missing: str | None = None) -> str:
    """The text of a file, without white space around it; missing where it is not there, None where it must be."""
    try:
        with open(path, encoding="utf-8") as stream:
            return stream.read(_MAX).strip()
    except (FileNotFoundError, NotADirectoryError) as exc:
        if missing is None:
            raise GitFault(f"{path} is missing") from exc
        return missing
    except (OSError, UnicodeDecodeError) as exc:
        raise GitFault(f"{path} cannot be read: {getattr(exc, 'strerror', None) or 'it is not text'}") from exc
