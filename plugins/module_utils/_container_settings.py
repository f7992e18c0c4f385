# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""How a node is isolated from its server, and what it is given of it: health check, volumes, tmpfs, name spaces, CPUs, security, DNS.

As in C(_container_spec.py), the same fields are described as wanted and as observed, with Docker's own spellings undone on both sides.
"""

from __future__ import annotations

import os
import posixpath
import re
import typing as t

from ansible_collections.archetype.lab.plugins.module_utils._declared import Container, Healthcheck
from ansible_collections.archetype.lab.plugins.module_utils._docker._port import Image

SHM_SIZE = 64 * 1024 * 1024
"""Docker's own default. It is said in so many words, so that it can be compared."""
SYSTEM_PATHS = "systempaths=unconfined"
"""What Docker's command line takes for a security option, and Docker does not."""
_CGROUP2 = "/sys/fs/cgroup/cgroup.controllers"
_SECOND = 1_000_000_000
_TIMES = {"interval": "Interval", "timeout": "Timeout", "start_period": "StartPeriod"}

Fields = dict[str, t.Any]


def default_cgroupns() -> str:
    """What Docker gives a container that does not say which cgroup namespace it wants: its own where the kernel has cgroup v2 only."""
    return "private" if os.path.exists(_CGROUP2) else "host"


def unconfined_paths(want: Container) -> bool:
    return want.system_paths == "unconfined" or SYSTEM_PATHS in map(_option, want.security_opts)


# -- volumes --------------------------------------------------------------------------------------------------------


def is_volume(bind: str) -> bool:
    """Whether a bind is of a volume of Docker's, told by its name, and not of a path on the server."""
    return not bind.startswith("/")


def volume_name(volume: str) -> str:
    """The name of a volume, C(name:path[:options]); empty for an anonymous one, C(path)."""
    return volume.partition(":")[0] if is_volume(volume) else ""


def volume_names(want: Container) -> list[str]:
    return sorted({name for name in map(volume_name, want.volumes) if name})


def _show_volume(volume: str) -> str:
    name, path, options = [*volume.split(":"), "", ""][:3] if is_volume(volume) else ["", volume.partition(":")[0], ""]
    told = sorted(one for one in options.split(",") if one and one != "rw")
    return ":".join(part for part in (name, posixpath.normpath(path), ",".join(told)) if part)


def mounted_volumes(host: t.Mapping[str, t.Any]) -> list[str]:
    """Names of the volumes that a container was given, from its HostConfig."""
    return sorted({name for name in map(volume_name, host.get("Binds") or ()) if name})


# -- health ---------------------------------------------------------------------------------------------------------


def _told_health(check: Healthcheck | None) -> dict[str, t.Any]:
    if check is None:
        return {}
    times = {name: round(getattr(check, field) * _SECOND) for field, name in _TIMES.items()}
    return {"Test": list(check.test), **times, "Retries": check.retries}


def health_of(want: Container, image: Image) -> dict[str, t.Any]:
    """The health check of a node in Docker's words: what it does not say, its image says. Empty where there is none."""
    own = {name: value for name, value in _told_health(want.healthcheck).items() if value}
    return {**image.healthcheck, **own}


def has_health(want: Container, image: Image) -> bool:
    test: list[str] = health_of(want, image).get("Test") or ["NONE"]
    return test[0] != "NONE"


def _show_health(check: t.Mapping[str, t.Any] | None) -> Fields:
    """In seconds, without what is Docker's default."""
    if not check:
        return {}
    times = {field: check.get(name, 0) / _SECOND for field, name in _TIMES.items()}
    found = {"test": list(check.get("Test") or ()), **times, "retries": check.get("Retries", 0)}
    return {name: value for name, value in found.items() if value}


def health_limit(config: t.Mapping[str, t.Any]) -> float:
    """Seconds after which Docker has surely decided whether a node is healthy. config: a container's configuration, as Docker has it."""
    check = config.get("Healthcheck") or {}
    interval, timeout = ((check.get(name) or 30 * _SECOND) / _SECOND for name in ("Interval", "Timeout"))
    return (check.get("StartPeriod") or 0) / _SECOND + ((check.get("Retries") or 3) + 1) * (interval + timeout)


# -- spellings ------------------------------------------------------------------------------------------------------


def _option(option: str) -> str:
    """A security option as C(name=value): a colon was an old way to write it, and what is on need not say so."""
    name, separator, value = re.fullmatch(r"([^=:]*)([=:]?)(.*)", option, re.DOTALL).groups()  # type: ignore[union-attr]
    return name if not separator or (name == "no-new-privileges" and value == "true") else f"{name}={value}"


