"""Troubles of the unit itself and of what surrounds it, to practise on: parts that are broken, heat, cold, low supply.

Parts are broken on any emulated bench; the surroundings need one with instruments, whose readings are evidence.
"""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

from harness.bench.bench import Bench
from harness.campaigns.practising import Arrange, Trouble, instruments_of
from harness.history.instrument_events import Part
from harness.instruments.client import Instruments

REACHED_S, CALM_S = 90.0, 180.0
GONE_V_M = 0.5
ROOM = {"temperature_c": 23.0, "humidity_pct": 50.0}


def _broken(part: Part, *states: str, restart: bool = False) -> Arrange:
    """The part in one of these states; ``restart``: it shows once the power was off."""

    def arrange(bench: Bench, chance: Random) -> None:
        bench.front.hardware.break_part(part, chance.choice(states), seed=chance.randrange(1_000_000))
        if restart:
            bench.power.cycle()
            bench.terminal.await_idle(20)

    return arrange


def _climate(quantity: str, low: int, high: int) -> Arrange:
    """The chamber brought to somewhere in between, the other quantity as in a room, and the unit with it."""

    def arrange(bench: Bench, chance: Random) -> None:
        value, chamber = float(chance.randrange(low, high)), instruments_of(bench).chamber
        chamber.set_climate(**{**ROOM, quantity: value})
        chamber.await_(quantity, value - 1.5, value + 1.5, REACHED_S, f"the chamber to reach {quantity} {value:g}")

    return arrange


def _voltage(low: int, high: int) -> Arrange:
    def arrange(bench: Bench, chance: Random) -> None:
        value, supply = float(chance.randrange(low, high)), instruments_of(bench).supply
        supply.set_voltage(value)
        supply.await_("voltage_v", value - 5, value + 5, 10.0, f"the supply to give {value:g} V")

    return arrange


def calm(instruments: Instruments) -> None:
    """All in their safe state, and the climate that of a room again: what comes next is not to feel what was."""
    instruments.safe()
    if instruments.of_kind("field") is not None:
        instruments.field.await_("field_v_m", 0, GONE_V_M, CALM_S, "the field to be gone")
    if instruments.of_kind("supply") is not None:
        instruments.supply.read()  # what it reads now, not in the dip that was the last
    if instruments.of_kind("chamber") is not None:
        chamber = instruments.chamber
        now = chamber.read()
        if not (10 <= now["temperature_c"] <= 38 and 20 <= now["humidity_pct"] <= 80):
            chamber.set_climate(**ROOM)  # driven there: by itself it takes its time
        chamber.await_("temperature_c", 10, 38, CALM_S, "the chamber to be as warm as a room")
        chamber.await_("humidity_pct", 20, 80, CALM_S, "the chamber to be as humid as a room")
        instruments.safe()


_READER, _CHAMBER, _SUPPLY, _BATTERY = (
    frozenset({need}) for need in ("chip", "chamber", "supply", "battery")
)
OF_THE_UNIT: Mapping[str, Trouble] = {
    "stripe-reader-dead": Trouble("hardware", _broken("magnetic_reader", "dead")),
    "chip-reader-dead": Trouble("hardware", _broken("chip_reader", "dead"), _READER),
    "printer-broken": Trouble("hardware", _broken("printer", "dead", "hot")),
    "paper-out": Trouble("hardware", _broken("paper", "out")),
    "battery-worn": Trouble("hardware", _broken("battery", "low", "dead"), _BATTERY),
    "clock-lost": Trouble("hardware", _broken("clock", "lost", restart=True)),
    "keypad-dead": Trouble("hardware", _broken("keypad", "dead")),
    "screen-dead": Trouble("hardware", _broken("screen", "dead")),
    "case-opened": Trouble("tampering", _broken("tamper", "open")),
    "too-hot": Trouble("environment", _climate("temperature_c", 60, 64), _CHAMBER),
    "too-cold": Trouble("environment", _climate("temperature_c", -18, -10), _CHAMBER),
    "too-humid": Trouble("environment", _climate("humidity_pct", 92, 95), _CHAMBER),
    "supply-too-low": Trouble("environment", _voltage(90, 140), _SUPPLY),
}  # fmt: skip
