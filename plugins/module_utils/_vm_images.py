# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Backing images on this server: what they are, and whether machines can be made on them. They are shared, and never written."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import stat
import typing as t
from dataclasses import dataclass

from ansible_collections.archetype.lab.plugins.module_utils import _programs, _qcow2, _vm_image_cache
from ansible_collections.archetype.lab.plugins.module_utils._declared_vm import Vm
from ansible_collections.archetype.lab.plugins.module_utils._errors import Errors, LabError, ReadError
from ansible_collections.archetype.lab.plugins.module_utils._parallel import fetch
from ansible_collections.archetype.lab.plugins.module_utils._vm_image_cache import Cache

_TIMEOUT = 600.0
"""Seconds for a check, which reads tables only: of 1 TiB on a slow disk that is minutes."""
_BLOCK = 1 << 20
_LONGEST_CHAIN = 32
_PROTOCOL = re.compile(r"[^/]*:")
_LEAKS = 3
"""Exit status of C(qemu-img check) where space is wasted, and nothing is wrong."""


@dataclass(frozen=True)
class Layer:
    """One file of an image. sha256: of the file."""

    path: str
    sha256: str
    virtual_size: int


@dataclass(frozen=True)
class Image:
    """An image that machines can be made on. chain: the image itself, the file that it is an overlay of, and so on; all are qcow2.

    size: of the file; virtual_size: of the disk that a guest sees; both in bytes. sha256: of the file.
    """

    path: str
    size: int
    virtual_size: int
    sha256: str
    chain: tuple[Layer, ...]

    @property
    def digest(self) -> str:
        """What a guest reads is another where this is another: of an image in one file its SHA-256, else of those of the whole chain."""
        if len(self.chain) == 1:
            return self.sha256
        return hashlib.sha256("".join(layer.sha256 for layer in self.chain).encode()).hexdigest()


def look(paths: t.Iterable[str]) -> dict[str, dict[str, t.Any] | None]:
    """What is at each path, by its first bytes: C(format) is qcow2, raw or unknown; C(size); None where nothing is. Raises ReadError."""
    return {path: _look(path) for path in sorted(set(paths))}


def _look(path: str) -> dict[str, t.Any] | None:
    try:
        found, head = _head(path)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ReadError(f"{path} cannot be read: {_why(error)}", hint="look at its owner and mode", objects=(path,)) from error
    if not stat.S_ISREG(found.st_mode):
        return {"format": "unknown", "size": 0}
    kind = "qcow2"
    try:
        _qcow2.parse(head)
    except _qcow2.NotQcow2 as other:
        kind = "raw" if other.format == "raw" else "unknown"
    except ValueError:
        pass  # it is one, and damaged: who uses it is told
    return {"format": kind, "size": found.st_size}


def check(want: t.Iterable[Vm]) -> tuple[dict[str, str], list[LabError]]:
    """The digest of each machine's image, and what is wrong with images: all of it. Images with an error have no digest."""
    found, errors = inspect([(one.image, one.sha256) for one in want])
    return {path: image.digest for path, image in found.items()}, errors


def inspect(wanted: t.Iterable[tuple[str, str]]) -> tuple[dict[str, Image], list[LabError]]:
    """Images by path and SHA-256, which is empty where nothing was said of it. Each is looked at once, whoever wants it."""
    hashes: dict[str, list[str]] = {}
    for path, sha256 in wanted:
        known = hashes.setdefault(path, [])
        if sha256 and sha256.lower() not in known:
            known.append(sha256.lower())
    cache = _vm_image_cache.load()
    images: dict[str, Image] = {}
    errors: list[LabError] = []
    for found in fetch(sorted(hashes), lambda path: _attempt(path, hashes[path], cache)):
        if isinstance(found, Image):
            images[found.path] = found
        else:
            errors.append(found)
    cache.save()
    return images, [single for error in errors for single in (error.errors if isinstance(error, Errors) else [error])]


def _attempt(path: str, hashes: t.Sequence[str], cache: Cache) -> Image | LabError:
    try:
        image = _inspect(path, cache)
        return _wrong_hash(image, hashes) or image
    except LabError as error:
        return error


