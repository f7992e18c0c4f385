# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role installs the watcher on three servers, puts right what was done to it, and takes it away. The servers have no systemd."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import jinja2
import pytest

from tests.integration.lab_server import LabServer
from tests.testbed.fixtures import Played, run_playbook
from tests.testbed.paths import ROOT
from tests.testbed.testbed import Testbed

PLAY = Path(__file__).with_name("files") / "watcher.yml"
KEY = "/etc/archetype-lab/key"
LIBRARY = "/usr/local/lib/archetype-lab"
INSTALLED = "/usr/local/sbin/archetype-lab-watch"
OTHER_KEY = "ab" * 32


class Watched:
    def __init__(self, testbed: Testbed) -> None:
        self.testbed = testbed
        self.servers = {server.name: LabServer(server) for server in testbed.servers}

    def play(self, *words: str, more: Sequence[Path] = ()) -> Played:
        return run_playbook(self.testbed, PLAY, *words, inventories=more).ok()

    def keys(self) -> list[str]:
        return [server.run("sh", "-c", f"cat {KEY} || true").strip() for server in self.servers.values()]

    def pid(self, name: str) -> int:
        """Of the watcher that runs, as it says itself."""
        return int(self.servers[name].run(INSTALLED, "--status").split()[-1])

    def left(self, name: str) -> list[str]:
        return self.servers[name].run("sh", "-c", f"ls -A /etc/archetype-lab {LIBRARY} /usr/local/sbin | grep -v : || true").split()


@pytest.fixture(scope="module")
def watched(testbed: Testbed) -> Iterator[Watched]:
    one = Watched(testbed)
    yield one
    if any(map(one.left, one.servers)):
        one.play("-e", "part=watch_absent")


def changed(played: Played) -> dict[str, int]:
    return {host: counts["changed"] for host, counts in played.recap.items() if counts["changed"]}


def test_a_server_that_is_added_gets_the_key_that_the_others_have(watched: Watched, tmp_path: Path) -> None:
    """Also of a server that the run leaves out, while another one that it leaves out cannot be reached."""
    gone = tmp_path / "gone.yml"
    gone.write_text("lab_servers: {hosts: {gone: {ansible_host: 198.51.100.77}}}\n")
    watched.play("--limit", "srv2")
    (key,) = filter(None, watched.keys())
    assert len(key) == 64
    assert int(key, 16)
    played = watched.play("--limit", "srv3", "-vvv", "--diff", more=[gone])
    assert "gone" not in played.recap
    assert watched.keys() == ["", key, key]
    assert key not in played.stdout + played.stderr
    assert sorted(changed(watched.play())) == ["srv1"]
    assert watched.keys() == [key] * 3
    assert watched.servers["srv1"].run("stat", "--format=%a", "/etc/archetype-lab", KEY).split() == ["700", "600"]
    before = [watched.pid(name) for name in watched.servers]
    assert changed(watched.play()) == {}
    assert [watched.pid(name) for name in watched.servers] == before


def test_what_was_done_to_it_is_put_right_and_it_is_started_again(watched: Watched) -> None:
    one, _two, three = watched.servers.values()
    file = f"{LIBRARY}/current/ansible_collections/archetype/lab/plugins/module_utils/_errors.py"
    before = {name: watched.pid(name) for name in watched.servers}
    key = watched.keys()[0]
    one.run("sh", "-c", f"echo '# mine' >> {file}")
    watched.testbed.reboot("srv2")
    three.run("sh", "-c", f"echo {OTHER_KEY} > {KEY}")
    predicted = watched.play("--check", "--diff")
    assert sorted(changed(predicted)) == ["srv1", "srv2", "srv3"]
    assert "changed on the server: ansible_collections/archetype/lab/plugins/module_utils/_errors.py" in predicted.stdout
    assert watched.keys() == [key, key, OTHER_KEY]
    assert watched.pid("srv1") == before["srv1"]
    played = watched.play("-vvv", "--diff")
    assert OTHER_KEY not in predicted.stdout + played.stdout
    assert watched.keys() == [key] * 3
    assert [name for name in watched.servers if watched.pid(name) == before[name]] == []
    assert "mine" not in one.run("cat", file)
    assert len(one.run("ls", LIBRARY).split()) == 2  # one version, and the link
    assert changed(watched.play()) == {}


def test_it_is_taken_away_with_all_that_it_brought(watched: Watched) -> None:
    pids = {name: watched.pid(name) for name in watched.servers}
    predicted = watched.play("-e", "part=watch_absent", "--check")
    assert {name: watched.pid(name) for name in watched.servers} == pids
    assert sorted(changed(predicted)) == ["srv1", "srv2", "srv3"]
    watched.play("-e", "part=watch_absent")
    for name, server in watched.servers.items():
        assert watched.left(name) == []
        assert not server.run("sh", "-c", f"test ! -e /proc/{pids[name]} || cat /proc/{pids[name]}/cmdline")
    assert changed(watched.play("-e", "part=watch_absent")) == {}


@pytest.mark.parametrize("vms", [True, False])
def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path, vms: bool) -> None:
    """It says what it does not understand, and succeeds."""
    source = (ROOT / "roles/lab_server/templates/archetype-lab-watch.service.j2").read_text()
    template = jinja2.Environment(trim_blocks=True, keep_trailing_newline=True).from_string(source)
    text = template.render(__lab_server_vms=vms, __lab_server_libvirt={"unit": "virtqemud"})
    assert f"ExecStart={INSTALLED}\n" in text
    assert ("docker.service virtqemud.service\n" in text) == vms
    unit = tmp_path / "archetype-lab-watch.service"
    unit.write_text(text.replace(f"ExecStart={INSTALLED}", "ExecStart=/bin/true"))
    command = ["systemd-analyze", "verify", "--man=no", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
