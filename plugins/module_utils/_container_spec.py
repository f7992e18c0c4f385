# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""What Docker is told about a sandbox and about a node, and how that is compared with what it has.

A container is described twice by the same fields, as it is wanted (C(wanted_*)) and as it is (C(observed_*)); what
differs is why it is recreated. Docker's own spellings are undone on both sides: the defaults of the image that it merges
in, the order and the prefix of capabilities, the default options of binds and devices.
"""

from __future__ import annotations

import json
import posixpath
import re
import typing as t

from ansible_collections.archetype.lab.plugins.module_utils import _container_settings as settings
from ansible_collections.archetype.lab.plugins.module_utils import _ownership as marks
from ansible_collections.archetype.lab.plugins.module_utils._declared import Container
from ansible_collections.archetype.lab.plugins.module_utils._docker._port import DockerContainer, Image

SANDBOX_IMAGE = "archetype-lab/sandbox:1"
ROLE_SANDBOX = "sandbox"
ROLE_NODE = "node"

_IPV6 = ("net.ipv6.conf.all.disable_ipv6", "net.ipv6.conf.default.disable_ipv6")
"""Docker turns IPv6 off where a container has no network of Docker's; a wire carries it like anything else."""

_SECRET = re.compile(r"(?P<name>--?[\w-]*(?:password|passwd|passphrase|secret|token))(?:=(?P<value>.*))?", re.IGNORECASE | re.DOTALL)
"""An option of a command that is given a secret."""

Fields = dict[str, t.Any]
Differences = dict[str, tuple[t.Any, t.Any]]


def is_network_sysctl(name: str) -> bool:
    """Whether a sysctl belongs to the network namespace, and so to the sandbox."""
    return name.startswith("net.")


class Surroundings(t.NamedTuple):
    """What a node is joined to, as Docker knows it.

    network: C(host), or the id of the container whose network namespace it has (its name, while that is to be created).
    pid_mode: with the id of the container that is joined. cgroupns: the cgroup namespace that it gets if it does not say which.
    """

    network: str
    pid_mode: str = ""
    cgroupns: str = "host"


def sandbox_sysctls(want: Container, *, ipv6: bool) -> dict[str, str]:
    """ipv6: whether the server's kernel has IPv6."""
    base = dict.fromkeys(_IPV6, "0") if ipv6 else {}
    return {**base, **{name: value for name, value in want.sysctls.items() if is_network_sysctl(name)}}


def node_sysctls(want: Container) -> dict[str, str]:
    """Those of the network are its sandbox's; a node that joins that of another sets them there when it starts."""
    return {name: value for name, value in want.sysctls.items() if not (want.owns_sandbox and is_network_sysctl(name))}


def parse_device(text: str) -> tuple[str, str, str]:
    """C(host[:container[:permissions]]) as (path on the server, path in the node, permissions)."""
    parts = text.split(":")
    path = parts[0]
    if len(parts) == 2 and parts[1] and set(parts[1]) <= set("rwm"):
        return path, path, "".join(sorted(parts[1]))
    inside = parts[1] if len(parts) > 1 and parts[1] else path
    permissions = parts[2] if len(parts) > 2 and parts[2] else "rwm"
    return path, inside, "".join(sorted(permissions))


def parse_bind(text: str) -> tuple[str, str, tuple[str, ...]]:
    """C(source:target[:options]) as (source, target, sorted options); C(rw) is the default and says nothing."""
    parts = text.split(":")
    source = posixpath.normpath(parts[0]) if parts[0].startswith("/") else parts[0]
    target = posixpath.normpath(parts[1]) if len(parts) > 1 else ""
    options = parts[2].split(",") if len(parts) > 2 else []
    return source, target, tuple(sorted(one for one in options if one and one != "rw"))


def _show_bind(bind: tuple[str, str, tuple[str, ...]]) -> str:
    source, target, options = bind
    return ":".join([source, target, *([",".join(options)] if options else [])])


def _binds(binds: t.Iterable[str] | None) -> list[str]:
    return sorted({_show_bind(parse_bind(one)) for one in binds or () if not settings.is_volume(one)})


def _capabilities(names: t.Iterable[str]) -> list[str]:
    return sorted({name.upper().removeprefix("CAP_") for name in names})


def short_id(identity: str) -> str:
    return identity.removeprefix("sha256:")[:12]


def _show_image(reference: str, identity: str) -> str:
    name = "" if reference.startswith("sha256:") else reference
    return f"{name}@{short_id(identity)}" if name else short_id(identity)


# -- as wanted ------------------------------------------------------------------------------------------------------


