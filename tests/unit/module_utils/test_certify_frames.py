# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import struct

import pytest

from ansible_collections.archetype.lab.plugins.module_utils._certify import frames
from ansible_collections.archetype.lab.plugins.module_utils._certify.frames import KINDS, RunId, build, outgoing, parse
from ansible_collections.archetype.lab.plugins.module_utils._certify.listener import bpf_program, whole_frame
from ansible_collections.archetype.lab.plugins.module_utils._certify.openflow import explain_error, packet_out
from ansible_collections.archetype.lab.plugins.module_utils._declared import Endpoint, Link
from ansible_collections.archetype.lab.plugins.module_utils._errors import LabError

RUN = RunId("demo", "token")


def link(*ends: tuple[str, str], mtu: int = 1500, key: str = "") -> Link:
    endpoints = tuple(Endpoint(node, "eth1", server, f"p-{node}") for node, server in ends)
    return Link(key or "--".join(end.name for end in endpoints), mtu, endpoints)


AB = link(("a", "s1"), ("b", "s1"))


@pytest.mark.parametrize("kind", KINDS.values(), ids=str)
def test_what_is_built_is_parsed_again(kind: frames.Kind) -> None:
    probe = parse(build(RUN, AB, "a:eth1", kind, "b:eth1", number=2))
    assert probe is not None
    assert (probe.run, probe.link, probe.source) == (frames.run_digest(RUN), frames.digest(AB.key), frames.digest("a:eth1"))
    assert (probe.kind, probe.round, probe.as_sent) == (kind.name, 2, True)
    assert probe.names == (AB.key, "a:eth1")
    assert probe.destination == (kind.destination or frames.probe_mac("demo", "b:eth1"))


@pytest.mark.parametrize(
    ("name", "destination"),
    [("lldp", "0180c200000e"), ("lacp", "0180c2000002"), ("stp", "0180c2000000"), ("broadcast", "ffffffffffff")],
)
def test_a_protocol_is_imitated_by_its_address_and_never_by_its_type(name: str, destination: str) -> None:
    frame = build(RUN, AB, "a:eth1", KINDS[name])
    assert frame[:6].hex() == destination
    assert frame[12:14] == b"\x88\xb5"


@pytest.mark.parametrize(("name", "tags"), [("dot1q", "8100002a"), ("qinq", "88a8002b8100002c")])
def test_tagged_frames_carry_their_tags(name: str, tags: str) -> None:
    assert build(RUN, AB, "a:eth1", KINDS[name])[12:].hex().startswith(f"{tags}88b5")


@pytest.mark.parametrize("mtu", [68, 576, 1450, 9500])
def test_a_full_frame_is_as_large_as_the_mtu_allows(mtu: int) -> None:
    assert len(build(RUN, link(("a", "s1"), ("b", "s1"), mtu=mtu), "a:eth1", KINDS["full_mtu"])) == mtu + 14


@pytest.mark.parametrize("kind", KINDS.values(), ids=str)
def test_on_a_small_mtu_every_frame_still_fits(kind: frames.Kind) -> None:
    frame = build(RUN, link(("a", "s1"), ("b", "s1"), mtu=68, key="k" * 200), "a:eth1", kind, "b:eth1")
    assert len(frame) - 14 - 4 * len(kind.tags) <= 68
    assert len(frame) >= 60
    probe = parse(frame)
    assert probe is not None
    assert probe.names == ("", "")


@pytest.mark.parametrize("mtu", [40, 65501])
def test_an_mtu_that_cannot_be_certified_is_an_error_that_names_the_link(mtu: int) -> None:
    with pytest.raises(LabError, match=f"link a:eth1--b:eth1: an MTU of {mtu} cannot be certified; set an MTU from"):
        build(RUN, link(("a", "s1"), ("b", "s1"), mtu=mtu), "a:eth1", KINDS["stp"])


def test_a_damaged_or_cut_frame_is_none() -> None:
    frame = build(RUN, AB, "a:eth1", KINDS["full_mtu"])
    assert parse(frame[:-1]) is None
    assert parse(frame[:700] + b"x" + frame[701:]) is None
    assert parse(b"") is None
    assert parse(frame[:12] + b"\x08\x00" + frame[14:]) is None


def test_padding_that_the_wire_added_does_no_harm() -> None:
    assert parse(build(RUN, AB, "a:eth1", KINDS["stp"]) + bytes(10)) is not None


