# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/schemas/ is what editors check files with: current, and never stricter than our reader."""

from __future__ import annotations

import json
import os
import random
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator
from referencing import Registry, Resource

from ansible_collections.archetype.lab.plugins.plugin_utils import (
    _blocks,
    _impairment,
    _inherit,
    _labfile,
    _link_ends,
    _link_types,
    _mgmt_reader,
    _topology,
)
from ansible_collections.archetype.lab.plugins.plugin_utils import _stage_reader as _stages
from ansible_collections.archetype.lab.plugins.plugin_utils._errors import LabFileError
from ansible_collections.archetype.lab.plugins.plugin_utils._kinds import kind_files
from ansible_collections.archetype.lab.plugins.plugin_utils._labfile import load_lab_file
from ansible_collections.archetype.lab.plugins.plugin_utils._topology import load_topology
from ansible_collections.archetype.lab.tests.unit.fuzz import sources
from ansible_collections.archetype.lab.tests.unit.fuzz.mutations import break_values
from tests.schemas.files import LAB, TOPOLOGY, written

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "docs" / "schemas"
SHARED = Path(os.environ.get("ARCHETYPE_LAB_TOPOLOGIES") or ROOT.parent / "shared" / "topologies")
SCHEMAS = {name: json.loads(text) for name, text in written().items()}
REGISTRY: Registry = Registry().with_resources(
    (name, Resource.from_contents(schema)) for name, schema in ((f"file:///{name}", schema) for name, schema in SCHEMAS.items())
)


class _Core(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """YAML as editors read it: 1.2, in which dates, yes and no are text."""


_Core.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", list("-+0123456789")),
    ("float", r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", list("-+0123456789.")),
    ("merge", r"<<", ["<"]),
):
    _Core.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), _first)
_Core.add_constructor(
    "tag:yaml.org,2002:int", lambda loader, node: int(loader.construct_scalar(node), 10 if node.value[:2] not in ("0o", "0x") else 0)
)
_Core.add_constructor("tag:yaml.org,2002:float", lambda loader, node: float(loader.construct_scalar(node)))


def read(text: str) -> Any:
    return with_text_keys(yaml.load(text, Loader=_Core))


def with_text_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): with_text_keys(one) for key, one in value.items()}
    return [with_text_keys(one) for one in value] if isinstance(value, list) else value


def complaints(schema: str, value: Any) -> list[str]:
    validator = Draft7Validator({**SCHEMAS[schema], "$id": f"file:///{schema}"}, registry=REGISTRY)
    return [f"{error.json_path}: {error.message[:120]}" for error in validator.iter_errors(value)]


@pytest.mark.parametrize("name", [TOPOLOGY, LAB])
def test_the_files_are_current(name: str) -> None:
    assert (FOLDER / name).read_text(encoding="utf-8") == written()[name], "run python -m tests.schemas"


@pytest.mark.parametrize("name", [TOPOLOGY, LAB])
def test_they_are_schemas(name: str) -> None:
    Draft7Validator.check_schema(SCHEMAS[name])


def definition(*path: str, schema: str = TOPOLOGY) -> dict[str, Any]:
    value: Any = SCHEMAS[schema]
    for key in path:
        value = value[key]
    return value


NODE = ("definitions", "node", "properties")
LINK = ("definitions", "link", "properties")
STAGE = ("definitions", "stage", "properties")


@pytest.mark.parametrize(
    ("path", "known"),
    [
        (("properties",), _topology.FILE_KEYS),
        (("properties", "topology", "properties"), _topology.TOPOLOGY_KEYS),
        (("properties", "mgmt", "properties"), _mgmt_reader.KEYS),
        (NODE, {*_inherit.KEYS, *_inherit.OLD}),
        (("definitions", "level", "properties"), {*_inherit.KEYS, *_inherit.OLD}),
        ((*NODE, "dns", "properties"), _blocks.DNS_KEYS),
        ((*NODE, "healthcheck", "properties"), _blocks.HEALTHCHECK_KEYS),
        ((*NODE, "certificate", "properties"), _blocks.CERTIFICATE_KEYS),
        ((*NODE, "credentials", "properties"), _blocks.CREDENTIALS_KEYS),
        ((*NODE, "extras", "properties"), _blocks.EXTRAS_KEYS),
        ((*NODE, "config", "properties"), _blocks.CONFIG_KEYS),
        ((*NODE, "stages", "properties"), _stages.STAGES),
        (STAGE, _stages.STAGE_KEYS),
        ((*STAGE, "wait-for", "items", "properties"), _stages.WAIT_KEYS),
        ((*STAGE, "exec", "anyOf", 0, "items", "properties"), _stages.EXEC_KEYS),
        (LINK, {*_link_types.COMMON_KEYS, "endpoints", "endpoint"}.union(*_link_types._FAR_KEYS.values())),
        ((*LINK, "endpoints", "items", "anyOf", 1, "properties"), _link_ends._END_KEYS),
        ((*LINK, "tc", "properties"), _impairment.KEYS),
    ],
)
def test_it_has_the_keys_that_the_code_has(path: tuple[Any, ...], known: Collection[str]) -> None:
    assert set(definition(*path)) == set(known)


