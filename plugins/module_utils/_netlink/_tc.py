# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""What a device does with what it sends (C(tc)): how it is asked for and read, in the kernel's own units.

A rate alone is a token bucket (tbf); everything else is netem, which can keep to a rate too. There is one queueing discipline, at
the root, and its handle is its mark: no other lab or user has this number by chance, and the kernel's own have none.
"""

from __future__ import annotations

import struct
import typing as t

from ansible_collections.archetype.lab.plugins.module_utils._netlink._port import Qdisc
from ansible_collections.archetype.lab.plugins.module_utils._netlink._wire import attribute, attributes

if t.TYPE_CHECKING:
    from ansible_collections.archetype.lab.plugins.module_utils._declared import Impairment

HANDLE = 0xA7AB0000
"""The handle of a queueing discipline that the lab made, which is its mark."""
ROOT = 0xFFFFFFFF
MESSAGE = struct.Struct("=BxxxiIII")
"""struct tcmsg: family, index, handle, parent, info."""

_KIND, _OPTIONS = 1, 2
_MOST = 0xFFFFFFFF
_BYTES_OF_KBIT = 125
_NANOSECONDS = 1_000_000
_ETHERNET = 1

_TBF = struct.Struct("=BBHhHI12xIII")
"""struct tc_tbf_qopt: of its rate cell_log, link layer, overhead, cell_align, mpu, rate; no peak rate; limit, buffer, mtu."""
_TBF_PARMS, _TBF_RATE64, _TBF_BURST = 1, 4, 6
_LEAST_BURST = 1 << 15
_LATENCY = 20
"""A queue holds what leaves in a 20th of a second."""

_NETEM = struct.Struct("=IIIIII")
"""struct tc_netem_qopt: latency (ticks), limit, loss, gap, duplicate, jitter (ticks)."""
_PAIR = struct.Struct("=II")
_NETEM_RATE_FORM = struct.Struct("=IiIi")
_NETEM_REORDER, _NETEM_CORRUPT, _NETEM_RATE, _NETEM_RATE64, _NETEM_LATENCY64, _NETEM_JITTER64 = 3, 4, 6, 8, 10, 11
_QUEUE = 10_000


def wanted(impairment: Impairment) -> Qdisc:
    """The queueing discipline that does this."""
    rate = impairment.rate * _BYTES_OF_KBIT
    shares = {name: _share(getattr(impairment, name)) for name in ("loss", "duplicate", "corrupt", "reorder")}
    times = {name: round(getattr(impairment, name) * _NANOSECONDS) for name in ("delay", "jitter")}
    if not any(shares.values()) and not any(times.values()):
        return Qdisc("tbf", True, (("rate", rate),))
    return Qdisc("netem", True, tuple(sorted({**times, **shares, "rate": rate}.items())))


def _share(percent: float) -> int:
    return round(percent / 100 * _MOST)


def request(index: int, impairment: Impairment, mtu: int) -> bytes:
    """The body of a request for it."""
    want = wanted(impairment)
    values = dict(want.values)
    options = _tbf(values["rate"], mtu) if want.kind == "tbf" else _netem(values)
    head = MESSAGE.pack(0, index, HANDLE, ROOT, 0)
    return head + attribute(_KIND, want.kind.encode() + b"\0") + attribute(_OPTIONS, options)


def removal(index: int) -> bytes:
    return MESSAGE.pack(0, index, HANDLE, ROOT, 0)


def _tbf(rate: int, mtu: int) -> bytes:
    """A burst of 10 ms, and at least some frames: less would not reach the rate, as the kernel hands on many frames at once."""
    burst = max(_LEAST_BURST, mtu + 100, rate // 100)
    limit = burst + rate // _LATENCY
    parms = _TBF.pack(0, _ETHERNET, 0, 0, 0, min(rate, _MOST), min(limit, _MOST), 0, 0)
    large = attribute(_TBF_RATE64, struct.pack("=Q", rate)) if rate > _MOST else b""
    return attribute(_TBF_PARMS, parms) + large + attribute(_TBF_BURST, struct.pack("=I", min(burst, _MOST)))


def _netem(values: t.Mapping[str, int]) -> bytes:
    gap = 1 if values["reorder"] else 0
    options = _NETEM.pack(0, _QUEUE, values["loss"], gap, values["duplicate"], 0)
    options += attribute(_NETEM_LATENCY64, struct.pack("=q", values["delay"])) + attribute(
        _NETEM_JITTER64, struct.pack("=q", values["jitter"])
    )
    for name, kind in (("reorder", _NETEM_REORDER), ("corrupt", _NETEM_CORRUPT)):
        if values[name]:
            options += attribute(kind, _PAIR.pack(values[name], 0))
    if values["rate"]:
        options += attribute(_NETEM_RATE, _NETEM_RATE_FORM.pack(min(values["rate"], _MOST), 0, 0, 0))
        if values["rate"] > _MOST:
            options += attribute(_NETEM_RATE64, struct.pack("=Q", values["rate"]))
    return options


def read(handle: int, body: bytes, start: int) -> Qdisc:
    """What the attributes of a message say."""
    found = attributes(body, start)
    kind = found.get(_KIND, b"").rstrip(b"\0").decode("utf-8", "replace")
    options = found.get(_OPTIONS, b"")
    ours = handle == HANDLE
    if ours and kind == "tbf":
        return Qdisc(kind, ours, (("rate", _read_tbf(attributes(options))),))
    if ours and kind == "netem":
        return Qdisc(kind, ours, tuple(sorted(_read_netem(options).items())))
    return Qdisc(kind, ours)


def _read_tbf(found: t.Mapping[int, bytes]) -> int:
    return _number(found.get(_TBF_RATE64)) or int(_TBF.unpack_from(found[_TBF_PARMS])[5])


def _read_netem(options: bytes) -> dict[str, int]:
    _latency, _limit, loss, _gap, duplicate, _jitter = _NETEM.unpack_from(options)
    found = attributes(options, _NETEM.size)
    rate = _number(found.get(_NETEM_RATE64)) or _number(found.get(_NETEM_RATE, b"")[:4])
    return {
        "delay": _number(found.get(_NETEM_LATENCY64)),
        "jitter": _number(found.get(_NETEM_JITTER64)),
        "loss": loss,
        "duplicate": duplicate,
        "reorder": _number(found.get(_NETEM_REORDER, b"")[:4]),
        "corrupt": _number(found.get(_NETEM_CORRUPT, b"")[:4]),
        "rate": rate,
    }


def _number(data: bytes | None) -> int:
    return int.from_bytes(data or b"", "little" if struct.pack("=H", 1)[0] else "big")


def in_words(qdisc: Qdisc) -> dict[str, float]:
    """The same in the units of the declared state: milliseconds, percent, kbit/s; what is 0 is left out."""
    scale: dict[str, float] = {"delay": _NANOSECONDS, "jitter": _NANOSECONDS, "rate": _BYTES_OF_KBIT}
    return {name: round(value / scale.get(name, _MOST / 100), 6) for name, value in qdisc.values if value}
