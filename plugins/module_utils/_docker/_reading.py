# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Reads from dockerd over one connection to its socket.

This is here, and not the docker library, for reading: importing that library takes longer than reading all containers of a server,
and a run with nothing to do only reads. What is changed goes through the library.
"""

from __future__ import annotations

import http.client
import json
import socket
import typing as t
from urllib.parse import quote

from ansible_collections.archetype.lab.plugins.module_utils._docker._log import Entry, entries
from ansible_collections.archetype.lab.plugins.module_utils._errors import ReadError

PIECE = 64 * 1024
START_HINT = "start it or run archetype.lab.prepare_servers"
_LOST = (http.client.HTTPException, OSError)


class _Connection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Reader:
    """What dockerd answers to C(GET), with the newest version of its interface. Everything raises ReadError."""

    def __init__(self, path: str, timeout: float) -> None:
        self._path = path
        self._timeout = timeout
        self._connection = _Connection(path, timeout)
        try:
            self.about: dict[str, t.Any] = json.loads(self._get("/version")[1])
            self.api_version = str(self.about["ApiVersion"])
        except (*_LOST, KeyError, TypeError, ValueError) as error:
            self.close()
            raise ReadError(f"dockerd does not answer at {path}: {_words(error)}", hint=START_HINT) from error

    def close(self) -> None:
        self._connection.close()

    def containers(self) -> list[dict[str, t.Any]]:
        """All containers, in whatever state."""
        found: list[dict[str, t.Any]] = self._read("/containers/json?all=1", "listing the containers", "")
        return found

    def container(self, name: str) -> dict[str, t.Any] | None:
        """The inspection of a container; None when there is none of that name."""
        found: dict[str, t.Any] | None = self._read(f"/containers/{quote(name, safe='')}/json", f"reading container {name}", name)
        return found

    def image(self, reference: str) -> dict[str, t.Any] | None:
        """The inspection of an image; None when the server does not have it."""
        found: dict[str, t.Any] | None = self._read(f"/images/{quote(reference)}/json", f"reading image {reference}", reference)
        return found

    def volumes(self) -> list[dict[str, t.Any]]:
        """All volumes, whoever uses them."""
        found: dict[str, t.Any] = self._read("/volumes", "listing the volumes", "")
        return found.get("Volumes") or []

    def log(self, name: str, *, terminal: bool, since: float, lines: int) -> t.Iterator[Entry]:
        """What a container wrote, read as it is asked for."""
        asked = f"stdout=1&stderr=1&timestamps=1&tail={lines or 'all'}" + (f"&since={since:.9f}" if since else "")
        pieces = self._stream(f"/containers/{quote(name, safe='')}/logs?{asked}", f"reading the log of container {name}", name)
        return entries(pieces, terminal=terminal)

    def events(self, filters: t.Mapping[str, t.Sequence[str]]) -> t.Iterator[bytes]:
        """What happens from now on, for ever, as lines of JSON in pieces. The first piece is empty, and says that dockerd listens."""
        asked = quote(json.dumps(filters))
        return self._stream(f"/events?filters={asked}", "listening to Docker's events", "", endless=True)

    def _stream(self, path: str, what: str, name: str, *, endless: bool = False) -> t.Iterator[bytes]:
        """An answer of any length, over a connection of its own: it may be left in the middle."""
        connection = _Connection(self._path, self._timeout)
        try:
            connection.request("GET", f"/v{self.api_version}{path}")
            answer = connection.getresponse()
            if answer.status != http.client.OK:
                said = answer.read(PIECE).decode(errors="replace").strip()
                raise ReadError(f"{what} failed: {said or f'dockerd answers {answer.status}'}", objects=(name,))
            if endless:
                connection.sock.settimeout(None)
                yield b""
            while piece := answer.read1(PIECE):
                yield piece
        except _LOST as error:
            raise ReadError(f"{what} failed: dockerd does not answer ({_words(error)})", hint=START_HINT, objects=(name,)) from error
        finally:
            connection.close()

    def _read(self, path: str, what: str, name: str) -> t.Any:
        """The answer; None where Docker does not know the object."""
        try:
            status, body = self._get(f"/v{self.api_version}{path}")
            answer = json.loads(body)
        except (*_LOST, ValueError) as error:
            self._connection.close()
            raise ReadError(f"{what} failed: dockerd does not answer ({_words(error)})", hint=START_HINT, objects=(name,)) from error
        if status == http.client.NOT_FOUND and name:
            return None
        if status != http.client.OK:
            said = answer.get("message") if isinstance(answer, dict) else ""
            raise ReadError(f"{what} failed: {said or f'dockerd answers {status}'}", objects=(name,))
        return answer

    def _get(self, path: str) -> tuple[int, bytes]:
        """Status and body. Once more on a new connection, when dockerd has ended the one that was kept."""
        kept = self._connection.sock is not None
        try:
            return self._get_once(path)
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
            self._connection.close()
            if not kept:
                raise
            return self._get_once(path)

    def _get_once(self, path: str) -> tuple[int, bytes]:
        self._connection.request("GET", path)
        answer = self._connection.getresponse()
        return answer.status, answer.read()


def _words(error: BaseException) -> str:
    return (error.strerror if isinstance(error, OSError) else "") or str(error) or type(error).__name__
