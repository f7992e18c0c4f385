# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Branch and commit in the name of a lab, compared with what git itself says."""

from __future__ import annotations

import subprocess

import pytest

from ansible_collections.archetype.lab.plugins.plugin_utils._errors import LabFileError
from ansible_collections.archetype.lab.plugins.plugin_utils._git import GitFault, WorkingCopy
from ansible_collections.archetype.lab.plugins.plugin_utils._topology import load_topology


def git(folder, *words):
    quiet = {
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_SYSTEM": "/dev/null",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": str(folder),
    }
    settings = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "init.defaultBranch=main", "-c", "core.hooksPath=/dev/null"]
    done = subprocess.run(["git", *settings, *words], cwd=folder, check=True, capture_output=True, text=True, env=quiet)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path):
    """A working copy with one commit, on a branch whose name is not one for a lab."""
    folder = tmp_path / "copy"
    folder.mkdir()
    git(folder, "init")
    (folder / "file").write_text("x")
    git(folder, "add", "file")
    git(folder, "commit", "-m", "x")
    git(folder, "checkout", "-b", "feature/new_thing+1")
    return folder


def said(folder):
    copy = WorkingCopy(str(folder))
    return copy.branch, copy.commit


def test_branch_and_commit_are_those_that_git_tells(repository):
    (repository / "below").mkdir()
    commit = git(repository, "rev-parse", "--short=7", "HEAD")
    assert said(repository) == said(repository / "below") == ("feature/new_thing+1", commit)


def test_references_may_be_packed(repository):
    git(repository, "pack-refs", "--all")
    git(repository, "tag", "-a", "v1", "-m", "x")
    assert not (repository / ".git/refs/heads/feature").exists()
    assert said(repository) == ("feature/new_thing+1", git(repository, "rev-parse", "--short=7", "HEAD"))


def test_a_commit_may_be_checked_out_without_a_branch(repository):
    git(repository, "checkout", "--detach")
    assert said(repository) == ("HEAD", git(repository, "rev-parse", "--short=7", "HEAD"))


def test_a_linked_working_copy_has_a_branch_of_its_own(repository, tmp_path):
    git(repository, "worktree", "add", "-b", "other", str(tmp_path / "linked"))
    assert said(tmp_path / "linked") == ("other", git(repository, "rev-parse", "--short=7", "HEAD"))


def test_a_branch_without_a_commit_has_a_name_only(tmp_path):
    git(tmp_path, "init")
    copy = WorkingCopy(str(tmp_path))
    assert copy.branch == "main"
    with pytest.raises(GitFault, match="branch main has no commit yet"):
        _commit = copy.commit


@pytest.mark.parametrize(
    ("head", "message"),
    [
        ("ref: refs/heads/../../../etc/passwd", "is no reference"),
        ("ref: elsewhere", "is no reference"),
        ("ref: refs/heads/.invalid", "in a form that is not known here"),
        ("nonsense", "does not say which commit is checked out"),
        ("", "does not say which commit is checked out"),
    ],
)
def test_a_broken_repository_is_a_fault(repository, head, message):
    (repository / ".git/HEAD").write_text(head + "\n")
    with pytest.raises(GitFault, match=message):
        said(repository)


def test_a_folder_that_cannot_be_followed_is_a_fault(tmp_path):
    (tmp_path / ".git").write_text("something else")
    with pytest.raises(GitFault, match="does not name a folder of git"):
        said(tmp_path)
    (tmp_path / ".git").write_text("gitdir: nowhere")
    with pytest.raises(GitFault, match="HEAD is missing"):
        said(tmp_path)


# in the name of a lab


def load(folder, name):
    path = folder / "t.clab.yml"
    path.write_text(f"name: {name}\ntopology: {{nodes: {{n: {{kind: linux, image: i}}}}}}\n")
    return load_topology(str(path), {})


def test_branch_and_commit_are_put_into_the_name_of_a_lab(repository):
    commit = git(repository, "rev-parse", "--short=7", "HEAD")
    topology = load(repository, "lab-__gitBranch__-__gitHash__")
    assert topology.name == f"lab-feature-new_thing-1-{commit}"
    assert topology.nodes["n"].container == f"clab-lab-feature-new_thing-1-{commit}-n"


def test_the_hash_is_only_looked_for_where_it_is_named(tmp_path):
    git(tmp_path, "init")
    assert load(tmp_path, "lab-__gitBranch__").name == "lab-main"
    with pytest.raises(LabFileError, match="the name of the lab has a variable of git, and branch main has no commit yet"):
        load(tmp_path, "lab-__gitHash__")


def test_a_name_that_becomes_too_long_is_told(repository):
    git(repository, "checkout", "-b", "b" * 80)
    with pytest.raises(LabFileError, match="is longer than 63 characters"):
        load(repository, "lab-__gitBranch__")
