"""An instrument of a bench as its inventory has it, resolved; it travels to the guard as plain values."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, FiniteFloat

EMULATED = "emulated"  # as an address: a server of ours, started by the bench
OPERATOR = "operator"  # as an address: a person is asked to do it

Option = str | bool | int | float
FULL_SET = {  # what `instruments: emulated` stands for: name -> driver
    "chamber": "scpi-chamber", "supply": "scpi-supply", "power_switch": "shelly", "burst": "scpi-burst",
    "esd": "scpi-esd", "surge": "scpi-surge", "field": "scpi-field", "card_robot": "http-card-robot",
    "key_pusher": "http-key-pusher", "camera": "http-camera", "printer_sensor": "modbus-printer-sensor",
    "relay": "modbus-relay",
}


class Limit(BaseModel):
    """Both ends are allowed. None: open; in an inventory, as it is where nothing is said."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    low: FiniteFloat | None = None
    high: FiniteFloat | None = None


class InstrumentEntry(BaseModel):
    """``driver``: a name of :func:`harness.instruments.drivers.known`. ``address``: ``emulated``, ``operator``, a VISA
    resource or a URL. ``identity``: what the instrument's own word of itself must contain. ``limits``: of the bench, by
    quantity; those not named follow from driver and model. ``options``: the driver's own."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str
    driver: str
    address: str = EMULATED
    identity: str = ""
    limits: dict[str, Limit] = {}
    options: dict[str, Option] = {}

    @property
    def emulated(self) -> bool:
        return self.address == EMULATED
