"""A terminal started in this process until it stands idle, and asked what it holds."""

from __future__ import annotations

import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from types import FrameType
from typing import TYPE_CHECKING

from harness.campaigns.sweep import unit
from harness.campaigns.sweep.unit import Unit
from harness.emulator.in_process import Computer, End, MemoryBoard, read_service
from harness.emulator.journal import JournalledNor
from harness.emulator.nor import FILE_SYSTEM
from harness.errors import BadInput
from harness.instruments.glyphs import GlyphReader

if TYPE_CHECKING:
    from harness.emulator.in_process import Rom
    from harness.terminal.model import Model

STARTS = 5  # a terminal that does not stand idle after so many never will
_TURNS = 500  # of the application's loop until idle; one start takes 1 to 10
_UNASKED = 20  # turns after which what the terminal shows instead of idle is acknowledged
WATCHDOG_S = 5.0  # of CPU: on a busy machine a start takes its time
_ASLEEP_S = 60.0  # by the clock


class Hung(BaseException):
    """The application did not feed the watchdog."""


class Starter:
    """``model``: whose idle screen is waited for."""

    def __init__(self, rom: Rom, model: Model) -> None:
        self.computer = Computer(rom)
        self._idle_texts = tuple(model.idle_texts)
        screen = model.screen
        self._glyphs = GlyphReader(screen.width, scale=screen.scale, origin=screen.origin)
        self._height = screen.height
        self._read: dict[bytes, tuple[str, ...]] = {}
        self._stored_in: deque[tuple[tuple[str, bytes], dict[str, str]]] = deque(maxlen=4)
        self.identities = model.identities
        self._questions = unit.questions(model.identities)

    def close(self) -> None:
        self.computer.close()

    def own_wires(self) -> None:
        """In a forked process: nothing of what the other processes' terminals say is to be heard here."""
        self.computer.own_wires()

    @property
    def questions(self) -> list[str]:
        """What is asked."""
        return list(self._questions)

    def ask_what_it_knows(self, known: Unit) -> None:
        """Parameters that the unit does not have are not asked for any more."""
        self._questions = [line for line in self._questions if line not in known.unknown]

    def to_idle(self, chip: JournalledNor) -> Unit:
        """Switches on, until it stands idle and has answered; resets on the way are counted. The chip may be dead when
        this is called: its power is back."""
        resets = 0
        while True:
            chip.revive()
            visit = _Visit(self, self._questions)
            with _watchdog():
                end = self._start(chip, visit)
            if end.how == "off" and visit.done:
                found = unit.understood(self._questions, visit.answers)
                return replace(found, resets=resets, held=found.held | self._stored(chip))
            resets += 1
            if end.how in ("halt", "off") or resets == STARTS:
                return Unit("", {}, resets, f"{end.how}: {end.detail or ' / '.join(visit.lines)}")

    def _start(self, chip: JournalledNor, visit: Callable[[MemoryBoard], bool]) -> End:
        try:
            return self.computer.power_on(chip, visit)
        except Hung:
            return End("crash", "the watchdog was not fed")

    def _stored(self, chip: JournalledNor) -> dict[str, str]:
        """What no port tells, out of the flash, read with the store of the application that ran. The same content is
        not read twice in a row."""
        chip.revive()
        key = self.computer.running, chip.read(FILE_SYSTEM)
        found = next((found for other, found in self._stored_in if other == key), None)
        if found is None:
            try:
                stores = self.computer.stores(chip, self.identities)
                found = unit.stored(stores, self.computer.modules["app.tables"])
            except Exception as error:
                found = {"tmk_kcv": f"the store can't be read: {error!r}"}
            self._stored_in.appendleft((key, found))
        return found

    def stored_by_who_starts(self, chip: JournalledNor) -> dict[str, str]:
        """As it is told with a replayed start, of a chip that a board has started from."""
        return self._stored(chip) if self.computer.enter_chosen(chip) else {}

    def ask(self, chip: JournalledNor, lines: Sequence[str]) -> list[str]:
        """Switches on, and once it stands idle gives these commands to the service port. Raises :class:`BadInput` where
        one is not answered with OK."""
        visit = _Visit(self, lines)
        self.computer.power_on(chip, visit)
        answers = [*visit.answers, *[""] * len(lines)]
        for line, answer in zip(lines, answers, strict=False):
            if not answer.startswith("OK "):
                raise BadInput(f"the terminal answers {' '.join(line.split()[:2])} with {answer!r}")
        return visit.answers

    def lines(self, picture: bytes) -> tuple[str, ...]:
        """What a picture says; the same one is read once."""
        if picture not in self._read:
            self._read[picture] = tuple(self._glyphs.read(picture, self._height).lines)
        return self._read[picture]

    def is_idle(self, lines: tuple[str, ...]) -> bool:
        return any(text in line for line in lines for text in self._idle_texts)


class _Visit:
    """Looks at one start: waits for idle, asks, and takes the answers."""

    def __init__(self, starter: Starter, questions: Sequence[str]) -> None:
        self._starter, self._questions = starter, questions
        self._turns, self._asked, self._held = 0, False, b""
        self.answers: list[str] = []
        self.lines: tuple[str, ...] = ()

    @property
    def done(self) -> bool:
        return len(self.answers) == len(self._questions)

    def __call__(self, board: MemoryBoard) -> bool:
        self._turns += 1
        if self._asked:
            *lines, self._held = (self._held + read_service(board.ends)).split(b"\r\n")
            self.answers += [line.decode("ascii", "replace") for line in lines]
            return self.done or self._turns > _TURNS
        if board.shown:
            self.lines = self._starter.lines(board.shown)
        if self._starter.is_idle(self.lines):
            self._asked = True
            board.ends.service.send("".join(f"{line}\r\n" for line in self._questions).encode())
        elif self._turns % _UNASKED == 0:
            board.keys.append("CANCEL")
        return self._turns > _TURNS


@contextmanager
def _watchdog() -> Iterator[None]:
    """Timers of the process in place of the board's. Only in a main thread, where there is no other use of them."""

    def bite(_signal: int, _frame: FrameType | None) -> None:
        raise Hung

    timers = ((signal.SIGPROF, signal.ITIMER_PROF, WATCHDOG_S), (signal.SIGALRM, signal.ITIMER_REAL, _ASLEEP_S))
    before = [(number, signal.signal(number, bite)) for number, *_ in timers]
    for _number, timer, seconds in timers:
        signal.setitimer(timer, seconds)
    try:
        yield
    finally:
        for _number, timer, _seconds in timers:
            signal.setitimer(timer, 0)
        for number, handler in before:
            signal.signal(number, handler)
