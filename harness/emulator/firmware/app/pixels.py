"""Text as pixels: glyphs of the font ROM in rows of character cells. One bit a pixel, MSB left, 1 = dark."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache

GLYPH_ROWS = 16
NARROW = 16  # bytes of a half-width glyph
CELL = 8  # pixels: the width of a half-width character, unscaled
_MISSING = "?"

Glyph = Callable[[str], bytes | None]


class TextRenderer:
    """Lines of text on ``width`` pixels from ``left`` on, each glyph ``scale`` times as large."""

    def __init__(self, glyph: Glyph, *, width: int, left: int = 0, scale: int = 1) -> None:
        self._glyph, self._width, self._left, self._scale = glyph, width, left, scale
        self.columns = (width - left) // (CELL * scale)
        self.row_height = GLYPH_ROWS * scale
        self.character = lru_cache(maxsize=512)(self._character)
        self.row = lru_cache(maxsize=128)(self._row)

    def wrap(self, lines: Iterable[str]) -> list[str]:
        """Lines no longer than :attr:`columns` cells; a full-width character takes two and is never split."""
        rows: list[str] = []
        for line in lines:
            row, used = "", 0
            for character in line:
                cells = self.character(character)[0]
                if used + cells > self.columns:
                    rows.append(row)
                    row, used = "", 0
                row, used = row + character, used + cells
            rows.append(row)
        return rows

    def cells(self, text: str) -> int:
        """How wide a text is."""
        return sum(self.character(character)[0] for character in text)

    def _row(self, text: str) -> bytes:
        """The pixels of one row of cells, ``row_height`` rows of ``width`` pixels."""
        glyphs = [self.character(character)[1] for character in text]
        lines = [b"".join(glyph[y] for glyph in glyphs) for y in range(GLYPH_ROWS)] if glyphs else [b""] * GLYPH_ROWS
        return b"".join(self._placed(line) * self._scale for line in lines)

    def _placed(self, line: bytes) -> bytes:
        """One row of pixels, moved to ``left`` and filled to ``width``."""
        size = self._width // 8
        if self._left % 8 == 0:
            return (bytes(self._left // 8) + line).ljust(size, b"\0")[:size]
        shifted = int.from_bytes(line, "big") << (8 * size) >> (self._left + 8 * len(line))
        return shifted.to_bytes(size, "big")

    def _character(self, character: str) -> tuple[int, tuple[bytes, ...]]:
        """(cells, 16 rows of scaled pixels)."""
        data = self._glyph(character) or self._glyph(_MISSING) or bytes(NARROW)
        size = len(data) // GLYPH_ROWS
        rows = (data[y * size : (y + 1) * size] for y in range(GLYPH_ROWS))
        return size, tuple(b"".join(_widened(byte, self._scale) for byte in row) for row in rows)


@lru_cache(maxsize=1024)
def _widened(byte: int, scale: int) -> bytes:
    """Eight pixels, each ``scale`` wide."""
    value = 0
    for bit in range(7, -1, -1):
        value = value << scale | ((1 << scale) - 1 if byte >> bit & 1 else 0)
    return value.to_bytes(scale, "big")
