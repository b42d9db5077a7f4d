"""Surge generator (IEC 61000-4-5) by SCPI, as the emulated one speaks it (docs/instruments-emulated.md).

    instruments:
      surge: {driver: scpi-surge, address: "TCPIP::10.1.2.3::5025::SOCKET", identity: EMU-SURGE}
"""

from __future__ import annotations

from typing import ClassVar

from harness.history.instrument_events import InstrumentKind
from harness.instruments.drivers._generator import ScpiGenerator


class ScpiSurge(ScpiGenerator):
    kind: ClassVar[InstrumentKind] = "surge"
    name: ClassVar[str] = "scpi-surge"

    def fire(self, *, duration_ms: float = 0, count: int = 1) -> None:
        """``count`` pulses; ``duration_ms`` means nothing here."""
        self._line.tell(f"PULS:COUN {count}")
        self._line.tell("INIT")