def _wrong_hash(image: Image, hashes: t.Sequence[str]) -> LabError | None:
    wrong = [one for one in hashes if one != image.sha256]
    if not wrong:
        return None
    hint = "copy the right image to the server, or correct what is behind @sha256: in the topology"
    return LabError(f"image {image.path} has SHA-256 {image.sha256}, and not {' or '.join(wrong)}", hint=hint, objects=(image.path,))


def _inspect(path: str, cache: Cache) -> Image:
    """Raises LabError. What an image names is looked at before anything opens it."""
    files = _chain(path)
    size = files[0][1].st_size
    layers = [Layer(one, cache.digest(one, _vm_image_cache.stamp_of(found)), header.virtual_size) for one, found, header in files]
    for place in reversed(range(len(files))):
        if not layers[place].sha256:
            one, found, header = files[place]
            _run_check(one, header)
            layers[place] = Layer(one, _hash(one, found, cache), header.virtual_size)
    return Image(path, size, layers[0].virtual_size, layers[0].sha256, tuple(layers))


# -- the files of an image ------------------------------------------------------------------------------------------


def _chain(path: str) -> list[tuple[str, os.stat_result, _qcow2.Header]]:
    """All files that an image consists of, the image itself first."""
    found: list[tuple[str, os.stat_result, _qcow2.Header]] = []
    above = ""
    while path:
        if any(path == one for one, _stat, _header in found) or len(found) == _LONGEST_CHAIN:
            raise LabError(f"image {found[0][0]} is based on itself, or on too many files", hint=_FLATTEN, objects=(found[0][0],))
        status, header = _file(path, above)
        found.append((path, status, header))
        above, path = path, _backing(path, header)
    return found


_FLATTEN = "make one file of it, where it was made and all of it is: qemu-img convert -O qcow2 IMAGE NEW"
"""Not on this server: what an image from somewhere names here would be put into it."""


def _file(path: str, above: str) -> tuple[os.stat_result, _qcow2.Header]:
    """above: the image that is based on this file, empty where there is none."""
    name = f"{path}, which image {above} is based on," if above else f"image {path}"
    if not _programs.is_plain(path):
        raise LabError(f"{name} is not given by an absolute path without control characters", hint="rename it", objects=(path,))
    try:
        status, head = _head(path)
    except FileNotFoundError as error:
        there = shlex.quote(f"{os.uname().nodename}:{path}")
        hint = f"copy it there too, or {_FLATTEN}" if above else f"copy it there: scp IMAGE {there}"
        raise LabError(f"{name} is not on this server", hint=hint, objects=(path,)) from error
    except OSError as error:
        raise ReadError(f"{name} cannot be read: {_why(error)}", hint="look at its owner and mode", objects=(path,)) from error
    if not stat.S_ISREG(status.st_mode):
        raise LabError(f"{name} is not a file", hint="give the path of a qcow2 image", objects=(path,))
    try:
        header = _qcow2.parse(head)
    except _qcow2.NotQcow2 as other:
        raise LabError(
            f"{name} is not a qcow2 image: it is {other}",
            hint=_convert(path, other.format) if status.st_size else _COPY_AGAIN,
            objects=(path,),
        ) from other
    except ValueError as error:
        raise LabError(f"{name} is damaged: {error}", hint=_COPY_AGAIN, objects=(path,)) from error
    _refuse(name, path, header)
    return status, header


_COPY_AGAIN = "copy it to the server again, and compare its size and SHA-256 with the original's"


def _convert(path: str, form: str) -> str:
    if form:
        new = f"{os.path.splitext(path)[0]}.qcow2"
        new = f"{path}.qcow2" if new == path else new
        return f"convert it, and use the result: qemu-img convert -f {form} -O qcow2 {shlex.quote(path)} {shlex.quote(new)}"
    return "unpack it where it is packed, and convert what is in it: qemu-img convert -O qcow2 DISK NEW.qcow2"


def _refuse(name: str, path: str, header: _qcow2.Header) -> None:
    """What an image must not have. A file with its data could be any file of the server, and would be written."""
    if header.data_file:
        raise LabError(f"{name} has its data in another file, which could be any of this server's", hint=_FLATTEN, objects=(path,))
    if header.encrypted:
        hint = "decrypt it: qemu-img convert with --object secret, see its manual"
        raise LabError(f"{name} is encrypted, and nobody could give QEMU its key", hint=hint, objects=(path,))
    if header.corrupt:
        raise LabError(f"{name} is marked as corrupt", hint=f"qemu-img check -r all {shlex.quote(path)}, or {_COPY_AGAIN}", objects=(path,))


