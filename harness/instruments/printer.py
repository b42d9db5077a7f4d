"""The paper tray of an emulated printer: slips as pictures, and what can be read on them."""

from __future__ import annotations

from collections.abc import Callable

from harness.instruments.glyphs import GlyphReader
from harness.instruments.panel import Event, Frame, Panel
from harness.instruments.screen import ScreenReading, png


class SlipReader:
    """Reads slips: cells of 8 x 16 from the top left corner, at the printer's own scale of 1."""

    def read(self, frame: Frame) -> ScreenReading:
        """What is on the slip."""
        text = GlyphReader(frame.width).read(frame.bits, frame.height)
        return ScreenReading(text.lines, text.unreadable, png(frame))


class Printer:
    """``on_slip`` gets each slip (and its picture) as it comes out, on the panel's reader thread."""

    def __init__(self, panel: Panel, on_slip: Callable[[ScreenReading, Frame], None]) -> None:
        self._reader, self._on_slip = SlipReader(), on_slip
        self._unsubscribe = panel.subscribe(self._take)

    def close(self) -> None:
        """No more slips are taken."""
        self._unsubscribe()

    def _take(self, event: Event) -> None:
        if event["ev"] == "paper":
            frame = Frame.from_event(event)
            self._on_slip(self._reader.read(frame), frame)
