# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program of role lab_images, as far as it needs neither mmdebstrap nor Docker."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tests.testbed.images import program, recipes

build = program()

DEB822 = """# a comment
Types: deb
URIs: http://deb.debian.org/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/off
Suites: bookworm
Components: main
Enabled: no

Types: deb-src
URIs: http://mirror.example/source
Suites: bookworm
Components: main
"""


def apt(top: Path, **files: str) -> list[tuple[str, str]]:
    (top / "sources.list.d").mkdir()
    for name, text in files.items():
        target = top / "sources.list" if name == "old" else top / "sources.list.d" / name.replace("_", ".")
        target.write_text(text)
    found: list[tuple[str, str]] = build.sources("bookworm", top)
    return found


def test_enabled_sources_of_the_distribution_are_taken_with_their_keys(tmp_path: Path) -> None:
    ((kind, text),) = apt(tmp_path, debian_sources=DEB822)
    assert kind == "sources"
    assert "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg" in text
    assert "mirror.example" not in text


def test_old_style_lines_are_taken_as_they_are(tmp_path: Path) -> None:
    line = "deb [signed-by=/k.gpg arch=amd64] http://mirror.example/debian bookworm-security main contrib"
    ((kind, text),) = apt(tmp_path, old=f"# deb http://no.example bookworm main\n{line}\ndeb-src http://s.example bookworm main\n")
    assert (kind, text) == ("list", f"{line}\n")


@pytest.mark.parametrize(
    "line",
    [
        "deb https://download.docker.com/linux/debian bookworm stable",
        "deb https://deb.nodesource.com/node_20.x nodistro main",
        "deb cdrom:[Debian]/ bookworm main",
        "deb http://deb.debian.org/debian trixie main",
        "deb http://flat.example ./",
    ],
)
def test_foreign_repositories_are_not_asked(tmp_path: Path, line: str) -> None:
    with pytest.raises(build.BuildError, match="no source of packages for bookworm"):
        apt(tmp_path, other_list=f"{line}\n")


def recipe(**changes: Any) -> Any:
    given = {
        "reference": "test/image:1",
        "packages": [["one", "two"], ["three"]],
        "useless": ["usr/share/doc usr/lib/*/gconv"],
        "links": {"awk": "mawk", "nc": "nc.missing"},
        "users": {"frr": {"number": 100, "groups": ["frrvty"]}},
        "owned": {"etc/frr": "frr"},
        "files": [{"path": "etc/frr/vtysh.conf", "mode": "0640", "text": "hello\n"}],
        "entrypoint": ["/bin/sh"],
        "command": [],
        "stop_signal": "SIGTERM",
    }
    return build.Recipe.parse({**given, **changes})


def tree(top: Path) -> Path:
    """What packages of a distribution without a merged /usr leave."""
    for name, text in {
        "bin/sh": "sh",
        "usr/bin/mawk": "mawk",
        "usr/share/doc/x": "doc",
        "usr/lib/arch/gconv/y": "y",
        "lib/arch/libc": "c",
    }.items():
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (top / "var/run/frr").mkdir(parents=True)
    return top


def furnished(top: Path) -> Path:
    root = tree(top)
    build.merge_usr(root)
    build.trim(root, recipe())
    build.furnish(root, recipe())
    return root


def test_a_tree_is_merged_trimmed_and_furnished(tmp_path: Path) -> None:
    root = furnished(tmp_path)
    assert (root / "bin").readlink() == Path("usr/bin")
    assert (root / "usr/bin/sh").read_text() == "sh"
    assert (root / "usr/lib/arch/libc").read_text() == "c"
    assert (root / "var/run").readlink() == Path("/run")
    assert (root / "run/frr").is_dir()
    assert not (root / "usr/share/doc").exists()
    assert not (root / "usr/lib/arch/gconv").exists()
    assert (root / "usr/bin/awk").readlink() == Path("mawk")
    assert not (root / "usr/bin/nc").is_symlink()
    assert "frrvty:x:101:frr" in (root / "etc/group").read_text()
    assert "frr:x:100:100:" in (root / "etc/passwd").read_text()


def test_the_same_tree_gives_the_same_layer_with_the_owners_of_the_recipe(tmp_path: Path) -> None:
    layers = []
    for name in ("a", "b"):
        target = io.BytesIO()
        build.pack(furnished(tmp_path / name), recipe(), target)
        layers.append(target.getvalue())
    assert layers[0] == layers[1]
    with tarfile.open(fileobj=io.BytesIO(layers[0])) as tar:
        owners = {entry.name: (entry.uid, entry.gid, entry.mtime) for entry in tar}
        assert owners["etc/frr"] == owners["etc/frr/vtysh.conf"] == (100, 100, 0)
        assert owners["etc/passwd"] == (0, 0, 0)
        assert tar.getmember("etc/frr/vtysh.conf").mode & 0o777 == 0o640


@pytest.mark.parametrize("changes", [{"packages": [["one"]]}, {"command": ["x"]}, {"links": {}}, {"useless": []}])
def test_any_change_of_a_recipe_changes_its_digest(changes: dict[str, Any]) -> None:
    assert recipe(**changes).digest("sources") != recipe().digest("sources")
    assert recipe().digest("sources") == recipe().digest("sources")
    assert recipe().digest("other sources") != recipe().digest("sources")


def test_the_shipped_recipes_are_complete() -> None:
    known = recipes()
    assert {one.reference for one in known.values()} == {"archetype-lab/frr:1", "archetype-lab/host:1", "archetype-lab/sandbox:1"}
    assert known["sandbox"].packages == ("busybox-static",)
    assert "frr" in known["frr"].packages


def test_a_docker_that_does_not_answer_is_named(tmp_path: Path) -> None:
    socket = tmp_path / "docker.sock"
    with pytest.raises(build.BuildError, match=f"Docker does not answer on {socket}"):
        build.Docker(str(socket)).image("any:1")
    assert build.Docker(str(socket), optional=True).image("any:1") is None
