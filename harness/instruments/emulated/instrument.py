"""What all emulated instruments have in common: a port, an identity, faults of the conversation, measuring noise."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from random import Random
from typing import Any, ClassVar
from zlib import crc32

from harness import __version__
from harness.errors import BadInput
from harness.instruments.emulated.faults import OTHER_DEVICE, Faults
from harness.instruments.emulated.listener import Line, Listener
from harness.instruments.emulated.physics.supply import Effect
from harness.instruments.emulated.plan import Placed, Plan
from harness.instruments.emulated.rig import Rig
from harness.instruments.emulated.scpi.errors import ScpiError
from harness.instruments.emulated.scpi.server import Interpreter
from harness.instruments.emulated.scpi.tree import Command, question
from harness.instruments.emulated.scpi.values import shown
from harness.instruments.emulated.serial_port import SerialPort

MAKER = "HIL97"


class Instrument(ABC):
    """One instrument. ``model`` is in its identity, ``scheme`` makes its address of host and port, ``protocol`` is the
    module that is imported when it is first spoken to (heavy ones would be waited for at every start)."""

    model: ClassVar[str] = ""
    scheme: ClassVar[str]
    protocol: ClassVar[str] = ""

    def __init__(self, rig: Rig, plan: Plan, placed: Placed) -> None:
        """Raises :class:`BadInput` where its port can't be had."""
        self.rig, self.name, self.kind = rig, placed.name, placed.kind
        self.faults = Faults()
        serial = f"{crc32(f'{plan.seed}/{placed.name}'.encode()):08X}"  # the same for the same plan
        self._identity = (MAKER, self.model or f"EMU-{placed.kind.upper()}", serial, __version__)
        self._noise = Random(f"{plan.seed}/{placed.name}/noise")
        self.host = plan.host
        try:
            self._listener = self._listening(plan, placed)
        except OSError as error:
            raise BadInput(f"port {placed.port} of {plan.host} can't be had: {error.strerror}",
                           where=placed.options.where) from error

    @property
    def address(self) -> str:
        """As inventories have it."""
        if isinstance(self._listener, SerialPort):
            return f"ASRL{self._listener.path}::INSTR"
        return self.scheme.format(host=self.host, port=self._listener.port)

    def _listening(self, plan: Plan, placed: Placed) -> Listener | SerialPort:
        return Listener(plan.host, placed.port, self.converse, lambda: self.faults)

    @property
    def identity(self) -> tuple[str, str, str, str]:
        """Manufacturer, model, serial number, version: of another device, where the fault is that."""
        return OTHER_DEVICE if self.faults.identity else self._identity

    async def open(self) -> None:
        await self._listener.open()

    async def close(self) -> None:
        await self._listener.close()

    async def fault(self, faults: Faults) -> None:
        """From now on the conversation has these."""
        self.faults = faults
        if faults.refuse:
            await self._listener.refuse()
        else:
            await self._listener.open()

    @abstractmethod
    async def converse(self, line: Line) -> None:
        """One connection, until it ends."""

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """The truth, and ``safe``."""

    def advance(self, now: float) -> None:  # noqa: B027  most have no physics that goes on by itself
        """Catches up with ``now``."""

    def wake_s(self, felt: bool) -> float | None:
        return None

    def pending(self) -> bool:
        return False

    def take_effects(self) -> list[Effect]:
        return []

    def door(self, is_open: bool) -> None:
        """A person opens or closes it. Raises :class:`BadInput` where there is none."""
        raise BadInput(f"a {self.kind} has no door")

    def measured(self, value: float, spread: float, digits: int, low: float = 0.0) -> float:
        """As it is read: with noise of ``spread`` (standard deviation), rounded, at least ``low``. Or what the fault
        makes of it."""
        return self.faults.reading(round(max(low, self._noise.gauss(value, spread)), digits))


class ScpiInstrument(Instrument):
    """One that speaks SCPI."""

    scheme = "TCPIP::{host}::{port}::SOCKET"

    def __init__(self, rig: Rig, plan: Plan, placed: Placed) -> None:
        super().__init__(rig, plan, placed)
        self.interpreter = Interpreter(self, lambda: rig.completed(self))

    def _listening(self, plan: Plan, placed: Placed) -> Listener | SerialPort:
        if placed.options.flag("serial"):
            return SerialPort(self.converse, lambda: self.faults)
        return super()._listening(plan, placed)

    async def converse(self, line: Line) -> None:
        await self.interpreter.converse(line)

    @abstractmethod
    def commands(self) -> Iterable[Command]:
        """All but the common ones and those of SYSTem."""

    @abstractmethod
    def reset(self) -> None:
        """``*RST``: the state of power-on."""

    def trigger(self) -> None:
        """``*TRG``."""
        raise ScpiError(-211, "it has nothing to trigger")

    def changed(self) -> None:
        self.rig.kick()

    def now(self) -> None:
        self.rig.catch_up()

    def reads(
        self, pattern: str, spread: float, digits: int, get: Callable[[], float], low: float = 0.0
    ) -> Command:
        """A measurement that can be asked for."""
        return question(pattern, lambda: shown(self.measured(get(), spread, digits, low)))


def answers(*values: float | bool) -> str:
    """Several values in one answer."""
    return ",".join(shown(float(value)) for value in values)
