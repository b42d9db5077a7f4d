"""Makes ``unifont-gb2312.bin`` from GNU Unifont: run once per Unifont release, the result is in the repository.

    python -m harness.emulator.font.make /usr/share/unifont/unifont.hex

The input is ``unifont.hex`` of GNU Unifont 15.0.01 (Debian package ``unifont``). Taken are: printable ASCII, every
character of GB 2312, CJK symbols and punctuation (U+3000..303F), and full-width forms (U+FF01..FF5E, U+FFE0..FFE6).
Licence: SIL Open Font License 1.1 (LICENSES/OFL-1.1.txt), one of the two that upstream grants since 13.0.04.
"""

from __future__ import annotations

import struct
import sys
from pathlib import Path

from harness.emulator.font import FILE, MAGIC


def wanted() -> set[int]:
    """The code points which terminals of this kind have in their font ROM."""
    points = {*range(0x20, 0x7F), *range(0x3000, 0x3040), *range(0xFF01, 0xFF5F), *range(0xFFE0, 0xFFE7)}
    for high in range(0xA1, 0xF8):
        for low in range(0xA1, 0xFF):
            try:
                points.add(ord(bytes((high, low)).decode("gb2312")))
            except UnicodeDecodeError:
                continue
    return points


def make(source: Path) -> bytes:
    """The whole font file: magic, counts, sorted code points (narrow, then wide), bitmaps in the same order."""
    glyphs: dict[int, bytes] = {}
    points = wanted()
    for line in source.read_text("ascii").splitlines():
        number, _, bitmap = line.partition(":")
        if int(number, 16) in points:
            glyphs[int(number, 16)] = bytes.fromhex(bitmap)
    narrow = sorted(point for point, bitmap in glyphs.items() if len(bitmap) == 16)
    wide = sorted(point for point, bitmap in glyphs.items() if len(bitmap) == 32)
    missing = points - set(narrow) - set(wide)
    if missing:
        raise SystemExit(f"{source}: no glyph for {', '.join(f'U+{point:04X}' for point in sorted(missing))}")
    header = MAGIC + struct.pack("<HH", len(narrow), len(wide))
    table = struct.pack(f"<{len(narrow) + len(wide)}H", *narrow, *wide)
    return header + table + b"".join(glyphs[point] for point in narrow + wide)


if __name__ == "__main__":
    FILE.write_bytes(make(Path(sys.argv[1])))
