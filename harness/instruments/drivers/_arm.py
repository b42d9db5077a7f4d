"""What the drivers of arms by HTTP share: who they are, and that they park."""

from __future__ import annotations

from harness.instruments.transport import answers, http
from harness.instruments.transport.http import Http

ARM_S = 15.0  # a movement is answered when it is done


class HttpDevice:
    """Opened when made. Raises :class:`~harness.instruments.contracts.InstrumentError` where it can't be."""

    address_problem = staticmethod(http.address_problem)

    def __init__(self, address: str, *, timeout_s: float = ARM_S) -> None:
        self._line = Http(address, timeout_s=timeout_s)
        self.identity()

    def identity(self) -> str:
        """Manufacturer, model, serial number and version."""
        where, found = self._line.address, self._line.get("/v1/info")
        keys = ("manufacturer", "model", "serial", "version")
        said = ",".join(answers.text(where, "GET /v1/info", found, key) for key in keys)
        return answers.identity(where, "GET /v1/info", said)

    def close(self) -> None:
        self._line.close()

    def _parked(self) -> bool:
        found = self._line.get("/v1/status")
        return answers.text(self._line.address, "GET /v1/status", found, "arm") == "parked"
