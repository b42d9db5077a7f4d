"""Events about what surrounds the terminal: instruments and their readings, disturbances, broken hardware, stress."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from harness.history.base import Event

InstrumentKind = Literal[
    "chamber", "supply", "power_switch", "burst", "esd", "surge", "field", "card_robot", "key_pusher", "camera",
    "printer_sensor", "relay",
]
Disturbance = Literal["burst", "esd", "surge", "field", "dip", "interruption"]
Criterion = Literal["A", "B", "C"]
Part = Literal[
    "magnetic_reader", "chip_reader", "contactless_reader", "printer", "paper", "battery", "clock_battery", "clock",
    "tamper", "keypad", "screen",
]


class Quantity(BaseModel):
    """What an instrument reads: its unit, and the bench's limits (None: none) beyond which it is never driven.

    Quantities are named with their unit: ``temperature_c``, ``humidity_pct``, ``voltage_v`` (RMS), ``current_a``,
    ``field_v_m``, ``level_kv``, ``door_open`` (0 or 1), ``output_on`` (0 or 1).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    unit: str
    low: float | None = None
    high: float | None = None


class InstrumentOpened(Event):
    """An instrument of the bench is at hand. ``identity``: its answer to ``*IDN?`` or what stands for it; ``emulated``:
    it is a server of ours; ``safe``: the state that it is left in, in words."""

    kind: Literal["instrument.opened"] = "instrument.opened"
    instrument: str
    sort: InstrumentKind
    driver: str
    identity: str
    emulated: bool
    quantities: dict[str, Quantity] = {}
    safe: str


class Readings(Event):
    """What an instrument read at ``t``: a measurement of each quantity. Sampled ten times a second, recorded where a
    value has changed by more than its resolution, and at least every 5 s."""

    kind: Literal["readings"] = "readings"
    instrument: str
    values: dict[str, float]


class InstrumentSet(Event):
    """An instrument was told to do something: a method of its contract, and what with."""

    kind: Literal["instrument.set"] = "instrument.set"
    instrument: str
    method: str
    args: dict[str, str] = {}


class InstrumentTrouble(Event):
    """An instrument failed: the bench's fault, never the terminal's."""

    kind: Literal["instrument.trouble"] = "instrument.trouble"
    instrument: str
    what: str
    remedy: str = ""


class InstrumentsSafe(Event):
    """The instruments were brought to their safe state, by ``why``: the end of a test, a test that hangs, the death of
    the runner, or because it was asked for. ``unsafe``: those that could not be, and the reason."""

    kind: Literal["instruments.safe"] = "instruments.safe"
    why: Literal["asked", "test_ended", "hung", "runner_died"]
    instruments: list[str]
    unsafe: dict[str, str] = {}


class Disturbed(Event):
    """A disturbance began or ended. ``values``: level_kv, voltage_v, residual_pct, duration_ms, field_v_m, ..."""

    kind: Literal["disturbance"] = "disturbance"
    instrument: str
    sort: Disturbance
    state: Literal["begun", "ended"]
    values: dict[str, float] = {}


class StressStep(Event):
    """A step of a stress profile. ``criterion``: that which the terminal must meet in it (IEC 61000-6-1: A works on, B
    back by itself, C back by the operator); None: as the model declares, which declares nothing for it. ``during``: the
    phase of the transaction at which it came, "" none. ``state``: begun; reached (the instrument is where it was to
    be); ended."""

    kind: Literal["stress"] = "stress"
    profile: str
    step: int  # from 1
    instrument: str
    quantity: str
    value: float
    criterion: Criterion | None
    during: str = ""
    state: Literal["begun", "reached", "ended"]


class HardwareState(Event):
    """A part of the terminal is broken on purpose, or whole again. ``state``: ``ok``, or what is wrong with it:
    magnetic_reader ``worn`` (misses some), ``dead``; chip_reader, contactless_reader ``dead``; printer ``hot``,
    ``dead``; paper ``out``; battery ``low``, ``dead``; clock_battery ``dead`` (the clock is lost with the power); clock
    ``drifting``, ``lost``; tamper ``open``; keypad ``dead``; screen ``dead``. ``seed``: of what is left to chance."""

    kind: Literal["hardware"] = "hardware"
    part: Part
    state: str
    seed: int = 0


class Felt(Event):
    """What an emulated terminal's hardware says that it did because of its surroundings (docs/emulator.md). For people,
    for tests of a diagnosis, and to show that a dip of the supply got there: what the terminal makes of it no verdict
    may rest on, for a physical terminal says no such thing."""

    kind: Literal["felt"] = "felt"
    what: str
    detail: str = ""


class OperatorAnswered(Event):
    """A person was asked to do what no instrument of this bench can do, and what they said."""

    kind: Literal["operator.answered"] = "operator.answered"
    instrument: str
    prompt: str
    answer: str
    seconds: float


InstrumentEvent = (
    InstrumentOpened | Readings | InstrumentSet | InstrumentTrouble | InstrumentsSafe | Disturbed | StressStep
    | HardwareState | Felt | OperatorAnswered
)
