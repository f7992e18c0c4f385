# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""A machine's console, held by this process alone and brought to the prompt where its kind's commands may be given."""

from __future__ import annotations

import contextlib
import re
import typing as t

from ansible_collections.archetype.lab.plugins.module_utils import _server
from ansible_collections.archetype.lab.plugins.module_utils._console._hold import hold
from ansible_collections.archetype.lab.plugins.module_utils._console._session import Session
from ansible_collections.archetype.lab.plugins.module_utils._console._waking import ANY_PROMPT
from ansible_collections.archetype.lab.plugins.module_utils._declared_vm import Access
from ansible_collections.archetype.lab.plugins.module_utils._errors import LabError
from ansible_collections.archetype.lab.plugins.module_utils._ready_logs import console_log, last_bytes

if t.TYPE_CHECKING:
    from ansible_collections.archetype.lab.plugins.module_utils._server import Server


@contextlib.contextmanager
def talk(server: Server, lab: str, one: Access, what: str) -> t.Iterator[Session]:
    """At the prompt where its commands may be given. what: what for, for others who want the console meanwhile.

    Raises LockedError where it is in use, VerifyError where its prompt cannot be come to.
    """
    with hold(_server.RUN_DIR, one.name, what), visit(server, lab, one) as session:
        reach(session, one)
        yield session


@contextlib.contextmanager
def visit(server: Server, lab: str, one: Access) -> t.Iterator[Session]:
    """Its console, which is held already, as it was left. A login that is made is ended afterwards, whatever went wrong meanwhile: who
    comes next would take it for somebody's.
    """
    with contextlib.closing(server.virt.console(one.name)) as stream:
        session = Session(stream, one.node, last_bytes(console_log(lab, one.name)))
        expected: tuple[type[LabError], ...] = (LabError,)  # what went wrong before is what matters
        try:
            yield session
            expected = ()
        finally:
            with contextlib.suppress(*expected):
                session.leave()


def reach(session: Session, one: Access) -> None:
    """Come to the prompt of its kind, from whatever the console was left in."""
    wanted = one.save.prompt
    found = session.wake(f"{wanted}|{ANY_PROMPT}" if wanted else ANY_PROMPT, username=one.username, password=one.password)
    if not wanted or re.search(f"(?:{wanted})$", found):
        return
    if not one.save.enable:
        raise session.error(f"is at {found!r}", hint=f"a prompt like {wanted} is expected; see save_config of its kind")
    session.enable(one.save.enable, wanted, password=one.password)
