"""RF field generator (IEC 61000-4-3) by SCPI, as the emulated one speaks it (docs/instruments-emulated.md).

    instruments:
      field: {driver: scpi-field, address: "TCPIP::10.1.2.3::5025::SOCKET", identity: EMU-FIELD}
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from harness.history.instrument_events import InstrumentKind, Quantity
from harness.instruments.drivers._scpi import ScpiInstrument, written
from harness.instruments.drivers._steps import each


class ScpiField(ScpiInstrument):
    kind: ClassVar[InstrumentKind] = "field"
    name: ClassVar[str] = "scpi-field"
    tried: ClassVar[bool] = True
    quantities: ClassVar[Mapping[str, Quantity]] = {
        "field_v_m": Quantity(unit="V/m"), "frequency_mhz": Quantity(unit="MHz"), "output_on": Quantity(unit=""),
    }
    safe: ClassVar[str] = "output off, amplifier off"

    def read(self) -> Mapping[str, float]:
        values = self._line.named("READ?", [*self.quantities, "ready", "interlock"])
        return {name: values[name] for name in self.quantities}

    def arm(self, *, field_v_m: float, frequency_mhz: float) -> None:
        self._line.tell(f"FREQ {written(frequency_mhz * 1e6)}")
        self._line.tell(f"FIEL {written(field_v_m)}")
        self._line.tell("AMPL ON")

    def ready(self) -> bool:
        return self._line.switch("AMPL:READ?")

    def radiate(self, on: bool) -> None:
        self._line.tell(f"OUTP {'ON' if on else 'OFF'}")

    def make_safe(self) -> None:
        each(lambda: self._line.tell("OUTP OFF"), lambda: self._line.tell("AMPL OFF"))

    def is_safe(self) -> bool:
        return not self._line.switch("OUTP?") and not self._line.switch("AMPL?")
