"""The client of an emulated terminal's front panel. The instruments in this folder are small views of it.

Events arrive on a reader thread, in the order in which the board sent them; requests may come from any thread.
"""

from __future__ import annotations

import base64
import contextlib
import json
import socket
import threading
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from harness.emulator.panel_server import connect
from harness.errors import BenchError
from harness.lab.process import START_S

LARGEST_PICTURE = 16 << 20  # bytes of rows, after decompression

Event = dict[str, Any]


@dataclass(frozen=True)
class Frame:
    """A picture: ``bits`` are rows top down, 1 bit a pixel, MSB left, 1 = dark. ``t``: CLOCK_MONOTONIC, ns."""

    t: int
    n: int
    width: int
    height: int
    bits: bytes

    @staticmethod
    def from_event(event: Event) -> Frame:
        """From a ``screen`` or ``paper`` event. Raises :class:`BenchError` when the picture is not as announced."""
        try:
            width, height = int(event["width"]), int(event["height"])
            expander = zlib.decompressobj()
            bits = expander.decompress(base64.b64decode(event["bits"], validate=True), LARGEST_PICTURE)
            if width % 8 or len(bits) != width // 8 * height or not expander.eof:
                raise ValueError(f"{len(bits)} bytes are no {width}x{height} picture")
            return Frame(int(event["t"]), int(event["n"]), width, height, bits)
        except (KeyError, TypeError, ValueError, zlib.error) as error:
            raise BenchError(f"the panel sent a picture that can't be used: {error!r}") from error


class Panel:
    """A connection to the board's control socket. ``cashier`` and ``service`` are paths for pyserial.

    ``on_event`` gets every event from the connection on (``ready`` and the present ``screen`` first); more callbacks
    can be added with :meth:`subscribe`. A callback that raises closes the connection and shows in the next request.
    ``alive`` raises when the board's process has ended: with it, a board has all the time to begin that it needs.
    """

    def __init__(
        self, control: Path, *, timeout: float = 10.0, on_event: Callable[[Event], None] | None = None,
        alive: Callable[[], object] | None = None,
    ) -> None:
        self.control, self._timeout = control, timeout
        self._sock = _connect(control, timeout if alive is None else max(timeout, START_S), alive or (lambda: None))
        self._lock = threading.Lock()
        self._answered = threading.Condition(self._lock)
        self._answers: dict[int, Event] = {}
        self._last_id = 0
        self._failure: str | None = None
        self._closing = False
        self._callbacks: tuple[Callable[[Event], None], ...] = (on_event,) if on_event else ()
        self._frame: Frame | None = None
        self._ready: Event | None = None
        self._reader = threading.Thread(target=self._read, name=f"panel {control.name}", daemon=True)
        self._reader.start()
        try:
            ready = self._greeted(timeout)
            self.cashier, self.service = str(ready["cashier"]), str(ready["service"])
            self.serial_number = str(ready["serial_number"])
        except (BenchError, KeyError) as error:
            self.close()
            why = f"its greeting has no {error}" if isinstance(error, KeyError) else str(error)
            raise BenchError(f"the terminal's panel does not answer: {why}", evidence=str(control)) from error
        self.powered_at_start = ready.get("power") == "on"

    def request(self, op: str, **fields: Any) -> Event:
        """Does a request and waits for its reply. Raises :class:`BenchError` if it is refused or the board is gone."""
        with self._answered:
            self._check()
            self._last_id += 1
            number = self._last_id
            try:
                self._sock.sendall(json.dumps({"id": number, "op": op, **fields}).encode() + b"\n")
            except OSError as error:
                raise BenchError(f"the terminal's panel is gone: {error}", evidence=str(self.control)) from error
            if not self._answered.wait_for(lambda: number in self._answers or self._failure, self._timeout):
                raise BenchError(f"the terminal's panel did not answer {op!r} within {self._timeout:g} s",
                                 evidence=str(self.control))
            if number not in self._answers:
                self._check()
            reply = self._answers.pop(number)
        if not reply.get("ok"):
            raise BenchError(f"the terminal's panel refused {op!r}: {reply.get('error')}")
        return reply

    def subscribe(self, callback: Callable[[Event], None]) -> Callable[[], None]:
        """``callback`` gets every event from now on, on the reader thread. Returns what ends that."""
        with self._lock:
            self._callbacks = (*self._callbacks, callback)

        def unsubscribe() -> None:
            with self._lock:
                self._callbacks = tuple(other for other in self._callbacks if other is not callback)

        return unsubscribe

    @property
    def frame(self) -> Frame:
        """What the screen shows now."""
        with self._lock:
            assert self._frame is not None
            return self._frame

    def wait_frame(self, until: Callable[[Frame], bool], timeout: float) -> Frame | None:
        """The first frame (the present one included) for which ``until`` holds; None after ``timeout`` seconds.

        A frame that is replaced before it was looked at is passed over; ``on_event`` gets them all.
        """
        deadline = time.monotonic() + timeout
        seen: Frame | None = None
        while True:
            with self._answered:
                while self._frame is seen:
                    self._check()
                    left = deadline - time.monotonic()
                    if left <= 0 or not self._answered.wait(left):
                        return None
                seen = self._frame
            assert seen is not None
            if until(seen):
                return seen

    def close(self) -> None:
        """Ends the connection; the terminal goes on."""
        self._closing = True
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        if threading.current_thread() is not self._reader:
            self._reader.join(self._timeout)
        self._sock.close()

    def __enter__(self) -> Panel:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None,
    ) -> None:
        self.close()

    def _greeted(self, timeout: float) -> Event:
        """The ``ready`` event, once the first frame is there too."""
        with self._answered:
            if not self._answered.wait_for(lambda: (self._ready and self._frame) or self._failure, timeout):
                raise BenchError(f"no greeting within {timeout:g} s")
            if self._ready is None or self._frame is None:
                raise BenchError(self._failure or "no greeting")
            return self._ready

    def _check(self) -> None:
        if self._failure is not None:
            raise BenchError(self._failure, evidence=str(self.control))

    def _read(self) -> None:
        failure = "the terminal's panel closed the connection: the board process ended"
        try:
            with self._sock.makefile("rb") as lines:
                for line in lines:
                    self._take(json.loads(line))
        except OSError as error:
            failure = f"the terminal's panel is gone: {error}"
        except Exception as error:  # a callback's: the next request tells
            failure = f"an event of the terminal's panel could not be handled: {error!r}"
        with self._answered:
            self._failure = "the panel was closed" if self._closing else failure
            self._answered.notify_all()

    def _take(self, message: Event) -> None:
        if "re" in message:
            with self._answered:
                if isinstance(message["re"], int):
                    self._answers[message["re"]] = message
                self._answered.notify_all()
            return
        frame = Frame.from_event(message) if message["ev"] == "screen" else None
        for callback in self._callbacks:
            callback(message)
        with self._answered:
            if message["ev"] == "ready":
                self._ready = message
            if frame is not None:
                self._frame = frame
            self._answered.notify_all()


def _connect(control: Path, timeout: float, alive: Callable[[], object]) -> socket.socket:
    deadline = time.monotonic() + timeout
    while True:
        try:
            return connect(control)
        except (FileNotFoundError, ConnectionRefusedError) as error:
            alive()
            if time.monotonic() >= deadline:
                raise BenchError(f"no terminal's panel appeared within {timeout:g} s: {error.strerror}",
                                 evidence=str(control), remedy="Look into the log of the board process.") from error
            time.sleep(0.01)
        except OSError as error:
            raise BenchError(f"the terminal's panel can't be reached: {error}", evidence=str(control)) from error
