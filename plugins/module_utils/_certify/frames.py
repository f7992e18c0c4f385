# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""The frames that prove a wire, and how they are told apart.

Each frame says which run, link and source it belongs to, in 35 bytes, so that the smallest fits a 60 byte Ethernet frame with
two tags; the names of link and source follow, so that a stray frame can be named on a server that does not know its link. Its
destination is the one of the protocol that is tested, its innermost EtherType always a local experimental one: a running
device must never see a valid protocol message that its neighbour did not send.
"""

from __future__ import annotations

import struct
import typing as t
import zlib
from dataclasses import dataclass
from hashlib import blake2b

from ansible_collections.archetype.lab.plugins.module_utils._errors import LabError

if t.TYPE_CHECKING:
    from ansible_collections.archetype.lab.plugins.module_utils._declared import Endpoint, Link

ETHERTYPE = 0x88B5
"""IEEE Std 802: local experimental EtherType 1."""
C_TAG, S_TAG = 0x8100, 0x88A8
TAG_TYPES = (C_TAG, S_TAG, 0x9100)
MOST_TAGS = 4

MINIMUM = 60
"""Bytes of the shortest Ethernet frame, without its checksum."""
LARGEST_MTU = 65000
"""An OpenFlow message counts its bytes with 16 bits."""

_MAGIC = b"AL"
_VERSION = 1
_BROADCAST = b"\xff" * 6
_HEADER = struct.Struct("!2sBBB8s8s8sHI")
_CHECKSUM = struct.Struct("!I")
SMALLEST_MTU = _HEADER.size + 8


@dataclass(frozen=True)
class Kind:
    """A sort of frame. destination: None is the far endpoint's probe MAC. tags: (EtherType, VLAN id), outermost first.

    full: as large as the link's MTU allows, else as small as possible.
    """

    name: str
    number: int
    destination: bytes | None = _BROADCAST
    tags: tuple[tuple[int, int], ...] = ()
    full: bool = False


_ALL = (
    Kind("broadcast", 1),
    Kind("unicast", 2, destination=None),
    Kind("lldp", 3, destination=bytes.fromhex("0180c200000e")),
    Kind("lacp", 4, destination=bytes.fromhex("0180c2000002")),
    Kind("stp", 5, destination=bytes.fromhex("0180c2000000")),
    Kind("dot1q", 6, tags=((C_TAG, 42),)),
    Kind("qinq", 7, tags=((S_TAG, 43), (C_TAG, 44))),
    Kind("full_mtu", 8, full=True),
)
KINDS: dict[str, Kind] = {kind.name: kind for kind in _ALL}
"""In the order of sending: broadcasts first, so that bridges learn where each endpoint is before the unicast frames."""
_BY_NUMBER = {kind.number: kind for kind in _ALL}


class Probe(t.NamedTuple):
    """What a received frame says. run, link, source: digests (see below). names: (link key, source), empty where there was no room.

    round: frames are sent anew in each, so that one that was lost is not missed. as_sent: the tags are those that the kind is sent
    with; anything else means that the frame was changed on its way.
    """

    run: bytes
    link: bytes
    source: bytes
    kind: str
    destination: bytes
    round: int
    as_sent: bool
    names: tuple[str, str]


class Outgoing(t.NamedTuple):
    """A frame that is to enter the bridge at a local endpoint. crosses: its link has endpoints on other servers."""

    endpoint: Endpoint
    kind: str
    frame: bytes
    crosses: bool


def digest(*parts: str) -> bytes:
    """8 bytes that stand for these texts."""
    return blake2b("\0".join(parts).encode(), digest_size=8).digest()


class RunId(t.NamedTuple):
    """A run of a lab's certification; frames of any other run are none of its business."""

    lab: str
    token: str


def run_digest(run: RunId) -> bytes:
    return digest("run", run.lab, run.token)


def probe_mac(lab: str, endpoint: str) -> bytes:
    """The MAC address of an endpoint's probes: locally administered, the same in every run, never one of a node."""
    return b"\x0e" + digest("mac", lab, endpoint)[:5]


