# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""What the layers need of Docker. C(_adapter.py) does it with the docker library."""

from __future__ import annotations

import calendar
import re
import time
import typing as t
from dataclasses import dataclass, field

from ansible_collections.archetype.lab.plugins.module_utils._docker._log import Entry


@dataclass(frozen=True)
class Image:
    """An image that is on the server. The rest is what a container gets that does not say otherwise."""

    id: str
    env: t.Mapping[str, str] = field(default_factory=dict)
    cmd: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()
    user: str = ""
    labels: t.Mapping[str, str] = field(default_factory=dict)
    healthcheck: t.Mapping[str, t.Any] = field(default_factory=dict)
    volumes: tuple[str, ...] = ()


@dataclass(frozen=True)
class DockerContainer:
    """A container as Docker describes it. raw: the whole inspection, for what is compared field by field.

    status: C(created), C(running), C(exited) ... as Docker says. pid: 0 when it does not run.
    netns_id: identity of the network namespace it runs in; empty when it does not run.
    """

    id: str
    name: str
    status: str = ""
    pid: int = 0
    started_at: str = ""
    image_id: str = ""
    labels: t.Mapping[str, str] = field(default_factory=dict)
    netns_id: str = ""
    raw: t.Mapping[str, t.Any] = field(default_factory=dict)

    @property
    def running(self) -> bool:
        return self.status == "running"

    @property
    def netns(self) -> str:
        """The path of its network namespace; empty when it does not run."""
        return f"/proc/{self.pid}/ns/net" if self.pid else ""

    @property
    def ended_at(self) -> float:
        """When its last process ended, in seconds since 1970, whether another one runs now or not; 0 where none ended."""
        return moment(str((self.raw.get("State") or {}).get("FinishedAt") or ""))

    @property
    def begun_at(self) -> float:
        """When its last process was started, likewise."""
        return moment(self.started_at)

    @property
    def exit_code(self) -> int | None:
        """How its last process ended; None where it runs, or never did."""
        code = (self.raw.get("State") or {}).get("ExitCode")
        return int(code or 0) if self.status == "exited" else None

    @property
    def health(self) -> str:
        """C(starting), C(healthy) or C(unhealthy); empty where it has no health check."""
        found = str(((self.raw.get("State") or {}).get("Health") or {}).get("Status") or "")
        return "" if found == "none" else found


def moment(text: str) -> float:
    """Seconds since 1970; 0 for what Docker says where there was no such moment."""
    found = re.match(r"([0-9-]{10}T[0-9:]{8})(\.[0-9]+)?", text)
    if found is None or found[1].startswith("0001-"):
        return 0.0
    return calendar.timegm(time.strptime(found[1], "%Y-%m-%dT%H:%M:%S")) + float(found[2] or 0)


@dataclass(frozen=True)
class ExecResult:
    """output: the end of what it wrote, errors included. written: all of its standard output, where that was asked for."""

    exit_code: int
    output: str
    written: bytes = b""


class Docker(t.Protocol):
    """One connection to the local dockerd. Everything raises ReadError or ApplyError, naming the object."""

    def list_names(self) -> t.Mapping[str, t.Mapping[str, str]]:
        """All containers of the server, in whatever state: name -> labels. One call."""

    def inspect(self, names: t.Sequence[str]) -> t.Mapping[str, DockerContainer]:
        """These containers; one that went away meanwhile is left out."""

    def images(self, references: t.Sequence[str]) -> t.Mapping[str, Image | None]:
        """Each reference -> the image, or None where the server does not have it."""

    def create(self, name: str, config: t.Mapping[str, t.Any]) -> str:
        """Create a container from a Docker API container configuration (with HostConfig inside); its id."""

    def start(self, name: str) -> None: ...

    def stop(self, name: str, *, timeout: int) -> None: ...

    def kill(self, name: str) -> None:
        """No error when it does not run."""

    def remove(self, name: str) -> None:
        """Kill and remove, with its anonymous volumes; no error when it is gone already."""

    def execute(self, name: str, command: t.Sequence[str], *, timeout: float, keep: int = 0) -> ExecResult:
        """Run a command inside, without a shell. One that does not end in time is killed and raises ApplyError.

        keep: how many bytes of standard output are wanted as they are; one that writes more raises ApplyError too.
        """

    def read_file(self, name: str, path: str, *, limit: int) -> bytes:
        """A file of a container, whether it runs or not. Raises ReadError where it is none, or longer than limit."""

    def logs(self, name: str, *, lines: int = 0, since: float = 0.0) -> str:
        """The last lines that the container wrote; 0 is all, of which only the end is kept. since: seconds since 1970."""

    def log(self, container: DockerContainer, *, lines: int = 0, since: float = 0.0) -> t.Iterator[Entry]:
        """The same entry by entry, read from Docker as it is asked for, so that it may be of any length."""

    def volumes(self) -> t.Mapping[str, t.Mapping[str, str]]:
        """All volumes of the server: name -> labels."""

    def create_volume(self, name: str, labels: t.Mapping[str, str]) -> None: ...

    def remove_volume(self, name: str) -> None:
        """No error when it is gone already."""

    def version(self) -> str: ...

    def close(self) -> None: ...
