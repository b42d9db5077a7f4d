"""AC supply by SCPI, as the emulated one speaks it (docs/instruments-emulated.md).

    instruments:
      supply: {driver: scpi-supply, address: "TCPIP::10.1.2.3::5025::SOCKET", options: {nominal_v: 220}}

``nominal_v`` (230): what it is left at. ``current_limit_a`` (0: as much as it can): what its limit is left at.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import ClassVar

from harness.history.instrument_events import InstrumentKind, Quantity
from harness.instruments.drivers._scpi import ScpiInstrument, written
from harness.instruments.drivers._steps import each
from harness.instruments.transport import visa

_DIPS_RUN = 2  # of STAT:OPER:COND?
_NEAR_V, _NEAR_A = 0.05, 0.05


class ScpiSupply(ScpiInstrument):
    kind: ClassVar[InstrumentKind] = "supply"
    name: ClassVar[str] = "scpi-supply"
    tried: ClassVar[bool] = True
    quantities: ClassVar[Mapping[str, Quantity]] = {
        "voltage_v": Quantity(unit="V", low=0.0, high=300.0),  # whatever an inventory allows
        "current_a": Quantity(unit="A", low=0.0), "output_on": Quantity(unit=""),
    }
    safe: ClassVar[str] = "nominal voltage and current limit, output on"

    def __init__(
        self, address: str, *, timeout_s: float = visa.TIMEOUT_S, baud_rate: int = visa.BAUD_RATE,
        nominal_v: float = 230.0, current_limit_a: float = 0.0,
    ) -> None:
        self._nominal_v, self._current_limit_a = nominal_v, current_limit_a
        super().__init__(address, timeout_s=timeout_s, baud_rate=baud_rate)

    def read(self) -> Mapping[str, float]:
        return self._line.named("READ?", list(self.quantities))

    def set_voltage(self, voltage_v: float) -> None:
        self._line.tell(f"VOLT {written(voltage_v)}")

    def set_current_limit(self, current_a: float) -> None:
        self._line.tell(f"CURR:LIM {written(current_a)}")

    def output(self, on: bool) -> None:
        self._line.tell(f"OUTP {'ON' if on else 'OFF'}")

    def dip(self, *, residual_pct: float, duration_ms: float, count: int = 1, every_ms: float = 1000) -> None:
        self._line.tell(f"DIP:RES {written(residual_pct)}")
        self._line.tell("DIP:INT MAX")  # a duration beyond the interval that stands would be refused
        self._line.tell(f"DIP:DUR {written(duration_ms / 1000)}")
        if count > 1:
            self._line.tell(f"DIP:INT {written(every_ms / 1000)}")
        self._line.tell(f"DIP:COUN {count}")
        self._line.tell("INIT:DIP")

    def make_safe(self) -> None:
        limit = written(self._current_limit_a) if self._current_limit_a else "MAX"
        commands = ("ABOR", "VOLT:SLEW MAX", f"CURR:LIM {limit}", f"VOLT {written(self._nominal_v)}", "OUTP ON")
        each(*(functools.partial(self._line.tell, command) for command in commands))

    def is_safe(self) -> bool:
        set_v, limit_a = self._line.number("VOLT?"), self._line.number("CURR:LIM?")
        wanted_a = self._current_limit_a or self._line.number("CURR:LIM? MAX")
        running = int(self._line.number("STAT:OPER:COND?")) & _DIPS_RUN
        there = abs(set_v - self._nominal_v) <= _NEAR_V and abs(limit_a - wanted_a) <= _NEAR_A
        return there and not running and self._line.switch("OUTP?")