@pytest.mark.parametrize("stack", [b"\x81\x00\x00\x65", b"\x88\xa8\x00\x2b\x81\x00\x00\x2c", b""])
def test_a_frame_with_other_tags_is_known_and_told_apart(stack: bytes) -> None:
    frame = build(RUN, AB, "a:eth1", KINDS["dot1q"])
    probe = parse(frame[:12] + stack + frame[16:])
    assert probe is not None
    assert not probe.as_sent


def test_the_tag_that_the_kernel_keeps_aside_is_put_back() -> None:
    frame = build(RUN, AB, "a:eth1", KINDS["qinq"])
    aside = struct.pack("=IIIHHHH", 0x51, 0, 0, 0, 0, 43, 0x88A8)
    assert whole_frame(frame[:12] + frame[16:], [(263, 8, aside)]) == frame
    assert whole_frame(frame, [(263, 8, struct.pack("=IIIHHHH", 1, 0, 0, 0, 0, 0, 0))]) == frame


def test_probe_addresses_are_local_unicast_and_differ() -> None:
    macs = {frames.probe_mac(lab, f"n{number}:eth1") for lab in ("x", "y") for number in range(500)}
    assert len(macs) == 1000
    assert all(mac[0] & 3 == 2 for mac in macs)


def test_broadcasts_go_first_and_frames_of_one_link_are_far_apart() -> None:
    links = [AB, link(("c", "s1"), ("d", "s2"))]
    sent = list(outgoing(RUN, links, "s1"))
    assert [(one.endpoint.node, one.kind) for one in sent[:6]] == [
        ("a", "broadcast"), ("b", "broadcast"), ("c", "broadcast"), ("a", "unicast"), ("b", "unicast"), ("c", "unicast"),
    ]  # fmt: skip
    assert len(sent) == 3 * len(KINDS)
    assert {one.endpoint.node for one in sent if one.crosses} == {"c"}


def test_on_a_segment_unicast_goes_to_each_far_endpoint() -> None:
    segment = link(("a", "s1"), ("b", "s2"), ("c", "s3"), ("d", "s3"), key="segment:lan")
    sent = list(outgoing(RUN, [segment], "s1"))
    targets = {one.frame[:6] for one in sent if one.kind == "unicast"}
    assert targets == {frames.probe_mac("demo", f"{node}:eth1") for node in "bcd"}
    assert len(sent) == len(KINDS) + 2


def test_a_link_with_one_end_sends_nothing() -> None:
    assert not list(outgoing(RUN, [link(("a", "s1"), key="segment:alone")], "s1"))


def run_bpf(frame: bytes) -> int:
    """What the kernel does with the program: 0 is drop."""
    program, at, word = bpf_program(), 0, 0
    while True:
        code, yes, no, value = program[at]
        if code == 0x06:
            return value
        if code == 0x28:
            if value + 2 > len(frame):
                return 0
            word = int.from_bytes(frame[value : value + 2], "big")
            at += 1
        else:
            at += 1 + (yes if word == value else no)


@pytest.mark.parametrize(
    ("types", "passes"),
    [
        ("88b5", True),
        ("8100002a88b5", True),
        ("88a8002b8100002c88b5", True),
        ("9100000188a8002b8100002c88b5", True),
        ("810000018100000288a8002b8100002c88b5", True),
        ("88b6", False),
        ("0800", False),
        ("8100002a0800", False),
        ("88a8002b8100002c86dd", False),
        ("8100000181000002810000038100000481000005" + "88b5", False),
    ],
)
def test_the_filter_passes_our_type_behind_any_tags_and_nothing_else(types: str, passes: bool) -> None:
    assert bool(run_bpf(bytes(12) + bytes.fromhex(types) + bytes(40))) is passes


def test_the_filter_drops_what_is_too_short() -> None:
    assert not run_bpf(bytes(12) + b"\x81\x00")


def test_a_packet_out_goes_to_the_flow_table() -> None:
    packed = packet_out(7, 3, b"frame").pack()
    assert packed[:8] == struct.pack("!BBHI", 4, 13, 40 + 5, 7)
    assert packed[8:24] == struct.pack("!IIH6x", 0xFFFFFFFF, 3, 16)
    assert packed[24:40] == struct.pack("!HHIH6x", 0, 16, 0xFFFFFFF9, 0)
    assert packed[40:] == b"frame"


def test_an_openflow_error_is_put_into_words() -> None:
    assert explain_error(struct.pack("!HH", 1, 11)) == "bad request: in_port"
    assert explain_error(struct.pack("!HH", 2, 4)) == "bad action: code 4"
