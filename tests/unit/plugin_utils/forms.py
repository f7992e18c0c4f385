# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What users are told of how a value is written, after "must be ..., not ...": word for word, for the tests of all readers."""

from __future__ import annotations

MAPPING = ". Write it as {key: value}, or with a line 'key: value' for each below it"
LIST = ". Write it as [one, two], or with a line '- one' for each below it"
TEXT = ". Write it as one word or line, such as name: some text"
NUMBER = ". Write it in digits, such as 1.5"
BOOLEAN = ". Write true or false, without quotes"
GROUP = ". Write it as servers: lab_servers, or as servers: {srv1: {}, srv2: {}}"


def digits(example: int) -> str:
    return f". Write it in digits, such as {example}"
