# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Commands for the console of a machine that is ready, once a boot. Which ones ran is on disk before the next one is sent."""

from __future__ import annotations

import hashlib
import time
import typing as t
from dataclasses import replace

from ansible_collections.archetype.lab.plugins.module_utils import _server
from ansible_collections.archetype.lab.plugins.module_utils._changes import Change
from ansible_collections.archetype.lab.plugins.module_utils._console import _dialog
from ansible_collections.archetype.lab.plugins.module_utils._console._hold import hold
from ansible_collections.archetype.lab.plugins.module_utils._console._waking import ANY_PROMPT
from ansible_collections.archetype.lab.plugins.module_utils._declared_vm import Access
from ansible_collections.archetype.lab.plugins.module_utils._errors import LabError, VerifyError
from ansible_collections.archetype.lab.plugins.module_utils._parallel import fetch
from ansible_collections.archetype.lab.plugins.module_utils._ready_state import Memory, State
from ansible_collections.archetype.lab.plugins.module_utils._talk import visit

if t.TYPE_CHECKING:
    from ansible_collections.archetype.lab.plugins.module_utils._server import Server

MAY_FAIL = "?"
"""Behind a command that some devices of the kind do not know, such as one for an interface."""
TRIES = 3
PAUSE = 5.0
"""Seconds between two tries: a device that shows its prompt may not take commands yet."""


class Runner:
    """memory: what ran in which boot; where nothing may be written, nothing is run either."""

    def __init__(self, server: Server, lab: str, memory: Memory) -> None:
        self._server = server
        self._lab = lab
        self._memory = memory
        self.changes: list[Change] = []

    def run(self, access: t.Sequence[Access], boots: t.Mapping[str, str], states: t.Sequence[State]) -> list[State]:
        """Run what is due on the machines that are ready. The states afterwards: a machine on which a command fails is not ready."""
        found = {state.node: state for state in states}
        due = [(one, boots[one.node]) for one in access if one.type == "vm" and one.node in boots and found[one.node].state == "ready"]
        due = [(one, boot) for one, boot in due if self._pending(one, boot)]
        for state in fetch(due, lambda pair: self._on(*pair, found[pair[0].node])):
            found[state.node] = state
        return [found[state.node] for state in states]

    def _pending(self, one: Access, boot: str) -> list[tuple[str, str]]:
        """Digest and text of each command that has not run in this boot."""
        done = self._memory.of(one.node, boot).done
        named = [(hashlib.sha256(f"{place} {text}".encode()).hexdigest()[:16], text) for place, text in enumerate(one.post_boot)]
        return [(digest, text) for digest, text in named if digest not in done]

    def _on(self, one: Access, boot: str, state: State) -> State:
        if not self._memory.write:
            self.changes += [_change(one, text.removesuffix(MAY_FAIL)) for _digest, text in self._pending(one, boot)]
            return state
        for left in reversed(range(TRIES)):
            try:
                self._talk(one, boot)
            except LabError as error:
                if not left:
                    return replace(state, state="failed", reason=f"a command for its console did not run: {error}")
                time.sleep(PAUSE)
            else:
                break
        return state

    def _talk(self, one: Access, boot: str) -> None:
        """Who had the console before may have run the same commands."""
        with hold(_server.RUN_DIR, one.name, "commands after its boot"):
            self._memory.refresh()
            if not self._pending(one, boot):
                return
            with visit(self._server, self._lab, one) as session:
                session.wake(ANY_PROMPT, username=one.username, password=one.password)
                for digest, text in self._pending(one, boot):
                    command = text.removesuffix(MAY_FAIL)
                    refused = _dialog.failed(session.step(command, password=one.password).splitlines())
                    if refused and command == text:
                        raise VerifyError(f"{text}: {refused}", hint="see post_boot of its kind", objects=(one.name,))
                    self.changes.append(_change(one, command))
                    self._memory.ran(one.node, boot, digest)


def _change(one: Access, text: str) -> Change:
    return Change("run", "exec", one.name, label=one.node, reason=text)