def sandbox_marks(lab: str, want: Container) -> dict[str, str]:
    return {marks.LAB: lab, marks.NODE: want.node, marks.ROLE: ROLE_SANDBOX}


def node_marks(lab: str, want: Container) -> dict[str, str]:
    return {marks.LAB: lab, marks.NODE: want.node, marks.ROLE: ROLE_NODE, marks.KIND: want.kind}


def wanted_sandbox(lab: str, want: Container, image: Image, *, ipv6: bool) -> Fields:
    return {
        "image": _show_image(SANDBOX_IMAGE, image.id),
        "hostname": want.hostname or want.node,
        "network": "none",
        "labels": {**image.labels, **sandbox_marks(lab, want)},
        "sysctls": sandbox_sysctls(want, ipv6=ipv6),
        **settings.dns_fields(want.dns, want.dns_search, want.dns_options),
    }


def _command(want: Container, image: Image) -> tuple[list[str], list[str]]:
    """Entrypoint and command as Docker merges them: an entrypoint of one's own drops the image's command."""
    entrypoint = image.entrypoint if want.entrypoint is None else want.entrypoint
    cmd = want.cmd or ()
    if not cmd and not want.entrypoint:
        cmd = image.cmd
    return list(entrypoint), list(cmd)


def wanted_node(lab: str, want: Container, image: Image, around: Surroundings) -> Fields:
    entrypoint, cmd = _command(want, image)
    return {
        "image": _show_image(want.image, image.id),
        "sandbox": around.network,
        "entrypoint": entrypoint,
        "cmd": cmd,
        "user": want.user or image.user,
        "env": {**image.env, **want.env},
        "labels": {**image.labels, **want.labels, **node_marks(lab, want)},
        "binds": _binds(want.binds),
        "sysctls": node_sysctls(want),
        "cap_add": [] if want.privileged else _capabilities(want.cap_add),
        "devices": sorted({":".join(parse_device(one)) for one in want.devices}),
        "privileged": want.privileged,
        "system_paths": "unconfined" if want.privileged or settings.unconfined_paths(want) else "default",
        "memory": want.memory,
        "cpu": round(want.cpu * 1e9) / 1e9,
        **settings.wanted(want, image, pid_mode=around.pid_mode, cgroupns=around.cgroupns),
    }


# -- as observed ----------------------------------------------------------------------------------------------------


def _common(have: DockerContainer) -> tuple[Fields, Fields]:
    return have.raw.get("Config") or {}, have.raw.get("HostConfig") or {}


def _assignments(lines: t.Sequence[str] | None) -> dict[str, str]:
    return dict(line.partition("=")[::2] for line in lines or ())


def observed_sandbox(have: DockerContainer) -> Fields:
    config, host = _common(have)
    return {
        "image": _show_image(config.get("Image") or "", have.image_id),
        "hostname": config.get("Hostname") or "",
        "network": host.get("NetworkMode") or "",
        "labels": dict(have.labels),
        "sysctls": dict(host.get("Sysctls") or {}),
        **settings.dns_fields(host.get("Dns"), host.get("DnsSearch"), host.get("DnsOptions")),
    }


def _observed_device(device: t.Mapping[str, str]) -> str:
    permissions = "".join(sorted(device.get("CgroupPermissions") or "rwm"))
    return ":".join([device.get("PathOnHost") or "", device.get("PathInContainer") or "", permissions])


def observed_node(have: DockerContainer) -> Fields:
    config, host = _common(have)
    privileged = bool(host.get("Privileged"))
    confined = bool(host.get("MaskedPaths") or host.get("ReadonlyPaths"))
    return {
        "image": _show_image(config.get("Image") or "", have.image_id),
        "sandbox": str(host.get("NetworkMode") or "").removeprefix("container:"),
        "entrypoint": list(config.get("Entrypoint") or ()),
        "cmd": list(config.get("Cmd") or ()),
        "user": config.get("User") or "",
        "env": _assignments(config.get("Env")),
        "labels": {name: value for name, value in have.labels.items() if name != marks.FILES},
        "binds": _binds(host.get("Binds")),
        "sysctls": dict(host.get("Sysctls") or {}),
        "cap_add": [] if privileged else _capabilities(host.get("CapAdd") or ()),
        "devices": sorted({_observed_device(one) for one in host.get("Devices") or ()}),
        "privileged": privileged,
        "system_paths": "unconfined" if privileged or not confined else "default",
        "memory": int(host.get("Memory") or 0),
        "cpu": int(host.get("NanoCpus") or 0) / 1e9,
        **settings.observed(config, host),
    }


