# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""The one connection to the system's libvirt: opened, watched, and its errors told as the collection's.

An event loop in a thread of its own is what libvirt needs to see that its daemon has stopped answering, and to hand on what a console says.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import functools
import re
import threading
import typing as t

from ansible_collections.archetype.lab.plugins.module_utils._errors import ApplyError, LabError, LockedError, MissingLibraryError, ReadError
from ansible_collections.archetype.lab.plugins.module_utils._vm_hints import PREPARE

URI = "qemu:///system"
T = t.TypeVar("T")
OPEN_TIMEOUT = 30.0
"""Seconds for opening: a daemon that was just started by its socket first looks at all of its domains."""
_ALIVE_INTERVAL, _ALIVE_COUNT = 5, 4
"""A daemon that has not answered for 5 s is asked whether it lives; after four such questions it is given up."""
_QEMU = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z qemu-system-\w+: ")
HINT = (
    "see that libvirtd, or virtqemud and virtlogd, run on this server (systemctl status libvirtd);"
    f" where libvirt is not installed, {PREPARE}"
)


@functools.cache
def library() -> t.Any:
    """Libvirt's own Python library, with its event loop running. Raises MissingLibraryError."""
    try:
        import libvirt
    except ImportError as error:
        raise MissingLibraryError("libvirt", str(error), setting="lab_server_vms") from error
    libvirt.registerErrorHandler(lambda _context, _error: None, None)  # it writes every error to stderr otherwise, handled or not
    libvirt.virEventRegisterDefaultImpl()
    threading.Thread(target=_loop, args=(libvirt,), name="libvirt events", daemon=True).start()
    return libvirt


def _loop(libvirt: t.Any) -> None:
    while True:
        libvirt.virEventRunDefaultImpl()


def open_connection(uri: str = URI) -> t.Any:
    """Raises ReadError where nothing answers; MissingLibraryError."""
    libvirt = library()

    def work() -> t.Any:
        connection = libvirt.open(uri)
        connection.setKeepAlive(_ALIVE_INTERVAL, _ALIVE_COUNT)
        return connection

    try:
        return within(OPEN_TIMEOUT, work)
    except TimeoutError as error:
        raise ReadError(f"libvirt on this server did not answer within {OPEN_TIMEOUT:g} s", hint=HINT) from error
    except libvirt.libvirtError as error:
        raise ReadError(f"libvirt on this server does not answer: {said(error)}", hint=HINT) from error


def within(seconds: float, work: t.Callable[[], T]) -> T:
    """What it returns or raises. Raises TimeoutError where it does neither in time; it is left behind then, for nothing ends it."""
    future: concurrent.futures.Future[T] = concurrent.futures.Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001 - it is raised again where it was asked for
            future.set_exception(error)

    threading.Thread(target=run, name="libvirt call", daemon=True).start()
    try:
        return future.result(seconds)
    except concurrent.futures.TimeoutError as error:
        raise TimeoutError from error


def said(error: t.Any) -> str:
    """What libvirt said, in one line, and without the time at which QEMU said it."""
    return _QEMU.sub("", " ".join(str(error.get_error_message() or error).split()))


def code(error: t.Any) -> int:
    return int(error.get_error_code() or 0)


@contextlib.contextmanager
def reading(what: str, *objects: str) -> t.Iterator[None]:
    """Raises ReadError in place of libvirt's error."""
    try:
        yield
    except library().libvirtError as error:
        raise ReadError(f"{what}: {said(error)}", hint=HINT if _lost(error) else "", objects=objects) from error


@contextlib.contextmanager
def changing(what: str, *objects: str, harmless: t.Collection[int] = ()) -> t.Iterator[None]:
    """Raises ApplyError in place of libvirt's error. harmless: codes of errors that mean that there was nothing to do."""
    try:
        yield
    except library().libvirtError as error:
        if code(error) not in harmless:
            raise ApplyError(f"{what}: {said(error)}", hint=HINT if _lost(error) else "", objects=objects) from error


def in_use(error: t.Any, name: str) -> LabError | None:
    """The error that a console is in use, if it is that."""
    if code(error) != library().VIR_ERR_OPERATION_FAILED or "console session" not in said(error):
        return None
    hint = "leave virsh console there (Ctrl-]), and run again"
    return LockedError(f"the console of {name} is in use by somebody else", hint=hint, objects=(name,))


def _lost(error: t.Any) -> bool:
    libvirt = library()
    return code(error) in (libvirt.VIR_ERR_NO_CONNECT, libvirt.VIR_ERR_INVALID_CONN, libvirt.VIR_ERR_RPC) or (
        error.get_error_domain() == libvirt.VIR_FROM_RPC
    )
