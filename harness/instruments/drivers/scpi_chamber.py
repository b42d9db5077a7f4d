"""Climate chamber by SCPI, as the emulated one speaks it (docs/instruments-emulated.md).

    instruments:
      chamber: {driver: scpi-chamber, address: "TCPIP::10.1.2.3::5025::SOCKET", identity: EMU-CHAMBER}
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from harness.history.instrument_events import InstrumentKind, Quantity
from harness.instruments.drivers._scpi import ScpiInstrument, written
from harness.instruments.drivers._steps import each


class ScpiChamber(ScpiInstrument):
    kind: ClassVar[InstrumentKind] = "chamber"
    name: ClassVar[str] = "scpi-chamber"
    tried: ClassVar[bool] = True
    quantities: ClassVar[Mapping[str, Quantity]] = {
        "temperature_c": Quantity(unit="°C", low=-70.0, high=150.0),  # whatever an inventory allows
        "humidity_pct": Quantity(unit="%", low=0.0, high=100.0), "door_open": Quantity(unit=""),
    }
    safe: ClassVar[str] = "stopped, at rest towards ambient"

    def read(self) -> Mapping[str, float]:
        values = self._line.named(
            "READ?", [*self.quantities, "output_on", "set_temperature_c", "set_humidity_pct"]
        )
        return {name: values[name] for name in self.quantities}

    def set_climate(
        self, *, temperature_c: float | None = None, humidity_pct: float | None = None,
        ramp_k_per_min: float | None = None,
    ) -> None:
        self._line.tell(f"TEMP:RAMP {'MAX' if ramp_k_per_min is None else written(ramp_k_per_min)}")
        if temperature_c is not None:
            self._line.tell(f"TEMP:SETP {written(temperature_c)}")
        if humidity_pct is not None:
            self._line.tell(f"HUM:SETP {written(humidity_pct)}")
            self._line.tell("HUM:STAT ON")
        self._line.tell("OUTP ON")

    def make_safe(self) -> None:
        each(lambda: self._line.tell("OUTP OFF"), lambda: self._line.tell("HUM:STAT OFF"))

    def is_safe(self) -> bool:
        return not self._line.switch("OUTP?") and not self._line.switch("HUM:STAT?")
