# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""What the line that a console waits in means, whichever device it is of: one place for what is answered, and what never is."""

from __future__ import annotations

import re
import typing as t

CONTEXT = 12
"""Lines above the last one in which a device says what it waits for."""

_START = re.compile(r"press (?:<?return>?|<?enter>?)(?: key)? to (?:get started|activate)", re.IGNORECASE)
_HANDS_OFF = re.compile(
    r"\b(?:any key|enter|space ?bar|return|esc|ctrl-?c)\b.*\b(?:stop|interrupt|abort|boot immediately|command prompt|setup|menu)\b"
    r"|autoboot|boot(?:ing)? in \d+ s|\(boot\)\s*#\s*$"
    r"|^\s*(?:loader|boot|rommon(?: ?\d+)?|grub(?: rescue)?|u-boot|mdb|ddb|db|shell)\s*>\s*$|^\s*(?:=>|switch:|OK)\s*$",
    re.IGNORECASE,
)
_QUESTION = re.compile(
    r"[\[(]\s*(?:y|yes|n|no|confirm)\b[^\])]*[\])][^>#$%]*$"  # [yes/no]:  (y/n)  [no]:  [confirm]
    r"|\?\s*(?:[\[(][^\])]*[\])])?\s*:?\s*$"
    r"|\b(?:new|enter|repeat|confirm|retype|verify|current|old|change)\b.*\b(?:password|secret|passphrase)\b[^>#$%]*$"
    r"|\b(?:new|old|repeat|retype) password\s*>\s*$"
    r"|\bpassword\b.*\bagain\b[^>#$%]*$"
    r"|\b(?:agree|accept)\b.*:\s*$"
    r"|\b(?:enter|select|choose|type)\b[^>#$%]*:\s*$",
    re.IGNORECASE,
)
_USER = re.compile(r"(?:^|\s)(?:\S+\s+)?(?:login|user ?name|user)\s*:\s*$", re.IGNORECASE)
_NEW_USER = re.compile(r"\b(?:enter|new|create|choose)\b", re.IGNORECASE)
_PASSWORD = re.compile(r"(?:^|\s)(?:password|passphrase)(?: for [\w.@-]+)?\s*:\s*$", re.IGNORECASE)
_REFUSED = re.compile(
    r"login (?:incorrect|invalid|failed)|(?:authentication|login) (?:failed|failure|rejected)|(?:access|permission) denied"
    r"|bad (?:secrets|passwords?)|(?:invalid|incorrect|wrong) (?:login|password|username|credentials)|password incorrect",
    re.IGNORECASE,
)
_PAGER = re.compile(
    r"^\W*more\b(?:\W|\d)*(?:$|[^\w\s]*\s*(?:,|or\b|\().*$)"  # --More--  ---(more 23%)---  <--- More --->  -- MORE --, next page: Space
    r"|^\W*\(?less \d+%\)?\W*$"
    r"|^lines \d+-\d+(?:/\d+)?(?:\s+\d+%)?\s*$"
    r"|^press (?:any key|<?space>?|<?enter>?) to continue\b.*$"
    r"|^press q to quit\b.*\bnext page\b.*$"
    r"|^\s*--\s*\[q quit\b.*$"
    r"|^:\s*$",
    re.IGNORECASE,
)
_PAGER_END = re.compile(r"^\W*(?:lines \d+-\d+(?:/\d+)?\s*)?\(END\)\s*$|^-- \[Q quit\|D dump\|up\]", re.IGNORECASE)
_FAILED = re.compile(
    r"^\s*(?:%\s?(?:invalid|unknown|incomplete|ambiguous|bad|error|unrecognized|permission|authorization)\b.*|\^\s*|error:.*|err:.*"
    r"|syntax error.*|(?:unknown|unrecognized) command.*|invalid (?:input|command|syntax).*|bad command name.*|command (?:fail|not found).*"
    r"|minor: \w+ #\d+.*|minor: cli.*|clinfr\d+ .*|.*:\s(?:command )?not found|.*is not a recognized command.*)$",
    re.IGNORECASE,
)
_NOISE = re.compile(
    r"^\W?(?:\S+:)?(?:\w{3} +\d+ |\d{4}[- ]|\d{6}: )?[^%]{0,80}%[A-Z][A-Z0-9_]*(?:-[A-Z0-9_]+)*-[0-7]-[A-Z0-9_]+\s*:"
    r"|^%[A-Z]+-[0-7]-\d+:"
    r"|^\w{3} +\d+ [\d: .+-]+ \S+ %%\d\d\w+/\d/\w+\("
    r"|^<\d{1,3}>1? ?\d{4}-\d\d-\d\dT\d\d:"
    r"|^\d{4} \w{3} +\d+ [\d:.]+ : \w+ : \w+ : \w+ : \["
    r"|^\[ *\d+\.\d{6}\] "
)
_ABOVE = re.compile(r"^(?:\{\w+(?::\w+)?\}(?:\[.*\])?|\([\w ]*\)?\[.*\]|\[.*\])\s*$")
_CONFIGURING = re.compile(
    r"\(conf\w*[^)]*\)\S*\s*$|^\[edit[^\]]*\]\s*$"  # r1(config-if)#  [edit interfaces]
    r"|^[*!]*\((?:bf|ex|gl|pr|ro)\)\[.*\]\s*$|^[\w.-]+ \([\w.-]+\) #\s*$"  # (ex)[/configure]  FGT01 (interface) #
)
_CHOICE = re.compile(r"[\[(]\s*(?:yes|no|y|n)(?:\s*[/|]\s*\w+)*\s*[\])]|\[confirm\]|configuration dialog", re.IGNORECASE)
"""A question wherever it stands in its line, as messages come behind it."""
_SOME_PROMPT = re.compile(r"\S{1,80}[>#$%]\s*")


