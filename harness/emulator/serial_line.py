"""One serial line of the terminal: a pty whose slave pyserial opens like any tty device."""

from __future__ import annotations

import os
import tty


class SerialLine:
    """``master``: the UART's side, non-blocking. ``path``: what the cable's other end opens.

    The slave is kept open here as well: without it the master reads EIO whenever nobody has it open, and settings are
    lost. Raw from the start: a fresh pty echoes.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self.master, False)
        self.path = os.ttyname(self._slave)

    def flush_input(self) -> None:
        """Loses what has arrived and was not read."""
        try:
            while os.read(self.master, 65536):
                pass
        except BlockingIOError:
            pass
