# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a guest sees of a link that is down: a real libvirtd, QEMU and Open vSwitch, and a machine that boots."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.lab_server import LabServer
from tests.testbed import guest
from tests.testbed.testbed import Testbed

LAB = "vl"
BRIDGE = "vl-ovs"
DOMAIN = f"{LAB}-r1"
FOLDER = f"/var/lib/libvirt/archetype-lab/{LAB}"
Json = dict[str, Any]


def declared(*down: int) -> Json:
    """A machine with two taps; the ports of some are not enabled."""
    numbers = (1, 2)
    return {
        "lab": LAB,
        "server": "srv1",
        "bridge": {"name": BRIDGE},
        "ports": [
            {
                "name": f"vlt{number}",
                "device": "tap",
                "node": "r1",
                "interface": f"eth{number}",
                "mtu": 1500,
                "tag": 300 + number,
                "enabled": number not in down,
            }
            for number in numbers
        ],
        "vms": [
            {
                "name": DOMAIN,
                "node": "r1",
                "image": guest.PATH,
                "memory": 96 * 2**20,
                "nics": [
                    {"mac": "02:00:00:00:77:00", "role": "management"},
                    *({"mac": f"02:00:00:00:77:0{number}", "tap": f"vlt{number}", "interface": f"eth{number}"} for number in numbers),
                ],
            }
        ],
    }


class Machine(LabServer):
    def converge(self, *down: int, predicted: bool = False) -> list[str]:
        """What was done: lines of the diff, without that of what is kept as declared. predicted: it is done as check mode says."""
        asked: Json = {"declared": declared(*down), "owner": "test", "token": "t"}
        said = self.module("lab_converge", check_mode=True, **asked) if predicted else None
        did = self.module("lab_converge", **asked)
        assert not did.get("failed"), did
        assert said is None or said["changes"] == did["changes"]
        return [line for line in str(did["diff"].get("prepared", "")).splitlines() if line.split()[1] != "state"]

    def virsh(self, *words: str) -> str:
        return self.run("virsh", "-q", *words).strip()

    def same(self) -> tuple[str, str]:
        """What must stay as it is: its process, and its definition."""
        return self.run("cat", f"/run/libvirt/qemu/{DOMAIN}.pid"), self.virsh("dumpxml", "--inactive", DOMAIN)

    def reset(self) -> None:
        left = f"rm -rf {FOLDER} /var/lib/archetype-lab/{LAB}* /run/archetype-lab/labs/{LAB}"
        self.run("sh", "-c", f"virsh -q destroy {DOMAIN}; virsh -q undefine {DOMAIN}; ovs-vsctl --if-exists del-br {BRIDGE}; {left}")
        self.run("sh", "-c", "for one in vlt1 vlt2; do ip link del $one 2>/dev/null || true; done")


@pytest.fixture
def machine(testbed: Testbed, guest_image: str) -> Iterator[Machine]:
    assert guest_image == guest.PATH
    one = Machine(testbed.servers[0])
    one.reset()
    yield one
    one.reset()


def test_a_guest_sees_that_its_link_is_down_and_up_again_and_nothing_else_of_it(machine: Machine) -> None:
    """It is started with one link down; then that comes up, somebody sets the other down by hand, and both go down."""
    assert f"+ vm {DOMAIN} (r1)" in machine.converge(1)
    before = machine.same()
    with guest.Console(machine.server, DOMAIN) as console:
        console.login()

        def carriers() -> list[str]:
            return console.run("shell cat /sys/class/net/eth1/carrier /sys/class/net/eth2/carrier").split()

        assert carriers() == ["0", "1"]

        link, port = machine.converge(predicted=True)
        assert link == f"~ vm {DOMAIN} (r1): link of eth1 down -> up"
        assert port.startswith("~ port vlt1 (r1:eth1): up False -> True")
        assert carriers() == ["1", "1"]

        machine.virsh("domif-setlink", DOMAIN, "vlt2", "down")
        assert carriers() == ["1", "0"]
        assert machine.converge(predicted=True) == [f"~ vm {DOMAIN} (r1): link of eth2 down -> up"]
        assert carriers() == ["1", "1"]
        assert machine.converge() == []

        assert machine.converge(1, 2)[0] == f"~ vm {DOMAIN} (r1): link of eth1 up -> down, link of eth2 up -> down"
        assert carriers() == ["0", "0"]
        assert machine.converge(1, 2) == []
    assert machine.same() == before
