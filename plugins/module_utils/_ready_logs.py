# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""What nodes wrote since they were started, piece by piece: a log is read once, however often a node is looked at."""

from __future__ import annotations

import os
import re
import typing as t

from ansible_collections.archetype.lab.plugins.module_utils import _server
from ansible_collections.archetype.lab.plugins.module_utils._docker._port import DockerContainer, moment
from ansible_collections.archetype.lab.plugins.module_utils._errors import ReadError

if t.TYPE_CHECKING:
    from ansible_collections.archetype.lab.plugins.module_utils._docker._port import Docker

PIECE = 256 * 1024
SHARE = 8 * 1024 * 1024
"""Bytes of a container's log that are read on at one look."""
LAST_LINES = 5000
"""Lines at its end that are read besides, where there are more."""
OVERLAP = 0.001
"""Seconds by which a moment may be rounded on its way."""
SLACK = 2.0
"""Seconds by which the clocks of a file and of a process may differ."""


class Log(t.Protocol):
    def news(self) -> t.Iterator[bytes]:
        """What was written since the last call, or since the start of the node. Raises ReadError."""

    def written_since(self, since: float) -> bool:
        """Whether anything was written since then, in seconds since 1970. Raises ReadError."""


class ContainerLog:
    """What a container's present process wrote. An earlier process of it is of no interest.

    It may write more than anybody can read: of one look's share the beginning is read, then the end. What was seen is told by its moment,
    as Docker moves logs aside and removes old ones.
    """

    def __init__(self, docker: Docker, container: DockerContainer) -> None:
        self._docker = docker
        self._container = container
        self._last = ""
        self._seen = 0

    def news(self) -> t.Iterator[bytes]:
        read = 0
        for data in self._fresh():
            read += len(data)
            yield data
            if read > SHARE:
                break
        else:
            return
        yield from self._fresh(lines=LAST_LINES)

    def written_since(self, since: float) -> bool:
        return any(True for _entry in self._docker.log(self._container, since=since, lines=1))

    def _fresh(self, lines: int = 0) -> t.Iterator[bytes]:
        """What was not seen. Several entries may have one moment, and more of them may come."""
        since = max(self._container.ended_at, moment(self._last) - OVERLAP) if self._last else self._container.ended_at
        known, skip = self._last, self._seen
        for entry in self._docker.log(self._container, since=since, lines=lines):
            if entry.moment < known:
                continue
            data = entry.data
            if entry.moment == known:
                data, skip = data[skip:], max(0, skip - len(data))
            if entry.moment != self._last:
                self._last, self._seen = entry.moment, 0
            self._seen += len(data)
            if data:
                yield data


class MachineLog:
    """What came out of the first serial port since QEMU was started. virtlogd begins a new file with each start, and moves one aside
    that grew too long (C(console.log.0) is the youngest of those): what was moved is read on where it is now.
    """

    def __init__(self, path: str, since: float) -> None:
        self._path = path
        self._since = since
        self._file = -1
        self._seen = 0

    def news(self) -> t.Iterator[bytes]:
        files = self._files()
        known = next((place for place, (inode, _path) in enumerate(files) if inode == self._file), -1)
        for place, (inode, path) in enumerate(files):
            if place < known:
                continue
            if place != known:
                self._file, self._seen = inode, 0
            yield from self._read_on(path)

    def written_since(self, since: float) -> bool:
        return any(stat.st_mtime >= since for _path, stat in self._found())

    def _files(self) -> list[tuple[int, str]]:
        """Inode and path of each, the oldest first; those of earlier boots left out."""
        return [(stat.st_ino, path) for path, stat in self._found() if stat.st_mtime >= self._since - SLACK]

    def _found(self) -> list[tuple[str, os.stat_result]]:
        """The files, the oldest first."""
        folder, name = os.path.split(self._path)
        try:
            names = [one for one in os.listdir(folder) if re.fullmatch(re.escape(name) + r"(\.[0-9]+)?", one)]
            names.sort(key=lambda one: -int(one[len(name) + 1 :] or -1))
            return [(path, os.stat(path)) for path in (os.path.join(folder, one) for one in names)]
        except FileNotFoundError:
            return []  # it is made with the machine's first output, and moved while we look
        except OSError as error:
            raise ReadError(f"the console's log {self._path} cannot be read: {error.strerror}", objects=(self._path,)) from error

    def _read_on(self, path: str) -> t.Iterator[bytes]:
        try:
            with open(path, "rb") as stream:
                if os.fstat(stream.fileno()).st_ino != self._file:
                    return  # moved meanwhile: the next look finds it
                if os.fstat(stream.fileno()).st_size < self._seen:
                    self._seen = 0
                stream.seek(self._seen)
                while piece := stream.read(PIECE):
                    self._seen += len(piece)
                    yield piece
        except FileNotFoundError:
            return
        except OSError as error:
            raise ReadError(f"the console's log {path} cannot be read: {error.strerror}", objects=(path,)) from error


def console_log(lab: str, domain: str) -> str:
    """The file that has what comes out of a machine's first serial port."""
    _server.lab_path(lab)
    return os.path.join(_server.VM_DIR, lab, domain, "console.log")


def last_bytes(path: str, size: int = 16384) -> bytes:
    """The end of a file; nothing where there is none. Raises ReadError."""
    try:
        with open(path, "rb") as stream:
            stream.seek(max(0, os.fstat(stream.fileno()).st_size - size))
            return stream.read()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise ReadError(f"the console's log {path} cannot be read: {error.strerror}", objects=(path,)) from error
