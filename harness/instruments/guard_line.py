"""The worker's end of the line to its guard: requests, what is told unasked into the history, signs of life."""

from __future__ import annotations

import contextlib
import json
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from harness.errors import BenchError
from harness.history.instrument_events import (
    InstrumentOpened,
    InstrumentSet,
    InstrumentsSafe,
    InstrumentTrouble,
    Readings,
)
from harness.history.recorder import Recorder
from harness.instruments.guard.log import LOG
from harness.instruments.guard.plan import GuardPlan
from harness.lab.process import Child, spawn

TIMEOUT_S, ENDS_S = 15.0, 3.0
PLAN = "guard.json"  # in the scratch folder

_EVENTS: dict[str, type[Any]] = {
    "opened": InstrumentOpened, "readings": Readings, "set": InstrumentSet, "trouble": InstrumentTrouble,
    "safe": InstrumentsSafe,
}  # fmt: skip


class GuardLine:
    """Make it with :meth:`start`. ``fail`` is told what makes the bench unfit: the first trouble of an instrument, a
    test that hung, the guard's death."""

    def __init__(
        self, end: socket.socket, child: Child, history: Recorder, plan: GuardPlan, fail: Callable[[str], None]
    ) -> None:
        self._socket, self.child, self.history, self._fail = end, child, history, fail
        self.log = plan.folder / LOG
        self._bench = plan.bench
        self._sending, self._changed = threading.Lock(), threading.Condition()
        self._replies: dict[int, dict[str, Any] | None] = {}
        self._last_id, self._broken, self._closing = 0, "", False
        self._stopped = threading.Event()
        self._reader = threading.Thread(target=self._read, name=f"{plan.bench} guard", daemon=True)
        self._reader.start()
        every = plan.silence_s / 5
        self._pulse = threading.Thread(target=self._beat, args=(every,), name=f"{plan.bench} alive", daemon=True)
        self._pulse.start()

    @classmethod
    def start(cls, plan: GuardPlan, history: Recorder, fail: Callable[[str], None]) -> GuardLine:
        """The guard's process; nothing is asked of it yet. Raises BenchError where it can't be started."""
        file: Path = plan.scratch / PLAN
        file.write_text(plan.model_dump_json(), encoding="utf-8")
        ours, theirs = socket.socketpair()
        try:
            descriptor = str(theirs.fileno())
            child = spawn(
                [sys.executable, "-m", "harness.instruments.guard", "--plan", str(file), "--line", descriptor],
                pass_fds=(theirs.fileno(),), log=plan.folder / "logs" / "guard.log", name="instruments' guard",
                outlives=True,
            )
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        return cls(ours, child, history, plan, fail)

    def request(self, request: dict[str, Any], *, timeout_s: float = TIMEOUT_S) -> dict[str, Any]:
        """The reply; what the guard told before it is in the history. Raises BenchError where none comes."""
        with self._changed:
            self._last_id += 1
            number = self._last_id
            self._replies[number] = None
        self._send({**request, "id": number})
        with self._changed:
            self._changed.wait_for(lambda: self._replies[number] is not None or self._broken, timeout_s)
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
        if kind == "hung":
            self._fail(str(message["what"]))
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


_BY_HAND = "make sure that every instrument is in its safe state: hil97 lab safe, or at its own panel"


def trouble_text(event: InstrumentTrouble) -> str:
    """In a line or two, for whoever stands at the bench."""
    who = f"instrument {event.instrument}: " if event.instrument else ""
    return f"{who}{event.what}{f' (next: {event.remedy})' if event.remedy else ''}"


