# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Docker: read over its socket (C(_reading.py)), and changed through its own Python library.

Only this file imports that library, and only with the first change: the import takes longer than reading everything.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import signal
import threading
import typing as t

from ansible_collections.archetype.lab.plugins.module_utils._docker._archive import file_of
from ansible_collections.archetype.lab.plugins.module_utils._docker._exec import start_and_read
from ansible_collections.archetype.lab.plugins.module_utils._docker._log import Entry
from ansible_collections.archetype.lab.plugins.module_utils._docker._port import Docker, DockerContainer, ExecResult, Image
from ansible_collections.archetype.lab.plugins.module_utils._docker._reading import START_HINT, Reader
from ansible_collections.archetype.lab.plugins.module_utils._errors import ApplyError, LabError, MissingLibraryError, ReadError

SOCKET = "/var/run/docker.sock"
TIMEOUT = 60
LOG_BYTES = 4 * 1024 * 1024
"""The end of a log that is kept of one that is asked for as a whole."""


def connect(socket_path: str = SOCKET) -> Docker:
    """A connection to the local dockerd. Raises ReadError when it does not answer; MissingLibraryError before anything is changed."""
    if importlib.util.find_spec("docker") is None:
        raise MissingLibraryError("docker", "No module named 'docker'")
    return _Adapter(Reader(socket_path, TIMEOUT), socket_path)


def _cause(error: BaseException) -> str:
    """What Docker itself said, without the library's wrapping."""
    return str(getattr(error, "explanation", None) or error).strip()


def _assignments(lines: t.Sequence[str] | None) -> dict[str, str]:
    return dict(line.partition("=")[::2] for line in lines or ())


def _netns_id(pid: int) -> str:
    """Device and inode of the network namespace of a process: the same for all processes inside it."""
    try:
        found = os.stat(f"/proc/{pid}/ns/net") if pid else None
    except OSError:
        found = None
    return f"{found.st_dev}:{found.st_ino}" if found else ""


def container_from(raw: t.Mapping[str, t.Any]) -> DockerContainer:
    """A container from Docker's inspection of it."""
    state = raw.get("State") or {}
    status = str(state.get("Status") or "")
    pid = int(state.get("Pid") or 0)
    return DockerContainer(
        id=str(raw["Id"]),
        name=str(raw.get("Name") or "").lstrip("/"),
        status=status,
        pid=pid,
        started_at=str(state.get("StartedAt") or ""),
        image_id=str(raw.get("Image") or ""),
        labels=dict((raw.get("Config") or {}).get("Labels") or {}),
        netns_id=_netns_id(pid),
        raw=raw,
    )


def image_from(raw: t.Mapping[str, t.Any]) -> Image:
    """An image from Docker's inspection of it; imported images may have no configuration at all."""
    config = raw.get("Config") or {}
    return Image(
        id=str(raw["Id"]),
        env=_assignments(config.get("Env")),
        cmd=tuple(config.get("Cmd") or ()),
        entrypoint=tuple(config.get("Entrypoint") or ()),
        user=str(config.get("User") or ""),
        labels=dict(config.get("Labels") or {}),
        healthcheck=dict(config.get("Healthcheck") or {}),
        volumes=tuple(sorted(config.get("Volumes") or ())),
    )


class _Library(t.NamedTuple):
    client: t.Any
    errors: t.Any
    lost: tuple[type[Exception], ...]


def _library() -> _Library:
    try:
        import docker.errors
        import requests.exceptions
        from docker.api.client import APIClient
    except ImportError as error:
        raise MissingLibraryError("docker", str(error)) from error
    return _Library(APIClient, docker.errors, (requests.exceptions.RequestException, OSError))


def _open(socket_path: str) -> t.Any:
    """The library's client. Raises MissingLibraryError, or ApplyError when dockerd does not answer."""
    library = _library()
    try:
        return library.client(base_url=f"unix://{socket_path}", version="auto", timeout=TIMEOUT)
    except (library.errors.DockerException, OSError) as error:
        raise ApplyError(f"dockerd does not answer at {socket_path}: {_cause(error)}", hint=START_HINT) from error


