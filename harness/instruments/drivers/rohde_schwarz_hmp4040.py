"""Programmable DC supply HMP4040 of Rohde & Schwarz, through pymeasure (``pip install '.[instruments]'``). Not tried on
hardware. For terminals that run on DC; its dips are those of IEC 61000-4-29, from 60 ms on.

    instruments:
      supply:
        driver: rohde-schwarz-hmp4040
        address: "TCPIP::10.1.2.3::5025::SOCKET"
        identity: HMP4040
        options: {nominal_v: 9.0, current_limit_a: 2.0, channel: 1}
        limits: {voltage_v: {low: 0, high: 9.9}}

``nominal_v``, ``current_limit_a``: what it is left at, within what the model declares and the limits. Set the
limit of the voltage: the guard's own is for mains.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from harness.history.instrument_events import InstrumentKind, Quantity
from harness.instruments.contracts import InstrumentError
from harness.instruments.drivers._steps import each
from harness.instruments.transport import pymeasured, visa

_SHORTEST_S, _LONGEST_S, _MOST = 0.06, 10.0, 255
_NEAR_V, _NEAR_A = 0.005, 0.005


class RohdeSchwarzHmp4040:
    kind: ClassVar[InstrumentKind] = "supply"
    name: ClassVar[str] = "rohde-schwarz-hmp4040"
    tried: ClassVar[bool] = False
    quantities: ClassVar[Mapping[str, Quantity]] = {
        "voltage_v": Quantity(unit="V", low=0.0, high=32.05), "current_a": Quantity(unit="A", low=0.0, high=10.01),
        "output_on": Quantity(unit=""),
    }
    safe: ClassVar[str] = "nominal voltage and current limit, output on"
    address_problem = staticmethod(visa.address_problem)
    spans: ClassVar[Mapping[str, tuple[float, float]]] = {"channel": (1, 4)}

    def __init__(
        self, address: str, *, nominal_v: float, current_limit_a: float, channel: int = 1,
        timeout_s: float = visa.TIMEOUT_S, baud_rate: int = visa.BAUD_RATE,
    ) -> None:
        self._nominal_v, self._limit_a, self._channel = nominal_v, current_limit_a, channel
        self._set_a = current_limit_a
        self._line = visa.Scpi(address, timeout_s=timeout_s, baud_rate=baud_rate)
        self._supply = pymeasured.instrument(self._line, "rohdeschwarz.hmp", "HMP4040")
        self._line.identity()

    def identity(self) -> str:
        return self._line.identity()

    def read(self) -> Mapping[str, float]:
        with pymeasured.understood(self._line, "its readings"):
            self._select()
            return {
                "voltage_v": pymeasured.number(self._line, "MEAS:VOLT?", self._supply.measured_voltage),
                "current_a": pymeasured.number(self._line, "MEAS:CURR?", self._supply.measured_current),
                "output_on": float(self._is_on()),
            }

    def set_voltage(self, voltage_v: float) -> None:
        with pymeasured.understood(self._line, "its voltage"):
            self._select()
            self._supply.voltage = voltage_v

    def set_current_limit(self, current_a: float) -> None:
        with pymeasured.understood(self._line, "its current limit"):
            self._select()
            self._supply.current = current_a
            self._set_a = current_a

    def output(self, on: bool) -> None:
        with pymeasured.understood(self._line, "its output"):
            self._select()
            self._supply.selected_channel_active = on
            if on:
                self._supply.output_enabled = True

    def dip(self, *, residual_pct: float, duration_ms: float, count: int = 1, every_ms: float = 1000) -> None:
        low_s = duration_ms / 1000
        rest_s = every_ms / 1000 - low_s if count > 1 else 1.0
        if not (_SHORTEST_S <= low_s <= _LONGEST_S and _SHORTEST_S <= rest_s <= _LONGEST_S and 1 <= count <= _MOST):
            raise InstrumentError(
                f"it does dips of 60 ms to 10 s, as long apart, up to {_MOST} times; not {count} of {duration_ms:g} ms"
                f" every {every_ms:g} ms", remedy="leave this step out on this bench, or use a supply that can do it",
            )
        sequence = [self._nominal_v * residual_pct / 100, self._set_a, low_s, self._nominal_v, self._set_a, rest_s]
        with pymeasured.understood(self._line, "a dip"):
            self._select()
            self._supply.clear_sequence(self._channel)
            self._supply.sequence = sequence
            self._supply.repetitions = count
            self._supply.transfer_sequence(self._channel)
            self._supply.start_sequence(self._channel)

    def make_safe(self) -> None:
        def stop() -> None:
            with pymeasured.understood(self._line, "ARB:STOP"):
                self._supply.stop_sequence(self._channel)

        each(
            stop, lambda: self.set_current_limit(self._limit_a), lambda: self.set_voltage(self._nominal_v),
            lambda: self.output(True),
        )

    def is_safe(self) -> bool:
        with pymeasured.understood(self._line, "its state"):
            self._select()
            set_v = pymeasured.number(self._line, "VOLT?", self._supply.voltage)
            set_a = pymeasured.number(self._line, "CURR?", self._supply.current)
            there = abs(set_v - self._nominal_v) <= _NEAR_V and abs(set_a - self._limit_a) <= _NEAR_A
            return there and self._is_on()

    def close(self) -> None:
        self._line.close()

    def _select(self) -> None:
        """Each time: somebody may have pressed a key on its panel."""
        self._supply.selected_channel = self._channel

    def _is_on(self) -> bool:
        return bool(self._supply.selected_channel_active) and bool(self._supply.output_enabled)
