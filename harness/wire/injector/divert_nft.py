# SPDX-License-Identifier: GPL-2.0-only
"""Diverting with nftables: a netdev table with ``flags owner``, which the kernel removes when its owner dies."""

from __future__ import annotations

import contextlib

from harness.wire.injector.devices import SIDES, Devices
from harness.wire.injector.divert import Rule
from harness.wire.injector.nft import Nft, open_nft

_PRIORITY = -150


class NftDivert:
    """Raises :class:`OSError` where there is no nftables, or not what is needed of it (owner, ingress, fwd)."""

    name = "nft"
    removal: list[bytes] = []

    def __init__(self, devices: Devices, nft: Nft | None = None) -> None:
        self._devices = devices
        self._table = f"hil97_{devices.index['terminal']}"
        self._nft = open_nft() if nft is None else nft
        self._put: frozenset[Rule] = frozenset()
        try:
            self._nft.run(self._made())
            self.put(frozenset(Rule(side) for side in SIDES))  # whether this kernel knows fwd shows only in a rule
            self.put(frozenset())
        except OSError:
            self.close()
            raise

    def put(self, rules: frozenset[Rule]) -> None:
        if rules == self._put:
            return
        lines = [f"flush chain netdev {self._table} from_{side}" for side in SIDES]
        lines += [
            f'add rule netdev {self._table} from_{rule.came} {_expression(rule)} '
            f'fwd to "{self._devices.names[rule.came]}"'
            for rule in rules
        ]
        try:
            self._nft.run("\n".join(lines))
        except OSError:
            self._put = frozenset()
            self._nft.run("\n".join(lines[: len(SIDES)]))
            raise
        self._put = rules

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._nft.run(f"delete table netdev {self._table}")
        self._nft.close()

    def _made(self) -> str:
        """A table of that name belongs to a process that lives: the lock of the devices has seen to that."""
        chains = [
            f"add chain netdev {self._table} from_{side} "
            f'{{ type filter hook ingress device "{self._devices.ports[side]}" priority {_PRIORITY}; policy accept; }}'
            for side in SIDES
        ]
        return "\n".join([f"add table netdev {self._table} {{ flags owner; }}", *chains])


def _expression(rule: Rule) -> str:
    outward = rule.came == "terminal"
    if rule.kind == "all":
        return ""
    if rule.kind == "arp":
        which = "daddr" if outward else "saddr"
        return "ether type arp" + (f" arp {which} ip {rule.address}" if rule.address else "")
    parts = ["ether type ip"]
    if rule.address is not None:
        parts.append(f"ip {'daddr' if outward else 'saddr'} {rule.address}")
    if rule.kind in ("tcp", "udp"):
        parts.append(f"ip protocol {rule.kind}")
    if rule.port is not None:
        which = "dport" if outward else "sport"
        parts.append(f"ip hdrlength 5 ip frag-off & 0x1fff == 0 {rule.kind} {which} {rule.port}")
    return " ".join(parts)
