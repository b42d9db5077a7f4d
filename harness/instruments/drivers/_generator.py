"""What burst, ESD and surge generators by SCPI share: charge, wait, fire."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from harness.history.instrument_events import Quantity
from harness.instruments.drivers._scpi import ScpiInstrument, written
from harness.instruments.transport import troubles

_DISCHARGED_V = 50.0  # as measured: no harm to who touches it, and below what any of them makes


class ScpiGenerator(ScpiInstrument):
    """All but how it is fired."""

    tried: ClassVar[bool] = True
    quantities: ClassVar[Mapping[str, Quantity]] = {
        "level_kv": Quantity(unit="kV"), "armed": Quantity(unit=""), "pulses": Quantity(unit=""),
    }
    safe: ClassVar[str] = "disarmed, high voltage off"

    def read(self) -> Mapping[str, float]:
        values = self._line.named("READ?", [*self.quantities, "ready", "interlock"])
        return {name: values[name] for name in self.quantities}

    def arm(self, *, level_kv: float) -> None:
        self._line.tell(f"VOLT {written(level_kv * 1000)}")
        self._line.tell("ARM")

    def ready(self) -> bool:
        return self._state() == "READY"

    def disarm(self) -> None:
        self._line.tell("DIS")

    def make_safe(self) -> None:
        self._line.tell("DIS")

    def is_safe(self) -> bool:
        return self._state() == "OFF" and abs(self._line.number("MEAS:VOLT?")) <= _DISCHARGED_V

    def _state(self) -> str:
        said = self._line.ask("ARM:STAT?").upper()
        if said not in ("OFF", "CHARGING", "READY", "FIRING"):
            raise troubles.garbage(self._line.address, "ARM:STAT?", said, "state of a generator")
        return said