def build(run: RunId, link: Link, source: str, kind: Kind, target: str = "", *, number: int = 1) -> bytes:
    """The frame of this kind from an endpoint (target: the far endpoint, of a unicast frame) in the round of this number."""
    if not SMALLEST_MTU <= link.mtu <= LARGEST_MTU:
        raise LabError(
            f"link {link.key}: an MTU of {link.mtu} cannot be certified",
            hint=f"set an MTU from {SMALLEST_MTU} to {LARGEST_MTU}",
            objects=(link.key,),
        )
    head = (kind.destination or probe_mac(run.lab, target)) + probe_mac(run.lab, source)
    head += b"".join(struct.pack("!HH", tag_type, vlan) for tag_type, vlan in kind.tags) + struct.pack("!H", ETHERTYPE)
    names = f"\0{link.key}\0{source}\0".encode()
    largest = link.mtu + 14 + 4 * len(kind.tags) - len(head) - _HEADER.size
    body = names if len(names) <= largest else b""
    body = body.ljust(largest if kind.full else MINIMUM - len(head) - _HEADER.size, b"\xa5")
    fields = (_MAGIC, _VERSION, kind.number, number, run_digest(run), digest(link.key), digest(source), len(body))
    checksum = zlib.crc32(_HEADER.pack(*fields, 0) + body)
    return head + _HEADER.pack(*fields, checksum) + body


def parse(frame: bytes) -> Probe | None:
    """What a frame says, or None when it is not a whole, undamaged probe."""
    at = 12
    tags: list[tuple[int, int]] = []
    while len(tags) < MOST_TAGS and frame[at : at + 2] and _word(frame, at) in TAG_TYPES:
        tags.append((_word(frame, at), _word(frame, at + 2) & 0x0FFF))
        at += 4
    start = at + 2
    if _word(frame, at) != ETHERTYPE or len(frame) < start + _HEADER.size:
        return None
    magic, version, number, sending, run, link, source, length, checksum = _HEADER.unpack_from(frame, start)
    kind = _BY_NUMBER.get(number)
    body = frame[start + _HEADER.size : start + _HEADER.size + length]
    if (magic, version) != (_MAGIC, _VERSION) or kind is None or len(body) != length:
        return None
    whole = frame[start : start + _HEADER.size - _CHECKSUM.size] + bytes(_CHECKSUM.size) + body
    if zlib.crc32(whole) != checksum:
        return None
    return Probe(run, link, source, kind.name, frame[:6], sending, tuple(tags) == kind.tags, _names(body))


def _word(frame: bytes, at: int) -> int:
    return int.from_bytes(frame[at : at + 2], "big")


def _names(body: bytes) -> tuple[str, str]:
    parts = body.split(b"\0", 3)
    if len(parts) < 4 or parts[0]:
        return ("", "")
    return (parts[1].decode(errors="replace"), parts[2].decode(errors="replace"))


def sources(link: Link) -> dict[str, list[Endpoint]]:
    """Endpoint -> those whose frames must arrive there, by its name.

    Of a segment with very many ends, each sends to the one before it, and the first to the last: so each is heard, and hears. Those of
    a server follow each other, and each sends to one that has just sent: bridges know by then where that is, and flood nothing.
    """
    if link.probe == "device":
        return {}
    if link.probe == "full":
        return {end.name: [far for far in link.endpoints if far.name != end.name] for end in link.endpoints}
    ring = sorted(link.endpoints, key=lambda end: (end.server, end.name))
    return {end.name: [ring[(place + 1) % len(ring)]] for place, end in enumerate(ring)} if len(ring) > 1 else {}


def kinds_of(link: Link) -> tuple[Kind, ...]:
    """What is sent on a link."""
    return _ALL if link.probe == "full" else tuple(kind for kind in _ALL if kind.destination is None and link.probe == "light")


def _targets(link: Link) -> dict[str, list[str]]:
    """The same the other way round: endpoint -> the names of those that it sends to."""
    found: dict[str, list[str]] = {}
    for target, senders in sources(link).items():
        for sender in senders:
            found.setdefault(sender.name, []).append(target)
    return found


def outgoing(run: RunId, links: t.Sequence[Link], server: str, *, number: int = 1) -> t.Iterator[Outgoing]:
    """All frames that the endpoints of this server send, kind by kind, so that frames of one link are far apart."""
    plans = [(link, kinds_of(link), _targets(link), any(end.server != server for end in link.endpoints)) for link in links]
    for kind in _ALL:
        for link, kinds, targets, crosses in plans:
            for end in sorted(link.endpoints, key=lambda one: one.name) if kind in kinds else ():
                if end.server != server:
                    continue
                there = targets.get(end.name, [])
                for target in there if kind.destination is None else there[:1]:
                    yield Outgoing(end, kind.name, build(run, link, end.name, kind, target, number=number), crosses)
