# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Node images for the servers: those of role lab_images, built by the role's own program, and any root file system."""

from __future__ import annotations

import concurrent.futures
import contextlib
import fcntl
import hashlib
import importlib.util
import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlencode

import yaml

from tests.testbed.paths import ROOT, TestbedError
from tests.testbed.testbed import Server, Testbed

ROLE = ROOT / "roles" / "lab_images"
CACHE = ROOT / ".cache" / "images"
LABEL = "archetype-testbed-digest"


def program() -> ModuleType:
    """The role's program as a module."""
    name = "archetype_build_image"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, ROLE / "files" / "build_image.py")
        if spec is None or spec.loader is None:
            raise TestbedError(f"there is no program in {ROLE}/files")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


def recipes() -> dict[str, Any]:
    """The role's recipes, by name."""
    given: dict[str, Any] = yaml.safe_load((ROLE / "vars" / "main.yml").read_text())["__lab_images_recipes"]
    return {name: program().Recipe.parse(one) for name, one in given.items()}


def docker(server: Server) -> Any:
    """The role's connection to Docker, to that of a server."""
    return program().Docker(f"{server.place.root}/run/docker.sock")


def _each(work: Any, items: Sequence[Any]) -> list[Any]:
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        return list(pool.map(work, items))


@contextlib.contextmanager
def building(cache: Path = CACHE) -> Iterator[None]:
    """One process at a time builds what the cache lacks; the others find it there."""
    cache.mkdir(parents=True, exist_ok=True)
    guard = os.open(cache, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(guard, fcntl.LOCK_EX)
        yield
    finally:
        os.close(guard)


def ensure(testbed: Testbed, names: Sequence[str] = ()) -> bool:
    """Build the images that are not in the cache, load them where they are missing. Returns whether anything had to be done."""
    build = program()
    known = recipes()
    wanted = list(names or known)
    try:
        with building():
            built = _each(lambda name: build.present(build.Options(known, CACHE, None), name), wanted)
        pairs = [(server, name) for server in testbed.servers for name in wanted]
        loaded = _each(lambda pair: build.present(build.Options(known, CACHE, docker(pair[0])), pair[1]), pairs)
    except build.BuildError as exc:
        raise TestbedError(str(exc)) from exc
    return any(one["built"] or one["loaded"] for one in (*built, *loaded))


def load(server: Server, archive: Path, reference: str, changes: Sequence[str] = ()) -> bool:
    """Import a bare root file system as an image, unless the same one is there. I(changes): such as C(CMD ["sh"])."""
    build = program()
    digest = hashlib.sha256(archive.read_bytes() + json.dumps(list(changes)).encode()).hexdigest()
    try:
        image = docker(server).image(reference) or {}
        if ((image.get("Config") or {}).get("Labels") or {}).get(LABEL) == digest:
            return False
        name, _colon, tag = reference.rpartition(":")
        instructions = [*changes, f'LABEL {LABEL}="{digest}"']
        query = [("fromSrc", "-"), ("repo", name), ("tag", tag), *(("changes", one) for one in instructions)]
        headers = {"Content-Type": "application/x-tar", "Content-Length": str(archive.stat().st_size)}
        with archive.open("rb") as content:
            status, body = docker(server).request("POST", f"/images/create?{urlencode(query)}", content, headers)
    except build.BuildError as exc:
        raise TestbedError(str(exc)) from exc
    if status != 200 or b'"error"' in body:
        raise TestbedError(f"{server.name} cannot import {archive} as {reference}: {body.decode(errors='replace').strip()}")
    return True
