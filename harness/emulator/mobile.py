"""The modem on the board: its serial line to the terminal, its clock, and the carrier of its data interface."""

from __future__ import annotations

import contextlib
import os
import selectors
import termios
import time
from collections.abc import Callable
from typing import Any

from harness.emulator.data_port import DataPort
from harness.emulator.modem import Modem
from harness.emulator.serial_line import SerialLine


class Mobile:
    """Serves in the board's selector loop. ``terminal_fd``: the terminal's end of the line, non-blocking. ``report`` is
    told what has changed."""

    def __init__(
        self, selector: selectors.BaseSelector, time_scale: float, port: DataPort | None,
        report: Callable[[dict[str, Any]], object],
    ) -> None:
        self._line, self._port = SerialLine("modem"), port
        self.terminal_fd = os.open(self._line.path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        self.modem = Modem(time_scale, self._switch, lambda: report(self.modem.told()))
        self._switch(False)
        selector.register(self._line.master, selectors.EVENT_READ, lambda _: self._serve())

    @property
    def timeout(self) -> float | None:
        """Seconds until :meth:`tick` wants to be called."""
        return None if self.modem.due is None else max(0.0, self.modem.due - time.monotonic())

    def tick(self) -> None:
        self.modem.tick(time.monotonic())
        self._send()

    def power(self, on: bool) -> None:
        """What is in the line is lost."""
        termios.tcflush(self.terminal_fd, termios.TCIOFLUSH)
        self._line.flush_input()
        self.modem.power(on, time.monotonic())

    def obey(self, request: dict[str, Any]) -> None:
        """What the panel wants: other surroundings, or ``drop``."""
        around = dict(request)
        drop = around.pop("drop", False)
        if around:
            self.modem.set(time.monotonic(), **around)
        if drop:
            self.modem.drop()
        self._send()

    def _serve(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self.modem.feed(os.read(self._line.master, 4096))
        self._send()

    def _send(self) -> None:
        """What fits: a terminal that does not read its modem loses what it says."""
        with contextlib.suppress(BlockingIOError):
            while self.modem.out:
                del self.modem.out[: os.write(self._line.master, self.modem.out)]
        self.modem.out.clear()

    def _switch(self, up: bool) -> None:
        if self._port is not None:
            self._port.set_up(up)
