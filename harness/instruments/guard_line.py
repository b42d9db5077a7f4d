"""The worker's end of the line to its guard: requests, what is told unasked into the history, signs of life."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, Protocol

from harness import i18n, i18n_errors
from harness.errors import BenchError
from harness.history.instrument_events import (
    InstrumentOpened,
    InstrumentSet,
    InstrumentsSafe,
    InstrumentTrouble,
    OperatorAnswered,
    Readings,
)
from harness.history.recorder import Recorder
from harness.i18n import _
from harness.instruments.guard import outside
from harness.instruments.guard.log import LOG
from harness.instruments.guard.plan import GuardPlan
from harness.lab.process import spawn

TIMEOUT_S, ENDS_S = 15.0, 3.0
PLAN = "guard.json"  # in the scratch folder

_EVENTS: dict[str, type[Any]] = {
    "opened": InstrumentOpened, "readings": Readings, "set": InstrumentSet, "trouble": InstrumentTrouble,
    "safe": InstrumentsSafe, "answered": OperatorAnswered,
}  # fmt: skip

Contact = Callable[[str, int, bool], None]
"""``contact(instrument, channel, closed)``: it is in effect when it returns. On the line's thread."""


class Guard(Protocol):
    """Its process."""

    @property
    def pid(self) -> int: ...

    def alive(self) -> bool: ...

    def wait(self, seconds: float) -> bool:
        """Until it has ended; False when it has not in ``seconds``."""

    def check(self) -> None:
        """Raises BenchError when it has ended."""


class GuardLine:
    """Make it with :meth:`start`. ``fail`` is told what makes the bench unfit: the first trouble of an instrument, a
    test that hung, the guard's death. ``contact``: an emulated relay's contact has moved."""

    def __init__(
        self, end: socket.socket, child: Guard, history: Recorder, plan: GuardPlan, fail: Callable[[str], None],
        contact: Contact,
    ) -> None:
        self._socket, self.child, self.history, self._fail = end, child, history, fail
        self._contact = contact
        self.log = plan.folder / LOG
        self._bench = plan.bench
        self._sending, self._changed = threading.Lock(), threading.Condition()
        self._replies: dict[int, dict[str, Any] | None] = {}
        self._last_id, self._broken, self._closing = 0, "", False
        self._asked_until = 0.0
        self._stopped = threading.Event()
        self._reader = threading.Thread(target=self._read, name=f"{plan.bench} guard", daemon=True)
        self._reader.start()
        every = plan.silence_s / 5
        self._pulse = threading.Thread(target=self._beat, args=(every,), name=f"{plan.bench} alive", daemon=True)
        self._pulse.start()

    @classmethod
    def start(
        cls, plan: GuardPlan, history: Recorder, fail: Callable[[str], None], contact: Contact
    ) -> GuardLine:
        """The guard's process; nothing is asked of it yet. Raises BenchError where it can't be started."""
        file: Path = plan.scratch / PLAN
        file.write_text(plan.model_dump_json(), encoding="utf-8")
        ours, theirs = socket.socketpair()
        try:
            child = _start(plan, file, theirs)
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        return cls(ours, child, history, plan, fail, contact)

    def request(self, request: dict[str, Any], *, timeout_s: float = TIMEOUT_S) -> dict[str, Any]:
        """The reply; what the guard told before it is in the history. Raises BenchError where none comes."""
        with self._changed:
            self._last_id += 1
            number = self._last_id
            self._replies[number] = None
        self._send({**request, "id": number})
        until = time.monotonic() + timeout_s
        with self._changed:
            while self._replies[number] is None and not self._broken:
                left_s = max(until, self._asked_until) - time.monotonic()
                if left_s <= 0:
                    break
                self._changed.wait(left_s)
            reply = self._replies.pop(number)
        if reply is None:
            self._lost(str(request.get("op")), timeout_s)
        return reply

    def failed(self, error: BenchError) -> NoReturn:
        """Raises it; the bench has failed."""
        self._fail(str(error))
        raise error

    def check(self) -> None:
        """Raises BenchError when the guard has ended unasked: nobody watches the instruments."""
        if self._broken and not self._closing:
            self._lost("", 0.0)

    def close(self) -> None:
        """Lets go of the guard, which ends by itself once all is safe. It is not killed: it may be all that keeps a
        chamber from heating on."""
        self._closing = True
        self._stopped.set()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)
        self.child.wait(ENDS_S)
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._reader.join(2.0)
        self._pulse.join(2.0)
        self._socket.close()

    def _lost(self, op: str, timeout_s: float) -> NoReturn:
        with contextlib.suppress(BenchError):
            self.child.wait(0.5 if self._broken else 0)
        try:
            self.child.check()
        except BenchError as error:
            self.failed(BenchError(error.message, bench=self._bench, evidence=error.evidence, remedy=_BY_HAND))
        why = self._broken or f"no reply within {timeout_s:g} s"
        self.failed(BenchError(
            f"the instruments' guard did not answer {op}: {why}", bench=self._bench, evidence=str(self.log),
            remedy=_BY_HAND,
        ))

    def _send(self, message: dict[str, Any]) -> None:
        with self._sending, contextlib.suppress(OSError):  # the reader says what became of it
            self._socket.sendall(json.dumps(message).encode("ascii") + b"\n")

    def _beat(self, every_s: float) -> None:
        while not self._stopped.wait(every_s):
            self._send({"op": "alive"})

    def _read(self) -> None:
        broken = "it has ended"
        try:
            with self._socket.makefile("rb") as lines:
                for line in lines:
                    self._take(json.loads(line))
        except OSError as error:
            broken = f"its line broke: {error}"
        except BenchError as error:  # the history can't be written any more
            broken = str(error)
        except Exception as error:
            broken = f"what it said could not be recorded: {error!r}"
        with self._changed:
            self._broken = broken
            self._changed.notify_all()
        if not self._closing:
            with contextlib.suppress(BenchError):
                self._fail(f"the instruments' guard is gone: {broken}")

    def _take(self, message: dict[str, Any]) -> None:
        if "re" in message:
            with self._changed:
                if message["re"] in self._replies:
                    self._replies[message["re"]] = message
                    self._changed.notify_all()
            return
        kind = message.pop("ev")
        if kind == "asking":
            with self._changed:  # a person takes longer than an instrument
                self._asked_until = time.monotonic() + float(message["within_s"]) + TIMEOUT_S
                self._changed.notify_all()
            ask_at_the_terminal(self._bench, message["instrument"], message["prompt"], message["within_s"])
            return
        if kind == "hung":
            self._fail(str(message["what"]))
            return
        if kind == "contact":
            self._contact(message["instrument"], message["channel"], message["closed"])
            return
        event = _EVENTS[kind](**message)
        try:
            self.history.append(event)
        except BenchError:
            if not self._closing:
                raise
        if isinstance(event, InstrumentTrouble):
            self._fail(trouble_text(event))
        if isinstance(event, InstrumentsSafe) and event.unsafe:
            self._fail("; ".join(f"instrument {name} is not safe: {why}" for name, why in event.unsafe.items()))


