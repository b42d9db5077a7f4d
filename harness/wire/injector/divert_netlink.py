# SPDX-License-Identifier: GPL-2.0-only
"""Diverting with tc: an ingress qdisc on each port, u32 filters, mirred. Needs no program, but a guardian: filters stay
when their maker is killed, and then lead nowhere.
"""

from __future__ import annotations

import contextlib
import errno
import ipaddress

from harness.wire.faults.base import Side
from harness.wire.injector import netlink
from harness.wire.injector.devices import SIDES, Devices
from harness.wire.injector.divert import Rule

_EVERY, _IPV4, _ARP = 0x0003, 0x0800, 0x0806
_PRIORITIES = {_EVERY: 9710, _IPV4: 9720, _ARP: 9730}
"""By protocol, because one priority has one; two generations of each, so that new rules stand before old ones go."""
_PROTOCOLS = {"tcp": 6, "udp": 17}


class NetlinkDivert:
    """Raises :class:`OSError` where the kernel has no ingress qdisc, u32 or mirred."""

    name = "netlink"

    def __init__(self, devices: Devices) -> None:
        self._devices = devices
        self._generation = 0
        self._put: frozenset[Rule] = frozenset()
        self._to = {side: devices.divert_index(side) for side in SIDES}
        self._ours: list[Side] = []
        for side in SIDES:
            try:
                devices.route.request(netlink.add_ingress(devices.index[side]))
            except OSError as error:
                if error.errno != errno.EEXIST:
                    raise
            else:
                self._ours.append(side)
        for message in self._filters():  # of one that was killed together with its guardian
            with contextlib.suppress(OSError):
                devices.route.request(message)

    def put(self, rules: frozenset[Rule]) -> None:
        if rules == self._put:
            return
        generation = 1 - self._generation
        try:
            for rule in rules:
                self._devices.route.request(self._redirect(rule, generation))
        except OSError:
            self._remove(rules, generation)
            self._remove(self._put, self._generation)
            self._put = frozenset()
            raise
        self._remove(self._put, self._generation)
        self._put, self._generation = rules, generation

    def close(self) -> None:
        for message in self.removal:
            with contextlib.suppress(OSError):
                self._devices.route.request(message)
        self._put = frozenset()

    @property
    def removal(self) -> list[bytes]:
        return self._filters() + [netlink.remove_ingress(self._devices.index[side]) for side in self._ours]

    def _filters(self) -> list[bytes]:
        return [
            netlink.remove_filters(self._devices.index[side], priority + generation)
            for side in SIDES for priority in _PRIORITIES.values() for generation in (0, 1)
        ]

    def _redirect(self, rule: Rule, generation: int) -> bytes:
        protocol = _protocol(rule)
        return netlink.add_redirect(
            self._devices.index[rule.came], self._to[rule.came], priority=_PRIORITIES[protocol] + generation,
            protocol=protocol, keys=_keys(rule),
        )

    def _remove(self, rules: frozenset[Rule], generation: int) -> None:
        for side, protocol in {(rule.came, _protocol(rule)) for rule in rules}:
            with contextlib.suppress(OSError):
                self._devices.route.request(
                    netlink.remove_filters(self._devices.index[side], _PRIORITIES[protocol] + generation)
                )


def _protocol(rule: Rule) -> int:
    return {"all": _EVERY, "arp": _ARP}.get(rule.kind, _IPV4)


def _keys(rule: Rule) -> list[netlink.Key]:
    """Offsets are from the start of the IPv4 header, or of the ARP packet."""
    keys: list[netlink.Key] = []
    outward = rule.came == "terminal"
    address = ipaddress.IPv4Address(rule.address).packed if rule.address is not None else b""
    if rule.kind == "arp":
        return netlink.keys_of(24 if outward else 14, address) if address else []
    if rule.kind in _PROTOCOLS:
        keys += netlink.keys_of(9, bytes([_PROTOCOLS[rule.kind]]))
    if address:
        keys += netlink.keys_of(16 if outward else 12, address)
    if rule.port is not None:
        keys += netlink.keys_of(0, b"\x05", b"\x0f")
        keys += netlink.keys_of(6, b"\x00\x00", b"\x1f\xff")
        keys += netlink.keys_of(22 if outward else 20, rule.port.to_bytes(2, "big"))
    return keys
