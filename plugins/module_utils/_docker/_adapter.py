# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Docker through its own Python library. Only this file imports it, and only when it is used: the import costs 0.1 s."""

from __future__ import annotations

import contextlib
import os
import signal
import typing as t

from ansible_collections.archetype.lab.plugins.module_utils._docker._exec import start_and_read
from ansible_collections.archetype.lab.plugins.module_utils._docker._port import Docker, DockerContainer, ExecResult, Image
from ansible_collections.archetype.lab.plugins.module_utils._errors import ApplyError, LabError, MissingLibraryError, ReadError
from ansible_collections.archetype.lab.plugins.module_utils._parallel import fetch

SOCKET = "/var/run/docker.sock"
TIMEOUT = 60
_UNREACHABLE = "start it or run archetype.lab.prepare_servers"


def connect(socket_path: str = SOCKET) -> Docker:
    """A connection to the local dockerd. Raises MissingLibraryError, or ReadError when dockerd does not answer."""
    try:
        import docker.errors
        from docker.api.client import APIClient
    except ImportError as error:
        raise MissingLibraryError("docker", str(error)) from error
    try:
        client = APIClient(base_url=f"unix://{socket_path}", version="auto", timeout=TIMEOUT)
    except (docker.errors.DockerException, OSError) as error:
        raise ReadError(f"dockerd does not answer at {socket_path}: {_cause(error)}", hint=_UNREACHABLE) from error
    return _Adapter(client, socket_path)


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
    )


class _Adapter:
    def __init__(self, client: t.Any, socket_path: str) -> None:
        self._client = client
        self._socket_path = socket_path

    def _ask(self, error_class: type[LabError], what: str, name: str, call: t.Callable[[], t.Any], *, absent: t.Any = None) -> t.Any:
        """One request. absent: what to return where Docker does not know the object; None makes that an error too."""
        import docker.errors
        import requests.exceptions

        try:
            return call()
        except docker.errors.NotFound as error:
            if absent is not None:
                return absent
            raise error_class(f"{what} failed: {_cause(error)}", objects=(name,)) from error
        except docker.errors.DockerException as error:
            raise error_class(f"{what} failed: {_cause(error)}", objects=(name,)) from error
        except (requests.exceptions.RequestException, OSError) as error:
            raise error_class(f"{what} failed: dockerd does not answer ({_cause(error)})", hint=_UNREACHABLE, objects=(name,)) from error

    def list_names(self) -> t.Mapping[str, t.Mapping[str, str]]:
        found = self._ask(ReadError, "listing the containers", "", lambda: self._client.containers(all=True))
        return {name.lstrip("/"): dict(one.get("Labels") or {}) for one in found for name in one.get("Names") or () if name.count("/") == 1}

    def inspect(self, names: t.Sequence[str]) -> t.Mapping[str, DockerContainer]:
        def one(name: str) -> t.Mapping[str, t.Any]:
            call = self._client.inspect_container
            return t.cast(dict[str, t.Any], self._ask(ReadError, f"reading container {name}", name, lambda: call(name), absent={}))

        return {name: container_from(raw) for name, raw in zip(names, fetch(names, one), strict=True) if raw}

    def images(self, references: t.Sequence[str]) -> t.Mapping[str, Image | None]:
        def one(reference: str) -> t.Mapping[str, t.Any]:
            call = self._client.inspect_image
            return t.cast(
                dict[str, t.Any], self._ask(ReadError, f"reading image {reference}", reference, lambda: call(reference), absent={})
            )

        unique = sorted(set(references))
        return {name: image_from(raw) if raw else None for name, raw in zip(unique, fetch(unique, one), strict=True)}

    def create(self, name: str, config: t.Mapping[str, t.Any]) -> str:
        call = self._client.create_container_from_config
        return str(self._ask(ApplyError, f"creating container {name}", name, lambda: call(dict(config), name))["Id"])

    def start(self, name: str) -> None:
        self._ask(ApplyError, f"starting container {name}", name, lambda: self._client.start(name))

    def stop(self, name: str, *, timeout: int) -> None:
        self._ask(ApplyError, f"stopping container {name}", name, lambda: self._client.stop(name, timeout=timeout))

    def kill(self, name: str) -> None:
        import docker.errors

        def call() -> None:
            try:
                self._client.kill(name)
            except docker.errors.APIError as error:
                if error.status_code != 409:  # 409: it does not run, which is what was wanted
                    raise

        self._ask(ApplyError, f"killing container {name}", name, call)

    def remove(self, name: str) -> None:
        import docker.errors

        def call() -> None:
            try:
                self._client.remove_container(name, force=True, v=True)
            except docker.errors.APIError as error:
                if error.status_code != 409 or "already in progress" not in _cause(error):
                    raise

        self._ask(ApplyError, f"removing container {name}", name, call, absent=True)

    def execute(self, name: str, command: t.Sequence[str], *, timeout: float) -> ExecResult:
        what = f"running a command in container {name}"
        created = self._ask(ApplyError, what, name, lambda: self._client.exec_create(name, list(command)))
        path = f"/v{self._client.api_version}/exec/{created['Id']}/start"

        def process() -> t.Mapping[str, t.Any]:
            found = self._ask(ApplyError, what, name, lambda: self._client.exec_inspect(created["Id"]))
            return t.cast(dict[str, t.Any], found)

        def ended() -> bool:
            return not process()["Running"]

        output, complete = self._ask(ApplyError, what, name, lambda: start_and_read(self._socket_path, path, timeout=timeout, ended=ended))
        if not complete:
            _end_process(process())
            raise ApplyError(f"{what} did not end in {timeout:g} s and was stopped; its output so far: {output.strip()}", objects=(name,))
        return ExecResult(exit_code=int(process()["ExitCode"] or 0), output=output)

    def logs(self, name: str, *, lines: int) -> str:
        found = self._ask(ReadError, f"reading the log of container {name}", name, lambda: self._client.logs(name, tail=lines))
        return bytes(found).decode(errors="replace").strip()

    def version(self) -> str:
        return str(self._ask(ReadError, "reading Docker's version", "", self._client.version)["Version"])

    def close(self) -> None:
        self._client.close()


def _end_process(process: t.Mapping[str, t.Any]) -> None:
    """End a command that ran out of time, so that it does not go on behind the back of the next run."""
    pid = int(process.get("Pid") or 0)
    if process.get("Running") and pid > 1:
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)
