# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ways to break a topology: in its bytes, in its values, and with what costs time or memory. A seed breaks it the same way each time."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from typing import Any

import yaml

TOKENS = [
    *(b"\xff", b"\xfe\xff", b"\xc3\x28", b"\xed\xa0\x80", b"\0", b"\x01", b"\x1b[31m", b"\xe2\x80\xa8", b"\xef\xbb\xbf"),
    *(b"{", b"]", b"}", b"[", b": ", b"- ", b"? ", b"\n", b"\t", b"|\n", b">-\n", b"%YAML 3.0\n", b"---\n", b"...\n", b"# "),
    *(b"&a ", b"*a", b"&a [*a]", b"<<: *a", b"<<: 3\n", b"!!python/object:os.system ", b"!!binary ", b"!x ", b"'", b'"', b'"\\ud800"'),
    *(b"${", b"${A:-", b"$", b"${A}", b"}}}}", b"{{ 1 }}", b"__clabDir__", b"~", b"null", b"yes", b"1e999", b"-0", b"0x41", b"2026-01-01"),
]
LONG = ["x" * 70_000, "9" * 5_000, "\u0663" * 40, "\u00e9" * 70, "a:" * 3_000, "../" * 2_000, " " * 5_000, "${" * 4_000, "${A:-" * 3_000]
ODD = [
    *(
        None,
        True,
        False,
        0,
        -1,
        1,
        2**31,
        2**64,
        10**30,
        0.5,
        -1e308,
        float("inf"),
        float("nan"),
        "",
        " ",
        "\n",
        "a\nb",
        "\x1b[0m",
        "..",
        "/",
    ),
    *(
        "a:eth1",
        "b:eth1",
        "host:eth1",
        "macvlan:",
        "mgmt-net:x",
        "dummy:x",
        ":",
        "::",
        "a:",
        ":b",
        "$HOME",
        "${A",
        "{{ 1 }}",
        "null",
        "yes",
    ),
    *(
        "container:a",
        "container:",
        "host",
        "none",
        "auto",
        "198.51.100.1/33",
        "::/0",
        "fe80::1%eth0",
        "00:00:00:00:00:00",
        "80:80/xyz",
        "1-0:1",
    ),
    *([], {}, [[]], [{}], [None], {"": ""}, {"a": None}, {"a": {"b": []}}, ["a:eth1", "b:eth1"], {"node": "a", "interface": "eth1"}),
    *(["a:eth1"], ["a:eth1", "a:eth1", "a:eth1"], {"<<": {"a": 1}}, {"kind": "linux"}, {1: 2}, {None: 1}, [1, 2.5, True], *LONG),
]
KEYS = [
    *(
        "x",
        "kind",
        "image",
        "group",
        "type",
        "endpoints",
        "endpoint",
        "nodes",
        "links",
        "topology",
        "name",
        "",
        " ",
        "\u00e9\n",
        "a|b",
        "host",
    ),
    *("binds", "exec", "env", "ports", "stages", "network-mode", "mgmt-ipv4", "startup-config", "components", "mtu", "vni", "x" * 300),
]
INTERFACES = [
    *(
        "eth1",
        "eth0",
        "eth01",
        "eth99999999999999999999",
        "e1-1",
        "ethernet-1/1",
        "ethernet-0/0",
        "ethernet-" + "1/" * 30,
        "Ethernet1/1/1/1",
    ),
    *(
        "GigabitEthernet0/0/0/0",
        "Gi" + " " * 60 + "0",
        "Gi" + " " * 50_000 + "0",
        "Gi0-0-0-0",
        "1/1/c1/1",
        "1/" * 20_000 + "1",
        "ge-0/0/-1",
    ),
    *(
        "e1-" + "1-" * 9_000,
        "swp" + "1." * 9_000 + "x",
        "port" + "9" * 5_000,
        "1.",
        "Ethernet0/4",
        "eth" + "\u0661",
        "ether",
        "vtnet1 ",
        "a" * 16,
    ),
]


CHANGES = (1, 1, 1, 2, 3, 5)
"""Few, as a file that is broken in many places is only refused for the first."""


