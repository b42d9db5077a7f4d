"""CPU milliseconds to read one full screen from its pixels, beside a limit and beside Pillow reading cell by cell.

    python benchmarks/screen.py [--rounds N]

Both get the same picture, full of Chinese text, as the application draws it, and know the same font. Rounds alternate,
so that both see the same machine; medians are compared. Exit status 1 above the limit.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from PIL import Image, ImageChops
from ratio import against_limit, against_peer

from harness.emulator import font
from harness.emulator.firmware.app.screen import Screen
from harness.instruments.glyphs import GlyphReader
from harness.terminal.model import ScreenGeometry
from harness.tests.firmware_bench import FakeBoard, MemoryFlash

LIMIT_MS = 3.0
TEXT = "终端未登记请联系收单行或银联"


def picture(model: str) -> tuple[bytes, list[str], ScreenGeometry]:
    """A full screen of that model as the application draws it, and the lines below the status row."""
    board = FakeBoard(MemoryFlash(), model=model)
    frames: list[bytes] = []
    board.show = frames.append  # type: ignore[method-assign, assignment]
    geometry, choose = board.geometry, random.Random(97)
    columns, rows = geometry.width // (16 * geometry.scale), geometry.height // (16 * geometry.scale)
    lines = ["".join(choose.choices(TEXT, k=columns)) for _ in range(rows - 1)]
    Screen(board, lambda: "12:34 已签到").show(lines)
    board.close()
    return frames[-1], lines, geometry


def pillow_reader(geometry: ScreenGeometry) -> Callable[[bytes], list[str]]:
    """The peer: shrink the picture to scale 1, cut out each cell with Pillow, look its bytes up."""
    shipped = font.load()
    wide = {bitmap: character for character, bitmap in shipped.wide().items()}
    narrow: dict[bytes, str] = {}
    for character, bitmap in sorted(shipped.narrow().items()):
        narrow.setdefault(bitmap, character)
    width, height = geometry.width // geometry.scale, geometry.height // geometry.scale

    def read(bits: bytes) -> list[str]:
        image = ImageChops.invert(Image.frombytes("1", (geometry.width, geometry.height), bits, "raw", "1;I"))
        image = image.resize((width, height), Image.Resampling.NEAREST)
        lines = []
        for top in range(0, height, 16):
            line, left = "", 0
            while left < width:
                cell = image.crop((left, top, left + 16, top + 16)).tobytes()
                if left + 16 <= width and cell in wide:
                    line, left = line + wide[cell], left + 16
                else:
                    half = image.crop((left, top, left + 8, top + 16)).tobytes()
                    line, left = line + narrow.get(half, "?"), left + 8
            lines.append(line.rstrip())
        return lines

    return read


def milliseconds(work: Callable[[], object], times: int = 10) -> float:
    """CPU of one call."""
    began = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - began) / times * 1000


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    args = parser.parse_args()
    fine = [measure(model, args.rounds) for model in ("HT-100", "HT-200")]
    return 0 if all(fine) else 1


def measure(model: str, times: int) -> bool:
    """Prints both; True within the limit."""
    bits, lines, geometry = picture(model)
    reader, by_cells = GlyphReader(geometry.width, scale=geometry.scale), pillow_reader(geometry)
    for name, seen in (("ours", reader.read(bits, geometry.height).lines), ("Pillow", by_cells(bits))):
        if seen[1:] != lines:
            sys.exit(f"{name} did not read what was drawn: {seen[1:]} instead of {lines}")
    works = [lambda: reader.read(bits, geometry.height), lambda: by_cells(bits)]
    rounds = [[milliseconds(work) for work in works] for _ in range(times)]
    ours, theirs = (statistics.median(column) for column in zip(*rounds, strict=True))
    name = f"read a full screen, {geometry.width}x{geometry.height}"
    against_peer(name, ours, "cell by cell with Pillow", theirs, "ms")
    return against_limit(name, ours, LIMIT_MS, "ms")


if __name__ == "__main__":
    sys.exit(main())
