# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the node images from the packages of this machine's own distribution, and load them into its Docker.

Packages are unpacked, not installed: no maintainer script runs, what they would do that matters is done here. What is built is
kept in a cache as a file that C(docker load) takes. An image carries the digest of its recipe as a label, so that the second
run is one question to Docker for each image.

Needs only Python's standard library, mmdebstrap, and root. Prints one JSON object: C(changed), C(images).
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import hashlib
import http.client
import io
import json
import os
import platform
import re
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
import typing as t
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

FORMAT = "1"  # part of every recipe's digest: raise it when what this file does to a tree changes
LABEL = "archetype-lab-recipe"
DOCKER = "/var/run/docker.sock"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
MACHINES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "ppc64le": "ppc64le", "s390x": "s390x", "riscv64": "riscv64"}
EPOCH = "1970-01-01T00:00:00Z"


class BuildError(Exception):
    """Something went wrong that a user can do something about."""


@dataclasses.dataclass(frozen=True)
class Recipe:
    """What an image is made of; the fields are told where the recipes are, in the role's variables."""

    reference: str
    packages: tuple[str, ...]
    useless: tuple[str, ...]
    links: t.Mapping[str, str]
    users: t.Mapping[str, t.Mapping[str, t.Any]]
    owned: t.Mapping[str, str]
    files: t.Sequence[t.Mapping[str, str]]
    entrypoint: tuple[str, ...]
    command: tuple[str, ...]
    stop_signal: str

    @classmethod
    def parse(cls, given: t.Mapping[str, t.Any]) -> Recipe:
        packages = tuple(name for group in given["packages"] for name in group)
        return cls(**{**given, "packages": packages, "useless": tuple(" ".join(given["useless"]).split())})

    def digest(self, sources: str) -> str:
        text = json.dumps([FORMAT, platform.machine(), sources, dataclasses.asdict(self)], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


class Docker:
    """The few requests that are needed, over Docker's socket, without a library."""

    def __init__(self, path: str, *, optional: bool = False) -> None:
        """I(optional): a Docker that does not answer has no images."""
        self.path = path
        self.optional = optional

    def request(self, method: str, target: str, body: t.Any = None, headers: t.Mapping[str, str] | None = None) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("docker", timeout=300)
        connection.sock = socket.socket(socket.AF_UNIX)
        try:
            connection.sock.connect(self.path)
            connection.request(method, target, body=body, headers=dict(headers or {}))
            answer = connection.getresponse()
            return answer.status, answer.read()
        except OSError as exc:
            if self.optional:
                return 404, b""
            raise BuildError(f"Docker does not answer on {self.path} ({exc.strerror or exc}); start it") from exc
        finally:
            connection.close()

    def image(self, reference: str) -> dict[str, t.Any] | None:
        status, body = self.request("GET", f"/images/{reference}/json")
        if status == 404:
            return None
        if status != 200:
            raise BuildError(f"Docker cannot say what image {reference} is: {body.decode(errors='replace').strip()}")
        return t.cast("dict[str, t.Any]", json.loads(body))

    def ours(self, reference: str) -> tuple[str, str]:
        """(digest of the recipe, image id) of what is there by this name; empty for none, and for what was not made here."""
        image = self.image(reference) or {}
        recipe = str(((image.get("Config") or {}).get("Labels") or {}).get(LABEL, ""))
        return recipe, str(image.get("Id", "")) if recipe else ""

    def load(self, archive: Path) -> None:
        headers = {"Content-Type": "application/x-tar", "Content-Length": str(archive.stat().st_size)}
        with archive.open("rb") as content:
            status, body = self.request("POST", "/images/load?quiet=1", content, headers)
        if status != 200 or b'"error"' in body:
            raise BuildError(f"Docker cannot load {archive}: {body.decode(errors='replace').strip()}")

    def remove(self, reference: str) -> None:
        """One that a container still uses stays, without a name if it has been replaced."""
        status, body = self.request("DELETE", f"/images/{reference}")
        if status not in (200, 404, 409):
            raise BuildError(f"Docker cannot remove image {reference}: {body.decode(errors='replace').strip()}")


def release() -> str:
    """The code name of this machine's distribution: bookworm, noble."""
    for path in ("/etc/os-release", "/usr/lib/os-release"):
        if os.path.exists(path):
            found = re.search(r"^VERSION_CODENAME=\"?([a-z]+)\"?$", Path(path).read_text(), re.MULTILINE)
            if found:
                return found.group(1)
    raise BuildError("this machine's distribution does not say its code name in /etc/os-release; Debian and Ubuntu do")


def _paragraph_fits(paragraph: str, suite: str) -> bool:
    """A source of the distribution itself, with binary packages; foreign repositories have other components, or other suites."""
    fields = {key.lower(): value.split() for key, _colon, value in (line.partition(":") for line in paragraph.splitlines()) if _colon}
    suites = fields.get("suites", [])
    wanted = bool(suites) and all(one == suite or one.startswith(f"{suite}-") for one in suites)
    return wanted and "deb" in fields.get("types", []) and "main" in fields.get("components", []) and fields.get("enabled") != ["no"]


def _line_fits(line: str, suite: str) -> bool:
    words = re.sub(r"\[[^\]]*\]", "", line).split("#")[0].split()
    return len(words) > 3 and words[0] == "deb" and (words[2] == suite or words[2].startswith(f"{suite}-")) and "main" in words[3:]


def sources(suite: str, top: Path = Path("/etc/apt")) -> list[tuple[str, str]]:
    """The machine's own apt sources of its distribution, as (file ending, text), so that mirrors and keys are those of the machine."""
    found = []
    for path in sorted([*top.glob("sources.list.d/*.sources"), *top.glob("sources.list.d/*.list"), top / "sources.list"]):
        text = path.read_text(errors="replace") if path.exists() else ""
        if path.suffix == ".sources":
            bare = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
            kept = [paragraph for paragraph in re.split(r"\n\s*\n", bare) if _paragraph_fits(paragraph, suite)]
            kind, joint = "sources", "\n\n"
        else:
            kept = [line for line in text.splitlines() if _line_fits(line, suite) and "cdrom:" not in line]
            kind, joint = "list", "\n"
        if kept:
            found.append((kind, joint.join(kept).strip() + "\n"))
    if not found:
        raise BuildError(f"{top} has no source of packages for {suite}; add one, and run apt-get update")
    return found


def unpack(recipe: Recipe, suite: str, texts: t.Sequence[tuple[str, str]], work: Path) -> Path:
    """The packages and what they depend on, unpacked below I(work)."""
    if not shutil.which("mmdebstrap"):
        raise BuildError("mmdebstrap is missing; install it: apt-get install mmdebstrap")
    files = []
    for number, (kind, text) in enumerate(texts):
        path = work / f"source{number}.{kind}"
        path.write_text(text)
        files.append(str(path))
    root = work / "root"
    command = ["mmdebstrap", "--quiet", "--variant=extract", "--mode=root", f"--include={','.join(recipe.packages)}"]
    command += [f"--aptopt={option}" for option in _proxies()]
    done = call([*command, suite, str(root), *files])
    if done.returncode != 0:
        end = "\n".join(done.stderr.strip().splitlines()[-8:])
        raise BuildError(f"mmdebstrap cannot unpack {recipe.reference}; are the mirrors of /etc/apt reachable?\n{end}")
    return root


def call(command: t.Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - argument lists of our own
        command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, env={**os.environ, "LC_ALL": "C"}
    )


def _proxies() -> list[str]:
    """mmdebstrap does not read the machine's apt.conf."""
    lines = call(["apt-config", "dump", "Acquire::http::Proxy", "Acquire::https::Proxy"]).stdout.splitlines()
    return [line for line in lines if line.endswith(";") and not line.endswith('"";')]


def _replace_by_link(root: Path, old: str, new: str, target: str) -> None:
    """A folder becomes a link to another one, which takes its contents."""
    if (root / old).is_symlink():
        return
    if (root / old).exists():
        shutil.copytree(root / old, root / new, symlinks=True, dirs_exist_ok=True)
        shutil.rmtree(root / old)
    (root / old).symlink_to(target)


def merge_usr(root: Path) -> None:
    """C(/bin) and its like become links into C(/usr), wherever the distribution does that: in its packages, or at installation."""
    for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32"):
        if (root / name).exists() or (root / "usr" / name).exists():
            _replace_by_link(root, name, f"usr/{name}", f"usr/{name}")


def trim(root: Path, recipe: Recipe) -> None:
    for pattern in recipe.useless:
        for path in root.glob(pattern):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()


def furnish(root: Path, recipe: Recipe) -> None:
    """What maintainer scripts and an installer would have made."""
    for name in ("dev", "etc", "proc", "root", "run", "sys", "tmp", "usr/bin", "usr/local/bin", "var/lib", "var/log", "var/tmp"):
        (root / name).mkdir(parents=True, exist_ok=True)
    for name in ("tmp", "var/tmp"):
        (root / name).chmod(0o1777)
    for name, target in (("var/run", "run"), ("var/lock", "run/lock")):
        _replace_by_link(root, name, target, f"/{target}")
    _accounts(root, recipe)
    shutil.copy("/usr/lib/os-release", root / "etc/os-release")
    for name, program in recipe.links.items():
        if (root / "usr/bin" / program).exists() and not (root / "usr/bin" / name).exists():
            (root / "usr/bin" / name).symlink_to(program)
    for file in recipe.files:
        path = root / file["path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file["text"])
        path.chmod(int(file["mode"], 8))
    for name in recipe.owned:
        (root / name).mkdir(parents=True, exist_ok=True)


def _accounts(root: Path, recipe: Recipe) -> None:
    groups: dict[str, tuple[int, t.Sequence[str]]] = {"root": (0, ()), "adm": (4, ()), "tty": (5, ()), "nogroup": (65534, ())}
    accounts = ["root:x:0:0:root:/root:/bin/sh", "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin"]
    for name, user in recipe.users.items():
        number = int(user["number"])
        accounts.append(f"{name}:x:{number}:{number}::/nonexistent:/usr/sbin/nologin")
        groups[name] = (number, ())
        groups.update({group: (number + 1 + index, (name,)) for index, group in enumerate(user["groups"])})
    (root / "etc/passwd").write_text("\n".join(accounts) + "\n")
    (root / "etc/group").write_text("".join(f"{name}:x:{gid}:{','.join(members)}\n" for name, (gid, members) in groups.items()))
    (root / "etc/shadow").write_text("".join(f"{line.partition(':')[0]}:*:1::::::\n" for line in accounts))
    (root / "etc/shadow").chmod(0o640)
    (root / "etc/nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files dns\n")


def pack(root: Path, recipe: Recipe, target: t.IO[bytes]) -> None:
    """The tree as one layer; the same tree gives the same bytes."""

    def normal(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
        if entry.isdev():
            return None
        owner = next((user for path, user in recipe.owned.items() if f"{entry.name}/".startswith(f"{path}/")), "")
        entry.uid = entry.gid = recipe.users[owner]["number"] if owner else 0
        entry.uname = entry.gname = ""
        entry.mtime = 0
        return entry

    with tarfile.open(fileobj=target, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for path in sorted(root.rglob("*")):
            tar.add(path, arcname=str(path.relative_to(root)), recursive=False, filter=normal)


def image_config(recipe: Recipe, digest: str, layer: str) -> bytes:
    config = {
        "Entrypoint": list(recipe.entrypoint),
        "Cmd": list(recipe.command) or None,
        "Env": [f"PATH={PATH}"],
        "Labels": {LABEL: digest},
        "StopSignal": recipe.stop_signal,
        "WorkingDir": "/",
    }
    document = {
        "architecture": MACHINES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "created": EPOCH,
        "config": config,
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer}"]},
        "history": [{"created": EPOCH, "created_by": "archetype.lab lab_images"}],
    }
    return json.dumps(document, sort_keys=True).encode()


def _add_bytes(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    tar.addfile(entry, io.BytesIO(content))


def build(recipe: Recipe, suite: str, texts: t.Sequence[tuple[str, str]], digest: str, archive: Path) -> None:
    archive.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"{archive.stem}-", dir=archive.parent) as name:
        work = Path(name)
        root = unpack(recipe, suite, texts, work)
        merge_usr(root)
        trim(root, recipe)
        furnish(root, recipe)
        layer = work / "layer.tar"
        with layer.open("wb") as target:
            pack(root, recipe, target)
        with layer.open("rb") as content:
            identity = hashlib.sha256(content.read()).hexdigest()
        config = image_config(recipe, digest, identity)
        config_name = f"{hashlib.sha256(config).hexdigest()}.json"
        manifest = [{"Config": config_name, "RepoTags": [recipe.reference], "Layers": ["layer.tar"]}]
        partial = work / "image.tar"
        with tarfile.open(partial, "w", format=tarfile.GNU_FORMAT) as tar:
            _add_bytes(tar, "manifest.json", json.dumps(manifest).encode())
            _add_bytes(tar, config_name, config)
            tar.add(layer, arcname="layer.tar")
        for old in archive.parent.glob(f"{archive.name.split('-')[0]}-*.tar"):
            old.unlink()
        partial.replace(archive)


@dataclasses.dataclass(frozen=True)
class Options:
    """docker: whose images these are, if not only the cache's. check: say what would be done, and do nothing."""

    recipes: t.Mapping[str, Recipe]
    cache: Path
    docker: Docker | None
    check: bool = False


def present(options: Options, name: str) -> dict[str, t.Any]:
    """One image, built if it is not in the cache and loaded if Docker has not got it. Returns what was done."""
    recipe, suite, docker = options.recipes[name], release(), options.docker
    texts = sources(suite)
    digest = recipe.digest(json.dumps([suite, texts]))
    archive = options.cache / f"{name}-{digest[:12]}.tar"
    there, old = docker.ours(recipe.reference) if docker else ("", "")
    building = there != digest and not archive.exists()
    loading = there != digest and docker is not None
    if building and not options.check:
        build(recipe, suite, texts, digest, archive)
    if loading and docker and not options.check:
        docker.load(archive)
        if old:
            docker.remove(old)
    return {"reference": recipe.reference, "digest": digest, "archive": str(archive), "built": building, "loaded": loading}


def absent(options: Options, name: str) -> dict[str, t.Any]:
    """Remove what was loaded by this program, and the cache. An image of that name that somebody else made stays."""
    reference = options.recipes[name].reference
    loaded = bool(options.docker and options.docker.ours(reference)[0])
    cached = list(options.cache.glob(f"{name}-*"))
    if not options.check:
        if options.docker and loaded:
            options.docker.remove(reference)
        for path in cached:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        with contextlib.suppress(OSError):  # other images are still there, or nothing is
            options.cache.rmdir()
    return {"reference": reference, "removed": loaded or bool(cached)}


def main(arguments: t.Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Build the node images from Debian packages and load them into Docker.")
    parser.add_argument("names", nargs="*", metavar="IMAGE", help="which of the recipes; all, if none is given")
    parser.add_argument("--recipes", required=True, help="JSON")
    parser.add_argument("--cache", type=Path, default=Path("/var/cache/archetype-lab"), help="where what is built is kept")
    parser.add_argument("--docker", default=DOCKER, help="the socket of Docker")
    parser.add_argument("--absent", action="store_true", help="remove the images and the cache")
    parser.add_argument("--check", action="store_true", help="say what would be done")
    given = parser.parse_args(arguments)
    recipes = {name: Recipe.parse(one) for name, one in json.loads(given.recipes).items()}
    names = given.names or list(recipes)
    if set(names) - set(recipes):
        parser.error(f"there is no image {', '.join(sorted(set(names) - set(recipes)))}; there are {', '.join(recipes)}")
    options = Options(recipes, given.cache, Docker(given.docker, optional=given.check or given.absent), given.check)
    work = absent if given.absent else present
    try:
        with ThreadPoolExecutor() as pool:
            images = list(pool.map(lambda name: work(options, name), names))
    except BuildError as exc:
        sys.stderr.write(f"{exc}\n")
        return 1
    sys.stdout.write(
        json.dumps({"changed": any(one.get("built") or one.get("loaded") or one.get("removed") for one in images), "images": images})
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
