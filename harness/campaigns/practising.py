"""A trouble to practise on: which cause it is, how it is set up, what it takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from harness.bench.bench import Bench
from harness.diagnosis.causes import Cause

Arrange = Callable[[Bench, Random], None]


@dataclass(frozen=True)
class Trouble:
    """``cause``: what it is. ``needs``: what of a bench it takes: dhcp, name, static, cable, modem, chip,
    battery, instruments."""

    cause: Cause
    arrange: Arrange
    needs: frozenset[str] = field(default_factory=frozenset)

    def fits(self, bench: Bench) -> bool:
        network = bench.plan.network
        surroundings = bench.model.surroundings
        has = {
            "instruments": bool(bench.plan.instruments), "chip": "chip" in bench.model.entry,
            "battery": surroundings is not None and surroundings.emulated.battery_s > 0,
            "dhcp": network.network == "dhcp", "name": network.resolve == "name", "modem": bench.model.modem,
            "cable": not bench.model.modem, "static": network.network == "static",
        }
        return all(has[need] for need in self.needs)
