# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""The backends of this server, opened when they are first needed and closed together."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import time
import typing as t

from ansible_collections.archetype.lab.plugins.module_utils._errors import LabError

if t.TYPE_CHECKING:
    from types import TracebackType

    from ansible_collections.archetype.lab.plugins.module_utils._docker._port import Docker
    from ansible_collections.archetype.lab.plugins.module_utils._libvirt._port import Libvirt
    from ansible_collections.archetype.lab.plugins.module_utils._netlink._port import Netlink
    from ansible_collections.archetype.lab.plugins.module_utils._nft._port import Nft
    from ansible_collections.archetype.lab.plugins.module_utils._ovsdb._port import OvsDb

STATE_DIR = "/var/lib/archetype-lab"
RUN_DIR = "/run/archetype-lab"
DHCP_DIR = "/run/archetype-lab-dhcp"
"""Of the DHCP servers of labs, which are no longer root when they read files in it. RUN_DIR is root's alone."""
VM_DIR = "/var/lib/libvirt/archetype-lab"
"""Disks and media of virtual machines: a folder for each lab, one in it for each domain. QEMU runs as a user of its own, who may not enter
STATE_DIR; libvirt's folder is where security modules expect disks to be."""
OVSDB_SOCKET = "unix:/var/run/openvswitch/db.sock"
OVS_RUN_DIR = "/var/run/openvswitch"


_LAB = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


def lab_path(lab: str, *parts: str) -> str:
    """A path of a lab in STATE_DIR, which must have this check: a name such as C(/srv) would lead, and delete, elsewhere.

    Raises LabError for a name that is no plain file name, or looks like another lab's file.
    """
    if not _LAB.fullmatch(lab) or lab.endswith((".json", ".new")):
        hint = "use letters, digits, dots, dashes and underscores, and do not end it in .json or .new"
        raise LabError(f"{lab!r} is not a name for a lab", hint=hint, objects=(lab,))
    return os.path.join(STATE_DIR, lab, *parts)


def run_path(lab: str, *parts: str) -> str:
    """A path of a lab in RUN_DIR: what is true until the next boot. Raises LabError for a name that is none."""
    return os.path.join(RUN_DIR, "labs", os.path.basename(lab_path(lab)), *parts)


def make_state_dir() -> None:
    """The folder of all labs is root's alone: what is in it may hold secrets. Raises OSError."""
    with contextlib.suppress(FileExistsError):
        os.makedirs(STATE_DIR, mode=0o700)
    if os.stat(STATE_DIR).st_mode & 0o077:
        os.chmod(STATE_DIR, 0o700)


def make_run_dir(lab: str = "") -> str:
    """RUN_DIR, or the folder of a lab in it, which are root's alone. Raises OSError, and LabError for a name that is none."""
    wanted = run_path(lab) if lab else RUN_DIR
    for folder in (RUN_DIR, os.path.dirname(wanted), wanted)[: 3 if lab else 1]:
        os.makedirs(folder, mode=0o700, exist_ok=True)
    return wanted


def remove_run_dir(lab: str) -> None:
    """The folder of a lab in RUN_DIR with all that is in it. Raises OSError, and LabError for a name that is none.

    A watcher may write into it at this very moment, for the last time: so it is tried again.
    """
    folder = run_path(lab)
    for tries_left in (3, 2, 1, 0):
        try:
            shutil.rmtree(folder)
        except OSError:
            if not os.path.lexists(folder):
                return
            if not tries_left:
                raise
            time.sleep(0.02)
        else:
            return


class Server:
    """Backends may be handed in, which is how unit tests use fakes."""

    def __init__(
        self,
        *,
        ovs: OvsDb | None = None,
        net: Netlink | None = None,
        docker: Docker | None = None,
        nft: Nft | None = None,
        virt: Libvirt | None = None,
    ) -> None:
        self._ovs = ovs
        self._net = net
        self._docker = docker
        self._nft = nft
        self._virt = virt

    @property
    def ovs(self) -> OvsDb:
        if self._ovs is None:
            from ansible_collections.archetype.lab.plugins.module_utils._ovsdb._adapter import connect

            self._ovs = connect(OVSDB_SOCKET)
        return self._ovs

    @property
    def net(self) -> Netlink:
        if self._net is None:
            from ansible_collections.archetype.lab.plugins.module_utils._netlink._adapter import connect

            self._net = connect()
        return self._net

    @property
    def docker(self) -> Docker:
        if self._docker is None:
            from ansible_collections.archetype.lab.plugins.module_utils._docker._adapter import connect

            self._docker = connect()
        return self._docker

    @property
    def nft(self) -> Nft:
        if self._nft is None:
            from ansible_collections.archetype.lab.plugins.module_utils._nft._adapter import connect

            self._nft = connect()
        return self._nft

    @property
    def virt(self) -> Libvirt:
        if self._virt is None:
            from ansible_collections.archetype.lab.plugins.module_utils._libvirt._adapter import connect

            self._virt = connect(RUN_DIR)
        return self._virt

    def __enter__(self) -> Server:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        for backend in (self._ovs, self._net, self._docker, self._nft, self._virt):
            if backend is not None:
                backend.close()