def _start(plan: GuardPlan, file: Path, line: socket.socket) -> Guard:
    """One that reaches real instruments is started outside of the lab, where somebody was left for that."""
    log = plan.folder / "logs" / "guard.log"
    place = os.environ.get(outside.PLACE, "")
    if place and not all(one.emulated for one in plan.instruments):
        return outside.start(place, file, line, log)
    descriptor = str(line.fileno())
    return spawn(
        [sys.executable, "-m", "harness.instruments.guard", "--plan", str(file), "--line", descriptor],
        pass_fds=(line.fileno(),), log=log, name="instruments' guard", outlives=True,
    )


def ask_at_the_terminal(bench: str, instrument: str, prompt: str, within_s: float) -> None:
    """Shows a question on the terminal that the run was started from, where there is one; `hil97 lab answer` shows it
    anywhere."""
    text = _("bench {bench}, instrument {instrument}: {prompt}\n  answer within {seconds:.0f} s, in a console: {how}")
    told = text.format(
        bench=bench, instrument=instrument, prompt=i18n_errors.chinese(prompt) if i18n.language() == "zh" else prompt,
        seconds=within_s, how=f"hil97 lab answer {bench} done",
    )
    with contextlib.suppress(OSError), Path("/dev/tty").open("w", encoding="utf-8") as terminal:
        terminal.write(f"\n\a{told}\n")


_BY_HAND = "make sure that every instrument is in its safe state: hil97 lab safe, or at its own panel"


def trouble_text(event: InstrumentTrouble) -> str:
    """In a line or two, for whoever stands at the bench."""
    who = f"instrument {event.instrument}: " if event.instrument else ""
    return f"{who}{event.what}{f' (next: {event.remedy})' if event.remedy else ''}"


