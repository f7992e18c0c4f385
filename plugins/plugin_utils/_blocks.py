# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Settings of a node that are mappings or lists of their own, as they stand at one level: read once, however many nodes inherit them."""

from __future__ import annotations

import ipaddress
import typing as t
from dataclasses import dataclass

from ansible_collections.archetype.lab.plugins.plugin_utils._model import Dns, Healthcheck
from ansible_collections.archetype.lab.plugins.plugin_utils._read import Reader, plain_data, quote
from ansible_collections.archetype.lab.plugins.plugin_utils._stage_reader import read_stages
from ansible_collections.archetype.lab.plugins.plugin_utils._yaml import Scalar, Value

MAX_SECONDS = 10**7
DNS_KEYS = ("options", "search", "servers")
HEALTHCHECK_KEYS = ("interval", "retries", "start-period", "test", "timeout")
CERTIFICATE_KEYS = ("issue", "key-size", "sans", "validity-duration")
CREDENTIALS_KEYS = ("identity-file", "password", "username")
EXTRAS_KEYS = ("ceos-copy-to-flash", "k8s_kind", "mysocket-proxy", "srl-agents")
CONFIG_KEYS = ("vars",)
TESTS = ("CMD", "CMD-SHELL", "NONE")


@dataclass(frozen=True)
class Extras:
    """Extras as they were written; files: those that are paths on the controller, key -> paths."""

    values: t.Mapping[str, t.Any]
    files: t.Mapping[str, tuple[Scalar, ...]]


def read_block(reader: Reader, key: str, value: Value, what: str) -> t.Any:
    """The value of a key of C(BLOCKS); None where it is a problem."""
    return BLOCKS[key](reader, value, what)


def _dns(reader: Reader, value: Value, what: str) -> Dns | None:
    values = reader.mapping(value, what)
    if values is None:
        return None
    reader.known_keys(values, DNS_KEYS, what)
    servers = reader.scalars(values.get("servers"), f"servers of {what}")
    for one in servers:
        try:
            ipaddress.ip_address(one.text)
        except ValueError:
            reader.problems.add(one, f"{quote(one.text)} in servers of {what} is not an IP address", "Write it as 198.51.100.53")
    others = (tuple(one.text for one in reader.scalars(values.get(key), f"{key} of {what}")) for key in ("search", "options"))
    return Dns(tuple(one.text for one in servers), *others)


def _healthcheck(reader: Reader, value: Value, what: str) -> Healthcheck | None:
    values = reader.mapping(value, what)
    if values is None:
        return None
    reader.known_keys(values, HEALTHCHECK_KEYS, what)
    test = reader.scalars(values.get("test"), f"test of {what}")
    if test and test[0].text not in TESTS:
        remedy = "Write it as [CMD, program, argument], or as [CMD-SHELL, 'a line for the shell']"
        reader.problems.add(test[0], f"test of {what} begins with {quote(test[0].text)}, not with one of {', '.join(TESTS)}", remedy)

    def seconds(key: str) -> float:
        return float(reader.integer(values.get(key), f"{key} of {what}", 0, MAX_SECONDS) or 0)

    retries = reader.integer(values.get("retries"), f"retries of {what}", 0, MAX_SECONDS) or 0
    return Healthcheck(tuple(one.text for one in test), seconds("interval"), seconds("timeout"), seconds("start-period"), retries)


def _certificate(reader: Reader, value: Value, what: str) -> dict[str, t.Any] | None:
    values = reader.mapping(value, what)
    if values is None:
        return None
    reader.known_keys(values, CERTIFICATE_KEYS, what)
    reader.integer(values.get("key-size"), f"key-size of {what}", 0, 65536)
    reader.scalars(values.get("sans"), f"sans of {what}")
    reader.text(values.get("validity-duration"), f"validity-duration of {what}")
    issue = reader.boolean(values.get("issue"), f"issue of {what}")
    return {} if issue is None else {"issue": issue}


def _credentials(reader: Reader, value: Value, what: str) -> dict[str, str] | None:
    values = reader.mapping(value, what)
    if values is None:
        return None
    reader.known_keys(values, CREDENTIALS_KEYS, what)
    found = {key: reader.text(values.get(key), f"{key} of {what}") for key in CREDENTIALS_KEYS}
    return {key: text for key, text in found.items() if text}


def _extras(reader: Reader, value: Value, what: str) -> Extras | None:
    values = reader.mapping(value, what)
    if values is None:
        return None
    reader.known_keys(values, EXTRAS_KEYS, what)
    files = {
        key: tuple(reader.scalars(values.get(key), f"{key} of {what}"))
        for key in ("ceos-copy-to-flash", "srl-agents")
        if values.get(key) is not None
    }
    reader.text(values.get("mysocket-proxy"), f"mysocket-proxy of {what}")
    reader.mapping(values.get("k8s_kind"), f"k8s_kind of {what}")
    return Extras(plain_data(values), files)


def _config(reader: Reader, value: Value, what: str) -> dict[str, t.Any] | None:
    values = reader.mapping(value, what)
    if values is None:
        return None
    reader.known_keys(values, CONFIG_KEYS, what)
    variables = reader.mapping(values.get("vars"), f"vars of {what}")
    return plain_data(variables) if variables else {}


def _components(reader: Reader, value: Value, what: str) -> tuple[t.Mapping[str, t.Any], ...] | None:
    found = [reader.mapping(item, f"an entry of {what}") for item in reader.items(value, what)]
    return tuple(plain_data(one) for one in found if one is not None)


BLOCKS: dict[str, t.Callable[[Reader, Value, str], t.Any]] = {
    "certificate": _certificate,
    "components": _components,
    "config": _config,
    "credentials": _credentials,
    "dns": _dns,
    "extras": _extras,
    "healthcheck": _healthcheck,
    "stages": read_stages,
}
