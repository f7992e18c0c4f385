# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/kinds.md against the kind files: one row for each, with what its file says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ansible_collections.archetype.lab.plugins.plugin_utils import _kind_reader, _kinds, _placeholders
from ansible_collections.archetype.lab.plugins.plugin_utils._catalog import Catalog
from ansible_collections.archetype.lab.plugins.plugin_utils._forms import examples
from ansible_collections.archetype.lab.plugins.plugin_utils._kind_model import Kind
from ansible_collections.archetype.lab.plugins.plugin_utils._naming import linux_name

PAGE = (Path(__file__).parents[3] / "docs" / "kinds.md").read_text()
CATALOG = Catalog()
PROVIDERS = {
    "container": "container",
    "external": "a container that is there",
    "host": "the server",
    "segment": "a wire",
    "vm": "virtual machine",
}


def code(*names: str) -> str:
    return ", ".join(f"`{name}`" for name in names)


def machine_of(kind: Kind) -> Kind:
    return CATALOG.resolve(kind, "x.qcow2")


def from_disk(kind: Kind) -> bool:
    return not _kinds.why_not_native(machine_of(kind))


def image_of(kind: Kind) -> str:
    if kind.image:
        return code(kind.image)
    if kind.provider == "vm":
        return ", ".join(["vrnetlab"] * ("CLAB_INTFS" in kind.boot.env) + ["disk"] * from_disk(kind))
    return ", ".join(["container"] * (kind.provider == "container") + ["disk"] * from_disk(kind))


def row(kind: Kind) -> str:
    """A kind as the page has it."""
    names = kind.interfaces
    *forms, linux = examples(names)
    first = forms[0] if forms else linux
    management = code(*filter(None, (names.management, names.management_vendor))).replace(", ", " = ")
    cells = [
        code(kind.name),
        code(*kind.aliases),
        kind.description,
        PROVIDERS[kind.provider],
        code(*forms),
        f"{code(first)} = {code(linux_name(kind, first))}" if forms else code(linux),
        management,
        image_of(kind),
    ]
    return "|" + "|".join(f" {cell} " if cell else " " for cell in cells) + "|"


ROWS = [row(_kinds.find_kind(path.stem)) for path in sorted(set(_kinds.kind_files().values()))]  # type: ignore[arg-type]


def section(title: str) -> str:
    return PAGE.split(f"## {title}\n", 1)[1].split("\n## ", 1)[0]


def test_every_kind_has_a_row_that_says_what_its_file_says() -> None:
    assert [line for line in section("All kinds").splitlines() if line.startswith("| `")] == ROWS


def test_the_example_of_a_kind_of_ones_own_is_one(tmp_path: Path) -> None:
    text = re.findall(r"```yaml\n(# kinds/.*?)```", section("Kinds of your own"), re.DOTALL)
    assert len(text) == 1
    (tmp_path / "acme_switch.yml").write_text(text[0])
    catalog = Catalog([str(tmp_path)])
    assert catalog.problems == []
    acme = catalog.find("acme")
    assert acme is not None
    told = dict(re.findall(r"`([\w/.-]+)` is `([\w.-]+)`", section("Kinds of your own")))
    assert told
    assert {text: linux_name(acme, text) for text in told} == told


def rows(text: str) -> dict[str, str]:
    return dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", text, re.MULTILINE))


def test_hardware_and_media_are_told() -> None:
    text = section("Machines from a disk")
    told = {name for names in re.findall(r"^\| (`.*?) \|", text, re.MULTILINE) for name in re.findall(r"`(\w+)`", names)}
    smbios = {f"smbios_{name}" for name in re.findall(r"`(\w+)`", text.split("| `smbios_...` | ")[1].split(" |")[0])}
    assert told | smbios >= set(_kind_reader.KEYS["hardware"])
    assert set(_kind_reader.CHOICES["medium"]) == {"iso", "poap", "usb", "cloud-init"}
    assert all(f"| `{medium}` |" in text for medium in _kind_reader.CHOICES["medium"])


def test_every_kind_with_a_medium_and_every_one_that_is_packed_only_is_told() -> None:
    text = section("Machines from a disk")
    kinds = [machine_of(_kinds.find_kind(path.stem)) for path in sorted(set(_kinds.kind_files().values()))]  # type: ignore[arg-type]
    media = [one for one in kinds if one.startup_config.medium and not one.packed_only]
    table = text.split("| kind | medium |")[1]
    assert re.findall(r"^\| `(\w+)` \| `([\w-]+)` \| `([\w-]+)` \|", table, re.MULTILINE) == [
        (one.name, one.startup_config.medium, one.startup_config.label) for one in media
    ]
    assert all(one.startup_config.file in rows(table)[one.name] for one in media)
    assert re.findall(r"^- `(\w+)`: (.*)$", text, re.MULTILINE) == [(one.name, one.packed_only) for one in kinds if one.packed_only]


def test_hardware_that_is_a_guess_is_told_of() -> None:
    line = next(line for line in section("Machines from a disk").splitlines() if line.startswith("Hardware that is a guess"))
    guessed = [path.stem for path in sorted(set(_kinds.kind_files().values())) if "Defaults, not measured" in path.read_text()]
    assert re.findall(r"`(\w+)`", line) == guessed


def test_the_sections_of_a_kind_file_are_told() -> None:
    told = re.findall(r"^\| `(\w+)` \|", section("What a kind file says"), re.MULTILINE)
    assert sorted(told) == sorted(_kind_reader.KEYS[""])


@pytest.mark.parametrize(("title", "known"), [("Everywhere", _placeholders.NODE), ("for every data interface", _placeholders.INTERFACE)])
def test_every_placeholder_is_told(title: str, known: dict[str, str]) -> None:
    table = section("Placeholders").split(title, 1)[1].split("\n\n", 2)[1]
    told = dict(re.findall(r"^\| `\{(\w+)\}` \| (.*) \|$", table, re.MULTILINE))
    assert told == dict(known)