class _Adapter:
    """Changes are made by several threads at once; reading is done by one."""

    def __init__(self, reader: Reader, socket_path: str) -> None:
        self._reader = reader
        self._reading = threading.Lock()
        self._socket_path = socket_path
        self._opened: t.Any = None
        self._opening = threading.Lock()

    @property
    def _client(self) -> t.Any:
        with self._opening:
            if self._opened is None:
                self._opened = _open(self._socket_path)
            return self._opened

    def _ask(self, error_class: type[LabError], what: str, name: str, call: t.Callable[[], t.Any], *, absent: t.Any = None) -> t.Any:
        """One request. absent: what to return where Docker does not know the object; None makes that an error too."""
        library = _library()
        try:
            return call()
        except library.errors.NotFound as error:
            if absent is not None:
                return absent
            raise error_class(f"{what} failed: {_cause(error)}", objects=(name,)) from error
        except library.errors.DockerException as error:
            raise error_class(f"{what} failed: {_cause(error)}", objects=(name,)) from error
        except library.lost as error:
            raise error_class(f"{what} failed: dockerd does not answer ({_cause(error)})", hint=START_HINT, objects=(name,)) from error

    def list_names(self) -> t.Mapping[str, t.Mapping[str, str]]:
        with self._reading:
            found = self._reader.containers()
        return {name.lstrip("/"): dict(one.get("Labels") or {}) for one in found for name in one.get("Names") or () if name.count("/") == 1}

    def inspect(self, names: t.Sequence[str]) -> t.Mapping[str, DockerContainer]:
        with self._reading:
            found = {name: self._reader.container(name) for name in dict.fromkeys(names)}
        return {name: container_from(raw) for name, raw in found.items() if raw}

    def images(self, references: t.Sequence[str]) -> t.Mapping[str, Image | None]:
        with self._reading:
            found = {name: self._reader.image(name) for name in sorted(set(references))}
        return {name: image_from(raw) if raw else None for name, raw in found.items()}

    def create(self, name: str, config: t.Mapping[str, t.Any]) -> str:
        call = self._client.create_container_from_config
        return str(self._ask(ApplyError, f"creating container {name}", name, lambda: call(dict(config), name))["Id"])

    def start(self, name: str) -> None:
        self._ask(ApplyError, f"starting container {name}", name, lambda: self._client.start(name))

    def stop(self, name: str, *, timeout: int) -> None:
        self._ask(ApplyError, f"stopping container {name}", name, lambda: self._client.stop(name, timeout=timeout))

    def kill(self, name: str) -> None:
        def call() -> None:
            try:
                self._client.kill(name)
            except _library().errors.APIError as error:
                if error.status_code != 409:  # 409: it does not run, which is what was wanted
                    raise

        self._ask(ApplyError, f"killing container {name}", name, call)

    def remove(self, name: str) -> None:
        def call() -> None:
            try:
                self._client.remove_container(name, force=True, v=True)
            except _library().errors.APIError as error:
                if error.status_code != 409 or "already in progress" not in _cause(error):
                    raise

        self._ask(ApplyError, f"removing container {name}", name, call, absent=True)

    def execute(self, name: str, command: t.Sequence[str], *, timeout: float, keep: int = 0) -> ExecResult:
        what = f"running a command in container {name}"
        created = self._ask(ApplyError, what, name, lambda: self._client.exec_create(name, list(command)))
        path = f"/v{self._client.api_version}/exec/{created['Id']}/start"

        def process() -> t.Mapping[str, t.Any]:
            found = self._ask(ApplyError, what, name, lambda: self._client.exec_inspect(created["Id"]))
            return t.cast(dict[str, t.Any], found)

        def ended() -> bool:
            return not process()["Running"]

        def run() -> tuple[str, bytes, bool]:
            return start_and_read(self._socket_path, path, timeout=timeout, ended=ended, keep=keep)

        output, written, complete = self._ask(ApplyError, what, name, run)
        if not complete:
            _end_process(process())
            raise ApplyError(f"{what} did not end in {timeout:g} s and was stopped; its output so far: {output.strip()}", objects=(name,))
        if keep and len(written) > keep:
            raise ApplyError(f"{what} wrote more than {keep} bytes", objects=(name,))
        return ExecResult(exit_code=int(process()["ExitCode"] or 0), output=output, written=written)

    def read_file(self, name: str, path: str, *, limit: int) -> bytes:
        what = f"reading {path} of container {name}"
        stream, about = self._ask(ReadError, what, name, lambda: self._client.get_archive(name, path))
        size = int(about.get("size") or 0)
        if size > limit:
            raise ReadError(f"{what}: it has {size} bytes, more than {limit}", objects=(name,))
        return t.cast(bytes, self._ask(ReadError, what, name, lambda: file_of(b"".join(stream), path)))

    def logs(self, name: str, *, lines: int = 0, since: float = 0.0) -> str:
        found = self.inspect([name]).get(name)
        if found is None:
            raise ReadError(f"reading the log of container {name} failed: there is none", objects=(name,))
        kept = bytearray()
        for entry in self.log(found, lines=lines, since=since):
            kept += entry.data
            if len(kept) > 2 * LOG_BYTES:
                del kept[:-LOG_BYTES]
        return bytes(kept[-LOG_BYTES:]).decode(errors="replace").strip()

    def log(self, container: DockerContainer, *, lines: int = 0, since: float = 0.0) -> t.Iterator[Entry]:
        terminal = bool((container.raw.get("Config") or {}).get("Tty"))
        return self._reader.log(container.name, terminal=terminal, since=since, lines=lines)

    def volumes(self) -> t.Mapping[str, t.Mapping[str, str]]:
        with self._reading:
            found = self._reader.volumes()
        return {str(one["Name"]): dict(one.get("Labels") or {}) for one in found}

    def create_volume(self, name: str, labels: t.Mapping[str, str]) -> None:
        self._ask(ApplyError, f"creating volume {name}", name, lambda: self._client.create_volume(name, labels=dict(labels)))

    def remove_volume(self, name: str) -> None:
        self._ask(ApplyError, f"removing volume {name}", name, lambda: self._client.remove_volume(name), absent=True)

    def version(self) -> str:
        return str(self._reader.about.get("Version") or "")

    def close(self) -> None:
        self._reader.close()
        if self._opened is not None:
            self._opened.close()


def _end_process(process: t.Mapping[str, t.Any]) -> None:
    """End a command that ran out of time, so that it does not go on behind the back of the next run."""
    pid = int(process.get("Pid") or 0)
    if process.get("Running") and pid > 1:
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)
