# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json

import pytest
import yaml

from ansible_collections.archetype.lab.plugins.plugin_utils import _kind_reader, _kinds

jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is a test dependency")
SCHEMA = json.loads((_kinds.DIRECTORY / "kind.schema.json").read_text())
FILES = sorted(_kinds.DIRECTORY.glob("*.yml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_kind_file_keeps_to_the_schema(path):
    content = yaml.safe_load(path.read_text())
    jsonschema.Draft202012Validator(SCHEMA).validate(content)
    assert content["name"] == path.stem


def test_the_schema_is_one_and_knows_every_key_the_reader_reads():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    whole, keys = SCHEMA["properties"], _kind_reader.KEYS
    boot = whole["boot"]["properties"]
    told = {
        "": whole,
        "form": whole["interfaces"]["properties"]["forms"]["items"]["properties"],
        "file": boot["files"]["items"]["properties"],
        "piece": boot["env_each"]["additionalProperties"]["properties"],
        "readiness": whole["readiness"]["oneOf"][1]["properties"],
        **{key: whole[key]["properties"] for key in keys if key in whole and "properties" in whole[key]},
    }
    assert {key: set(one) for key, one in told.items()} == {key: set(one) for key, one in keys.items()}


def test_the_schema_knows_every_choice_the_reader_knows():
    whole = SCHEMA["properties"]
    assert set(whole["provider"]["enum"]) == set(_kind_reader.PROVIDERS)
    told = {
        "link_apply_mode": whole["link_apply_mode"],
        "system_paths": whole["boot"]["properties"]["system_paths"],
        "probe": whole["readiness"]["oneOf"][1]["properties"]["probe"],
        "console": whole["console"]["properties"]["method"],
        "save_config": whole["save_config"]["properties"]["method"],
        "medium": whole["startup_config"]["properties"]["medium"],
    }
    assert {key: set(one["enum"]) for key, one in told.items()} == {key: set(one) for key, one in _kind_reader.CHOICES.items()}


def test_every_name_is_there_once_and_is_found_without_parsing():
    names = [name for path in FILES for name in (path.stem, *yaml.safe_load(path.read_text()).get("aliases", ()))]
    assert sorted(names) == sorted(set(names)) == sorted(_kinds.kind_files())


def test_linux_is_not_privileged_has_ipv6_and_forwards():
    kind = _kinds.find_kind("linux")
    assert {"NET_ADMIN", "NET_RAW", "SYS_ADMIN", "NET_BIND_SERVICE"} <= set(kind.boot.capabilities)
    assert kind.boot.sysctls == {"net.ipv6.conf.all.disable_ipv6": "0", "net.ipv4.ip_forward": "1"}
    assert (kind.provider, kind.boot.system_paths, kind.console.command, kind.link_apply_mode) == ("container", "unconfined", "sh", "live")
    assert (kind.interfaces.management, kind.interfaces.first, kind.startup_config.path) == ("eth0", 1, "/etc/startup-config")
    assert not kind.boot.privileged


def test_bridge_is_a_segment():
    assert _kinds.find_kind("bridge").is_segment
    assert not _kinds.find_kind("linux").is_segment


def test_kinds_are_found_in_any_case_and_unknown_ones_are_not():
    assert _kinds.find_kind("Linux") is _kinds.find_kind("linux")
    assert _kinds.find_kind("linus") is None
    assert _kinds.unknown_kind_remedy("linus") == 'Did you mean "linux"?'
    assert _kinds.unknown_kind_remedy("zzz") == "docs/kinds.md has all kinds, and says how to add one"


@pytest.mark.parametrize(("name", "disk"), [("a.qcow2", True), ("/x/N9.QCOW2", True), ("vrnetlab/a:1.qcow", True), ("r/a:1", False)])
def test_a_disk_image_is_told_by_its_name(name, disk):
    assert _kinds.is_disk_image(name) is disk
