"""The font ROM: glyphs of GNU Unifont 15.0.01 for ASCII, GB 2312, CJK punctuation and full-width forms.

``unifont-gb2312.bin`` (made by ``make.py``, little endian): magic ``HIL97FNT``, u16 number of 8x16 glyphs, u16 number
of 16x16 glyphs, u16 code points (narrow ones sorted, then wide ones sorted), then the bitmaps in that order: 16 bytes a
narrow glyph, 32 bytes (two a row) a wide one; rows top down, MSB left, 1 = dark. Licence: SIL OFL 1.1.
"""

from __future__ import annotations

import functools
from array import array
from pathlib import Path
from sys import byteorder

MAGIC = b"HIL97FNT"
FILE = Path(__file__).with_name("unifont-gb2312.bin")
CELL_WIDTH, CELL_HEIGHT = 8, 16


class Font:
    """Read-only glyph lookup over one block of bytes."""

    def __init__(self, data: bytes) -> None:
        if data[:8] != MAGIC:
            raise ValueError(f"{FILE.name} is no font file: starts with {data[:8]!r}, not {MAGIC!r}")
        self._data = data
        narrow, wide = int.from_bytes(data[8:10], "little"), int.from_bytes(data[10:12], "little")
        bitmaps = 12 + 2 * (narrow + wide)
        if len(data) != bitmaps + 16 * narrow + 32 * wide:
            raise ValueError(f"{FILE.name} is cut short: {len(data)} bytes for {narrow} narrow and {wide} wide glyphs")
        points = array("H", data[12:bitmaps])
        if byteorder == "big":
            points.byteswap()
        wide_start = bitmaps + 16 * narrow
        self._narrow = dict(zip(points[:narrow], range(bitmaps, wide_start, 16), strict=True))
        self._wide = dict(zip(points[narrow:], range(wide_start, len(data), 32), strict=True))

    def glyph(self, character: str) -> bytes | None:
        """16 bytes (8x16), 32 bytes (16x16), or None if the ROM has no such character."""
        point = ord(character)
        at = self._narrow.get(point)
        if at is not None:
            return self._data[at : at + 16]
        at = self._wide.get(point)
        return None if at is None else self._data[at : at + 32]

    def narrow(self) -> dict[str, bytes]:
        """Every 8x16 glyph by character."""
        return {chr(point): self._data[at : at + 16] for point, at in self._narrow.items()}

    def wide(self) -> dict[str, bytes]:
        """Every 16x16 glyph by character."""
        return {chr(point): self._data[at : at + 32] for point, at in self._wide.items()}


@functools.cache
def load() -> Font:
    """The font, read once a process."""
    return Font(FILE.read_bytes())
