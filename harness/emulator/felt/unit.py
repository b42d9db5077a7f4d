"""What one unit makes of temperature, humidity, disturbances and broken parts. Pure, seeded by its serial number."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from harness.emulator.felt.declared import Declared

Sort = Literal["burst", "esd", "surge"]
Effect = Literal["nothing", "reset", "link_down", "misread", "key_lost", "hangs"]
STATES: Mapping[str, tuple[str, ...]] = {
    "magnetic_reader": ("ok", "worn", "dead"), "chip_reader": ("ok", "dead"), "contactless_reader": ("ok", "dead"),
    "printer": ("ok", "hot", "dead"), "paper": ("ok", "out"), "battery": ("ok", "low", "dead"),
    "clock_battery": ("ok", "dead"), "clock": ("ok", "drifting", "lost"), "tamper": ("ok", "open"),
    "keypad": ("ok", "dead"), "screen": ("ok", "dead"),
}
"""The parts that can be broken, and how; ``ok`` is whole."""

SLOWEST_SWIPE_CM_S, FASTEST_SWIPE_CM_S = 8.0, 150.0  # what a reader's clock follows
_MOST_MISSES = 0.95
_UNHURT = 0.5  # of the highest declared level: below it a pulse does nothing
_FIELD_HANGS = 2.0  # times the highest declared level
_HURTS: tuple[Effect, ...] = ("reset", "link_down", "misread", "key_lost")
_CRYSTAL_PPM = 50_000.0  # of a clock that is broken as "drifting"
_CRYSTAL_C = 25.0  # where the crystal is right


@dataclass
class Around:
    """What is around the unit; ``field_v_m``: of a radio-frequency field."""

    temperature_c: float
    humidity_pct: float
    field_v_m: float = 0.0


@dataclass
class Unit:
    """``parts``: the state of each (:data:`STATES`); what is not in it is ``ok``."""

    declared: Declared
    serial_number: str
    parts: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.around = Around(self.declared.temperature_c, self.declared.humidity_pct)
        self._swipes, self._pulses = self._chance("swipes"), self._chance("pulses")
        self._misread_next = self._key_lost_next = False

    def _chance(self, what: str, seed: int = 0) -> random.Random:
        return random.Random(f"{self.serial_number}:{what}:{seed}")

    # -- broken parts --------------------------------------------------------------------------------------------------

    def state(self, part: str) -> str:
        return self.parts.get(part, "ok")

    def set_part(self, part: str, state: str, seed: int = 0) -> None:
        """Breaks or mends a part. ``seed``: of what is left to chance with it (which swipes a worn head misses)."""
        self.parts[part] = state
        if part == "magnetic_reader":
            self._swipes = self._chance("swipes", seed)

    # -- temperature ---------------------------------------------------------------------------------------------------

    @property
    def screen_late_s(self) -> float:
        """So much later does a picture come."""
        below = max(0.0, self.declared.coldest_c - self.around.temperature_c)
        return below * self.declared.screen_slow_ms_per_k / 1000

    @property
    def printer(self) -> str:
        """``ok``, ``hot`` (pauses), ``dead`` or ``out`` (of paper)."""
        if self.state("printer") == "dead":
            return "dead"
        if self.state("paper") == "out":
            return "out"
        hot = self.state("printer") == "hot" or self.around.temperature_c >= self.declared.printer_stops_c
        return "hot" if hot else "ok"

    @property
    def drift_ppm(self) -> float:
        """How much too fast the clock goes; a tuning fork crystal is right at 25 degrees and too slow on both sides."""
        if self.state("clock") == "drifting":
            return _CRYSTAL_PPM
        return -self.declared.drift_ppm_per_k * abs(self.around.temperature_c - _CRYSTAL_C)

    # -- readers and keys ----------------------------------------------------------------------------------------------

    @property
    def misread_share(self) -> float:
        """Of the swipes."""
        wet = max(0.0, self.around.humidity_pct - self.declared.wettest_pct) * self.declared.reader_misses_per_pct
        worn = self.declared.worn_misses if self.state("magnetic_reader") == "worn" else 0.0
        read = (1 - min(wet, 1.0)) * (1 - worn) * (1 - self.garbled_share)
        return min(1 - read, _MOST_MISSES)

    @property
    def garbled_share(self) -> float:
        """Of what a reader says in a field above that which is declared to do nothing (criterion A)."""
        borne = self.declared.level("field", "A")
        if not borne or self.around.field_v_m <= borne:
            return 0.0
        return min(self.around.field_v_m / (2 * borne), _MOST_MISSES)

    def swipe(self, speed_cm_s: float | None = None) -> Literal["read", "misread", "nothing"]:
        """What becomes of a card that is swiped now."""
        if self.state("magnetic_reader") == "dead":
            return "nothing"
        disturbed, self._misread_next = self._misread_next, False
        missed = self._swipes.random() < self.misread_share
        wrong = speed_cm_s is not None and not SLOWEST_SWIPE_CM_S <= speed_cm_s <= FASTEST_SWIPE_CM_S
        return "misread" if disturbed or missed or wrong else "read"

    def tap(self) -> bool:
        """Whether the contactless reader notices a card now."""
        return self.state("contactless_reader") == "ok" and self._swipes.random() >= self.garbled_share

    def key(self) -> bool:
        """Whether a key that is pressed now gets through."""
        lost, self._key_lost_next = self._key_lost_next, False
        return self.state("keypad") == "ok" and not lost

    # -- disturbances --------------------------------------------------------------------------------------------------

    def set_field(self, field_v_m: float) -> Effect:
        """A field comes, goes or changes. What it does at once."""
        before, self.around.field_v_m = self.around.field_v_m, field_v_m
        borne = self.declared.level("field", "C")
        worst = borne * _FIELD_HANGS
        return "hangs" if borne and before <= worst < field_v_m else "nothing"

    def pulse(self, sort: str, level_kv: float) -> Effect:
        """A burst, a discharge or a surge: nothing up to half of what is declared; then one of several things, all of
        criterion B; beyond what is declared only an operator brings the unit back (C)."""
        harmless, borne = self.declared.level(sort, "A"), self.declared.level(sort, "B")
        if not borne or level_kv <= max(harmless, borne * _UNHURT):
            return "nothing"
        if level_kv > borne:
            return "hangs"
        effect = self._pulses.choice(_HURTS)
        self._misread_next = self._misread_next or effect == "misread"
        self._key_lost_next = self._key_lost_next or effect == "key_lost"
        return effect
