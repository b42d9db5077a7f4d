"""Results of the replay confirmed by real board processes: the same flash, a CPU process of its own, real serial lines.

Where the cut is at an operation that a start does by itself (trial, migration, confirmation, return) the supply is
really cut there, by the board; cuts within the transfer are made by giving the board the flash as it then was.
"""

from __future__ import annotations

import random
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import NamedTuple

from harness.campaigns.sweep import unit
from harness.campaigns.sweep.journal import Cut, Journal
from harness.campaigns.sweep.starting import STARTS, Starter
from harness.campaigns.sweep.unit import Unit
from harness.emulator.journal import JournalledNor
from harness.emulator.nor import BLOCK, SIZE
from harness.errors import BenchError, TerminalTimeout
from harness.instruments.panel import Event, Panel
from harness.instruments.power import Supply
from harness.instruments.screen import Screen
from harness.lab.process import spawn
from harness.terminal.model import Model
from harness.terminal.serial_line import SerialLine

_IDLE_S = 60.0  # of a start, however busy the machine is
_LOOK_S = 0.5  # then what is shown instead of idle is acknowledged
_LOOKS = 10  # so often where the replay never stood idle: then it counts as what stays here, too
_ANSWER_S = 15.0
_LIFE = 10  # starts of one board process; then there is a new one
_BY_ITSELF = ("trial", "migration", "confirmation", "return")


class Disagreement(NamedTuple):
    """A cold start said something else than the replay: the sweep can't be believed."""

    cut: Cut
    replayed: Unit
    cold: Unit


def chosen(cuts: Sequence[Cut], count: int, seed: int) -> list[Cut]:
    """So many of them, by seed, in order."""
    return sorted(random.Random(seed).sample(list(cuts), min(count, len(cuts))))


def confirm(
    starter: Starter, model: Model, boot_key: Path, journal: Journal, replayed: Mapping[Cut, Unit],
    cuts: Sequence[Cut], *, boards: int = 2,
    told: Callable[[int], None] = lambda done: None,
) -> dict[Cut, Unit]:
    """What a board says after each of ``cuts``, which were ``replayed``. Raises :class:`BenchError` where one does not
    work."""
    found: dict[Cut, Unit] = {}
    lock = threading.Lock()

    def one_board(share: Sequence[Cut]) -> None:
        for at in range(0, len(share), _LIFE):
            with TemporaryDirectory(prefix="hil97-sweep-") as folder, Board(
                Path(folder), starter, model, boot_key, lock
            ) as board:
                for cut in share[at : at + _LIFE]:
                    looks = _LOOKS if replayed[cut].trouble else 0
                    seen = board.after(journal, cut, looks=looks)
                    if restarted_more(replayed[cut], seen):
                        seen = board.after(journal, cut, looks=looks)  # what the cut does, it does again
                    with lock:
                        found[cut] = seen
                        told(len(found))

    with ThreadPoolExecutor(max_workers=boards) as pool:
        for ended in [pool.submit(one_board, cuts[number::boards]) for number in range(boards)]:
            ended.result()
    return found


def restarted_more(replayed: Unit, cold: Unit) -> bool:
    """It restarted more often, and nothing else differs: of a starved machine, whose boards are reset by their
    watchdogs, or of the cut."""
    same = (replayed.version, replayed.held, replayed.trouble) == (cold.version, cold.held, cold.trouble)
    return same and cold.resets > replayed.resets


def disagreements(replayed: dict[Cut, Unit], cold: dict[Cut, Unit]) -> list[Disagreement]:
    """Where version, what is held or how often it restarted differ; of a terminal that never stands idle only that."""

    def essence(one: Unit) -> object:
        return "never idle" if one.trouble else (one.version, one.held, one.resets)

    return [Disagreement(cut, replayed[cut], found) for cut, found in sorted(cold.items())
            if essence(found) != essence(replayed[cut])]