def break_bytes(chance: random.Random, raw: bytes) -> bytes:
    """Flip bits, put tokens in, cut, double and swap."""
    data = bytearray(raw)
    for _change in range(chance.choice(CHANGES)):
        place = chance.randrange(len(data) + 1)
        action = chance.randrange(6)
        if action == 0 and data:
            data[place % len(data)] ^= 1 << chance.randrange(8)
        elif action == 1:
            data[place : place + chance.randint(0, 3)] = chance.choice(TOKENS)
        elif action == 2:
            del data[place : place + chance.randint(1, 40)]
        elif action == 3:
            data[place:place] = data[place : place + chance.randint(1, 200)]
        elif action == 4:
            del data[place + (len(data) - place) // 2 :]
        else:
            data = _swap_lines(chance, data)
    return bytes(data)


def _swap_lines(chance: random.Random, data: bytearray) -> bytearray:
    lines = data.split(b"\n")
    one, other = chance.randrange(len(lines)), chance.randrange(len(lines))
    lines[one], lines[other] = lines[other], lines[one]
    return bytearray(b"\n".join(lines))


def break_values(chance: random.Random, value: Any) -> bytes:
    """Change the type of values, take them out, double and rename them."""
    for _change in range(chance.choice(CHANGES)):
        places: list[tuple[Any, Any]] = []
        _walk(value, places)
        if not places:
            break
        _break_one(chance, *chance.choice(places), places)
    return _dumped(chance, value)


def _walk(value: Any, places: list[tuple[Any, Any]]) -> None:
    for key in list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        places.append((value, key))
        _walk(value[key], places)


def _break_one(chance: random.Random, parent: Any, key: Any, places: list[tuple[Any, Any]]) -> None:
    action = chance.random()
    if action < 0.3:
        parent[key] = chance.choice(ODD)
    elif action < 0.5:
        alike = [other[one] for other, one in places if one == key and type(other[one]) is type(parent[key])]
        parent[key] = copy.deepcopy(chance.choice(alike))
    elif action < 0.6:
        del parent[key]
    elif action < 0.75 and isinstance(parent, dict):
        parent[chance.choice(KEYS)] = parent.pop(key)
    elif action < 0.85 and isinstance(parent, dict):
        parent[chance.choice(KEYS)] = parent[key]
    elif isinstance(parent, list):
        parent.append(parent[key])
    else:
        parent[key] = [parent[key]] if chance.getrandbits(1) else {"a": parent[key]}


def _dumped(chance: random.Random, value: Any) -> bytes:
    flow = chance.choice([None, True, False])
    return yaml.dump(value, Dumper=_Dumper, allow_unicode=bool(chance.getrandbits(1)), default_flow_style=flow, width=10**6).encode()


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):
    """Shares nothing, so that a value that stands in two places is written twice."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def break_interfaces(chance: random.Random, value: Any, kinds: list[str]) -> bytes:
    """Names that are hard for patterns, on nodes of any kind."""
    for node in value["topology"]["nodes"]:
        value["topology"]["nodes"][node] = {"kind": chance.choice(kinds), "image": "i"}
    nodes = list(value["topology"]["nodes"])
    value["topology"]["links"] = [
        {"endpoints": [f"{chance.choice(nodes)}:{chance.choice(INTERFACES)}" for _end in range(2)]}
        for _link in range(chance.randint(1, 30))
    ]
    return _dumped(chance, value)


def bomb(chance: random.Random, value: Any) -> bytes:
    """What is made to cost time or memory, beside or in a good file."""
    return chance.choice(BOMBS)(chance) + (_dumped(chance, value) if chance.getrandbits(1) else b"name: x\n")


def _nested(chance: random.Random) -> bytes:
    depth = chance.choice([60, 70, 5_000, 100_000])
    return b"k: " + b"[" * depth + (b"]" * depth if chance.getrandbits(1) else b"") + b"\n"


def _nested_maps(chance: random.Random) -> bytes:
    return b"k:\n" + b"".join(b" " * level + b"a:\n" for level in range(1, chance.choice([60, 70, 800]))) + b"\n"


def _aliases(chance: random.Random) -> bytes:
    wide = chance.randint(2, 10)
    first = f"a0: &a0 [{', '.join(['x'] * wide)}]\n"
    return (first + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * wide)}]\n" for n in range(1, chance.randint(3, 40)))).encode()


def _merges(chance: random.Random) -> bytes:
    first = "m0: &m0 {" + ", ".join(f"k{n}: 1" for n in range(10)) + "}\n"
    return (first + "".join(f"m{n}: &m{n} {{<<: [{', '.join([f'*m{n - 1}'] * 20)}]}}\n" for n in range(1, chance.randint(3, 30)))).encode()


def _cycle(_chance: random.Random) -> bytes:
    return b"a: &a [1, {b: *a}]\nb: &b {<<: *b}\nc: &c {c: *c}\n"


def _nodes_by_alias(_chance: random.Random) -> bytes:
    return (
        b"n: &n {kind: linux, image: i, exec: &e ["
        + b"a, " * 500
        + b"]}\ntopology: {nodes: {"
        + b", ".join(b"n%d: *n" % number for number in range(300))
        + b"}}\n"
    )


def _duplicates(chance: random.Random) -> bytes:
    return b"".join(b"k%d: 1\n" % (number % chance.choice([1, 2, 50])) for number in range(3_000))


def _many_errors(chance: random.Random) -> bytes:
    word = chance.choice(["lnux", "nokia_srlinuz", "x" * 60, "aaaaaaaaaaaaaaaa"])
    nodes = "".join(f"    n{number}: {{kind: {word}{number}, imgae: x, bnds: [a]}}\n" for number in range(1_500))
    links = "".join(f"    - {{endpoints: [m{number}:eth1, {word}{number}:eth2], mut: 3}}\n" for number in range(1_500))
    return f"name: x\ntopology:\n  nodes:\n{nodes}  links:\n{links}".encode()


def _braces(chance: random.Random) -> bytes:
    return b'k: "' + chance.choice([b"${", b"${A:-", b"${A:-${B:=", b"}${", b"$"]) * 30_000 + b"}" * chance.choice([0, 30_000]) + b'"\n'


def _long_names(chance: random.Random) -> bytes:
    name = chance.choice(["x", "\u00e9", "eth1", "1", "a "]) * 20_000
    return f"name: {name}\ntopology: {{nodes: {{{name}: {{kind: {name}, image: {name}, group: {name}}}}}}}\n".encode()


def _quotes(_chance: random.Random) -> bytes:
    return b"k: '" + b"''" * 100_000 + b"\n"


def _keys(_chance: random.Random) -> bytes:
    return b"? " * 3_000 + b"x\n"


BOMBS: list[Callable[[random.Random], bytes]] = [
    *(_nested, _nested_maps, _aliases, _merges, _cycle, _nodes_by_alias, _duplicates, _many_errors, _braces, _long_names, _quotes, _keys),
]
