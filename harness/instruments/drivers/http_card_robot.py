"""Card robot by HTTP, as the emulated one speaks it (docs/instruments-emulated.md).

    instruments:
      card_robot: {driver: http-card-robot, address: "http://10.1.2.5:8080", identity: EMU-ROBOT}
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from harness.history.instrument_events import InstrumentKind, Quantity
from harness.instruments.drivers._arm import HttpDevice
from harness.instruments.transport import answers


class HttpCardRobot(HttpDevice):
    kind: ClassVar[InstrumentKind] = "card_robot"
    name: ClassVar[str] = "http-card-robot"
    tried: ClassVar[bool] = True
    quantities: ClassVar[Mapping[str, Quantity]] = {"card_inside": Quantity(unit="")}
    safe: ClassVar[str] = "no card in the terminal, arm parked"

    def read(self) -> Mapping[str, float]:
        return {"card_inside": float(self._inside())}

    def swipe(self, card: str, *, speed_cm_s: float = 40) -> None:
        self._line.post("/v1/swipe", {"card": card, "speed_cm_s": speed_cm_s})

    def insert(self, card: str) -> None:
        self._line.post("/v1/insert", {"card": card})

    def remove(self) -> None:
        self._line.post("/v1/remove", {})

    def tap(self, card: str) -> None:
        self._line.post("/v1/tap", {"card": card})

    def make_safe(self) -> None:
        self._line.post("/v1/park", {})

    def is_safe(self) -> bool:
        return self._parked() and not self._inside()

    def _inside(self) -> bool:
        return answers.flag(self._line.address, "GET /v1/status", self._line.get("/v1/status"), "card_inside")
