"""Power switch: Shelly of the second generation and later (Plus, Pro, Gen3), by its RPC over HTTP, from the maker's
public description (shelly-api-docs.shelly.cloud, "Switch"). The emulated power switch speaks the same. Not tried on
hardware. A device with a password is not spoken to: keep it in a network of the lab's own.

    instruments:
      power_switch: {driver: shelly, address: "http://10.1.2.4", identity: SNSW-001P16EU, options: {outlet: 0}}

``outlet`` (0): which of its switches the terminal's supply hangs on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from harness.history.instrument_events import InstrumentKind, Quantity
from harness.instruments.transport import answers, http
from harness.instruments.transport.http import TIMEOUT_S, Http


class ShellySwitch:
    kind: ClassVar[InstrumentKind] = "power_switch"
    name: ClassVar[str] = "shelly"
    tried: ClassVar[bool] = False
    quantities: ClassVar[Mapping[str, Quantity]] = {"output_on": Quantity(unit="")}
    safe: ClassVar[str] = "on"
    address_problem = staticmethod(http.address_problem)
    spans: ClassVar[Mapping[str, tuple[float, float]]] = {"outlet": (0, 99)}

    def __init__(self, address: str, *, timeout_s: float = TIMEOUT_S, outlet: int = 0) -> None:
        self._line, self._outlet = Http(address, timeout_s=timeout_s), outlet
        self.identity()

    def identity(self) -> str:
        """Model, serial number and version."""
        path = "/rpc/Shelly.GetDeviceInfo"
        where, found = self._line.address, self._line.get(path)
        said = ",".join(answers.text(where, path, found, key) for key in ("model", "id", "ver"))
        return answers.identity(where, path, said)

    def read(self) -> Mapping[str, float]:
        return {"output_on": float(self._is_on())}

    def switch(self, on: bool) -> None:
        state = "true" if on else "false"
        found: dict[str, Any] = self._line.get(f"/rpc/Switch.Set?id={self._outlet}&on={state}")
        answers.flag(self._line.address, "Switch.Set", found, "was_on")

    def make_safe(self) -> None:
        self.switch(True)

    def is_safe(self) -> bool:
        return self._is_on()

    def close(self) -> None:
        self._line.close()

    def _is_on(self) -> bool:
        path = f"/rpc/Switch.GetStatus?id={self._outlet}"
        return answers.flag(self._line.address, path, self._line.get(path), "output")