def _options(options: t.Iterable[str], *, unlabelled: bool) -> list[str]:
    """unlabelled: Docker adds by itself that the node has no label of SELinux."""
    left = {_option(one) for one in options} - {SYSTEM_PATHS}
    return sorted(left - {"label=disable"} if unlabelled else left)


def _cpus(text: str) -> str:
    """A set of CPUs as one list of numbers: C(0-1,3) and C(3,0,1) are the same."""
    found: set[int] = set()
    for part in filter(None, text.replace(" ", "").split(",")):
        first, _dash, last = part.partition("-")
        if not first.isdigit() or not (last or first).isdigit():
            return text
        found.update(range(int(first), int(last or first) + 1))
    return ",".join(map(str, sorted(found)))


def _tmpfs(mounts: t.Mapping[str, str]) -> dict[str, str]:
    return {posixpath.normpath(path): ",".join(sorted(filter(None, (options or "").split(",")))) for path, options in mounts.items()}


def dns_fields(servers: t.Iterable[str] | None, search: t.Iterable[str] | None, options: t.Iterable[str] | None) -> Fields:
    return {"dns": list(servers or ()), "dns_search": list(search or ()), "dns_options": list(options or ())}


# -- as wanted, as observed, and what Docker is told ----------------------------------------------------------------


def wanted(want: Container, image: Image, *, pid_mode: str, cgroupns: str) -> Fields:
    """pid_mode: with the id of the container that is joined. cgroupns: what Docker gives a node that does not say."""
    return {
        "healthcheck": _show_health(health_of(want, image)),
        "tmpfs": _tmpfs(want.tmpfs),
        "volumes": sorted({_show_volume(one) for one in (*want.volumes, *filter(is_volume, want.binds), *image.volumes)}),
        "shm_size": want.shm_size or SHM_SIZE,
        "security_opts": _options(want.security_opts, unlabelled=want.privileged or pid_mode == "host"),
        "pid_mode": pid_mode,
        "cgroupns_mode": want.cgroupns_mode or cgroupns,
        "cgroup_parent": want.cgroup_parent,
        "cpu_set": _cpus(want.cpu_set),
        **(dns_fields(want.dns, want.dns_search, want.dns_options) if want.network == "host" else {}),
    }


def observed(config: t.Mapping[str, t.Any], host: t.Mapping[str, t.Any]) -> Fields:
    pid_mode = str(host.get("PidMode") or "")
    return {
        "healthcheck": _show_health(config.get("Healthcheck")),
        "tmpfs": _tmpfs(host.get("Tmpfs") or {}),
        "volumes": sorted({_show_volume(one) for one in (*(config.get("Volumes") or ()), *filter(is_volume, host.get("Binds") or ()))}),
        "shm_size": int(host.get("ShmSize") or SHM_SIZE),
        "security_opts": _options(host.get("SecurityOpt") or (), unlabelled=bool(host.get("Privileged")) or pid_mode == "host"),
        "pid_mode": pid_mode,
        "cgroupns_mode": str(host.get("CgroupnsMode") or "host"),
        "cgroup_parent": str(host.get("CgroupParent") or ""),
        "cpu_set": _cpus(str(host.get("CpusetCpus") or "")),
        **dns_fields(host.get("Dns"), host.get("DnsSearch"), host.get("DnsOptions")),
    }


def config_of(want: Container) -> dict[str, t.Any]:
    """The part of Docker's configuration that goes beside HostConfig."""
    config: dict[str, t.Any] = {"Volumes": {volume.partition(":")[0]: {} for volume in want.volumes if not volume_name(volume)}}
    if want.healthcheck is not None:
        config["Healthcheck"] = _told_health(want.healthcheck)
    return config


def host_config_of(want: Container, *, pid_mode: str, cgroupns: str) -> dict[str, t.Any]:
    """HostConfig's part. Binds are those of volumes only."""
    host: dict[str, t.Any] = {
        "Binds": [one for one in want.volumes if volume_name(one)],
        "Tmpfs": dict(want.tmpfs),
        "ShmSize": want.shm_size or SHM_SIZE,
        "SecurityOpt": [one for one in want.security_opts if _option(one) != SYSTEM_PATHS],
        "PidMode": pid_mode,
        "CgroupnsMode": want.cgroupns_mode or cgroupns,
        "CgroupParent": want.cgroup_parent,
        "CpusetCpus": want.cpu_set,
    }
    if want.network == "host":
        host.update(dns_config(want))
    return host


def dns_config(want: Container) -> dict[str, t.Any]:
    return {"Dns": list(want.dns), "DnsSearch": list(want.dns_search), "DnsOptions": list(want.dns_options)}
