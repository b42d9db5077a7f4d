"""Keywords about a terminal's surroundings and its broken parts, for benches with instruments. Import it beside the
terminal's library: ``Library  harness.robot.environment.EnvironmentLibrary``; tag the tests ``needs-instruments``.
"""

from __future__ import annotations

from typing import Any, get_args

from robot.api.deco import keyword, library
from robot.libraries.BuiltIn import BuiltIn

from harness.bench.bench import Bench
from harness.bench.stress import StepUnderWay, Stress
from harness.errors import BadInput
from harness.history.instrument_events import Part
from harness.lab.stress import by_hand
from harness.robot.library import TerminalLibrary
from harness.terminal.cards import CARDS
from harness.terminal.contracts import Operation

_SORTS = {"burst": "burst", "discharge": "esd", "surge": "surge"}
_WORK = "a sale|a sign-in"


@library(scope="GLOBAL", listener="SELF", auto_keywords=False)
class EnvironmentLibrary:
    """Climate, supply, disturbances, broken parts and whole stress profiles."""

    ROBOT_LISTENER_API_VERSION = 3

    def __init__(self) -> None:
        self._moment = ""

    def start_test(self, data: Any, result: Any) -> None:
        self._moment = ""

    @property
    def _terminal(self) -> TerminalLibrary:
        terminal = BuiltIn().get_library_instance("harness.robot.library.TerminalLibrary")
        assert isinstance(terminal, TerminalLibrary)
        return terminal

    @property
    def _bench(self) -> Bench:
        return self._terminal.bench

    # -- climate and supply -------------------------------------------------------------------------------------------

    @keyword("It is ${degrees} degrees")
    def temperature(self, degrees: str) -> None:
        """Around the terminal, measured; until the test ends or it is said otherwise."""
        self._bring("chamber", "temperature_c", degrees)

    @keyword("It is as ${which:cold|hot} as the terminal may have it")
    def coldest(self, which: str) -> None:
        """Three kelvins inside the end of the range that its model declares: a chamber overshoots."""
        self._bring("chamber", "temperature_c", "low" if which == "cold" else "high", 3 if which == "cold" else -3)

    @keyword("The air has ${percent} per cent humidity")
    def humidity(self, percent: str) -> None:
        self._bring("chamber", "humidity_pct", percent)

    @keyword("The supply gives ${volts} volts")
    def supply(self, volts: str) -> None:
        self._bring("supply", "voltage_v", volts)

    def _bring(self, instrument: str, quantity: str, value: str, plus: float = 0) -> None:
        number: float | str = value if value in ("low", "high") else _number(value)
        under_way = self._step(
            instrument=instrument, quantity=quantity, value=number, plus=plus, criterion="declared"
        )
        under_way.reach()

    # -- disturbances -------------------------------------------------------------------------------------------------

    @keyword("It will strike during ${moment}")
    def during(self, moment: str) -> None:
        """The next disturbance, at that moment on the wire: ``It will strike during the response to 0200``."""
        self._moment = moment

    @keyword("A ${sort:burst|discharge|surge} of ${kv} kV strikes ${work:" + _WORK + "}")
    def pulse(self, sort: str, kv: str, work: str) -> None:
        """At the moment that was said, or before it. What the terminal told is what the next keyword asks for."""
        name = _SORTS[sort]
        burst = {"duration_ms": 300.0} if name == "burst" else {}
        self._strike(work, instrument=name, disturbance=name, value=_number(kv), **burst)

    @keyword("The supply dips to ${percent} per cent for ${ms} ms in ${work:" + _WORK + "}")
    def dip(self, percent: str, ms: str, work: str) -> None:
        self._strike(
            work, instrument="supply", disturbance="dip", value=_number(percent), duration_ms=_number(ms)
        )

    @keyword("The supply is interrupted for ${ms} ms in ${work:" + _WORK + "}")
    def interruption(self, ms: str, work: str) -> None:
        self._strike(work, instrument="supply", disturbance="interruption", value=0, duration_ms=_number(ms))

    @keyword("A field of ${level} V/m at ${mhz} MHz strikes ${work:" + _WORK + "}")
    def field(self, level: str, mhz: str, work: str) -> None:
        frequency = _number(mhz)
        self._strike(
            work, instrument="field", disturbance="field", value=_number(level),
            frequencies_mhz={"low": frequency, "high": frequency * 1.001, "samples": 1},
        )

    @keyword("The terminal comes back")
    def come_back(self) -> None:
        """Idle again by itself; where nothing better is declared, an operator switches it off and on."""
        self._last_step.come_back()

    def _strike(self, work: str, **step: Any) -> None:
        under_way = self._step(criterion="declared", during=self._moment or None, **step)
        self._last_step = under_way
        self._moment = ""
        told = under_way.meet(self._sale if work == "a sale" else self._bench.terminal.begin_sign_in)
        under_way.record("ended")
        self._terminal.take(told)

    def _sale(self) -> Operation:
        return self._bench.terminal.begin_sale(97_00, card=CARDS["magnetic"])

    def _step(self, **step: Any) -> StepUnderWay:
        try:
            stress = Stress(self._bench, by_hand(step))
        except BadInput as error:
            raise AssertionError(str(error)) from None
        under_way = StepUnderWay(stress, stress.steps[0])
        under_way.record("begun")
        return under_way

    # -- broken parts -------------------------------------------------------------------------------------------------

    @keyword("The ${part} is broken: ${state}")
    def break_part(self, part: str, state: str) -> None:
        """A part and a state of docs/environment.md: ``The printer is broken: dead``, ``The magnetic reader is broken:
        worn``."""
        self._bench.hardware.break_part(_part(part), state)

    @keyword("The ${part} is whole again")
    def mend(self, part: str) -> None:
        self._bench.hardware.mend(_part(part))

    @keyword("The screen says ${text}")
    def says(self, text: str) -> None:
        """At present, or within the profile's limit for showing it."""
        wanted = text.replace(" ", "")
        self._bench.front.await_screen(
            lambda seen: wanted in seen.text, self._bench.profile.limits.show_s, f"{text} on the screen"
        )

    # -- profiles -----------------------------------------------------------------------------------------------------

    @keyword("At each step of the stress profile ${name}")
    def walk(self, name: str, *keywords: str) -> None:
        """Runs these keywords at each step of a profile: of a quantity when it is reached, of a disturbance after it
        struck at rest and the terminal has come back."""
        with self._bench.stress(name) as stress:
            for step in stress:
                if step.step.disturbs:
                    step.strike()
                for one in keywords:
                    BuiltIn().run_keyword(one)


def _part(text: str) -> Part:
    name = text.strip().lower().replace(" ", "_")
    if name not in get_args(Part):
        raise AssertionError(f"there is no part {text!r}; known: {', '.join(get_args(Part))}")
    return name  # type: ignore[return-value]  # one of them


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise AssertionError(f"{text!r} is no number") from None
