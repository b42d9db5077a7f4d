"""Relay board by Modbus with a coil for each contact from coil 0 on, 1 closed, as the emulated one has it
(docs/instruments-emulated.md). So do many relay boards; some of them give no identification: ``identified: false``.

    instruments:
      relay: {driver: modbus-relay, address: "modbus://10.1.2.8:502", identity: EMU-RELAY, options: {unit: 1}}

``unit`` (1), ``baud_rate`` (9600, serial lines), ``identified`` (true): it answers function 43/14.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from harness.history.instrument_events import InstrumentKind, Quantity
from harness.instruments.contracts import InstrumentError
from harness.instruments.transport import modbus

CHANNELS = 8


class ModbusRelay:
    kind: ClassVar[InstrumentKind] = "relay"
    name: ClassVar[str] = "modbus-relay"
    tried: ClassVar[bool] = True
    quantities: ClassVar[Mapping[str, Quantity]] = {f"ch{n}": Quantity(unit="") for n in range(1, CHANNELS + 1)}
    safe: ClassVar[str] = "all contacts closed"
    address_problem = staticmethod(modbus.address_problem)
    spans: ClassVar[Mapping[str, tuple[float, float]]] = {"unit": modbus.UNITS}

    def __init__(
        self, address: str, *, timeout_s: float = modbus.TIMEOUT_S, unit: int = 1, baud_rate: int = modbus.BAUD_RATE,
        identified: bool = True,
    ) -> None:
        self._line = modbus.Modbus(address, timeout_s=timeout_s, unit=unit, baud_rate=baud_rate)
        self._identified = identified
        self.identity()

    def identity(self) -> str:
        if self._identified:
            return self._line.identity()
        self.read()
        return self._line.address

    def read(self) -> Mapping[str, float]:
        return {name: float(on) for name, on in zip(self.quantities, self._line.coils(0, CHANNELS), strict=True)}

    def close_contact(self, channel: int) -> None:
        self._line.set_coil(_coil(channel), True)

    def open_contact(self, channel: int) -> None:
        self._line.set_coil(_coil(channel), False)

    def make_safe(self) -> None:
        self._line.set_coils(0, [True] * CHANNELS)

    def is_safe(self) -> bool:
        return all(self._line.coils(0, CHANNELS))

    def close(self) -> None:
        self._line.close()


def _coil(channel: int) -> int:
    if not 1 <= channel <= CHANNELS:
        raise InstrumentError(f"there is no channel {channel}", remedy=f"channels are 1 to {CHANNELS}")
    return channel - 1
