"""A switched outlet with the RPC of Shelly's devices (generation 2 and later), over HTTP.

https://shelly-api-docs.shelly.cloud/gen2/General/RPCChannels and .../ComponentsAndServices/Switch
"""

from __future__ import annotations

from typing import Any

from harness.instruments.emulated.http import Answer, Asked, HttpInstrument, Trouble
from harness.instruments.emulated.plan import Placed, Plan
from harness.instruments.emulated.rig import Rig

_INVALID, _NOT_FOUND = -103, -105  # of its RPC
_NO_METHOD = 404


class EmulatedSwitch(HttpInstrument):
    """One outlet, id 0. The mains go through it to the terminal."""

    model = "HIL97-EMU-SWITCH"

    def __init__(self, rig: Rig, plan: Plan, placed: Placed) -> None:
        self.output_on = True
        self.nominal_v = placed.options.built("nominal_v", 230)
        super().__init__(rig, plan, placed)

    def state(self) -> dict[str, Any]:
        return {"safe": self.output_on, "output_on": self.output_on}

    async def handle(self, asked: Asked) -> Answer:
        if asked.method not in ("GET", "POST"):
            raise Trouble(405, "bad_method", f"the method is GET or POST, not {asked.method[:20]!r}")
        if asked.path == "/rpc":
            return self._framed(asked.values)
        if not asked.path.startswith("/rpc/"):
            raise Trouble(404, "no_such_path", f"there is no {asked.path[:60]!r}")
        try:
            return Answer(self._call(asked.path.removeprefix("/rpc/"), asked.values))
        except _Fault as fault:
            status = 404 if fault.code == _NO_METHOD else 500
            return Answer({"code": fault.code, "message": str(fault)}, status)

    def _framed(self, frame: dict[str, Any]) -> Answer:
        """A request and its answer as JSON-RPC has them."""
        head = {"id": frame.get("id"), "src": self._device_id()}
        params = frame.get("params", {})
        try:
            if not isinstance(frame.get("method"), str) or not isinstance(params, dict):
                raise _Fault(_INVALID, "Missing or bad argument 'method' or 'params'!")
            return Answer({**head, "result": self._call(frame["method"], params)})
        except _Fault as fault:
            return Answer({**head, "error": {"code": fault.code, "message": str(fault)}})

    def _call(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        if method == "Shelly.GetDeviceInfo":
            maker, model, serial, version = self.identity
            return {"name": None, "id": self._device_id(), "mac": f"97E0{serial}", "model": model, "gen": 2,
                    "fw_id": f"{maker}/{version}", "ver": version, "app": maker, "auth_en": False, "auth_domain": None}
        if not method.startswith("Switch."):
            raise _Fault(_NO_METHOD, f"No handler for {method[:60]}")
        if str(params.get("id", "")) != "0":
            raise _Fault(_NOT_FOUND, f"Argument 'id', value {str(params.get('id'))[:20]} not found!")
        was_on = self.output_on
        match method:
            case "Switch.GetStatus":
                return self._status()
            case "Switch.Set":
                self.output_on = _flag(params)
            case "Switch.Toggle":
                self.output_on = not self.output_on
            case _:
                raise _Fault(_NO_METHOD, f"No handler for {method[:60]}")
        return {"was_on": was_on}

    def _status(self) -> dict[str, Any]:
        volts = self.rig.mains_v()
        amperes = self.rig.mains_a() if self.output_on else 0.0
        return {
            "id": 0, "source": "HTTP_in", "output": self.output_on, "apower": round(volts * amperes, 1),
            "voltage": self.measured(volts, 0.1, 1), "freq": 50.0, "current": self.measured(amperes, 0.001, 3),
            "temperature": {"tC": 31.0, "tF": 87.8},
        }

    def _device_id(self) -> str:
        return f"{self.identity[1].lower()}-{self.identity[2].lower()}"


class _Fault(Exception):
    def __init__(self, code: int, message: str) -> None:
        self.code = code
        super().__init__(message)


def _flag(params: dict[str, Any]) -> bool:
    on = params.get("on")
    if on in (True, "true", "1"):
        return True
    if on in (False, "false", "0"):
        return False
    raise _Fault(_INVALID, "Argument 'on' is required and must be a boolean!")
