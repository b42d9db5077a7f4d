"""What shows an emulated terminal that stands alone and takes what is typed: the part that console and script share."""

from __future__ import annotations

import queue
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from harness.i18n import _
from harness.instruments.panel import Event, Frame
from harness.instruments.printer import SlipReader
from harness.instruments.screen import ScreenReader
from harness.terminal.alone import Alone
from harness.terminal.model import Model

ALIVE_S = 0.5  # how often the board process is looked at when nothing happens


@dataclass(frozen=True)
class Typed:
    """A line of a script (``number`` from 1), or the keys of one read at a console; ``text`` None: the input ended."""

    text: str | None
    number: int = 0


class Face(ABC):
    """Gets the panel's events on one thread (:meth:`take`), what is typed on another, and serves both on the third."""

    def __init__(self, model: Model) -> None:
        self._screens, self._slips = ScreenReader(model.screen), SlipReader()
        self._columns = (model.screen.width - model.screen.origin[0]) // (8 * model.screen.scale)
        self._came: queue.SimpleQueue[Event | Typed] = queue.SimpleQueue()
        self.lines: list[str] = []

    def take(self, event: Event) -> None:
        """From the panel."""
        self._came.put(event)

    @abstractmethod
    def serve(self, terminal: Alone) -> int:
        """Until the end; the exit status."""

    def _next(self, terminal: Alone, seconds: float) -> Event | Typed | None:
        """The next thing that happens; None after ``seconds``. Raises BenchError when the terminal is gone."""
        try:
            return self._came.get(timeout=max(0.0, min(seconds, ALIVE_S)))
        except queue.Empty:
            terminal.check()
            return None

    def _read_screen(self, event: Event) -> bool:
        """The new screen's lines; False where they read as before (a clock's tick of the same minute)."""
        lines = self._screens.read(Frame.from_event(event)).lines
        changed, self.lines = lines != self.lines, lines
        return changed

    def _read_slip(self, event: Event) -> list[str]:
        return self._slips.read(Frame.from_event(event)).lines

    def _shows(self, text: str) -> bool:
        return text in "".join(self.lines).replace(" ", "")


def told(event: Event) -> str:
    """An event that is neither screen nor slip in words; "" where there is nothing to say."""
    match event["ev"]:
        case "power":
            state = _("power on") if event["state"] == "on" else _("power off")
            return state if event["reason"] == "operator" else f"{state} ({event['reason']})"
        case "halt":
            return f"{_('the application ended')}: {event['detail']}"
        case "beep":
            return _("beep")
        case _:
            return ""


def introduced(terminal: Alone) -> dict[str, Any]:
    """Label -> where it is, for the beginning."""
    return {_("cashier link"): terminal.cashier, _("service port"): terminal.service}
