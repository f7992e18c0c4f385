# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""What a node's container may use of its server, and how it is kept apart from it."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.archetype.lab.plugins.plugin_utils._inherit import Settings
from ansible_collections.archetype.lab.plugins.plugin_utils._read import did_you_mean, quote
from ansible_collections.archetype.lab.plugins.plugin_utils._words import memory_bytes
from ansible_collections.archetype.lab.plugins.plugin_utils._yaml import Problems, Scalar

CGROUPNS_MODES = ("host", "private")
_CAPABILITY = re.compile(r"[A-Z][A-Z0-9_]*")
_SYSCTL = re.compile(r"[a-z0-9_][A-Za-z0-9_.*/-]*")
_CPU_SET = re.compile(r"[0-9]{1,5}(?:-[0-9]{1,5})?(?:,[0-9]{1,5}(?:-[0-9]{1,5})?)*")
_CGROUP = re.compile(r"[A-Za-z0-9_./:@-]+")
_TMPFS_OPTIONS = re.compile(r"[a-zA-Z0-9=,._%-]*")


class LimitReader:
    """Each method reads one key of a node."""

    def __init__(self, problems: Problems) -> None:
        self.problems = problems

    def sysctls(self, name: str, settings: Settings) -> dict[str, str]:
        sysctls = settings.mapping("sysctls")
        for key, value in sysctls.items():
            if not _SYSCTL.fullmatch(key):
                self.problems.add(value, f"node {name}: {quote(key)} is not the name of a sysctl", "Write it as net.ipv4.ip_forward")
        return {key: value.text for key, value in sysctls.items()}

    def capabilities(self, name: str, settings: Settings) -> tuple[str, ...]:
        found: set[str] = set()
        for item in settings.items("cap-add"):
            capability = item.text.upper().removeprefix("CAP_")
            if not _CAPABILITY.fullmatch(capability):
                self.problems.add(item, f"node {name}: {quote(item.text)} is not a capability", "Write it as NET_ADMIN")
            found.add(capability)
        return tuple(sorted(found))

    def devices(self, name: str, settings: Settings) -> tuple[str, ...]:
        items = settings.items("devices")
        for item in items:
            if not item.text.startswith("/dev/") or len(item.text.split(":")) > 3 or ".." in item.text:
                self.problems.add(
                    item, f"node {name}: {quote(item.text)} is not a device", "Write it as /dev/name or /dev/name:/dev/name:rwm"
                )
        return tuple(item.text for item in items)

    def size(self, name: str, key: str, value: Scalar | None) -> int:
        """Bytes of C(memory) or C(shm-size); 0 where there is none."""
        try:
            return memory_bytes(value.text) if value else 0
        except ValueError as exc:
            self.problems.add(value, f"node {name}: {key} {quote(t.cast(Scalar, value).text)} is {exc}", "Write it as 512MB or 1Gib")
            return 0

    def cpu(self, name: str, value: Scalar | None) -> float:
        cpu = float(value.text) if value else 0.0
        if not 0 <= cpu <= 4096:
            self.problems.add(value, f"node {name}: cpu {quote(t.cast(Scalar, value).text)} is not a number of CPUs", "Write it as 1.5")
            return 0.0
        return cpu

    def cpu_set(self, name: str, value: Scalar | None) -> str:
        return self._fitting(name, "cpu-set", value, _CPU_SET, "a list of CPUs", "Write it as 0-1,4")

    def cgroup_parent(self, name: str, value: Scalar | None) -> str:
        return self._fitting(name, "cgroup-parent", value, _CGROUP, "the name of a cgroup", "Write it as labs.slice or /labs")

    def cgroupns_mode(self, name: str, value: Scalar | None) -> str:
        if value is not None and value.text not in CGROUPNS_MODES:
            remedy = did_you_mean(value.text, CGROUPNS_MODES) or f"It is one of {', '.join(CGROUPNS_MODES)}"
            self.problems.add(value, f"node {name}: cgroupns-mode is {quote(value.text)}", remedy)
        return value.text if value else ""

    def _fitting(self, name: str, key: str, value: Scalar | None, pattern: re.Pattern[str], what: str, remedy: str) -> str:
        if value is not None and not pattern.fullmatch(value.text):
            self.problems.add(value, f"node {name}: {key} {quote(value.text)} is not {what}", remedy)
        return value.text if value else ""

    def tmpfs(self, name: str, settings: Settings) -> dict[str, str]:
        mounts = settings.mapping("tmpfs")
        for path, options in mounts.items():
            if not path.startswith("/") or ".." in path.split("/") or not path.strip("/"):
                self.problems.add(options, f"node {name}: tmpfs {quote(path)} is not a path in the node", "Write it as /run")
            if not _TMPFS_OPTIONS.fullmatch(options.text):
                remedy = "Write them as size=64m,mode=755"
                self.problems.add(options, f"node {name}: {quote(options.text)} are not options of a tmpfs", remedy)
        return {path: options.text for path, options in mounts.items()}

    def security_opts(self, name: str, settings: Settings) -> tuple[str, ...]:
        items = settings.items("security-opts")
        for item in items:
            if not item.text.strip():
                self.problems.add(item, f"node {name}: an entry of security-opts is empty", "Write it as no-new-privileges")
        return tuple(item.text for item in items)
