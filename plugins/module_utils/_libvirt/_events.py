# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Tells that a machine started, ended, was defined or forgotten, or lost a device, whosever it is."""

from __future__ import annotations

import contextlib
import queue
import typing as t

from ansible_collections.archetype.lab.plugins.module_utils._errors import ReadError
from ansible_collections.archetype.lab.plugins.module_utils._libvirt._connection import HINT, URI, library, open_connection, said, within

_CLOSED = "closed"
_SECONDS = 30.0


def changes(uri: str = URI) -> t.Iterator[str]:
    """An empty word when it listens, and one for each change from then on. Raises ReadError when libvirt is lost; MissingLibraryError.

    Libvirt's event loop, which the adapter has in a thread, calls; what it calls only makes a note.
    """
    libvirt = library()
    connection = open_connection(uri)
    notes: queue.SimpleQueue[str] = queue.SimpleQueue()
    try:
        _listen(libvirt, connection, notes)
        yield ""
        while notes.get() != _CLOSED:
            yield ""
    except libvirt.libvirtError as error:
        raise ReadError(f"libvirt on this server does not tell what happens: {said(error)}", hint=HINT) from error
    finally:
        _hang_up(libvirt, connection)
    raise ReadError("libvirt on this server ended the connection over which it tells what happens", hint=HINT)


def _listen(libvirt: t.Any, connection: t.Any, notes: queue.SimpleQueue[str]) -> None:
    def happened(*_what: object) -> None:
        notes.put("")

    connection.registerCloseCallback(lambda *_what: notes.put(_CLOSED), None)
    for kind in (libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, libvirt.VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED):
        connection.domainEventRegisterAny(None, kind, happened, None)


def _hang_up(libvirt: t.Any, connection: t.Any) -> None:
    """A daemon that is gone cannot be told; nothing waits for one that is silent."""
    with contextlib.suppress(libvirt.libvirtError, TimeoutError):
        within(_SECONDS, connection.unregisterCloseCallback)
    with contextlib.suppress(libvirt.libvirtError, TimeoutError):
        within(_SECONDS, connection.close)