# -- the difference -------------------------------------------------------------------------------------------------


def compare(have: Fields, want: Fields) -> Differences:
    """Field -> (have, want) for what differs; mappings key by key. Values of env, and passwords in commands, are never told."""
    found: Differences = {}
    for name, value in want.items():
        before = have.get(name)
        if before == value:
            continue
        if name in ("cmd", "entrypoint"):
            found[name] = _veiled(before or [], value)
        elif not isinstance(value, dict):
            found[name] = (before, value)
        elif name == "env":
            found.update(_secretly(before or {}, value))
        else:
            found.update(_by_key(name, before or {}, value))
    return found


def _keys(have: Fields, want: Fields) -> list[str]:
    return [key for key in sorted({*have, *want}) if have.get(key) != want.get(key)]


def _by_key(name: str, have: Fields, want: Fields) -> Differences:
    return {f"{name}: {key}": (have.get(key), want.get(key)) for key in _keys(have, want)}


def _veiled(have: t.Sequence[str], want: t.Sequence[str]) -> tuple[list[str], list[str]]:
    """Two commands that differ, without the passwords in them; where nothing else differs, that is said."""
    before, after = _without_secrets(have, "***"), _without_secrets(want, "***")
    return before, after if after != before else _without_secrets(want, "*** (changed)")


def _without_secrets(words: t.Iterable[str], instead: str) -> list[str]:
    """Packed machines are told their password by an option, as C(--password WORD) or C(--password=WORD)."""
    found: list[str] = []
    follows = False
    for word in words:
        option = _SECRET.fullmatch(word)
        found.append(instead if follows else f"{option['name']}={instead}" if option and option["value"] is not None else word)
        follows = not follows and option is not None and option["value"] is None
    return found


def _secretly(have: Fields, want: Fields) -> Differences:
    def shown(key: str) -> tuple[str | None, str | None]:
        if key not in have:
            return None, "set"
        return "set", "changed" if key in want else None

    return {f"env: {key}": shown(key) for key in _keys(have, want)}


# -- what Docker is told --------------------------------------------------------------------------------------------


def sandbox_config(lab: str, want: Container, *, ipv6: bool) -> dict[str, t.Any]:
    """Docker's configuration of a sandbox. It is never started by Docker itself: its ports would be missing then."""
    return {
        "Image": SANDBOX_IMAGE,
        "Hostname": want.hostname or want.node,
        "Labels": sandbox_marks(lab, want),
        "StopSignal": "SIGKILL",
        "HostConfig": {
            "NetworkMode": "none",
            "Sysctls": sandbox_sysctls(want, ipv6=ipv6),
            **settings.dns_config(want),
            "CapDrop": ["ALL"],
            "LogConfig": {"Type": "none"},
            "RestartPolicy": {"Name": "no"},
        },
    }


def node_config(lab: str, want: Container, digests: t.Mapping[str, str], around: Surroundings) -> dict[str, t.Any]:
    """Docker's configuration of a node. digests: path -> digest of its delivered files, kept in a label."""
    more = settings.host_config_of(want, pid_mode=around.pid_mode, cgroupns=around.cgroupns)
    labels = {**want.labels, **node_marks(lab, want)}
    if digests:
        labels[marks.FILES] = json.dumps(digests, sort_keys=True, separators=(",", ":"))
    host: dict[str, t.Any] = {
        **more,
        "NetworkMode": f"container:{want.namespace_of}" if want.namespace_of else "host",
        "Binds": [*want.binds, *more["Binds"]],
        "Sysctls": node_sysctls(want),
        "CapAdd": list(want.cap_add),
        "Devices": [
            {"PathOnHost": path, "PathInContainer": inside, "CgroupPermissions": permissions}
            for path, inside, permissions in map(parse_device, want.devices)
        ],
        "Privileged": want.privileged,
        "Memory": want.memory,
        "NanoCpus": round(want.cpu * 1e9),
        "RestartPolicy": {"Name": "no"},
    }
    if settings.unconfined_paths(want):
        host.update(MaskedPaths=[], ReadonlyPaths=[])
    config: dict[str, t.Any] = {
        "Image": want.image,
        "User": want.user,
        "Env": [f"{name}={value}" for name, value in want.env.items()],
        "Labels": labels,
        "Tty": True,
        "OpenStdin": True,
        **settings.config_of(want),
        "HostConfig": host,
    }
    if want.cmd is not None:
        config["Cmd"] = list(want.cmd)
    if want.entrypoint is not None:
        config["Entrypoint"] = list(want.entrypoint)
    return config
