"""Speaks to a program of ours over its stdin and stdout, JSON lines: requests with replies, and messages unasked."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Callable
from typing import Any

from harness.errors import BenchError
from harness.lab.process import START_S, Child

Message = dict[str, Any]
_POLL_S = 0.05


class Refused(BenchError):
    """The program said no. ``reply`` is what it said, whole."""

    def __init__(self, message: str, reply: Message) -> None:
        self.reply = reply
        super().__init__(message)


class PipeClient:
    """``on_message`` gets every message with ``ev`` but ``ready``, from the reader thread, in the order of writing;
    ``on_end`` is called by it when there will be no more.

    What they raise is kept and raised by :meth:`check`. The program says ``{"ev":"ready"}`` first.
    """

    def __init__(
        self, child: Child, on_message: Callable[[Message], object], on_end: Callable[[], object] = lambda: None
    ) -> None:
        self.child, self._on_message, self._on_end = child, on_message, on_end
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._waiting: dict[int, threading.Event] = {}
        self._replies: dict[int, Message] = {}
        self._ready = threading.Event()
        self._fault: Exception | None = None
        self.greeting: Message = {}
        """What it said when it was ready."""
        self._closed = False
        self._reader = threading.Thread(target=self._read, name=f"{child.name} reader", daemon=True)
        self._reader.start()

    def await_ready(self) -> None:
        """Until the program is ready; kills it when it is not. Raises :class:`BenchError`."""
        try:
            self._await(self._ready, START_S, "was not ready")
        except BaseException:
            self._closed = True
            self.child.kill()
            raise

    def request(self, operation: str, *, seconds: float = 10.0, **arguments: object) -> Message:
        """Sends a request and returns its reply; everything written before the reply has been handed on by then.

        Raises :class:`Refused` when it is refused, :class:`BenchError` when it is not answered in time.
        """
        done = threading.Event()
        with self._lock:
            number = next(self._numbers)
            self._waiting[number] = done
            self._send({"id": number, "op": operation, **arguments})
        self._await(done, seconds, f"did not answer {operation!r}")
        reply = self._replies.pop(number)
        if not reply.get("ok"):
            raise Refused(f"the {self.child.name} refused {operation!r}: {reply.get('error')}", reply)
        return reply

    def check(self) -> None:
        """Raises :class:`BenchError` when the program died, or what it told could not be taken."""
        if self._closed:
            return
        if isinstance(self._fault, BenchError):
            raise self._fault
        if self._fault is not None:
            raise BenchError(
                f"a message of the {self.child.name} could not be taken: {self._fault}", evidence=str(self.child.log)
            ) from self._fault
        self.child.check()

    def close(self) -> None:
        """The program ends by itself when its stdin closes; what it says until then is handed on. Idempotent."""
        if not self._closed:
            self._closed = True
            self.child.stop(grace=5.0)
            self._reader.join(5.0)

    def _send(self, request: Message) -> None:
        try:
            self.child.stdin.write(json.dumps(request).encode() + b"\n")
            self.child.stdin.flush()
        except (OSError, ValueError) as error:
            self.child.wait(1.0)
            self.check()
            log = str(self.child.log)
            raise BenchError(f"the {self.child.name} takes no requests any more: {error}", evidence=log) from error

    def _await(self, event: threading.Event, seconds: float, trouble: str) -> None:
        deadline = time.monotonic() + seconds
        while not event.wait(_POLL_S):
            self.check()
            if time.monotonic() > deadline:
                log = str(self.child.log)
                raise BenchError(f"the {self.child.name} {trouble} within {seconds:.0f} s", evidence=log)
        self.check()

    def _read(self) -> None:
        with self.child.stdout as lines:
            for line in lines:
                try:
                    self._take(json.loads(line))
                except Exception as error:
                    self._fault = self._fault or error
        try:
            self._on_end()
        except Exception as error:
            self._fault = self._fault or error

    def _take(self, message: Message) -> None:
        if message.get("ev") == "ready":
            self.greeting = message
            self._ready.set()
        elif "ev" in message:
            self._on_message(message)
        else:
            with self._lock:
                done = self._waiting.pop(message["re"], None)
            if done is not None:
                self._replies[message["re"]] = message
                done.set()
