"""Climate chambers of Thermotron with the 3800 controller, through pymeasure (``pip install '.[instruments]'``). Not
tried on hardware. Temperature only: pymeasure knows its first channel. Each command takes a second, as the maker wants
it, so it is sampled once in a second or two.

    instruments:
      chamber: {driver: thermotron-3800, address: "TCPIP::10.1.2.3::8888::SOCKET", identity: "3800"}

``MRMP`` (ramp of the manual mode, K/min) is not pymeasure's but the maker's. Without a ramp it stays as its own panel
has it. The controller says nothing of its door: ``door_open`` is not read, so the guard can't see to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from harness.history.instrument_events import InstrumentKind, Quantity
from harness.instruments.contracts import InstrumentError
from harness.instruments.transport import pymeasured, visa

_RUNS = 1 | 8 | 16 | 32  # program, program held, manual, about to start
_LOW_C, _HIGH_C = -55.0, 150.0  # what pymeasure takes


class Thermotron3800:
    kind: ClassVar[InstrumentKind] = "chamber"
    name: ClassVar[str] = "thermotron-3800"
    tried: ClassVar[bool] = False
    quantities: ClassVar[Mapping[str, Quantity]] = {
        "temperature_c": Quantity(unit="°C", low=_LOW_C, high=_HIGH_C),
    }
    slow_s: ClassVar[float] = 3.0
    safe: ClassVar[str] = "stopped, at rest towards ambient"
    address_problem = staticmethod(visa.address_problem)

    def __init__(self, address: str, *, timeout_s: float = 5.0, baud_rate: int = visa.BAUD_RATE) -> None:
        self._line = visa.Scpi(address, timeout_s=timeout_s, baud_rate=baud_rate, identify="IDEN?", errors="")
        self._chamber = pymeasured.instrument(self._line, "thermotron", "Thermotron3800")
        self._line.identity()

    def identity(self) -> str:
        return self._line.identity()

    def read(self) -> Mapping[str, float]:
        with pymeasured.understood(self._line, "the temperature"):
            return {"temperature_c": pymeasured.number(self._line, "PVAR1?", self._chamber.temperature)}

    def set_climate(
        self, *, temperature_c: float | None = None, humidity_pct: float | None = None,
        ramp_k_per_min: float | None = None,
    ) -> None:
        if humidity_pct is not None:
            raise InstrumentError(
                "this driver does not control humidity", remedy="leave it out, or write a driver for your chamber"
            )
        with pymeasured.understood(self._line, "a set point"):
            if ramp_k_per_min is not None:
                self._chamber.write(f"MRMP1,{ramp_k_per_min:g}")
            if temperature_c is not None:
                self._chamber.setpoint = temperature_c
            self._chamber.run()

    def make_safe(self) -> None:
        with pymeasured.understood(self._line, "STOP"):
            self._chamber.stop()

    def is_safe(self) -> bool:
        with pymeasured.understood(self._line, "its mode"):
            return not int(self._chamber.mode) & _RUNS

    def close(self) -> None:
        self._line.close()
