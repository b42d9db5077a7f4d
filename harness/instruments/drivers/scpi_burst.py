"""Burst generator (IEC 61000-4-4) by SCPI, as the emulated one speaks it (docs/instruments-emulated.md).

    instruments:
      burst: {driver: scpi-burst, address: "TCPIP::10.1.2.3::5025::SOCKET", identity: EMU-BURST}
"""

from __future__ import annotations

from typing import ClassVar

from harness.history.instrument_events import InstrumentKind
from harness.instruments.contracts import InstrumentError
from harness.instruments.drivers._generator import ScpiGenerator
from harness.instruments.drivers._scpi import written


class ScpiBurst(ScpiGenerator):
    kind: ClassVar[InstrumentKind] = "burst"
    name: ClassVar[str] = "scpi-burst"

    def fire(self, *, duration_ms: float = 0, count: int = 1) -> None:
        """Bursts for ``duration_ms``; ``count`` means nothing here."""
        if duration_ms <= 0:
            raise InstrumentError("a burst needs a duration", remedy="give `duration_ms`, such as 60000")
        self._line.tell(f"BURS:DUR {written(duration_ms / 1000)}")
        self._line.tell("INIT")