def test_the_schema_of_lab_files_has_the_keys_that_the_code_has() -> None:
    assert set(definition("properties", schema=LAB)) == set(_labfile._KEYS)


def test_all_kinds_and_their_other_names_are_proposed() -> None:
    assert set(definition(*NODE, "kind", "anyOf", 0, "enum")) == set(kind_files())
    assert {"arista_ceos", "ceos", "nokia_srlinux", "srl", "vr-sros", "linux", "bridge"} <= set(kind_files())


def test_all_types_of_links_are_known() -> None:
    assert set(definition(*LINK, "type", "anyOf", 0, "enum")) == {*_link_types.TYPES, "brief"}
    assert set(definition(*LINK, "mode", "anyOf", 0, "enum")) == set(_link_types.MODES)


def test_keys_that_only_a_node_has_may_be_anything_above_one() -> None:
    level = definition("definitions", "level", "properties")
    assert {key for key, one in level.items() if set(one) == {"description"}} == set(_inherit.NODE_ONLY)


def test_every_key_is_described() -> None:
    def walk(value: Any) -> Iterator[str]:
        for key, one in value.get("properties", {}).items():
            if "$ref" not in one and not one.get("description"):
                yield key
        for one in value.values():
            for inner in one if isinstance(one, list) else [one]:
                if isinstance(inner, dict):
                    yield from walk(inner)

    assert [key for schema in SCHEMAS.values() for key in walk(schema) if key != "type"] == []


# files


OWN = sorted(
    path
    for path in (*ROOT.glob("playbooks/files/**/*.*"), *ROOT.glob("molecule/**/*.*"), *ROOT.glob("docs/**/*.*"))
    if path.name.endswith((".clab.yml", ".lab.yml"))
)
OTHERS = sorted((*SHARED.glob("*/*/*.clab.yml"), *SHARED.glob("*/*/*.clab.yaml")))


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.name)
def test_our_own_examples_are_good(path: Path) -> None:
    assert complaints(LAB if path.name.endswith(".lab.yml") else TOPOLOGY, read(path.read_text())) == []


def test_there_are_examples_of_our_own() -> None:
    assert {".".join(path.name.split(".")[-2:]) for path in OWN} == {"clab.yml", "lab.yml"}


@pytest.mark.skipif(not OTHERS, reason=f"no topologies of other people in {SHARED}")
@pytest.mark.parametrize("path", OTHERS, ids=lambda path: path.name)
def test_other_peoples_topologies_are_good(path: Path) -> None:
    assert complaints(TOPOLOGY, read(path.read_text())) == []


# what is refused

GOOD = sources.EVERYTHING
MOST = 600


def test_a_file_with_everything_is_good() -> None:
    assert complaints(TOPOLOGY, read(GOOD)) == []
    assert [complaints(LAB, read(text)) for text in sources.lab_files()] == [[], []]


@pytest.fixture
def refusal(tmp_path: Path):
    """What our reader has against a file, empty where it takes it."""
    for name in ("lic.txt", "a.yml", "good.clab.yml"):
        (tmp_path / name).write_text(GOOD)

    def call(text: str, name: str = "x.clab.yml") -> str:
        (tmp_path / name).write_text(text)
        try:
            load_lab_file(str(tmp_path / name), {}) if name.endswith(".lab.yml") else load_topology(str(tmp_path / name), {})
        except LabFileError as error:
            return str(error)
        return ""

    return call


