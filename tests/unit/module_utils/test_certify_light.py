# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certification of segments with very many ends, and of links whose other end is not the lab's."""

from __future__ import annotations

import time

import pytest

from ansible_collections.archetype.lab.plugins.module_utils._certify.frames import RunId, outgoing, sources
from ansible_collections.archetype.lab.plugins.module_utils._certify.run import Run
from ansible_collections.archetype.lab.plugins.module_utils._certify.tally import Tally
from ansible_collections.archetype.lab.plugins.module_utils._declared import Endpoint, Link

RUN = RunId("demo", "token")
SERVERS = ("s1", "s2", "s3")


def segment(count: int, probe: str = "light") -> Link:
    ends = tuple(Endpoint(f"n{number}", "eth0", SERVERS[number % 3], f"p{number}") for number in range(count))
    return Link("management", 1500, ends, probe)


def carried(link: Link, *, lost: str = "") -> dict[str, Tally]:
    """All frames of a light link delivered to their targets, but those of the endpoint lost."""
    tallies = {server: Tally(RUN, server, (link,)) for server in SERVERS}
    ports = {end.name: end for end in link.endpoints}
    for server in SERVERS:
        for one in outgoing(RUN, (link,), server):
            target = next(name for name, senders in sources(link).items() if one.endpoint in senders)
            if one.endpoint.name != lost:
                tallies[ports[target].server].add(one.frame, ports[target].port, outgoing=True)
    return tallies


@pytest.mark.parametrize("count", [2, 3, 5, 40])
def test_every_end_of_a_light_link_sends_once_and_is_heard_once(count: int) -> None:
    link = segment(count)
    sent = [one for server in SERVERS for one in outgoing(RUN, (link,), server)]
    assert [one.kind for one in sent] == ["unicast"] * count
    assert {one.endpoint.name for one in sent} == set(sources(link)) == {end.name for end in link.endpoints}
    assert sorted(sender.name for senders in sources(link).values() for sender in senders) == sorted(end.name for end in link.endpoints)
    tallies = carried(link)
    assert all(one.complete for one in tallies.values())
    assert sum(len(one.result()["frames"]) for one in tallies.values()) == count


def test_ends_of_one_server_send_to_one_that_has_sent_before() -> None:
    link = segment(9)
    order = [one.endpoint.name for one in outgoing(RUN, (link,), "s1")]
    targets = {sender.name: target for target, senders in sources(link).items() for sender in senders}
    assert [targets[name] for name in order[1:]] == order[:-1]


def test_an_end_that_is_not_heard_is_missed_by_its_neighbour_only() -> None:
    link = segment(12)
    results = [one.result() for one in carried(link, lost="n4:eth0").values()]
    missing = [(frame["source"], frame["kinds"]) for result in results for frame in result["frames"] if not frame["kinds"]]
    assert missing == [("n4:eth0", [])]


def test_one_end_alone_expects_nothing() -> None:
    link = segment(1)
    assert list(outgoing(RUN, (link,), "s1")) == []
    assert Tally(RUN, "s1", (link,)).complete


def test_what_is_done_for_a_large_segment_grows_with_its_ends_and_not_with_their_square() -> None:
    def work(count: int) -> float:
        link, began = segment(count), time.process_time()
        tally = Tally(RUN, "s1", (link,))
        list(outgoing(RUN, (link,), "s1"))
        tally.result()
        return time.process_time() - began

    work(50)
    small, large = min(work(400) for _round in range(3)), min(work(3200) for _round in range(3))
    assert large < 8 * 4 * max(small, 0.002), f"400 ends took {small:.4f} s, 3200 took {large:.4f} s"


def test_links_to_far_ends_send_nothing_and_are_looked_at() -> None:
    far = Link("a:eth1--host:h1", 1500, (Endpoint("a", "eth1", "s1", "h1"),), "device")
    run = Run("demo", "token", "s1", "arch-ovs", (far,))
    assert list(outgoing(RUN, (far,), "s1")) == []
    assert run.sending == []
    assert [end.port for _link, end in run.local] == ["h1"]
    assert Tally(RUN, "s1", (far,)).result()["frames"] == []
