# SPDX-License-Identifier: GPL-2.0-only
"""The splicer of a link: who acts on whole messages (``harness.wire.injector.contract.Splicer``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.errors import BadInput
from harness.wire.faults.base import Fault
from harness.wire.injector.contract import Dice, Outcome, Packet, Splicer


def make_splicer(link: str, keys: Path | None, terminal: str) -> Splicer:
    """For a link of ``harness.wire.layers.LINKS``."""
    return PassOn()


class PassOn:
    """Knows no messages, and refuses every fault on them."""

    due: int | None = None
    peers: frozenset[tuple[str, int]] = frozenset()

    def arm(self, fault_id: int, fault: Fault, dice: Dice) -> None:
        raise BadInput(f"{fault.fault} acts on messages, which this injector does not read", where="fault")

    def heal(self, fault_id: int, now: int) -> Outcome:
        return Outcome()

    def busy(self, fault_id: int) -> bool:
        return False

    def keys(self, masters: Sequence[Mapping[str, str]]) -> None:
        return

    def watch(self, moments: bool) -> None:
        if moments:
            raise BadInput("this injector does not read messages: a moment can only be `connecting`", where="moment")

    def take(self, packet: Packet, now: int) -> tuple[list[Packet], Outcome]:
        return [packet], Outcome()

    def tick(self, now: int) -> tuple[list[Packet], Outcome]:
        return [], Outcome()
