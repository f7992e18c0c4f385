# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One containerlab file with a bit of everything, over three servers: what each key of it says is so on the servers."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator

import pytest
import yaml

from tests.integration.acceptance import HOST, Lab, Run, World
from tests.testbed import fixtures
from tests.testbed.underlay import DEVICE

NAME = "tuwhole"
PLACES = {"web": "srv1", "app": "srv2", "client": "srv3", "tap": "srv1", "last": "srv3"}
WEB_MGMT = "198.19.77.11"
MACVLAN = 77
TEXT = f"""\
name: {NAME}
mgmt:
  network: custom
  ipv4-subnet: 198.19.77.0/24
topology:
  defaults:
    env: {{LEVEL: defaults, PLACE: defaults}}
  kinds:
    linux:
      image: {HOST}
      env: {{LEVEL: kind}}
  groups:
    front:
      env: {{LEVEL: group}}
      binds: ["files/motd:/etc/motd:ro"]
    back:
      exec: ["ip address add 10.9.0.2/24 dev eth1"]
  nodes:
    web:
      kind: linux
      group: front
      mgmt-ipv4: {WEB_MGMT}
      ports: ["8088:80/tcp"]
      env: {{PLACE: node}}
      cmd: iperf3 --server --port 80
      exec:
        - ip address add 10.9.0.1/24 dev eth1
    app:
      kind: linux
      group: back
      healthcheck: {{test: [CMD-SHELL, "test -e /tmp/ready"], interval: 1, retries: 60, timeout: 2}}
      cmd: sh -c "sleep 3; touch /tmp/ready; exec sleep infinity"
    client:
      kind: linux
      startup-delay: 1
      stages:
        create:
          wait-for: [{{node: app, stage: healthy}}]
        configure:
          exec:
            - {{command: touch /tmp/configured, target: container, phase: on-exit}}
    tap:
      kind: linux
      exec: [sh -c "ip address add UNDERLAY.{MACVLAN}/24 dev eth3"]
    last:
      kind: linux
      network-mode: none
  links:
    - endpoints: ["web:eth1", "app:eth1"]
      mtu: 1400
    - endpoints: ["app:eth2", "client:eth1"]
      ipv4: [10.8.0.1/24, 10.8.0.2/24]
    - endpoints: ["tap:eth3", "macvlan:{DEVICE}"]
    - endpoints: ["tap:eth1", "host:tuw-tap"]
    - type: dummy
      endpoint: {{node: tap, interface: eth9}}
    - endpoints: ["last:eth1", "client:eth2"]
"""


@dataclasses.dataclass(frozen=True)
class Story:
    lab: Lab
    predicted: Run
    first: Run
    second: Run


@pytest.fixture(scope="module")
def story(world: World) -> Iterator[Story]:
    world.forget(NAME)
    folder = world.folder / NAME
    (folder / "files").mkdir(parents=True)
    (folder / "files" / "motd").write_text("welcome\n")
    text = TEXT.replace("UNDERLAY", underlay(world))
    (folder / f"{NAME}.clab.yml").write_text(text)
    lab = Lab(folder / f"{NAME}.lab.yml", yaml.safe_load(text))
    content = {"plugin": "archetype.lab.topology", "topology": f"{NAME}.clab.yml", "servers": "lab_servers", "placement": PLACES}
    lab.file.write_text(yaml.safe_dump(content))
    yield Story(lab, world.check(lab), world.deploy(lab), world.deploy(lab))
    world.forget(NAME)


def underlay(world: World) -> str:
    """The first three bytes of the network between the servers."""
    return world.testbed.server("srv1").address.rpartition(".")[0]


def inside(world: World, story: Story, node: str, *words: str) -> str:
    return world.node(PLACES[node], story.lab.container(node), *words)


def addresses(world: World, story: Story, node: str) -> dict[str, set[str]]:
    """Interface -> its addresses."""
    told = json.loads(inside(world, story, node, "ip", "-json", "address"))
    return {one["ifname"]: {entry["local"] for entry in one["addr_info"]} for one in told}


def test_it_is_deployed_and_green(story: Story) -> None:
    story.first.green()
    assert len(story.first.nodes()) == len(PLACES)


def test_check_mode_said_exactly_what_was_done(story: Story) -> None:
    assert story.predicted.changes() == story.first.changes()


def test_the_second_run_changes_nothing(story: Story) -> None:
    story.second.green()
    assert {host: one["changed"] for host, one in story.second.recap.items()} == dict.fromkeys(story.second.recap, 0)


def test_the_more_specific_level_wins(world: World, story: Story) -> None:
    assert inside(world, story, "web", "sh", "-c", "echo $LEVEL $PLACE").split() == ["group", "node"]
    assert inside(world, story, "app", "sh", "-c", "echo $LEVEL $PLACE").split() == ["kind", "defaults"]


