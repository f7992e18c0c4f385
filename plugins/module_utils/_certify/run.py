# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""The steps of a certification on one server: listen everywhere, send everywhere, collect everywhere."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.archetype.lab.plugins.module_utils._certify import frames, listener, openflow
from ansible_collections.archetype.lab.plugins.module_utils._certify.tally import Tally
from ansible_collections.archetype.lab.plugins.module_utils._errors import LabError, ReadError
from ansible_collections.archetype.lab.plugins.module_utils._ownership import parse_alias
from ansible_collections.archetype.lab.plugins.module_utils._ports import netns_paths

if t.TYPE_CHECKING:
    from ansible_collections.archetype.lab.plugins.module_utils._declared import Endpoint, Link
    from ansible_collections.archetype.lab.plugins.module_utils._netlink._port import Device
    from ansible_collections.archetype.lab.plugins.module_utils._ovsdb._port import OvsState
    from ansible_collections.archetype.lab.plugins.module_utils._server import Server

Result = dict[str, t.Any]


Step = t.Callable[["Run", "Server"], Result]


@dataclass(frozen=True)
class Run:
    """One run over the links of a lab, as one server sees it. timeout, lifetime: seconds.

    timeout: how long collect waits after the last frame. lifetime: how long a listener lives that nobody collects.
    """

    lab: str
    token: str
    server: str
    bridge: str
    links: tuple[Link, ...]
    timeout: float = 2.0
    lifetime: float = 120.0

    @property
    def id(self) -> frames.RunId:
        return frames.RunId(self.lab, self.token)

    @property
    def local(self) -> list[tuple[Link, Endpoint]]:
        return [(link, end) for link in self.links for end in link.endpoints if end.server == self.server]

    @property
    def sending(self) -> list[tuple[Link, Endpoint]]:
        """Those whose frames enter the bridge."""
        return [(link, end) for link, end in self.local if link.probe != "device"]


def listen(run: Run, _server: Server) -> Result:
    listener.start(Tally(run.id, run.server, run.links), run.lifetime)
    return {"listening": True}


def send(run: Run, server: Server) -> Result:
    """Send every frame; C(unsent) holds the endpoints whose frames could not enter the bridge, with the reason."""
    listener.ask(run.id, {"do": "greet"}, timeout=10.0)
    result = _send(run, server)
    listener.ask(run.id, {"do": "sent", "unsent": result["unsent"]}, timeout=10.0)
    return result


def collect(run: Run, server: Server) -> Result:
    seen = listener.ask(run.id, {"do": "collect", "timeout": run.timeout}, timeout=3 * run.timeout + 30.0)
    return _with_ports(run, seen, server)


def certify_here(run: Run, server: Server) -> Result:
    """All steps in one, for links whose endpoints are all on this server."""
    elsewhere = sorted(link.key for link in run.links if any(end.server != run.server for end in link.endpoints))
    if elsewhere:
        raise LabError(
            f"these links have endpoints on other servers: {', '.join(elsewhere)}",
            hint="use the steps listen, send and collect, each on all servers",
            objects=tuple(elsewhere),
        )
    with listener.open_socket() as sock:
        here = listener.Listener(sock, Tally(run.id, run.server, run.links))
        unsent = _send(run, server)["unsent"]
        seen = here.collect(run.timeout)
    return _with_ports(run, {**seen, "unsent": unsent}, server)


def _send(run: Run, server: Server) -> Result:
    """What goes through a tunnel is sent twice: a far bridge that is kept from its work for a moment loses frames of large bursts."""
    if not run.sending:
        return {"sent": 0, "unsent": {}}
    numbers, unsent = port_numbers(run, server.ovs.read())
    sent = 0
    with openflow.Client(run.bridge) as client:
        for number, crosses, pace in ((1, False, openflow.FAST), (1, True, openflow.PATIENT), (2, True, openflow.PATIENT)):
            going = [
                one
                for one in frames.outgoing(run.id, run.links, run.server, number=number)
                if one.crosses == crosses and one.endpoint.name in numbers
            ]
            refused = client.send_frames(((numbers[one.endpoint.name], one.frame) for one in going), pace)
            sent += len(going) - len(refused)
            for position, words in refused.items():
                end = going[position].endpoint
                unsent[end.name] = f"the bridge refused a frame at port {end.port}: {words}"
    return {"sent": sent, "unsent": unsent}


def port_numbers(run: Run, state: OvsState) -> tuple[dict[str, int], dict[str, str]]:
    """Endpoint -> OpenFlow port, and endpoint -> reason for those that have none. Raises ReadError without the bridge."""
    if run.bridge not in state.bridges:
        raise ReadError(
            f"bridge {run.bridge} does not exist on server {run.server}",
            hint="run archetype.lab.prepare_servers, then deploy the lab",
            objects=(run.bridge,),
        )
    numbers: dict[str, int] = {}
    reasons: dict[str, str] = {}
    for _link, end in run.sending:
        port = state.ports.get(end.port)
        if port is None or port.bridge != run.bridge:
            where = f"it is on bridge {port.bridge}" if port else "it does not exist"
            reasons[end.name] = f"port {end.port} is not on bridge {run.bridge}: {where}"
        elif port.ofport is None or port.ofport < 1:
            problem = port.interfaces[0].error if port.interfaces else ""
            reasons[end.name] = f"port {end.port} does not work: {problem or 'ovs-vswitchd has not opened it'}"
        else:
            numbers[end.name] = port.ofport
    return numbers, reasons


def _with_ports(run: Run, seen: Result, server: Server) -> Result:
    """The result of collect: what was seen, with the state of each local port, and strays on other ports of ours as leaks."""
    devices, inside = server.net.read(), _inside(run, server)
    unsent = seen.pop("unsent")
    ports: dict[str, dict[str, t.Any]] = {}
    for _link, end in run.local:
        device = inside.get(end.sandbox, {}).get(end.interface) if end.sandbox else devices.get(end.port)
        missing = f"sandbox {end.sandbox} has no interface {end.interface}" if end.sandbox else f"device {end.port} does not exist"
        error = unsent.get(end.name, "") if device else missing
        ports[end.name] = {"carrier": bool(device and device.carrier), "error": error}
    leaks = seen["leaks"] + _stray_leaks(run, seen.pop("strays"), devices)
    return {**seen, "leaks": leaks, "ports": ports}


def _inside(run: Run, server: Server) -> t.Mapping[str, t.Mapping[str, Device]]:
    """The devices of the sandboxes that have an interface which is there only."""
    names = sorted({end.sandbox for _link, end in run.local if end.sandbox})
    paths = netns_paths(server, names)
    found = server.net.read_netns(sorted(set(paths.values()))) if paths else {}
    return {name: found[path] for name, path in paths.items()}


def _stray_leaks(run: Run, strays: list[dict[str, str]], devices: t.Mapping[str, Device]) -> list[dict[str, str]]:
    """Frames that were seen on a device that belongs to another link or lab. Devices of others are none of our business."""
    keys = {link.key for link in run.links}
    leaks = []
    for stray in strays:
        device = devices.get(stray["seen_on"])
        mark = parse_alias(device.alias) if device else None
        if mark is None or (mark.lab == run.lab and mark.kind == "tunnel" and (mark.key == stray["link"] or mark.key not in keys)):
            continue
        leaks.append({**stray, "seen_on": f"{mark.kind} {stray['seen_on']} ({mark.key} of lab {mark.lab})"})
    return leaks


STEPS: dict[str, Step] = {"listen": listen, "send": send, "collect": collect, "all": certify_here}