def starts(lines: list[str]) -> bool:
    """Whether it waits for Enter, and says so. lines: the last ones, the one of the cursor at the end."""
    filled = [line for line in lines if line.strip()]
    if not filled or not any(map(_START.search, filled[-3:])):
        return False
    return not lines[-1].strip() or bool(_START.search(filled[-1]))


def hands_off(line: str) -> bool:
    """Whether a key would stop it from booting, or something waits there that is not the device's own prompt."""
    return bool(_HANDS_OFF.search(line))


def asks(line: str) -> bool:
    """Whether it is a question which is the user's to answer."""
    return bool(_QUESTION.search(line)) and not asks_user(line)


def asks_user(line: str) -> bool:
    return bool(_USER.search(line)) and not _REFUSED.search(line) and not _NEW_USER.search(line)


def asks_password(line: str) -> bool:
    return bool(_PASSWORD.search(line)) and not _QUESTION.search(line)


def refused(text: str) -> bool:
    """Whether a login was refused."""
    return bool(_REFUSED.search(text))


def may_send_enter(screen: t.Sequence[str], *, logins: bool = False) -> bool:
    """Whether Enter answers nothing on this screen: on an empty one, at a command prompt, and where it is asked for.

    Messages may have come since: the last line that is an invitation, a question, or a prompt is what counts. logins: the question for a
    user's name may be asked again, which Enter does.
    """
    for line in reversed(screen):
        if noise(line) and not _CHOICE.search(line):
            continue
        if starts([line]) or (logins and asks_user(line)):
            return True
        if _CHOICE.search(line) or any(kind(line) for kind in (asks, asks_user, asks_password, pager, hands_off)):
            return False
        if _SOME_PROMPT.fullmatch(line.strip()):
            return True
    return True


def pager(line: str) -> str:
    """The key that goes on behind this line of a pager; empty where it is none."""
    if _PAGER_END.search(line.strip()):
        return "q"
    return " " if _PAGER.search(line.strip()) else ""


def failed(lines: list[str]) -> str:
    """What the device said of a command that it would not take; empty where it took it. Configurations may say such things further down."""
    filled = [line for line in lines if line.strip()]
    if len(filled) > 6:
        return ""
    return next((line.strip() for line in filled if _FAILED.search(line) and line.strip() != "^"), "")


def noise(line: str) -> bool:
    """Whether it is a message of the system, which comes in between of anything."""
    return bool(_NOISE.search(line))


def above_prompt(line: str) -> bool:
    """Whether such a line belongs to the prompt below it: C({master:0}) of Junos, C([/]) of SR OS."""
    return bool(_ABOVE.search(line))


def configuring(lines: list[str]) -> bool:
    """Whether somebody left the console while configuring."""
    return any(_CONFIGURING.search(line) for line in lines[-2:])