def test_what_is_bound_is_there_read_only(world: World, story: Story) -> None:
    assert inside(world, story, "web", "cat", "/etc/motd") == "welcome\n"
    assert inside(world, story, "web", "sh", "-c", "echo x >> /etc/motd || echo refused").strip().endswith("refused")


def test_management_interfaces_have_their_addresses(world: World, story: Story) -> None:
    assert WEB_MGMT in addresses(world, story, "web")["eth0"]
    assert "eth0" in addresses(world, story, "client")
    assert "eth0" not in addresses(world, story, "last")


def test_eth0_reaches_eth0_on_another_server(world: World, story: Story) -> None:
    inside(world, story, "client", "ping", "-c", "2", "-w", "5", WEB_MGMT)


def test_a_published_port_answers_on_the_server_of_its_node(world: World) -> None:
    address = world.testbed.server("srv1").address
    told = json.loads(world.on("srv2", "iperf3", "--client", address, "--port", "8088", "--time", "1", "--json"))
    assert told["end"]["sum_received"]["bytes"] >= 2**20


def test_a_link_over_servers_has_what_was_set_on_it(world: World, story: Story) -> None:
    inside(world, story, "web", "ping", "-c", "2", "-w", "5", "-M", "do", "-s", "1372", "10.9.0.2")
    mtu = json.loads(inside(world, story, "web", "ip", "-json", "link", "show", "eth1"))[0]["mtu"]
    assert mtu == 1400


def test_addresses_of_a_link_are_on_it(world: World, story: Story) -> None:
    assert "10.8.0.1" in addresses(world, story, "app")["eth2"]
    inside(world, story, "client", "ping", "-c", "2", "-w", "5", "10.8.0.1")


def test_a_node_waits_for_a_healthy_one_on_another_server(world: World, story: Story) -> None:
    def started(node: str) -> str:
        return world.on(PLACES[node], "docker", "inspect", "--format", "{{.State.StartedAt}}", story.lab.container(node)).strip()

    healthy = json.loads(world.on("srv2", "docker", "inspect", "--format", "{{json .State.Health}}", story.lab.container("app")))
    first_good = min(one["End"] for one in healthy["Log"] if one["ExitCode"] == 0)
    assert healthy["Status"] == "healthy"
    assert started("app") < started("client")
    if len(healthy["Log"]) < 5:  # Docker keeps the last five only
        assert first_good[:19] <= started("client")[:19]
    inside(world, story, "client", "test", "-e", "/tmp/configured")


def test_a_macvlan_reaches_what_its_server_is_on(world: World, story: Story) -> None:
    assert f"{underlay(world)}.{MACVLAN}" in addresses(world, story, "tap")["eth3"]
    world.on("srv2", "ping", "-c", "2", "-w", "5", f"{underlay(world)}.{MACVLAN}")


def test_a_host_link_ends_on_the_server(world: World, story: Story) -> None:
    device = world.devices("srv1")["tuw-tap"]
    assert device["linkinfo"]["info_kind"] == "veth"
    world.on("srv1", "ip", "address", "add", "198.51.100.1/30", "dev", "tuw-tap")
    inside(world, story, "tap", "ip", "address", "add", "198.51.100.2/30", "dev", "eth1")
    world.on("srv1", "ping", "-c", "2", "-w", "5", "198.51.100.2")


def test_a_dummy_interface_is_there(world: World, story: Story) -> None:
    assert "eth9" in addresses(world, story, "tap")


def test_groups_are_groups_of_the_inventory(story: Story, world: World) -> None:
    told = fixtures.run_ansible(
        world.testbed, "ansible-inventory", "-i", str(world.testbed.inventory_file), "-i", str(story.lab.file), "--list"
    )
    groups = json.loads(told.stdout)
    assert groups["front"]["hosts"] == ["web"]
    assert groups["back"]["hosts"] == ["app"]
    assert groups["_meta"]["hostvars"]["web"]["ansible_host"] == WEB_MGMT


def test_a_server_that_was_rebooted_is_as_before(world: World, story: Story) -> None:
    world.testbed.reboot("srv1")
    world.deploy(story.lab).green()
    inside(world, story, "web", "ping", "-c", "2", "-w", "5", "10.9.0.2")
    inside(world, story, "client", "ping", "-c", "2", "-w", "5", WEB_MGMT)
    assert "tuw-tap" in world.devices("srv1")


def test_destroying_leaves_nothing(world: World, story: Story) -> None:
    world.play("destroy_lab", story.lab).ok()
    assert world.traces(NAME) == {}
    assert "tuw-tap" not in world.devices("srv1")
    for server in ("srv1", "srv2", "srv3"):
        assert NAME not in world.on(server, "nft", "list", "ruleset")
    asked = f"iperf3 --client {world.testbed.server('srv1').address} --port 8088 --connect-timeout 2000 --bytes 1M || echo gone"
    assert world.on("srv2", "sh", "-c", asked).endswith("gone\n")