class Board:
    """A board process with a flash file in ``folder``. ``lock``: only one at a time may use ``starter``."""

    def __init__(self, folder: Path, starter: Starter, model: Model, boot_key: Path, lock: threading.Lock) -> None:
        self._flash, self._starter, self._model, self._lock = folder / "flash.bin", starter, model, lock
        self._flash.write_bytes(b"\xff" * SIZE + bytes(BLOCK))
        (folder / "model.json").write_text(model.model_dump_json(), encoding="utf-8")
        rom = starter.computer.rom
        self._child = spawn(
            [sys.executable, "-m", "harness.emulator", "--control", str(folder / "panel"), "--flash", str(self._flash),
             "--model", str(folder / "model.json"), "--boot-key", str(boot_key), "--serial-number", rom.serial_number,
             "--time-scale", str(rom.time_scale)],
            log=folder / "board.log", name="terminal",
        )
        self._changed = threading.Condition()
        self._events: list[Event] = []
        self._held, self._lines = b"", list[str]()
        try:
            self._panel = Panel(folder / "panel", timeout=_IDLE_S, on_event=self._take_event)
            self._supply, self._screen = Supply(self._panel), Screen(self._panel, model.screen)
            self._line = SerialLine(self._panel.service, 115200, self._take_bytes, bench="sweep", what="service port")
        except BaseException:
            self._child.kill()
            raise

    def __enter__(self) -> Board:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._line.close()
        self._panel.close()
        self._child.stop()

    def after(self, journal: Journal, cut: Cut, *, looks: int = 0) -> Unit:
        """The unit after that cut. ``looks``: how often what is shown instead of idle is acknowledged before it counts
        as what stays; 0: as long as there is time."""
        path = journal.path(cut)
        own = [step.stage for step in path.steps]
        at = cut.number - path.first
        begins = next((number for number, stage in enumerate(own) if stage in _BY_ITSELF), len(own))
        if at < begins:
            self._put(journal.content(cut))
        else:
            self._put(path.content(Cut(path.first + begins, False)))
            self._really_cut(at - begins + 1, cut)
            if self.content != journal.content(cut):
                raise BenchError(f"the flash after a real cut at operation {cut.number} is not that of the journal: "
                                 "the update does not do the same twice")
        return self._to_idle(looks)

    @property
    def content(self) -> bytes:
        """The chip. Only while the power is off."""
        return self._flash.read_bytes()[:SIZE]

    def _put(self, content: bytes) -> None:
        with self._flash.open("r+b") as file:  # the board has it mapped, and sees it
            file.write(content)

    def _really_cut(self, operation: int, cut: Cut) -> None:
        """Switches on until the supply dies there; what comes only at the next start is reached by that."""
        self._supply.cut_at(operation, torn=cut.torn)
        since = len(self._events)
        for _ in range(STARTS):
            self._supply.on()
            end = time.monotonic() + _IDLE_S
            while not self._was_cut(since) and not self._shows_idle() and time.monotonic() < end:
                with self._changed:
                    self._changed.wait(0.05)
            if not self._was_cut(since):
                self._supply.off()
            if self._was_cut(since):
                return
        raise BenchError(f"the supply did not die at operation {cut.number} of the update: fewer were done")

    def _was_cut(self, since: int) -> bool:
        return any(event["ev"] == "power" and event["reason"] == "cut" for event in self._events[since:])

    def _shows_idle(self) -> bool:
        return self._starter.is_idle(tuple(self._screen.read().lines))

    def _to_idle(self, looks: int) -> Unit:
        since = len(self._events)
        with self._changed:
            self._lines.clear()
            self._held = b""
        self._supply.on()
        trouble = self._wait_idle(since, looks)
        answers: list[str] = [] if trouble else self._ask(self._starter.questions)
        self._supply.off()
        resets = sum(event["ev"] == "power" and event["reason"] == "watchdog" and event["state"] == "on"
                     for event in self._events[since:])
        if trouble:
            return Unit("", {}, resets, trouble)
        found = unit.understood(self._starter.questions, answers)
        with self._lock:
            stored = self._starter.stored_by_who_starts(JournalledNor(self.content))
        return replace(found, resets=resets, held=found.held | stored)

    def _wait_idle(self, since: int, looks: int) -> str:
        """"" when it stands idle; otherwise why not."""
        end, looked = time.monotonic() + _IDLE_S, 0
        while time.monotonic() < end and not 0 < looks <= looked:
            if self._screen.wait(lambda seen: self._starter.is_idle(tuple(seen.lines)), _LOOK_S) is not None:
                return ""
            halts = [str(event["detail"]) for event in self._events[since:] if event["ev"] == "halt"]
            if any(detail.startswith("boot loader") for detail in halts):
                return "halt: nothing to boot"
            if self._screen.read().lines:
                looked += 1
                self._panel.request("key", key="CANCEL")
        return "off: " + " / ".join(self._screen.read().lines)

    def _ask(self, questions: Sequence[str]) -> list[str]:
        self._line.write("".join(f"{line}\r\n" for line in questions).encode("ascii"))
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._lines) >= len(questions), _ANSWER_S):
                raise TerminalTimeout(f"{len(questions)} answers on the service port", _ANSWER_S, bench="sweep",
                                      seen=f"{len(self._lines)}")
            return self._lines[: len(questions)]

    def _take_event(self, event: Event) -> None:
        with self._changed:
            if event["ev"] != "screen":
                self._events.append(event)
            self._changed.notify_all()

    def _take_bytes(self, data: bytes) -> None:
        with self._changed:
            *lines, self._held = (self._held + data).split(b"\r\n")
            self._lines += [line.decode("ascii", "replace") for line in lines]
            self._changed.notify_all()
