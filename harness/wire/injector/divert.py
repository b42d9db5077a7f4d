# SPDX-License-Identifier: GPL-2.0-only
"""Which packets the kernel hands to the injector: rules, and who puts them into the kernel. Everything else it carries.

Rules are exactly what armed faults can match, so a fault that waits for somebody else costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Protocol

from harness.wire.faults.base import Direction, Side

Kind = Literal["all", "arp", "ip", "tcp", "udp"]
_WIDER: dict[Kind, tuple[Kind, ...]] = {
    "all": ("all",), "arp": ("arp", "all"), "ip": ("ip", "all"), "tcp": ("tcp", "ip", "all"),
    "udp": ("udp", "ip", "all"),
}


@dataclass(frozen=True, slots=True)
class Rule:
    """Frames that come in at the port towards ``came`` are diverted. ``address`` and ``port``: the peer's; None: any.

    Ports are found in IPv4 packets that are no later fragments and have no options.
    """

    came: Side
    kind: Kind = "all"
    address: str | None = None
    port: int | None = None

    def covers(self, other: Rule) -> bool:
        """Whether all that fits ``other`` fits this one too."""
        return (
            self.came == other.came
            and self.kind in _WIDER[other.kind]
            and self.address in (None, other.address)
            and self.port in (None, other.port)
        )


def rules(direction: Direction, kind: Kind, address: str | None = None, port: int | None = None) -> set[Rule]:
    """The rules for one wish: both ports where both directions are meant, TCP and UDP where there is a port."""
    sides: tuple[Side, ...] = ("terminal", "acquirer")
    if direction != "both":
        sides = ("terminal",) if direction == "to_acquirer" else ("acquirer",)
    kinds: tuple[Kind, ...] = (kind,)
    if port is not None and kind in ("ip", "all"):
        kinds = ("tcp", "udp")
    elif kind == "all" and address is not None:
        kinds = ("ip", "arp")
    return {Rule(side, one, address, port) for side in sides for one in kinds}


def without_repeats(wanted: Iterable[Rule]) -> frozenset[Rule]:
    """The same packets in the fewest rules."""
    kept: list[Rule] = []
    for rule in sorted(set(wanted), key=lambda one: (one.address is not None) + (one.port is not None)):
        if not any(other.covers(rule) for other in kept):
            kept = [other for other in kept if not rule.covers(other)] + [rule]
    return frozenset(kept)


class Divert(Protocol):
    """Puts rules into the kernel. ``name``: how it is called on the command line."""

    name: str

    def put(self, rules: frozenset[Rule]) -> None:
        """These from now on, and no others. Raises :class:`OSError`; then the link carries everything itself."""

    def close(self) -> None:
        """No rules any more. Idempotent."""

    @property
    def removal(self) -> list[bytes]:
        """What the guardian sends to the kernel when we are gone: rtnetlink messages."""
