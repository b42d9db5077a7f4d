"""ESD generator (IEC 61000-4-2) by SCPI, as the emulated one speaks it (docs/instruments-emulated.md).

    instruments:
      esd: {driver: scpi-esd, address: "TCPIP::10.1.2.3::5025::SOCKET", identity: EMU-ESD}
"""

from __future__ import annotations

from typing import ClassVar

from harness.history.instrument_events import InstrumentKind
from harness.instruments.drivers._generator import ScpiGenerator


class ScpiEsd(ScpiGenerator):
    kind: ClassVar[InstrumentKind] = "esd"
    name: ClassVar[str] = "scpi-esd"

    def fire(self, *, duration_ms: float = 0, count: int = 1) -> None:
        """``count`` pulses; ``duration_ms`` means nothing here."""
        self._line.tell(f"PULS:COUN {count}")
        self._line.tell("INIT")
