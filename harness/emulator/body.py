"""The body of the emulated terminal, which feels: supply, screen, printer, readers, clock, sensors.

It wires the pure parts of :mod:`harness.emulator.felt` to the panel and to the board, and is their clock.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, Protocol

from harness.emulator import bus
from harness.emulator.felt import requests
from harness.emulator.felt.declared import Declared
from harness.emulator.felt.display import Display
from harness.emulator.felt.paper import Paper
from harness.emulator.felt.sensors import Sensors
from harness.emulator.felt.supply import Supply
from harness.emulator.felt.unit import Unit

if TYPE_CHECKING:
    from harness.emulator.flash import Flash

Reason = Literal["operator", "cut", "watchdog", "brown_out", "battery"]
LINK_DOWN_S = 1.0  # after a pulse: a link that is found again
_YEAR_2000 = 946_684_800.0  # where a clock begins that was without power
_DRIFT_TOLD_PPM = 20.0  # a clock that goes so much faster or slower than was told is told again
_DRIFT_STEP_S, _SHORTEST_STEP_S, _LONGEST_STEP_S = 0.01, 0.2, 60.0  # how exactly the clock's drift is followed


class Hurt(Protocol):
    """What the body does to the rest of the board."""

    def lose_supply(self, reason: Reason) -> None:
        """The CPU has no power any more, but its switch is where it was."""

    def regain_supply(self) -> None: ...

    def reset(self) -> None:
        """The reset line, as by a watchdog."""

    def hang(self) -> None:
        """Nothing moves any more, the watchdog included, until the power goes."""

    def set_link(self, up: bool) -> bool:
        """The network's line; False: it can't be switched."""


class Body:
    """``tell`` is given each event for the panel. Whoever holds it waits no longer than :attr:`timeout`, and then calls
    :meth:`tick`."""

    def __init__(
        self, flash: Flash, model: dict[str, Any], serial_number: str, time_scale: float,
        tell: Callable[[dict[str, Any]], object], board: Hurt,
    ) -> None:
        declared = Declared.of(model)
        self._flash, self._tell, self._board = flash, tell, board
        width, height = int(model["screen"]["width"]), int(model["screen"]["height"])
        blank = bus.compress(bytes(width * height // 8))
        self.unit, self.sensors = Unit(declared, serial_number), Sensors()
        self.supply = Supply(declared, time.monotonic(), time_scale)
        self.display = Display(width, height, blank, tell, time.monotonic_ns())
        self.paper = Paper(tell)
        self._printer = "ok"
        self._drift_ppm, self._drift_at, self._drift_due = self.unit.drift_ppm, time.monotonic(), float("inf")
        self._drift_told = self._drift_ppm
        self._link_up_at = float("inf")
        self._lost_by: Reason = "brown_out"
        self._write_sensors()

    # -- the panel -----------------------------------------------------------------------------------------------------

    def obey(self, op: str, request: dict[str, Any]) -> bool:
        """Does a request of the panel; False: it is none of these. Raises BadInput."""
        match op:
            case "surroundings":
                self._surround(requests.surroundings(request))
            case "dip":
                residual_pct, duration_ms = requests.dip(request)
                self.felt("supply_dipped", f"to {residual_pct:g} % for {duration_ms:g} ms")
                self.supply.dip(residual_pct, duration_ms, time.monotonic())
            case "pulse":
                sort, level_kv = requests.pulse(request)
                self._hurt(self.unit.pulse(sort, level_kv), f"{sort} of {level_kv:g} kV")
            case "hardware":
                self._set_part(*requests.hardware(request))
            case _:
                return False
        self.tick()
        return True

    def swipe(self, request: dict[str, Any], tracks: dict[str, str | None]) -> dict[str, str | None] | None:
        """What the stripe reader gives of these tracks: nothing legible where it has misread them; None: nothing."""
        how = self.unit.swipe(requests.speed(request))
        if how == "read":
            return tracks
        self.felt(how if how == "misread" else "not_read", "swipe")
        return {"track2": "", "track3": None} if how == "misread" else None

    def tap(self) -> bool:
        """Whether the contactless reader sees a card now."""
        seen = self.unit.tap()
        if not seen:
            self.felt("not_read", "tap")
        return seen

    def key(self, key: str) -> bool:
        """Whether that key gets through."""
        through = self.unit.key()
        if not through:
            self.felt("key_lost", key)
        return through

    def reads_cards(self, *, contactless: bool) -> bool:
        """Whether the reader talks to a card that is there."""
        return self.unit.state("contactless_reader" if contactless else "chip_reader") == "ok"

    def felt(self, what: str, detail: str = "") -> None:
        self._tell({"ev": "felt", "t": time.monotonic_ns(), "what": what, "detail": detail})

    # -- the board -----------------------------------------------------------------------------------------------------

    @property
    def supplied(self) -> bool:
        return self.supply.source != "none"

    @property
    def lost_by(self) -> Reason:
        """Why there is, or was last, no supply."""
        return self._lost_by

    def power(self, on: bool, reason: Reason) -> None:
        """The CPU gets power, or has it no more. A reset is not the end of the power."""
        if on:
            self.sensors.write(started_by=reason if reason != "cut" else "operator")
        elif reason != "watchdog":
            self.paper.forget()
        if reason != "watchdog":
            self.supply.set_load(on, time.monotonic())
            if self.unit.state("clock_battery") == "dead":
                self._lose_clock()

    def show(self, rows: bytes, t: int) -> None:
        self.display.put(rows, t, self.unit.screen_late_s)

    def print_slip(self, width: int, height: int, rows: bytes, t: int) -> None:
        if self.paper.slip(width, height, rows, t, self._printer):
            self.felt("printer_paused", "a slip waits inside")
        elif self._printer != "ok":
            self.felt("slip_lost", f"printer {self._printer}")

    @property
    def timeout(self) -> float | None:
        """Seconds until :meth:`tick` wants to be called; None: never by itself."""
        due = min(self.supply.due, self._drift_due, self._link_up_at)
        if self.display.due is not None:
            due = min(due, self.display.due / 1e9)
        return None if due == float("inf") else max(0.0, due - time.monotonic())

    def tick(self) -> None:
        now = time.monotonic()
        self.display.tick(time.monotonic_ns())
        if now >= self._drift_due:
            self._follow_drift(now)
        if now >= self._link_up_at:
            self._link_up_at = float("inf")
            self._board.set_link(True)
            self.felt("link_up")
        before, level = self.supply.source, self.supply.battery_pct
        self.supply.tick(now)
        self._look_at_supply(before)
        if level != self.supply.battery_pct:
            self._write_sensors()

    def close(self) -> None:
        """Leaves nothing behind that outlives the board."""
        if self._link_up_at < float("inf"):
            self._board.set_link(True)

    # -- inside --------------------------------------------------------------------------------------------------------

    def _surround(self, around: dict[str, float]) -> None:
        unit, late = self.unit, self.unit.screen_late_s
        unit.around.temperature_c = around.get("temperature_c", unit.around.temperature_c)
        unit.around.humidity_pct = around.get("humidity_pct", unit.around.humidity_pct)
        if "voltage_v" in around:
            before = self.supply.source
            self.supply.set_voltage(around["voltage_v"], time.monotonic())
            self._look_at_supply(before)
        if "field_v_m" in around:
            self._hurt(unit.set_field(around["field_v_m"]), f"a field of {around['field_v_m']:g} V/m")
        if unit.screen_late_s != late:
            self.felt("screen_late", f"{unit.screen_late_s * 1000:.0f} ms")
        self._look_around()

    def _set_part(self, part: str, state: str, seed: int) -> None:
        self.unit.set_part(part, state, seed)
        if part == "battery":
            before = self.supply.source
            self.supply.set_battery(state, time.monotonic())  # type: ignore[arg-type]  # checked by requests
            self._look_at_supply(before)
        elif part == "screen":
            self.display.set_dead(state == "dead", time.monotonic_ns())
        elif part == "tamper" and state == "open":
            self._flash.tampered = True
            self.felt("keys_erased", "the case is open")
        elif part == "clock" and state == "lost":
            self._lose_clock()
        self._look_around()

    def _look_around(self) -> None:
        """What follows from what is around now, and from what is broken."""
        before, self._printer = self._printer, self.unit.printer
        if self._printer == "hot" and before != "hot":
            self.felt("printer_paused", "too hot")
        elif self._printer == "ok" and before != "ok":
            self.felt("printer_resumed", f"slips that come out: {self.paper.let_out(time.monotonic_ns())}")
        self._follow_drift(time.monotonic())
        self._write_sensors()

    def _write_sensors(self) -> None:
        unit, level = self.unit, self.supply.battery_pct
        battery = "none" if level is None else "low" if self.supply.battery_low else "ok"
        self.sensors.write(
            magnetic_reader="dead" if unit.state("magnetic_reader") == "dead" else "ok",
            chip_reader=unit.state("chip_reader"), contactless_reader=unit.state("contactless_reader"),
            printer=self._printer if self._printer != "out" else "ok", paper=unit.state("paper"),
            battery="dead" if level is not None and unit.state("battery") == "dead" else battery,
            battery_pct=level or 0, supply="ok" if self.supply.source == "supply" else "none",
            case=unit.state("tamper"), temperature_c=unit.around.temperature_c,
        )

    def _hurt(self, effect: str, cause: str) -> None:
        if effect == "link_down" and not self._board.set_link(False):
            effect = "nothing"
        if effect == "nothing":
            return
        self.felt(effect, cause)
        if effect == "reset":
            self._board.reset()
        elif effect == "hangs":
            self._board.hang()
        elif effect == "link_down":
            self._link_up_at = time.monotonic() + LINK_DOWN_S

    def _look_at_supply(self, before: str) -> None:
        """What the unit runs on is another since."""
        source = self.supply.source
        if source == before:
            return
        self._write_sensors()
        if source == "none":
            self.felt("supply_lost", self.supply.cause)
            self._lost_by = "battery" if self.supply.cause == "battery" else "brown_out"
            self._board.lose_supply(self._lost_by)
            self._look_at_supply("none")  # that took its time, and it may be back
        else:
            self.felt("on_battery" if source == "battery" else "supply_back")
            if before == "none":
                self._board.regain_supply()

    def _lose_clock(self) -> None:
        self._flash.clock_offset = _YEAR_2000 - time.time() - self._flash.clock_drift
        self._flash.clock_lost = True
        self.felt("clock_lost", "it begins in 2000")

    def _follow_drift(self, now: float) -> None:
        """The clock goes on as fast as it went until now, and from here on as what is around wants it."""
        if self._drift_ppm:
            self._flash.clock_drift += (now - self._drift_at) * self._drift_ppm / 1e6
        if self._drift_ppm != self.unit.drift_ppm:
            self._drift_ppm = self.unit.drift_ppm
            if abs(self._drift_ppm - self._drift_told) >= _DRIFT_TOLD_PPM:
                self._drift_told = self._drift_ppm
                self.felt("clock_moved", f"{self._drift_ppm:+.1f} ppm")
        self._drift_at = now
        if self._drift_ppm:
            step = _DRIFT_STEP_S / abs(self._drift_ppm) * 1e6
            self._drift_due = now + min(max(step, _SHORTEST_STEP_S), _LONGEST_STEP_S)
        else:
            self._drift_due = float("inf")
