"""What the drivers of instruments that speak SCPI share."""

from __future__ import annotations

from harness.instruments.transport import visa


class ScpiInstrument:
    """Opened when made. Raises :class:`~harness.instruments.contracts.InstrumentError` where it can't be."""

    address_problem = staticmethod(visa.address_problem)

    def __init__(self, address: str, *, timeout_s: float = visa.TIMEOUT_S, baud_rate: int = visa.BAUD_RATE) -> None:
        """``address``: a VISA resource; ``baud_rate``: where it is a serial line."""
        self._line = visa.Scpi(address, timeout_s=timeout_s, baud_rate=baud_rate)
        self._line.identity()

    def identity(self) -> str:
        return self._line.identity()

    def close(self) -> None:
        self._line.close()


def written(value: float) -> str:
    """A number as SCPI takes it."""
    return f"{value:.9g}"
