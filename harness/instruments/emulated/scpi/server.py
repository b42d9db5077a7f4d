"""Conversations in SCPI: lines in, answers out, errors into the queue. Nothing that is sent ends an instrument."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Protocol

from harness.instruments.emulated.faults import OTHER_DEVICE, Faults
from harness.instruments.emulated.listener import Line
from harness.instruments.emulated.scpi.errors import ScpiError
from harness.instruments.emulated.scpi.language import Unit, units
from harness.instruments.emulated.scpi.status import OPERATION_COMPLETE, Status
from harness.instruments.emulated.scpi.tree import Arguments, Command, Tree, action, arguments, question, setting
from harness.instruments.emulated.scpi.values import Span

LONGEST_LINE = 65536
_BYTE = Span(0, 255, 0, whole=True)
_READ = 65536
_EVEN_WHEN_BROKEN = ("*IDN", "*ESR", "*STB", "*CLS", "*OPC", "SYSTem:ERRor")


class Device(Protocol):
    """What is spoken to. ``identity``: manufacturer, model, serial number, version."""

    @property
    def identity(self) -> tuple[str, str, str, str]: ...

    @property
    def faults(self) -> Faults: ...

    def commands(self) -> Iterable[Command]:
        """All but the common ones and those of SYSTem."""

    def reset(self) -> None:
        """``*RST``: the state of power-on."""

    def trigger(self) -> None:
        """``*TRG``. Raises ScpiError."""

    def pending(self) -> bool:
        """Something is under way for which ``*OPC?`` waits."""

    def changed(self) -> None:
        """Called after each line: what was set takes effect."""

    def now(self) -> None:
        """Called before each line: what has happened meanwhile has."""


class Interpreter:
    """One instrument's. ``completed()`` waits until nothing of the instrument is pending."""

    def __init__(self, device: Device, completed: Callable[[], Awaitable[None]]) -> None:
        self._device, self._completed = device, completed
        self.status = Status()
        self._tree = Tree([*self._common(), *device.commands()])

    async def execute(self, line: bytes) -> str | None:
        """Does a line (without its end). The answer, None where nothing was asked."""
        answers: list[str] = []
        try:
            text = _text(line)
            for unit in units(text):
                try:
                    answer = await self._unit(unit)
                except ScpiError as error:
                    self.status.note(error)
                    if error.is_command_error:
                        break  # where one can't be read, what follows has no meaning
                else:
                    if answer is not None:
                        answers.append(answer)
        except ScpiError as error:
            self.status.note(error)
        return ";".join(answers) if answers else None

    async def converse(self, line: Line) -> None:
        """One connection, until it ends."""
        rest, overrun = b"", False
        while data := await line.reader.read(_READ):
            *lines, rest = (rest + data).split(b"\n")
            for one in lines:
                if overrun:
                    overrun = False  # the end of what was too long
                    continue
                if len(one) > LONGEST_LINE:
                    self.status.note(ScpiError(-363))
                    continue
                answer = await self.execute(one.removesuffix(b"\r"))
                if answer is not None:
                    await line.send(answer.encode("ascii", "replace") + b"\n")
                elif self._device.faults.drop:
                    return
            if len(rest) > LONGEST_LINE and not overrun:
                self.status.note(ScpiError(-363))
                overrun = True
            if overrun:
                rest = b""

    async def _unit(self, unit: Unit) -> str | None:
        command = self._tree.find(unit.path, query=unit.query)
        if self._device.faults.errors and not command.pattern.startswith(_EVEN_WHEN_BROKEN):
            raise ScpiError(-310, "the instrument has failed")
        if command.waits:
            await self._completed()
        self._device.now()
        self._complete()
        if unit.query:
            assert command.ask is not None
            return command.ask(unit.arguments)
        assert command.do is not None
        command.do(unit.arguments)
        self._device.changed()
        return None

    def _complete(self) -> None:
        """The bit that ``*OPC`` asked for, once nothing is under way."""
        if self.status.completes and not self._device.pending():
            self.status.completes = False
            self.status.event |= OPERATION_COMPLETE

    def _common(self) -> list[Command]:
        status, device = self.status, self._device

        def enable_events(value: float) -> None:
            status.event_enable = int(value)

        def enable_requests(value: float) -> None:
            status.request_enable = int(value) & ~64

        def complete_later() -> None:
            status.completes = True
            self._complete()

        def reset() -> None:
            status.completes = False
            device.reset()

        def wait(given: Arguments) -> None:
            arguments(given, 0, 0)

        def identity() -> str:
            return ",".join(OTHER_DEVICE if device.faults.identity else device.identity)

        return [
            question("*IDN", identity), action("*RST", reset), action("*CLS", status.clear),
            question("*ESR", lambda: str(status.take_event())), question("*STB", lambda: str(status.byte())),
            setting("*ESE", _BYTE, lambda: status.event_enable, enable_events),
            setting("*SRE", _BYTE, lambda: status.request_enable, enable_requests),
            action("*OPC", complete_later), question("*OPC", lambda: "1", waits=True),
            Command("*WAI", wait, waits=True),
            question("*TST", lambda: "0"), action("*TRG", device.trigger),
            question("SYSTem:ERRor[:NEXT]", status.next_error),
            question("SYSTem:ERRor:COUNt", lambda: str(status.errors)),
            question("SYSTem:VERSion", lambda: "1999.0"),
        ]


def _text(line: bytes) -> str:
    """ASCII; control characters are white space (IEEE 488.2, 7.4.1.2). Raises ScpiError."""
    for at, one in enumerate(line):
        if one > 126:
            raise ScpiError(-101, f"byte {one:02X} at {at}")
    return "".join(" " if one < 32 else chr(one) for one in line)