@pytest.mark.parametrize("part", range(10))
def test_what_the_schema_refuses_our_reader_refuses(part: int, refusal) -> None:
    """Never marked as wrong in the editor, and taken by us. Values and names are broken at random, the same way each time."""
    refused = taken = 0
    for seed in range(part * MOST // 10, (part + 1) * MOST // 10):
        chance = random.Random(seed)
        is_lab = seed % 4 == 0
        source = chance.choice(sources.lab_files()) if is_lab else GOOD
        text = break_values(chance, read(source)).decode("utf-8", "replace")
        try:
            value = read(text)
        except (yaml.YAMLError, ValueError):
            continue
        found = complaints(LAB if is_lab else TOPOLOGY, value)
        if found:
            refused += 1
            assert refusal(text, "x.lab.yml" if is_lab else "x.clab.yml"), f"seed {seed}: only the schema refuses {found[:3]}"
        else:
            taken += 1
    assert refused > 10
    assert taken > 1


MISTAKES = [
    ("image: ", "imgae: "),
    ('endpoints: ["a:eth1"', 'endpoint: ["a:eth1"'),
    ('"a:eth1", "b:eth1"', '"a:eth1"'),
    ('"a:eth1", "b:eth1"', 'a, "b:eth1"'),
    ("mtu: 1400, l", "mtu: 20, l"),
    ("mtu: 1400, l", "mtu: big, l"),
    ("type: vxlan", "type: vxlna"),
    ("privileged: true", "privileged: maybe"),
    ('exec: ["ip a"]', "exec: ip a"),
    ("env: {A: 1}", "env: [A=1]"),
    ("stages: {create", "stages: {craete"),
    ("stage: healthy", "stage: helthy"),
    ("healthcheck: {test", "healthcheck: {tset"),
    ("interval: 5", "interval: often"),
    ("name: fuzz", "name: a/b"),
    ("name: fuzz", "nmae: fuzz"),
    ("    j:\n", "    'j k':\n"),
    ("  links:", "  linx:"),
    ("topology:\n", "topologie:\n"),
    ("remote: 198.51.100.9", "remot: 198.51.100.9"),
    ("tc: {delay", "tc: {dealy"),
    ("cpu: 1.5", "cpu: many"),
    ("ipv4-subnet", "ipv4-subnets"),
    ("dns: {servers", "dns: {server"),
    ('ports: ["8080:80", "127.0.0.1:53:53/udp"]', "ports: {8080: 80}"),
]


@pytest.mark.parametrize(("good", "bad"), MISTAKES, ids=[bad.strip() for _good, bad in MISTAKES])
def test_common_mistakes_are_seen_by_both(good: str, bad: str, refusal) -> None:
    assert good in GOOD
    text = GOOD.replace(good, bad, 1)
    assert complaints(TOPOLOGY, read(text))
    assert refusal(text)


ONLY_OURS = [
    ("an unknown node", '"a:eth1"', '"z:eth1"'),
    ("an interface in two links", '"a:eth2"', '"a:eth1"'),
    ("an interface that the kind does not have", "ethernet-1/1", "ethernet-0/1"),
    ("a kind that is not known, as kinds_path may have it", "kind: cisco_xrd", "kind: cisco_xdr"),
    (
        "a type that is not the link's",
        "{type: dummy, endpoint: {node: j, interface: dum1}}",
        "{type: dummy, endpoint: {node: j, interface: d1}, vni: 1}",
    ),
    ("an address that is none", "mgmt-ipv4: 198.18.9.10", "mgmt-ipv4: 198.18.9.300"),
    ("a port that is none", "8080:80", "8080:80/tpc"),
    ("an amount that is none", "memory: 1G", "memory: lots"),
    ("a command whose quotes are open", 'cmd: sh -c "x"', 'cmd: sh -c "x'),
]
"""What a schema cannot tell, or is not told, as our own reader says it better."""


@pytest.mark.parametrize(("what", "good", "bad"), ONLY_OURS, ids=[what for what, _good, _bad in ONLY_OURS])
def test_what_only_our_reader_sees(what: str, good: str, bad: str, refusal) -> None:
    assert good in GOOD
    text = GOOD.replace(good, bad, 1)
    assert complaints(TOPOLOGY, read(text)) == []
    assert refusal(text)
