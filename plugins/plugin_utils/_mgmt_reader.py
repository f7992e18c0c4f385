# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""C(mgmt) of a topology: what it says of the management network, checked as far as a file can be."""

from __future__ import annotations

import ipaddress
import typing as t

from ansible_collections.archetype.lab.plugins.plugin_utils._model import Management, Place
from ansible_collections.archetype.lab.plugins.plugin_utils._read import Reader, quote
from ansible_collections.archetype.lab.plugins.plugin_utils._yaml import MapValue, Problems, Value

AUTO = "auto"
MIN_MTU, MAX_MTU = 68, 65535
OLD = {"ipv4_subnet": "ipv4-subnet", "ipv6_subnet": "ipv6-subnet"}
"""Keys that containerlab still reads under the names they had before."""
NOTED = {
    "bridge": "the management network is the lab's own and spans its servers",
    "driver-opts": "the management network is not Docker's",
}
"""Keys that have no effect, and why."""
KEYS = frozenset({
    "bridge", "driver-opts", "external-access", "ipv4-gw", "ipv4-range", "ipv4-subnet", "ipv6-gw", "ipv6-range", "ipv6-subnet", "mtu",
    "network", "skip-when-unused", *OLD,
})  # fmt: skip

_Network = t.Union[ipaddress.IPv4Network, ipaddress.IPv6Network]
_EXAMPLES = {4: "198.51.100.0/24", 6: "2001:db8::/64"}


class MgmtReader(Reader):
    """Reads it. notes: what has no effect."""

    def __init__(self, problems: Problems) -> None:
        super().__init__(problems)
        self.notes: list[str] = []

    def read(self, value: Value | None) -> Management:
        values = self.mapping(value, "mgmt")
        if values is None:
            return Management()
        self.known_keys(values, KEYS, "mgmt")
        self.scalar_map(values.get("driver-opts"), "driver-opts of mgmt")
        self.notes += [f"mgmt: {key} has no effect: {why}" for key, why in NOTED.items() if values.get(key) is not None]
        found: dict[int, tuple[str, str, str]] = {version: self._family(values, version) for version in (4, 6)}
        return Management(
            network=self.text(values.get("network"), "network of mgmt") or "",
            bridge=self.text(values.get("bridge"), "bridge of mgmt") or "",
            ipv4_subnet=found[4][0],
            ipv6_subnet=found[6][0],
            ipv4_gateway=found[4][1],
            ipv6_gateway=found[6][1],
            ipv4_range=found[4][2],
            ipv6_range=found[6][2],
            mtu=self._mtu(values),
            external_access=self.boolean(values.get("external-access"), "external-access of mgmt") or False,
            skip_when_unused=self.boolean(values.get("skip-when-unused"), "skip-when-unused of mgmt") or False,
            place=Place(self.problems.file, values.line, values.column),
        )

    def _mtu(self, values: MapValue) -> int:
        value = values.get("mtu")
        if self.text(value, "mtu of mgmt") == "0":
            return 0
        return self.integer(value, "mtu of mgmt", MIN_MTU, MAX_MTU) or 0

    def _family(self, values: MapValue, version: int) -> tuple[str, str, str]:
        """Subnet, gateway and range of one IP version; empty where the file is silent, and where it is wrong."""
        key = f"ipv{version}-subnet"
        old = next(one for one, new in OLD.items() if new == key)
        at = values.get(key) or values.get(old)
        text = (self.text(at, f"{key} of mgmt") or "").strip()
        subnet = self._network(at, key, text, version) if text and text.lower() != AUTO else None
        gateway = self._inside(values, f"ipv{version}-gw", subnet, version, self._gateway)
        part = self._inside(values, f"ipv{version}-range", subnet, version, self._range)
        return (AUTO if text.lower() == AUTO else str(subnet or "")), gateway, part

    def _network(self, at: Value | None, key: str, text: str, version: int) -> _Network | None:
        """A network; bits of it that belong to a host are cleared, as Docker does."""
        try:
            found = ipaddress.ip_network(text, strict=False) if "/" in text else None
        except ValueError:
            found = None
        if found is None or found.version != version:
            what = f"{key} of mgmt is {quote(text)}, which is not an IPv{version} network"
            self.problems.add(at, what, f"Write it as {_EXAMPLES[version]}" + (" or auto" if key.endswith("subnet") else ""))
            return None
        if found.num_addresses < 4:
            self.problems.add(at, f"{key} of mgmt is {quote(text)}, which has no room for nodes", "Give a shorter prefix")
            return None
        return found

    def _inside(
        self, values: MapValue, key: str, subnet: _Network | None, version: int, check: t.Callable[[Value, str, str, _Network, int], str]
    ) -> str:
        """What a key says that must lie in the subnet."""
        value = values.get(key)
        text = (self.text(value, f"{key} of mgmt") or "").strip()
        if value is None or not text:
            return ""
        if subnet is None:
            if values.get(f"ipv{version}-subnet") is None and values.get(f"ipv{version}_subnet") is None:
                self.problems.add(value, f"mgmt has {key} but no ipv{version}-subnet", "Give the subnet too")
            elif (self.text(values.get(f"ipv{version}-subnet"), key) or "").strip().lower() == AUTO:
                self.problems.add(value, f"mgmt has {key}, but its subnet is chosen by the lab", "Write the subnet out")
            return ""
        return check(value, key, text, subnet, version)

    def _gateway(self, at: Value, key: str, text: str, subnet: _Network, version: int) -> str:
        try:
            found = ipaddress.ip_address(text)
        except ValueError:
            found = None
        if found is None or found.version != version or found not in subnet or (version == 4 and found in (subnet[0], subnet[-1])):
            self.problems.add(at, f"{key} of mgmt is {quote(text)}, which is no address of a host in {subnet}", f"Write it as {subnet[1]}")
            return ""
        return str(found)

    def _range(self, at: Value, key: str, text: str, subnet: _Network, version: int) -> str:
        found = self._network(at, key, text, version)
        if found is None:
            return ""
        if not found.subnet_of(t.cast(t.Any, subnet)):
            self.problems.add(
                at, f"{key} of mgmt is {quote(text)}, which is not inside {subnet}", "Write it as a network inside the subnet"
            )
            return ""
        return str(found)
