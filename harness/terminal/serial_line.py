"""A serial line opened by URL with pyserial, with every byte recorded by the caller's callback.

A pty raises OSError where a device would raise SerialException, modem lines are missing there (ENOTTY), and three
different exceptions follow a hang-up: all of them become :class:`BenchError` here.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from typing import Protocol

import serial

from harness.errors import BadInput, BenchError

FAULTS = (serial.SerialException, OSError, TypeError)


class SerialLine:
    """An open line. ``on_bytes`` is called from the reader thread with what came."""

    def __init__(self, url: str, baud: int, on_bytes: Callable[[bytes], None], *, bench: str, what: str) -> None:
        self._what, self._bench, self._on_bytes = what, bench, on_bytes
        try:
            self._port = serial.serial_for_url(url, baudrate=baud, timeout=0.2, write_timeout=5.0)
        except FAULTS as error:
            raise BadInput(
                f"bench {bench}: the {what} {url} can't be opened: {error}",
                remedy="check that the adapter is plugged in and that the inventory names its port (hil97 lab check)",
            ) from error
        self._closing = threading.Event()
        self._fault: Exception | None = None
        self._thread = threading.Thread(target=self._read, name=f"{bench} {what}", daemon=True)
        self._thread.start()

    def _read(self) -> None:
        while not self._closing.is_set():
            try:
                data = self._port.read(1)
                if data:
                    data += self._port.read(self._port.in_waiting)
            except FAULTS as error:
                self._fault = error
                return
            if data:
                self._on_bytes(data)

    def write(self, data: bytes) -> None:
        """All of ``data``, or BenchError."""
        try:
            self._port.write(data)
        except FAULTS as error:
            raise BenchError(f"the {self._what} broke while writing: {error}", bench=self._bench) from error

    def check(self) -> None:
        """Raises BenchError if the line broke."""
        if self._fault is not None:
            raise BenchError(f"the {self._what} broke while reading: {self._fault}", bench=self._bench)

    def close(self) -> None:
        self._closing.set()
        try:
            self._port.cancel_read()
        except (*FAULTS, AttributeError):
            pass
        self._thread.join(1.0)
        with contextlib.suppress(*FAULTS):
            self._port.close()


class ByteLine(Protocol):
    """What a sender of blocks needs of a line."""

    def getc(self, size: int, timeout: float = 1) -> bytes | None:
        """``size`` bytes, or None: they did not come in ``timeout`` seconds."""

    def putc(self, data: bytes, timeout: float = 1) -> int | None:
        """Sends ``data``; how many bytes went."""


class RawLine:
    """The bytes of a line while it carries no lines of text. ``stop``: asked while it waits; it may raise."""

    def __init__(self, line: SerialLine) -> None:
        self._line = line
        self._held = bytearray()
        self._changed = threading.Condition()
        self.stop: Callable[[], None] = lambda: None

    def take(self, data: bytes) -> None:
        """These came."""
        with self._changed:
            self._held += data
            self._changed.notify_all()

    def rest(self) -> bytes:
        """What came and nobody asked for."""
        with self._changed:
            return bytes(self._held)

    def getc(self, size: int, timeout: float = 1) -> bytes | None:
        end = time.monotonic() + timeout
        while True:
            self.stop()
            self._line.check()
            with self._changed:
                if len(self._held) >= size:
                    data = bytes(self._held[:size])
                    del self._held[:size]
                    return data
                left = end - time.monotonic()
                if left <= 0:
                    return None
                self._changed.wait(min(left, 0.1))

    def putc(self, data: bytes, timeout: float = 1) -> int | None:
        self._line.write(bytes(data))
        return len(data)
