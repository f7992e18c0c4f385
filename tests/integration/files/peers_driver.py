# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A watcher that does nothing but tell others which nodes run: orders are lines of JSON, and so is what it says."""

import json
import os
import sys

from ansible_collections.archetype.lab.plugins.module_utils import _carriers, _server, _state
from ansible_collections.archetype.lab.plugins.module_utils._declared import Declared
from ansible_collections.archetype.lab.plugins.module_utils._watch import _peers


def say(what: str, value: object) -> None:
    os.write(1, json.dumps([what, value]).encode() + b"\n")


def main() -> None:
    given = json.loads(sys.argv[1])
    _server.RUN_DIR, _server.STATE_DIR = given["folder"] + "/run", given["folder"] + "/state"
    _peers.LOOK = 0.2
    declared = Declared.from_params(given["declared"])
    _state.save(declared.lab, given["declared"])
    peers = _peers.Peers(lambda lab: say("changed", lab), lambda line: say("said", line), key_file=given["key"])
    peers.begin()
    peers.declare(declared)
    say("ready", os.getpid())
    for line in sys.stdin:
        order, value = json.loads(line)
        if order == "tell":
            peers.tell(declared.lab, value)
        elif order == "forget":
            peers.forget(declared.lab)
        elif order == "far":
            say("far", _carriers.load_far(declared.lab))
        elif order == "dropped":
            say("dropped", peers.dropped())
    peers.close()


main()