def _backing(path: str, header: _qcow2.Header) -> str:
    """The file that an image is based on, as QEMU finds it.

    Only a qcow2 file: of a raw one everything would be shown, whatever it is. And only one beside the image: whoever made the image could
    have named the disk of another machine of this server.
    """
    name = header.backing
    if not name:
        return ""
    if not (name + header.backing_format).isprintable():
        raise LabError(f"image {path} is based on {name!r}, which is no name of a file", hint=_FLATTEN, objects=(path,))
    if _PROTOCOL.match(name):
        raise LabError(f"image {path} is based on {name}, which is no file", hint=_FLATTEN, objects=(path,))
    if header.backing_format != "qcow2":
        said = f"as {header.backing_format}" if header.backing_format else "without saying its format"
        hint = f"qemu-img rebase -u -F qcow2 -b {shlex.quote(name)} {shlex.quote(path)}, where it is a qcow2 image; else {_FLATTEN}"
        raise LabError(f"image {path} is based on {name} {said}, and not on a qcow2 image", hint=hint, objects=(path,))
    folder = os.path.dirname(path)
    below = os.path.join(folder, name) if ".." in name.split("/") else os.path.normpath(os.path.join(folder, name))
    if os.path.dirname(below) != folder:
        alone = shlex.quote(os.path.basename(name))
        hint = f"move that file beside it, and qemu-img rebase -u -F qcow2 -b {alone} {shlex.quote(path)}; or {_FLATTEN}"
        raise LabError(f"image {path} is based on {below}, which is not in the folder of the image", hint=hint, objects=(path,))
    return below


def _head(path: str) -> tuple[os.stat_result, bytes]:
    """Raises OSError. Nothing but a file is opened, as that does things to some devices."""
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode):
        return status, b""
    file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    try:
        return os.fstat(file), os.read(file, _qcow2.HEADER_BYTES)
    finally:
        os.close(file)


def _run_check(path: str, header: _qcow2.Header) -> None:
    """QEMU's own check of the tables of one file; those that it is based on are opened too, and not checked."""
    done = _programs.run("qemu-img", "check", "-f", "qcow2", path, timeout=_TIMEOUT)
    if done.exit_code in (0, _LEAKS):
        return
    said = _said(done.output)
    if _qcow2.LOCKED in done.output:
        hint = "end what uses it: machines must have overlays on it, and not the image itself"
        raise LabError(f"image {path} is open for writing elsewhere: {said}", hint=hint, objects=(path,))
    if header.dirty:
        hint = f"qemu-img check -r all {shlex.quote(path)}, where it was; then copy it to the server again"
        raise LabError(f"image {path} was not closed by what wrote it last, and is damaged: {said}", hint=hint, objects=(path,))
    raise LabError(f"image {path} is cut off or damaged: {said}", hint=_COPY_AGAIN, objects=(path,))


def _said(output: str) -> str:
    """What it comes to, in a line: it writes one for every cluster that is wrong, of which the first ones may not be here any more."""
    lines = output.split("\n")
    line = next((one for one in lines if "errors were found" in one), lines[0])
    return " ".join(line.removeprefix("qemu-img: ").split()).rstrip(".")


def _hash(path: str, before: os.stat_result, cache: Cache) -> str:
    stamp = _vm_image_cache.stamp_of(before)
    digest = hashlib.sha256()
    try:
        with open(path, "rb", buffering=0) as file:
            while block := file.read(_BLOCK):
                digest.update(block)
            after = _vm_image_cache.stamp_of(os.fstat(file.fileno()))
    except OSError as error:
        raise ReadError(f"image {path} cannot be read: {_why(error)}", hint="look at the server's disk", objects=(path,)) from error
    if after != stamp:
        raise LabError(f"image {path} is being written", hint="run again when its copying is over", objects=(path,))
    cache.keep(path, stamp, digest.hexdigest())
    return digest.hexdigest()


def _why(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else "") or str(error)
