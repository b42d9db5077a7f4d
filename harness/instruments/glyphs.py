"""Reads text from pixels by matching cells against the known font. Nothing but the picture goes in.

A cell is (8 x 16) * scale pixels. A wide glyph takes two. What matches no glyph exactly becomes U+FFFD and is counted.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

from harness.emulator import font

UNREADABLE = "\N{REPLACEMENT CHARACTER}"
# At scale 2 a byte holds four dots, each two pixels: the bytes that do, and for each its four dots.
_DOUBLED = bytes(sum(0b11 << 2 * bit for bit in range(4) if dots >> bit & 1) for dots in range(16))
_HALVED = bytes(_DOUBLED.index(byte) if byte in _DOUBLED else 0 for byte in range(256))


class Text(NamedTuple):
    """One entry a text row, right-stripped, without empty rows at the end; a blank picture has none.

    ``unreadable`` counts cells without a glyph, plus 1 if something is drawn outside the grid of cells.
    """

    lines: list[str]
    unreadable: int


class GlyphReader:
    """For pictures of one geometry; ``height`` comes with each picture (slips differ). Origin and scale in pixels."""

    def __init__(self, width: int, *, scale: int = 1, origin: tuple[int, int] = (0, 0)) -> None:
        self._width, self._scale, self._left, self._top = width, scale, *origin
        self._columns = (width - self._left) // (8 * scale)
        self._narrow, self._wide = _tables()
        self._reduced = _reduction(scale)
        if self._columns < 1 or scale < 1 or min(origin) < 0:
            raise ValueError(f"no cell of scale {scale} at {origin} fits into {width} pixels")

    def read(self, bits: bytes, height: int) -> Text:
        """``bits``: rows top down, 1 bit a pixel, MSB left, 1 = dark. Raises ValueError if they are no such picture."""
        stride = self._width // 8
        if self._width % 8 or len(bits) != stride * height:
            raise ValueError(f"{len(bits)} bytes are no {self._width}x{height} picture")
        if not any(bits):
            return Text([], 0)
        outside = self._draws_outside(bits, height)
        skip = self._left % 8
        if skip:  # whole bytes from here on; what moves in from the row below lands outside the grid
            bits = (int.from_bytes(bits, "big") << skip).to_bytes(len(bits) + 1, "big")[1:]
        strip = 16 * self._scale * stride
        lines, unreadable = [], int(outside)
        for top in range(self._top * stride, len(bits) - strip + 1, strip):
            line, misses = self._line(bits[top : top + strip], stride)
            lines.append(line)
            unreadable += misses
        while lines and not lines[-1]:
            lines.pop()
        return Text(lines, unreadable)

    def _line(self, strip: bytes, stride: int) -> tuple[str, int]:
        if not any(strip):
            return "", 0
        cells = self._cells(strip, stride)
        cells.append(b"")
        text, misses, column = [], 0, 0
        while column < self._columns:
            cell = cells[column]
            wide = self._wide.get(cell + cells[column + 1])
            if wide is not None:
                text.append(wide)
                column += 2
                continue
            narrow = self._narrow.get(cell)
            if narrow is None:
                narrow = UNREADABLE
                misses += 1
            text.append(narrow)
            column += 1
        return "".join(text).rstrip(" "), misses

    def _cells(self, strip: bytes, stride: int) -> list[bytes]:
        """Each cell's 16 bytes at scale 1; b"?" for one whose pixels don't form dots of this scale."""
        first = self._left // 8
        if self._scale == 1:
            return [strip[column::stride] for column in range(first, first + self._columns)]
        if self._scale == 2 and (halved := self._halve(strip, first, stride)) is not None:
            return [halved[column :: self._columns] for column in range(self._columns)]
        return [self._reduce(strip, first + column * self._scale, stride) for column in range(self._columns)]

    def _halve(self, strip: bytes, first: int, stride: int) -> bytes | None:
        """The row of cells at scale 1, all at once; None if not every dot is two by two pixels (then cell by cell)."""
        used = 2 * self._columns
        starts = range(first, len(strip), stride)
        upper = b"".join([strip[at : at + used] for at in starts[0::2]])
        lower = b"".join([strip[at : at + used] for at in starts[1::2]])
        if upper != lower or upper.translate(None, _DOUBLED):
            return None
        left = int.from_bytes(upper[0::2].translate(_HALVED), "big") << 4
        right = int.from_bytes(upper[1::2].translate(_HALVED), "big")
        return (left | right).to_bytes(len(upper) // 2, "big")

    def _reduce(self, strip: bytes, at: int, stride: int) -> bytes:
        """A scaled cell as its 16 bytes; b"?" if some pixel differs from its neighbours of the same dot."""
        scale = self._scale
        rows = list(zip(*(strip[at + part :: stride] for part in range(scale)), strict=True))
        for copy in range(1, scale):
            if rows[copy::scale] != rows[::scale]:
                return b"?"
        try:
            return bytes([self._reduced[row] for row in rows[::scale]])
        except KeyError:
            return b"?"

    def _draws_outside(self, bits: bytes, height: int) -> bool:
        cell = 16 * self._scale
        used_rows = (height - self._top) // cell * cell if height >= self._top + cell else 0
        stride = self._width // 8
        if any(bits[: self._top * stride]) or any(bits[(self._top + used_rows) * stride :]):
            return True
        used = self._columns * 8 * self._scale
        if used == self._width:
            return False
        row = (1 << self._width) - 1 ^ ((1 << used) - 1) << (self._width - self._left - used)
        mask = row.to_bytes(stride, "big") * used_rows
        inside = bits[self._top * stride : (self._top + used_rows) * stride]
        return bool(int.from_bytes(inside, "big") & int.from_bytes(mask, "big"))


@functools.cache
def _tables() -> tuple[dict[bytes, str], dict[bytes, str]]:
    """Narrow glyphs by their 16 bytes; wide ones by left half and right half, 32 bytes.

    Glyphs that look alike read as the one with the lowest code point, which is the ASCII one where there is one. The
    ideographic space is left out: two blank cells are two spaces.
    """
    known = font.load()
    narrow: dict[bytes, str] = {}
    for character, bitmap in sorted(known.narrow().items()):
        narrow.setdefault(bitmap, character)
    wide: dict[bytes, str] = {}
    for character, bitmap in sorted(known.wide().items()):
        if any(bitmap):
            wide.setdefault(bitmap[0::2] + bitmap[1::2], character)
    return narrow, wide


@functools.cache
def _reduction(scale: int) -> dict[tuple[int, ...], int]:
    """The ``scale`` bytes that a row of 8 dots takes -> the dots as one byte."""
    result = {}
    for dots in range(256):
        spread = sum(((1 << scale) - 1) << (bit * scale) for bit in range(8) if dots >> bit & 1)
        result[tuple(spread.to_bytes(scale, "big"))] = dots
    return result
