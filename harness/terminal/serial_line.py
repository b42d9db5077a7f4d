"""A serial line opened by URL with pyserial, with every byte recorded by the caller's callback.

A pty raises OSError where a device would raise SerialException, modem lines are missing there (ENOTTY), and three
different exceptions follow a hang-up: all of them become :class:`BenchError` here.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable

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
