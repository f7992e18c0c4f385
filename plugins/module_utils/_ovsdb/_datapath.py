# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Whether this server's kernel has the Open vSwitch datapath. Found by asking for it, as Open vSwitch itself does."""

from __future__ import annotations

import errno

from ansible_collections.archetype.lab.plugins.module_utils._errors import MissingLibraryError, ReadError

FAMILY = "ovs_datapath"
"""The generic netlink family of the datapath. Asking for it makes the kernel load its module, where there is one."""


def has_kernel_datapath() -> bool:
    """Raises ReadError when the kernel cannot be asked."""
    try:
        from pyroute2.netlink import genlmsg
        from pyroute2.netlink.exceptions import NetlinkError
        from pyroute2.netlink.generic import GenericNetlinkSocket
    except ImportError as error:
        raise MissingLibraryError("pyroute2", str(error)) from error
    try:
        with GenericNetlinkSocket() as asking:
            asking.bind(FAMILY, genlmsg)
    except NetlinkError as error:
        if error.code == errno.ENOENT:
            return False
        raise ReadError(f"the kernel does not say whether it has an Open vSwitch datapath: {error}") from error
    except OSError as error:
        raise ReadError(f"the kernel cannot be asked for an Open vSwitch datapath: {error.strerror}") from error
    return True
