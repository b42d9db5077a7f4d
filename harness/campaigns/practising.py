"""A trouble to practise on: which cause it is, how it is set up, what it takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import get_args

from harness.bench.bench import Bench
from harness.diagnosis.causes import Cause
from harness.errors import BenchError
from harness.history.instrument_events import InstrumentKind
from harness.instruments.client import Instruments

Arrange = Callable[[Bench, Random], None]


@dataclass(frozen=True)
class Trouble:
    """``cause``: what it is. ``needs``: what of a bench it takes: dhcp, name, static, cable, modem, chip, battery,
    mains (no battery), or a kind of instrument."""

    cause: Cause
    arrange: Arrange
    needs: frozenset[str] = field(default_factory=frozenset)

    def fits(self, bench: Bench) -> bool:
        network = bench.plan.network
        surroundings = bench.model.surroundings
        battery = surroundings is not None and surroundings.emulated.battery_s > 0
        has = {
            "chip": "chip" in bench.model.entry, "battery": battery, "mains": not battery,
            "dhcp": network.network == "dhcp", "name": network.resolve == "name", "modem": bench.model.modem,
            "cable": not bench.model.modem, "static": network.network == "static",
        }
        if bench.instruments is not None:
            has |= {kind: bench.instruments.of_kind(kind) is not None for kind in get_args(InstrumentKind)}
        return all(has.get(need, False) for need in self.needs)


def instruments_of(bench: Bench) -> Instruments:
    """Raises BenchError where there are none."""
    if bench.instruments is None:
        raise BenchError("this trouble takes a bench with instruments", bench=bench.name)
    return bench.instruments
