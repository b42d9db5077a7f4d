"""A camera before an emulated screen: pictures, and what can be read in them."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from PIL import Image

from harness.instruments.glyphs import GlyphReader
from harness.instruments.panel import Frame, Panel


class Geometry(Protocol):
    """As ``harness.terminal.model.ScreenGeometry``: pixels, cells of (8 x 16) * scale from the origin."""

    @property
    def width(self) -> int: ...

    @property
    def height(self) -> int: ...

    @property
    def scale(self) -> int: ...

    @property
    def origin(self) -> tuple[int, int]: ...


@dataclass(frozen=True)
class ScreenReading:
    """What was read in a picture.

    ``lines``: text rows, right-stripped, empty ones at the end left out; none if the screen is blank. ``unreadable``:
    how many cells matched no glyph (they stand as U+FFFD). ``png``: the picture, 1 bit a pixel, dark is black.
    """

    lines: list[str]
    unreadable: int
    png: bytes


class ScreenReader:
    """Reads the screens of one model."""

    def __init__(self, geometry: Geometry) -> None:
        self._glyphs = GlyphReader(geometry.width, scale=geometry.scale, origin=geometry.origin)

    def read(self, frame: Frame) -> ScreenReading:
        """What is on ``frame``."""
        text = self._glyphs.read(frame.bits, frame.height)
        return ScreenReading(text.lines, text.unreadable, png(frame))


class Screen:
    """The screen of the terminal at ``panel``."""

    def __init__(self, panel: Panel, geometry: Geometry) -> None:
        self._panel, self._reader = panel, ScreenReader(geometry)

    def read(self) -> ScreenReading:
        """What it shows now."""
        return self._reader.read(self._panel.frame)

    def wait(self, until: Callable[[ScreenReading], bool], timeout: float) -> ScreenReading | None:
        """The first reading (the present one included) for which ``until`` holds; None after ``timeout`` seconds."""
        found: list[ScreenReading] = []

        def look(frame: Frame) -> bool:
            found[:] = [self._reader.read(frame)]
            return until(found[0])

        return found[0] if self._panel.wait_frame(look, timeout) else None


def png(frame: Frame) -> bytes:
    """The picture as PNG, mode 1: dark pixels are black."""
    image = Image.frombytes("1", (frame.width, frame.height), frame.bits, "raw", "1;I")
    output = io.BytesIO()
    image.save(output, "PNG", compress_level=1)
    return output.getvalue()
