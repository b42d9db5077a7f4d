"""The worker's side of the acquirer's control channel: synchronous, usable from any thread, with events."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from harness.errors import BenchError
from harness.history.events import LedgerEntry
from harness.lab.process import START_S

TIMEOUT_S = 10.0
_RETRY_S = 0.005

Event = dict[str, Any]


class Child(Protocol):
    """The acquirer's process, where the caller started it (``harness.lab.process.Child``)."""

    def check(self) -> None:
        """Raises :class:`BenchError` when it has ended."""


class AcquirerClient:
    """One control connection. Make it with :meth:`connect`; close it with :meth:`close` or ``with``.

    Events reach the callbacks in their order, in a thread of the client's own; events that came before the first
    callback was given are kept for it. A reply is handed out after the events that were pushed before it went through
    the callbacks: after ``sync`` every journal row so far has been there. Callbacks must not call the client.
    """

    def __init__(self, connection: socket.socket, path: Path, child: Child | None = None, *, timeout_s: float) -> None:
        self._socket, self._path, self._child, self._timeout_s = connection, path, child, timeout_s
        self._sending, self._changed = threading.Lock(), threading.Condition()
        self._last_id = 0
        self._replies: dict[int, Event | None] = {}  # None: awaited
        self._callbacks: list[Callable[[Event], None]] = []
        self._early: list[Event] = []
        self._ready: Event = {}
        self._broken = ""
        self._callback_error: BaseException | None = None
        self._closing = False
        self._reader = threading.Thread(target=self._read, name=f"acquirer client {path.name}", daemon=True)
        self._reader.start()

    @classmethod
    def connect(
        cls, path: Path | str, *, child: Child | None = None, timeout_s: float = START_S,
        on_event: Callable[[Event], None] | None = None,
    ) -> AcquirerClient:
        """Waits until the acquirer listens at ``path`` and says it is ready, ``timeout_s`` for each. Raises
        :class:`BenchError`."""
        path, deadline = Path(path), time.monotonic() + timeout_s
        while True:
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                connection.connect(str(path))
                break
            except (FileNotFoundError, ConnectionRefusedError) as error:
                connection.close()
                if child is not None:
                    child.check()
                if time.monotonic() > deadline:
                    raise BenchError(
                        f"no acquirer listened at {path} within {timeout_s:g} s ({error.strerror})", evidence=str(path),
                        remedy="See the acquirer's log; was it started with this --control?",
                    ) from error
                time.sleep(_RETRY_S)
            except OSError as error:
                connection.close()
                raise BenchError(f"can't connect to {path}: {error}") from error
        client = cls(connection, path, child, timeout_s=min(timeout_s, TIMEOUT_S))
        if on_event is not None:
            client.on_event(on_event)
        with client._changed:
            if not client._changed.wait_for(lambda: client._ready or client._broken, timeout_s) or client._broken:
                raise BenchError(f"what listens at {path} did not say it is ready: {client._broken or 'silent'}")
        return client

    # -- requests -----------------------------------------------------------------------------------------------------

    def request(self, request: dict[str, Any], *, timeout_s: float | None = None) -> dict[str, Any]:
        """The reply to ``{"op": ..., ...}``, refusals (``"ok": false``) too. :class:`BenchError`: none came."""
        if threading.current_thread() is self._reader:
            raise RuntimeError("a callback of the acquirer's client must not call the client")
        limit = self._timeout_s if timeout_s is None else timeout_s
        with self._changed:
            self._last_id += 1
            number = self._last_id
            self._replies[number] = None
        try:
            line = json.dumps({**request, "id": number}).encode("ascii") + b"\n"
            with self._sending:
                self._socket.sendall(line)
        except OSError as error:
            self._fail(f"sending failed: {error}")
        with self._changed:
            self._changed.wait_for(lambda: self._replies[number] is not None or self._broken, limit)
            reply, broken = self._replies.pop(number), self._broken
        if self._callback_error is not None:
            raise BenchError(f"an event of the acquirer could not be recorded: {self._callback_error!r}") from (
                self._callback_error
            )
        if reply is None:
            if self._child is not None:
                self._child.check()
            why = broken or f"no reply within {limit:g} s"
            raise BenchError(f"the acquirer did not answer {request.get('op')}: {why}", evidence=str(self._path))
        return reply

    def ask(self, op: str, **arguments: Any) -> dict[str, Any]:
        """Like :meth:`request`; a refusal raises :class:`BenchError`."""
        reply = self.request({"op": op, **arguments})
        if not reply.get("ok"):
            raise BenchError(f"the acquirer refused {op}: {reply.get('error')}", evidence=str(self._path))
        return reply

    def on_event(self, callback: Callable[[Event], None]) -> None:
        """Every event from now on, in order; the first callback also gets those that came since the connection."""
        with self._changed:
            early, self._early = self._early, []
            for event in early:
                self._hand_out(callback, event)
            self._callbacks.append(callback)

    # -- what benches and tests ask most ------------------------------------------------------------------------------

    @property
    def address(self) -> tuple[str, int]:
        """Where terminals reach it."""
        return str(self._ready["address"]), int(self._ready["port"])

    @property
    def start_ms(self) -> tuple[float, float]:
        """How long it took from its start to listening: elapsed and CPU, in ms."""
        return float(self._ready["start_ms"]), float(self._ready["start_cpu_ms"])

    def register_merchant(self, mid: str, name: str = "") -> None:
        self.ask("register_merchant", mid=mid, name=name)

    def register_terminal(
        self, mid: str, tid: str, tmk: str | None = None, *, write_off: bool = False, serial: str | None = None
    ) -> str:
        """A new row; returns the TMK (32 hex). ``write_off``: a new unit, nobody will settle the old batches.
        ``serial``: the unit that is bound to it, any other one gets 97 from now on."""
        reply = self.ask("register_terminal", mid=mid, tid=tid, tmk=tmk, write_off=write_off, serial=serial)
        return str(reply["tmk"])

    def remove_terminal(self, mid: str, tid: str) -> None:
        self.ask("remove_terminal", mid=mid, tid=tid)

    def misbehave(self, rule: dict[str, Any]) -> int:
        """Arms a rule (docs/acquirer.md); returns its number."""
        return int(self.ask("misbehave", rule=rule)["rule_id"])

    def clear_misbehaviour(self, rule_id: int | None = None) -> None:
        """Forgets that rule, or all."""
        self.ask("clear_misbehaviour", **({} if rule_id is None else {"rule_id": rule_id}))

    def ledger(self, mid: str, tid: str) -> list[LedgerEntry]:
        """Every entry since (MID, TID) was first registered."""
        return [LedgerEntry.model_validate(entry) for entry in self.ask("ledger", mid=mid, tid=tid)["entries"]]

    def journal(self, since: int = 0) -> list[Event]:
        """The journal's rows after ``since``, as events."""
        return list(self.ask("journal", since=since)["rows"])

    def sync(self) -> int:
        """Until every journal row so far has gone through the callbacks. Returns the last one's number."""
        return int(self.ask("sync")["last_jid"])

    def shut_down(self) -> None:
        """Ends the acquirer in order."""
        self.ask("shut_down")

    def close(self) -> None:
        """Ends the connection; the acquirer lives on."""
        self._closing = True
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        if threading.current_thread() is not self._reader:
            self._reader.join(self._timeout_s)
        self._socket.close()

    def __enter__(self) -> AcquirerClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- the reader's thread ------------------------------------------------------------------------------------------

    def _read(self) -> None:
        try:
            with self._socket.makefile("rb") as lines:
                for line in lines:
                    self._take(json.loads(line))
            self._fail("the connection was closed" if self._closing else "the acquirer closed the connection")
        except (OSError, ValueError) as error:
            self._fail(f"reading failed: {error}")

    def _take(self, message: Event) -> None:
        if "ev" not in message:
            with self._changed:
                if message.get("re") in self._replies:
                    self._replies[message["re"]] = message
                self._changed.notify_all()
            return
        with self._changed:
            if message["ev"] == "ready":
                self._ready = message
                self._changed.notify_all()
            callbacks = tuple(self._callbacks)
            if not callbacks:
                self._early.append(message)
        for callback in callbacks:
            self._hand_out(callback, message)

    def _hand_out(self, callback: Callable[[Event], None], event: Event) -> None:
        try:
            callback(event)
        except Exception as error:  # told to whoever asks next: the reader must go on
            self._callback_error = self._callback_error or error

    def _fail(self, why: str) -> None:
        with self._changed:
            self._broken = self._broken or why
            self._changed.notify_all()
