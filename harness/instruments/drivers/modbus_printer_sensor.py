"""Printer sensor by Modbus, as the emulated one has it (docs/instruments-emulated.md): in input registers 0 and 1 the
paper that came out, in 0.1 mm, in 2 whether paper is left.

    instruments:
      printer_sensor: {driver: modbus-printer-sensor, address: "modbus://10.1.2.9:502", identity: EMU-PAPER}
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from harness.history.instrument_events import InstrumentKind, Quantity
from harness.instruments.transport import modbus


class ModbusPrinterSensor:
    kind: ClassVar[InstrumentKind] = "printer_sensor"
    name: ClassVar[str] = "modbus-printer-sensor"
    tried: ClassVar[bool] = True
    quantities: ClassVar[Mapping[str, Quantity]] = {"paper_mm": Quantity(unit="mm"), "paper_left": Quantity(unit="")}
    safe: ClassVar[str] = "always"
    address_problem = staticmethod(modbus.address_problem)
    spans: ClassVar[Mapping[str, tuple[float, float]]] = {"unit": modbus.UNITS}

    def __init__(
        self, address: str, *, timeout_s: float = modbus.TIMEOUT_S, unit: int = 1, baud_rate: int = modbus.BAUD_RATE
    ) -> None:
        self._line = modbus.Modbus(address, timeout_s=timeout_s, unit=unit, baud_rate=baud_rate)
        self.identity()

    def identity(self) -> str:
        return self._line.identity()

    def read(self) -> Mapping[str, float]:
        high, low, left = self._line.input_registers(0, 3)
        return {"paper_mm": (high << 16 | low) / 10, "paper_left": float(left)}

    def make_safe(self) -> None: ...

    def is_safe(self) -> bool:
        return True

    def close(self) -> None:
        self._line.close()
