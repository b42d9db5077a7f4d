"""Key pusher by HTTP, as the emulated one speaks it (docs/instruments-emulated.md).

    instruments:
      key_pusher: {driver: http-key-pusher, address: "http://10.1.2.6:8080", identity: EMU-FINGER}
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from harness.history.instrument_events import InstrumentKind, Quantity
from harness.instruments.drivers._arm import HttpDevice


class HttpKeyPusher(HttpDevice):
    kind: ClassVar[InstrumentKind] = "key_pusher"
    name: ClassVar[str] = "http-key-pusher"
    tried: ClassVar[bool] = True
    quantities: ClassVar[Mapping[str, Quantity]] = {}
    safe: ClassVar[str] = "parked"

    def read(self) -> Mapping[str, float]:
        """Nothing to measure; that it answers is all."""
        self._parked()
        return {}

    def press(self, key: str, *, hold_ms: float = 80) -> None:
        self._line.post("/v1/press", {"key": key, "hold_ms": hold_ms})

    def make_safe(self) -> None:
        self._line.post("/v1/park", {})

    def is_safe(self) -> bool:
        return self._parked()
