# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Placeholders of boot recipes: which there are, and how they are filled in.

C({name}) is one: a name of lower-case letters, digits and C(_) right between the braces; C({env:NAME}) is a variable of the node. All
other braces stay as they are, so that JSON, Junos configurations and shell scripts (C(${name})) are written as always. A placeholder that
is to stay is written C({{name}}).
C({?name}) at the start of a line (or of a value, or of a word) leaves it out where name is empty, C({!name}) where it is not.
"""

from __future__ import annotations

import re
import typing as t

NODE: t.Mapping[str, str] = {
    "node": "name of the node",
    "lab": "name of the lab",
    "container": "name of its container",
    "hostname": "its host name",
    "image": "its image",
    "type": "its type",
    "username": "user name of its credentials",
    "password": "password of its credentials",
    "interfaces": "how many data interfaces it has",
    "number": "a number from 1 to 1023 that no other node of the kind has",
    "number_5": "the same with five digits",
    "enforce": "1 where enforce-startup-config is set, else empty",
    "unique_2": "two octets that are the node's own, as aa:bb",
    "unique_3": "three octets that are the node's own, as aa:bb:cc",
    "mgmt_ipv4": "its management address",
    "mgmt_ipv4_prefix": "length of the prefix",
    "mgmt_ipv4_netmask": "the prefix as a mask",
    "mgmt_ipv4_gateway": "gateway of the management network",
    "mgmt_ipv4_subnet": "the management network, as address/length",
    "mgmt_ipv6": "its management address",
    "mgmt_ipv6_prefix": "length of the prefix",
    "mgmt_ipv6_gateway": "gateway of the management network",
    "mgmt_ipv6_subnet": "the management network, as address/length",
    "mgmt_mac": "MAC address of the management interface",
}
"""Everywhere. What a node does not have is empty."""

INTERFACE: t.Mapping[str, str] = {
    "linux": "Linux name",
    "vendor": "the vendor's name",
    "index": "number of the Linux name",
    "slot": "slot of the vendor's name",
    "port": "port of the vendor's name",
    "mac": "MAC address",
    "ipv4": "address of the link file, as address/length",
    "ipv4_address": "the same without the length",
    "ipv4_netmask": "its length as a mask",
    "ipv6": "address of the link file, as address/length",
}
"""In what is repeated for every data interface, together with those of the node."""

EACH, PARTIAL, ENV = "each", "partial", "env"
"""Where the lines of all interfaces go, where a part that the user gives goes, and a word that is repeated for every variable."""

_NAME = r"env:[A-Za-z_][A-Za-z0-9_]*|[a-z][a-z0-9_]*"
_PLACEHOLDER = re.compile(rf"\{{\{{({_NAME})\}}\}}|(?<!\$)\{{({_NAME})\}}")
_CONDITIONS = re.compile(rf"^(?:\{{[?!](?:{_NAME})\}})+")
_CONDITION = re.compile(rf"\{{([?!])({_NAME})\}}")


def names(text: str) -> list[str]:
    """The placeholders of a text, in its order; also those of conditions."""
    found = [match.group(2) for match in _CONDITION.finditer(text)]
    return found + [match.group(2) for match in _PLACEHOLDER.finditer(text) if match.group(2)]


def faults(text: str, known: t.Container[str]) -> list[str]:
    """What is wrong with the placeholders of a text."""
    unknown = [name for name in dict.fromkeys(names(text)) if name not in known and not name.startswith("env:")]
    late = [match.group() for line in text.split("\n") for match in _CONDITION.finditer(_CONDITIONS.sub("", line))]
    return [f"{{{name}}} is no placeholder" for name in unknown] + [f"{one} is not at the start of its line" for one in late]


def fill(text: str, values: t.Mapping[str, str]) -> str | None:
    """One line with its placeholders filled in, or None where a condition leaves it out. Those that are not among values stay."""
    if "{" not in text:
        return text
    while match := _CONDITION.match(text):
        if bool(values.get(match.group(2))) != (match.group(1) == "?"):
            return None
        text = text[match.end() :]
    return _PLACEHOLDER.sub(lambda match: _value(match, values), text)


def fill_lines(text: str, values: t.Mapping[str, str]) -> str:
    """A text of lines. A line that has nothing but placeholders that are empty goes, so that no gap is left."""
    lines = ((line, fill(line, values)) for line in text.split("\n"))
    return "\n".join(filled for line, filled in lines if filled is not None and (filled.strip() or not _PLACEHOLDER.search(line)))


def for_each(text: str, each: t.Iterable[t.Mapping[str, str]]) -> str:
    """The lines of a text for each of these, one after the other, without a line break at the end."""
    blocks = (fill_lines(text.removesuffix("\n"), values) for values in each)
    return "\n".join(block for block in blocks if block)


def _value(match: re.Match[str], values: t.Mapping[str, str]) -> str:
    kept, name = match.groups()
    if kept:
        return f"{{{kept}}}"
    if name.startswith("env:"):
        return values.get(name, "")
    return values.get(name, match.group())
