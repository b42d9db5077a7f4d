"""Disturbances to practise on: a field, discharges, surges, dips that go on while one looks; a burst that stopped it.

They take a bench with the instrument for it. Levels are those at which an emulated terminal shows something. What field
meter, generator and supply read is evidence; what the harness told them is none.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from random import Random
from typing import Literal

from harness.bench.bench import Bench
from harness.bench.stress import READY_S, await_ready
from harness.campaigns.practising import Arrange, Trouble, instruments_of
from harness.instruments.client import Generator

ALL_THE_WHILE = 600  # pulses or dips: more than any look takes
BURST_MS = 300.0


def _field(low_v_m: float, high_v_m: float) -> Arrange:
    def arrange(bench: Bench, chance: Random) -> None:
        level, field = round(chance.uniform(low_v_m, high_v_m), 1), instruments_of(bench).field
        field.arm(field_v_m=level, frequency_mhz=chance.randrange(80, 1000))
        await_ready(bench, field, f"a field of {level:g} V/m")
        field.radiate(True)
        field.await_("field_v_m", level / 2, math.inf, READY_S, f"a field of {level:g} V/m")

    return arrange


def _pulses(kind: Literal["burst", "esd", "surge"], low_kv: float, high_kv: float) -> Arrange:
    """Again and again, as fast as it charges; a burst once."""

    def arrange(bench: Bench, chance: Random) -> None:
        level = round(chance.uniform(low_kv, high_kv), 2)
        generator: Generator = getattr(instruments_of(bench), kind)
        generator.arm(level_kv=level)
        await_ready(bench, generator, f"{kind} at {level:g} kV")
        before = generator.read()["pulses"]
        if kind == "burst":
            generator.fire(duration_ms=BURST_MS)
        else:
            generator.fire(count=ALL_THE_WHILE)
        generator.await_("pulses", before + 1, math.inf, READY_S, f"{kind} at {level:g} kV")

    return arrange


def _dips(bench: Bench, chance: Random) -> None:
    """Deep and long enough to take the power from a unit without a battery."""
    instruments_of(bench).supply.dip(
        residual_pct=chance.choice((0, 40)), duration_ms=chance.randrange(200, 600), count=ALL_THE_WHILE,
        every_ms=chance.randrange(1500, 4000),
    )


OF_DISTURBANCES: Mapping[str, Trouble] = {
    "field": Trouble("environment", _field(4.5, 6), frozenset({"field"})),
    "strong-field": Trouble("environment", _field(7, 10), frozenset({"field"})),
    "discharges": Trouble("environment", _pulses("esd", 2.5, 4), frozenset({"esd"})),
    "surges": Trouble("environment", _pulses("surge", 0.6, 1), frozenset({"surge"})),
    "strong-burst": Trouble("environment", _pulses("burst", 1.2, 2), frozenset({"burst"})),
    "dips": Trouble("environment", _dips, frozenset({"supply", "mains"})),
}
