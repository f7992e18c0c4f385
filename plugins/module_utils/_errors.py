# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""The errors of the server side, one class per thing that can go wrong.

Everything raised on purpose is a C(LabError). A message says what is wrong, on which object, and what to do.
"""

from __future__ import annotations

AGAIN = "run deploy_lab or reconcile_lab again"
"""For what whoever calls one module does by another, and a user of the playbooks does not do at all."""
MAKE_BRIDGE = f"{AGAIN}, or make it with archetype.lab.ovs_bridge"
MEND_TOO = "run reconcile_lab without its link or node in lab_hold, which mends it as well"
"""For what is in the way and is left alone: it is held, or waits for its next try."""


class LabError(Exception):
    """Base of all errors that are shown to a user as they are.

    hint: what to do about it; one sentence.
    objects: names of the objects that are concerned, for the result.
    """

    def __init__(self, message: str, *, hint: str = "", objects: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.objects = objects

    def __str__(self) -> str:
        return f"{self.message}; {self.hint}" if self.hint else self.message


class MissingLibraryError(LabError):
    """A Python library is not installed for the interpreter that runs the module. setting: of the role, with which it is."""

    def __init__(self, library: str, cause: str, *, setting: str = "") -> None:
        option = f" with -e {setting}=true" if setting else ""
        super().__init__(
            f"the Python library {library} cannot be imported: {cause}",
            hint=f"run archetype.lab.prepare_servers{option} on this server, or set lab_server_python",
        )
        self.library = library


class ReadError(LabError):
    """Something could not be read. Never treat it as "nothing there": no deletion follows it."""


class ForeignError(LabError):
    """An object that is not ours has a name or an identifier that is wanted."""


class ClashError(LabError):
    """Another lab of this server is declared to have a number or a name that is wanted. Another plan chooses another."""


class ApplyError(LabError):
    """A backend refused a change."""


class BlockedError(ApplyError):
    """What an object stands on is not there, such as the sandbox of a port. Nothing was tried with the object itself."""


class VerifyError(LabError):
    """A change was accepted, but reading back shows something else."""


class UndeclaredError(LabError):
    """Nothing is declared for a lab on this server, so that nothing can be said of it, or done."""


class LockedError(LabError):
    """Another run holds the lab's lock on this server, or has its turn there for too long."""


class Errors(LabError):
    """Several errors at once; nothing is swallowed."""

    def __init__(self, errors: list[LabError]) -> None:
        super().__init__("; ".join(str(error) for error in errors), objects=tuple(name for error in errors for name in error.objects))
        self.errors = errors


def raise_all(errors: list[LabError]) -> None:
    """Raise the one error, or all of them as one; nothing when there is none."""
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise Errors(errors)
