# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Docker that keeps its containers in a dictionary, and respells what it is told as Docker 20.10 does."""

from __future__ import annotations

import itertools
import threading
import typing as t

from ansible_collections.archetype.lab.plugins.module_utils._docker._adapter import container_from
from ansible_collections.archetype.lab.plugins.module_utils._docker._log import Entry
from ansible_collections.archetype.lab.plugins.module_utils._docker._port import DockerContainer, ExecResult, Image
from ansible_collections.archetype.lab.plugins.module_utils._errors import ApplyError, ReadError

MASKED = ["/proc/kcore", "/sys/firmware"]
READONLY = ["/proc/bus", "/proc/sys"]
NEVER = "0001-01-01T00:00:00Z"


class FakeDocker:
    """die: names of containers that end at once when they are started. answers: command -> result. calls: what changed something.
    looks: what was asked for, in order.

    named: volumes, name -> labels. health: name -> what Docker says of its health, look after look; the last for ever.
    """

    def __init__(self, images: t.Mapping[str, Image]) -> None:
        self.known = dict(images)
        self.raw: dict[str, dict[str, t.Any]] = {}
        self.netns: dict[str, str] = {}
        self.calls: list[tuple[str, ...]] = []
        self.die: set[str] = set()
        self.drop: tuple[str, ...] = ()
        self.answers: dict[tuple[str, ...], ExecResult] = {}
        self.named: dict[str, dict[str, str]] = {}
        self.health: dict[str, list[str]] = {}
        self.lock = threading.RLock()
        self.number = itertools.count(1)
        self.looks: list[str] = []
        self.logged: dict[str, list[str]] = {}
        self.files: dict[str, dict[str, bytes]] = {}

    # -- what the protocol asks for

    def list_names(self) -> t.Mapping[str, t.Mapping[str, str]]:
        self.looks.append("names")
        return {name: dict(raw["Config"]["Labels"]) for name, raw in self.raw.items()}

    def inspect(self, names: t.Sequence[str]) -> t.Mapping[str, DockerContainer]:
        self.looks.append("containers")
        found = {}
        for name in names:
            if name in self.raw:
                self._look_at_health(name)
                one = container_from(self.raw[name])
                found[name] = DockerContainer(**{**vars(one), "netns_id": self.netns.get(name, "") if one.pid else ""})
        return found

    def images(self, references: t.Sequence[str]) -> t.Mapping[str, Image | None]:
        self.looks.append("images")
        return {name: self.known.get(name) for name in references}

    def create(self, name: str, config: t.Mapping[str, t.Any]) -> str:
        with self.lock:
            self.calls.append(("create", name))
            if name in self.raw:
                raise ApplyError(f"creating container {name} failed: Conflict", objects=(name,))
            identity = f"{next(self.number):064x}"
            self.raw[name] = self._respelled(identity, name, config)
            return identity

    def start(self, name: str) -> None:
        with self.lock:
            self.calls.append(("start", name))
            raw = self._get(name)
            state = raw["State"]
            number = next(self.number)
            state.update(Status="running", Pid=10**6 + number, StartedAt=f"2026-01-01T00:00:{number:09d}Z")
            mode = raw["HostConfig"]["NetworkMode"]
            own = "server" if mode == "host" else f"ns{number}"
            self.netns[name] = self._netns_of(mode.partition(":")[2]) if mode.startswith("container:") else own
            self._join_processes(raw)
            if (raw["Config"].get("Healthcheck") or {}).get("Test", ["NONE"]) != ["NONE"]:
                state["Health"] = {"Status": "starting", "Log": []}
            if name in self.die:
                state.update(Status="exited", Pid=0, ExitCode=7)

    def stop(self, name: str, *, timeout: int) -> None:
        self._end("stop", name, 0)

    def kill(self, name: str) -> None:
        self._end("kill", name, 137)

    def remove(self, name: str) -> None:
        with self.lock:
            self.calls.append(("remove", name))
            self.raw.pop(name, None)

    def execute(self, name: str, command: t.Sequence[str], *, timeout: float, keep: int = 0) -> ExecResult:
        with self.lock:
            if self._get(name)["State"]["Status"] != "running":
                raise ApplyError(f"running a command in container {name} failed: it is not running", objects=(name,))
            self.calls.append(("execute", name, *command))
            return self.answers.get(tuple(command), ExecResult(0, ""))

    def read_file(self, name: str, path: str, *, limit: int) -> bytes:
        if path not in self.files.get(name, {}):
            raise ReadError(f"reading {path} of container {name} failed: not found", objects=(name,))
        return self.files[name][path]

    def logs(self, name: str, *, lines: int = 0, since: float = 0.0) -> str:
        """What was put into logs, one piece each time that all is asked for; else some last words."""
        self.looks.append(f"logs {name} since {since}")
        pieces = self.logged.get(name)
        if lines or not pieces:
            return f"last words of {name}"
        return pieces.pop(0) if len(pieces) > 1 else pieces[0]

    def log(self, container: DockerContainer, *, lines: int = 0, since: float = 0.0) -> t.Iterator[Entry]:
        """Each piece has a moment of its own."""
        pieces = self.logged.get(container.name) or [""]
        told = self.logs(container.name, since=since)
        yield Entry(f"2026-01-01T00:00:00.{999999999 - len(pieces):09d}Z", told.encode())

    def volumes(self) -> t.Mapping[str, t.Mapping[str, str]]:
        self.looks.append("volumes")
        return {name: dict(labels) for name, labels in self.named.items()}

    def create_volume(self, name: str, labels: t.Mapping[str, str]) -> None:
        self.calls.append(("create_volume", name))
        self.named[name] = dict(labels)

    def remove_volume(self, name: str) -> None:
        self.calls.append(("remove_volume", name))
        self.named.pop(name, None)

    def version(self) -> str:
        return "20.10.24"

    def close(self) -> None:
        self.calls.append(("close",))

    # -- what happens to it from outside

    def _end(self, verb: str, name: str, code: int) -> None:
        with self.lock:
            self.calls.append((verb, name))
            state = self._get(name)["State"]
            if state["Status"] in ("running", "paused"):
                state.update(Status="exited", Pid=0, ExitCode=code)

    def crash(self, name: str) -> None:
        """The container ends, and nobody asked for it."""
        self._get(name)["State"].update(Status="exited", Pid=0, ExitCode=137)

    def finish(self, name: str, code: int = 0) -> None:
        """The container's process ends by itself."""
        self._get(name)["State"].update(Status="exited", Pid=0, ExitCode=code)

    def _look_at_health(self, name: str) -> None:
        said = self.health.get(name)
        state = self.raw[name]["State"]
        if said and "Health" in state and state["Status"] == "running":
            status = said.pop(0) if len(said) > 1 else said[0]
            state["Health"] = {"Status": status, "Log": [{"ExitCode": 1, "Output": f"{name} says {status}\n"}]}

    def _join_processes(self, raw: t.Mapping[str, t.Any]) -> None:
        mode = raw["HostConfig"].get("PidMode") or ""
        if mode.startswith("container:") and not any(
            one["Id"] == mode.partition(":")[2] and one["State"]["Status"] == "running" for one in self.raw.values()
        ):
            raise ApplyError(f"cannot join the processes of a non running container: {mode}")

    # -- how Docker respells

    def _get(self, name: str) -> dict[str, t.Any]:
        if name not in self.raw:
            raise ApplyError(f"No such container: {name}", objects=(name,))
        return self.raw[name]

    def _netns_of(self, identity: str) -> str:
        for name, raw in self.raw.items():
            if raw["Id"] == identity and raw["State"]["Status"] == "running":
                return self.netns[name]
        raise ApplyError(f"cannot join network of a non running container: {identity}")

    def _merged_health(self, own: t.Mapping[str, t.Any] | None, image: Image) -> dict[str, t.Any] | None:
        """What is zero in the container's own is the image's; what is zero then is left out."""
        if own is None:
            return dict(image.healthcheck) or None
        merged = {**image.healthcheck, **{name: value for name, value in own.items() if value}}
        return {name: value for name, value in merged.items() if value}

    def _by_id(self, mode: str) -> str:
        kind, _colon, name = mode.partition(":")
        if kind != "container":
            return mode
        found = self.raw.get(name) or next((one for one in self.raw.values() if one["Id"] == name), None)
        if found is None:
            raise ApplyError(f"No such container: {name}")
        return f"container:{found['Id']}"

    def _respelled(self, identity: str, name: str, config: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        image = self.known[config["Image"]]
        given = dict(config["HostConfig"])
        privileged = given.get("Privileged", False)
        mode = self._by_id(given["NetworkMode"])
        env = dict(line.partition("=")[::2] for line in config.get("Env") or ())
        merged = {**env, **{key: value for key, value in image.env.items() if key not in env}}
        cmd = config.get("Cmd")
        if not cmd and not config.get("Entrypoint"):
            cmd = list(image.cmd)
        entrypoint = config.get("Entrypoint")
        if entrypoint is None:
            entrypoint = list(image.entrypoint) or None
        pid_mode = self._by_id(given.get("PidMode") or "")
        unlabelled = ["label=disable"] if privileged or pid_mode == "host" else []
        host = {
            **given,
            "NetworkMode": mode,
            "PidMode": pid_mode,
            "SecurityOpt": [*(given.get("SecurityOpt") or ()), *unlabelled] or None,
            "ShmSize": given.get("ShmSize") or 64 << 20,
            "CgroupnsMode": given.get("CgroupnsMode") or "host",
            "Tmpfs": given.get("Tmpfs") or None,
            **{name: given.get(name) or None for name in ("Dns", "DnsSearch", "DnsOptions")},
            "CapAdd": given.get("CapAdd") or None,
            "Binds": given.get("Binds") or None,
            "MaskedPaths": None if privileged else given.get("MaskedPaths", MASKED),
            "ReadonlyPaths": None if privileged else given.get("ReadonlyPaths", READONLY),
            "MemorySwap": 2 * given.get("Memory", 0),
        }
        if not given.get("Sysctls"):
            host.pop("Sysctls", None)
        for key in self.drop:
            host[key] = 0
        return {
            "Id": identity,
            "Name": f"/{name}",
            "Image": image.id,
            "State": {"Status": "created", "Pid": 0, "StartedAt": NEVER, "ExitCode": 0},
            "Config": {
                "Image": config["Image"],
                "Hostname": config.get("Hostname") or identity[:12],
                "User": config.get("User") or image.user,
                "Env": [f"{key}={value}" for key, value in merged.items()] or None,
                "Cmd": cmd or None,
                "Entrypoint": entrypoint,
                "Labels": {**image.labels, **config.get("Labels", {})},
                "Healthcheck": self._merged_health(config.get("Healthcheck"), image),
                "Volumes": {path: {} for path in (*image.volumes, *(config.get("Volumes") or ()))} or None,
            },
            "HostConfig": host,
        }
