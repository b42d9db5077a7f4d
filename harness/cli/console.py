"""The face of ``hil97 terminal run`` at a console: the screen drawn live, one key for each key of the terminal."""

from __future__ import annotations

import contextlib
import os
import sys
import termios
import threading
import tty
from collections.abc import Iterator

from rich import box
from rich.cells import cell_len
from rich.console import Console as RichConsole
from rich.console import Group
from rich.live import Live
from rich.panel import Panel as Frame
from rich.text import Text

from harness.cli.face import Face, Typed, introduced, told
from harness.errors import BadInput
from harness.i18n import _
from harness.terminal.alone import Alone
from harness.terminal.model import Model
from harness.terminal.typed import HELP, Hands, Show, Wait

# What is pressed -> the line that it stands for (harness/terminal/typed.py).
PRESSED = {
    "\r": "ENTER", "\n": "ENTER", "\x7f": "CLEAR", "\x08": "CLEAR", "\x1b": "CANCEL", "f": "FUNC", "a": "ALPHA",
    "\x1b[A": "UP", "\x1b[B": "DOWN", "m": "swipe", "t": "tap", "w": "scan wechat", "y": "scan alipay", "g": "sign",
    **{digit: digit for digit in "0123456789"},
}  # fmt: skip


class Console(Face):
    """Draws with rich; slips and events are printed above the screen and scroll away."""

    def __init__(self, model: Model) -> None:
        super().__init__(model)
        self._rows = (model.screen.height - model.screen.origin[1]) // (16 * model.screen.scale)
        self._title, self._powered = f"{model.name}  {model.title}", True
        self._line: str | None = None  # a command being typed behind ":"
        self._remark = ""
        self._out = RichConsole(highlight=False)

    def serve(self, terminal: Alone) -> int:
        """Until q, Ctrl-D or Ctrl-C."""
        for label, where in introduced(terminal).items():
            self._out.print(f"{label}: {where}")
        hands = Hands(terminal.panel)
        with _unbuffered_keys():
            threading.Thread(target=self._read_keys, daemon=True).start()
            with Live(self._drawn(), console=self._out, auto_refresh=False) as live:
                while True:
                    came = self._next(terminal, 1.0)
                    if came is None:
                        continue
                    if isinstance(came, Typed):
                        if came.text is None or self._press(hands, came.text):
                            return 0
                    else:
                        self._show(came)
                    live.update(self._drawn(), refresh=True)

    def _press(self, hands: Hands, keys: str) -> bool:
        """What one read brought; True: the end is asked for."""
        for key in _split(keys):
            self._remark = ""
            if self._line is not None:
                if self._edit(hands, key):
                    return True
            elif key == "q" or key == "\x04":
                return True
            elif key == ":":
                self._line = ""
            else:
                self._obey(hands, key)
        return False

    def _obey(self, hands: Hands, key: str) -> None:
        try:
            if key == "c":
                hands.toggle_chip()
            elif key == "p":
                hands.obey("power off" if self._powered else "power on")
            elif key in PRESSED:
                hands.obey(PRESSED[key])
        except BadInput as error:
            self._remark = str(error)

    def _edit(self, hands: Hands, key: str) -> bool:
        assert self._line is not None
        if key in "\r\n":
            line, self._line = self._line, None
            try:
                asked = hands.obey(line)
            except BadInput as error:
                self._remark = str(error)
                return False
            if isinstance(asked, Wait):
                self._remark = _("wait is for scripts")
            elif asked == Show("help"):
                self._out.print(HELP)
            return asked == Show("quit")
        if key == "\x1b":
            self._line = None
        elif key in "\x7f\x08":
            self._line = self._line[:-1]
        elif key.isprintable():
            self._line += key
        return False

    def _show(self, event: dict[str, object]) -> None:
        if event["ev"] == "screen":
            self._read_screen(event)
        elif event["ev"] == "paper":
            slip = self._read_slip(event)
            self._out.print(Frame(Text("\n".join(slip)), title=_("slip"), box=box.ASCII, width=_WIDEST_SLIP))
        else:
            if event["ev"] == "power":
                self._powered = event["state"] == "on"
            if words := told(event):
                self._out.print(Text(words))

    def _drawn(self) -> Group:
        rows = [*self.lines, *[""] * (self._rows - len(self.lines))][: self._rows]
        filled = [row + " " * (self._columns - cell_len(row)) for row in rows]
        screen = Frame(Text("\n".join(filled), no_wrap=True), title=self._title, width=self._columns + 4)
        keys = _("digits  Enter  Esc=CANCEL  Backspace=CLEAR  f=FUNC  a=ALPHA  arrows   m swipe  c chip in/out  t tap  "
                 "w/y WeChat/Alipay code  g sign   p power   : command   q quit")  # fmt: skip
        below = f":{self._line}_" if self._line is not None else self._remark or keys
        return Group(screen, Text(below))

    def _read_keys(self) -> None:
        while True:
            data = os.read(sys.stdin.fileno(), 256)
            self._came.put(Typed(data.decode("utf-8", "replace") or None))
            if not data:
                return


_WIDEST_SLIP = 48 + 4  # columns of paper, and the frame


def _split(keys: str) -> Iterator[str]:
    """Single keys; an escape sequence stays whole where it came whole."""
    at = 0
    while at < len(keys):
        length = 3 if keys[at : at + 2] == "\x1b[" else 1
        yield keys[at : at + length]
        at += length


@contextlib.contextmanager
def _unbuffered_keys() -> Iterator[None]:
    """Keys come one by one and are not echoed; Ctrl-C still is a signal."""
    before = termios.tcgetattr(sys.stdin.fileno())
    tty.setcbreak(sys.stdin.fileno())
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin.fileno(), termios.TCSADRAIN, before)
