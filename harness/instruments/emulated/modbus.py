"""Instruments that speak Modbus TCP: what there is to read and to write. The protocol is in :mod:`.modbus_line`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from harness.emulator.data_port import DataPort
from harness.errors import BadInput
from harness.instruments.emulated.instrument import Instrument
from harness.instruments.emulated.listener import Line
from harness.instruments.emulated.plan import SPANS, Options, Placed, Plan
from harness.instruments.emulated.rig import Rig

_FULL = 0xFFFF


class ModbusInstrument(Instrument):
    """One that speaks Modbus TCP."""

    scheme = "modbus://{host}:{port}"
    protocol = "harness.instruments.emulated.modbus_line"

    def coils(self, address: int, count: int) -> list[bool] | None:
        """What they are; None: there are none."""
        return None

    def inputs(self, address: int, count: int) -> list[int] | None:
        """What is in the input registers; None: there are none."""
        return None

    def write(self, address: int, values: Sequence[bool]) -> bool:
        """Coils are written; False: there are none."""
        return False

    async def converse(self, line: Line) -> None:
        await import_module(self.protocol).converse(self, line)


class EmulatedRelay(ModbusInstrument):
    """Contacts in cables: coil n-1 is channel n, 1 is closed. A network contact takes its interface down and up."""

    model = "EMU-RELAY"

    def __init__(self, rig: Rig, plan: Plan, placed: Placed) -> None:
        channels = placed.options.whole("channels", 8, *SPANS["channels"])
        self._closed = [True] * channels
        self._ports = {
            channel: _port(channel, values, channels, placed.options.where)
            for channel, values in placed.options.table("wired").items()
        }
        super().__init__(rig, plan, placed)

    def coils(self, address: int, count: int) -> list[bool] | None:
        return self._closed[address : address + count] if address + count <= len(self._closed) else None

    def write(self, address: int, values: Sequence[bool]) -> bool:
        if address + len(values) > len(self._closed):
            return False
        for at, closed in enumerate(values, address):
            if closed != self._closed[at]:
                self._closed[at] = closed
                if str(at + 1) in self._ports:
                    self._ports[str(at + 1)].set_up(closed)
                self.rig.say({"ev": "contact", "t": time.monotonic_ns(), "instrument": self.name, "channel": at + 1,
                              "closed": closed})
        return True

    def state(self) -> dict[str, Any]:
        return {"safe": all(self._closed), "closed": list(self._closed)}


class EmulatedPaperSensor(ModbusInstrument):
    """Beside the printer: how much paper has come out, and whether there is any left."""

    model = "EMU-PAPER"

    def __init__(self, rig: Rig, plan: Plan, placed: Placed) -> None:
        self._roll_mm = placed.options.built("roll_mm", 40_000)
        super().__init__(rig, plan, placed)

    def inputs(self, address: int, count: int) -> list[int] | None:
        out = min(round(self.rig.board.paper_mm * 10), 0xFFFFFFFF)
        found = [out >> 16, out & _FULL, int(self._is_left()), min(_FULL, int(self._left_mm()))]
        if self.faults.impossible is not None:
            found = [_FULL] * len(found)
        return found[address : address + count] if address + count <= len(found) else None

    def state(self) -> dict[str, Any]:
        return {"safe": True, "paper_mm": round(self.rig.board.paper_mm, 2), "paper_left": self._is_left()}

    def _left_mm(self) -> float:
        return max(0.0, self._roll_mm - self.rig.board.paper_ever_mm)

    def _is_left(self) -> bool:
        return self._left_mm() > 0 and not self.rig.board.paper_out


def _port(channel: str, values: object, channels: int, where: str) -> DataPort:
    """The network interface behind a contact."""
    where = f"{where}: wired.{channel}"
    if not channel.isascii() or not channel.isdigit() or not 1 <= int(channel) <= channels:
        raise BadInput(f"a channel is 1 to {channels}, not {channel[:20]!r}", where=where)
    if not isinstance(values, dict):
        raise BadInput("a wire is an object with port and netns_fd", where=where)
    options = Options(values, where)
    name, netns_fd = options.text("port", ""), options.whole("netns_fd", -1, 0, 2**31 - 1)
    options.done()
    try:
        return DataPort(name, netns_fd)
    except OSError as error:
        raise BadInput(f"the interface {name!r} can't be had: {error.strerror}", where=where) from error
