# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json

import pytest
import yaml

from ansible_collections.archetype.lab.plugins.plugin_utils import _kinds
from ansible_collections.archetype.lab.plugins.plugin_utils._errors import LabFileError

jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is a test dependency")
SCHEMA = json.loads((_kinds.DIRECTORY / "kind.schema.json").read_text())
FILES = sorted(_kinds.DIRECTORY.glob("*.yml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_kind_file_keeps_to_the_schema(path):
    content = yaml.safe_load(path.read_text())
    jsonschema.Draft202012Validator(SCHEMA).validate(content)
    assert content["name"] == path.stem


def test_the_schema_is_one_and_knows_every_key_the_loader_reads():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert set(SCHEMA["properties"]) == set(_kinds._KEYS)
    assert set(SCHEMA["properties"]["interfaces"]["properties"]) == set(_kinds._INTERFACE_KEYS)
    assert set(SCHEMA["properties"]["provider"]["enum"]) == set(_kinds.PROVIDERS)


def test_linux_is_not_privileged_has_ipv6_and_forwards():
    kind = _kinds.find_kind("linux")
    assert {"NET_ADMIN", "NET_RAW", "SYS_ADMIN", "NET_BIND_SERVICE"} <= set(kind.capabilities)
    assert kind.sysctls == {"net.ipv6.conf.all.disable_ipv6": "0", "net.ipv4.ip_forward": "1"}
    assert (kind.provider, kind.system_paths, kind.shell, kind.link_apply_mode) == ("container", "unconfined", "sh", "live")
    assert (kind.interfaces.management, kind.interfaces.first, kind.startup_config) == ("eth0", 1, "/etc/startup-config")


def test_bridge_is_a_segment():
    assert _kinds.find_kind("bridge").is_segment
    assert not _kinds.find_kind("linux").is_segment


def test_kinds_are_found_in_any_case_and_unknown_ones_are_not():
    assert _kinds.find_kind("Linux") is _kinds.find_kind("linux")
    assert _kinds.find_kind("linus") is None
    assert _kinds.unknown_kind_remedy("linus") == 'Did you mean "linux"? Known kinds are: bridge, linux'


def test_a_new_kind_is_a_file_and_nothing_else(tmp_path):
    (tmp_path / "switch.yml").write_text(
        "name: vendor_switch\naliases: [vsw]\nprovider: container\nnetwork_os: vendor.os\n"
        "interfaces: {management: eth0, vendor: {pattern: '(?:Ethernet|Et)(?P<port>[0-9]+)', name: 'Ethernet{port}', offset: 1}}\n"
    )
    kinds = _kinds.load_kinds(tmp_path)
    assert kinds["vsw"] is kinds["vendor_switch"]
    assert kinds["vsw"].network_os == "vendor.os"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: a\n", ":1:1: provider must be one of container, segment"),
        ("provider: container\n", ":1:1: name is missing"),
        ("name: a\nprovider: container\nimge: x\n", ':3:1: unknown key "imge" in a kind. Did you mean "image"?'),
        ("name: a\nprovider: container\ninterfaces: {accepted: '('}\n", ":3:24: accepted is not a regular expression"),
        ("[]\n", ":1:1: a kind must be a mapping, not a list"),
    ],
)
def test_a_bad_kind_file_is_told(tmp_path, text, message):
    (tmp_path / "a.yml").write_text(text)
    with pytest.raises(LabFileError) as caught:
        _kinds.load_kinds(tmp_path)
    assert f"{tmp_path}/a.yml{message}" in str(caught.value)


def test_two_files_with_one_name_are_refused(tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.yml").write_text("name: same\nprovider: container\n")
    with pytest.raises(LabFileError, match="kind same is in another file already"):
        _kinds.load_kinds(tmp_path)
