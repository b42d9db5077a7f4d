"""What the reference application costs on the terminal's CPU, each value beside its limit or a peer.

    python benchmarks/firmware.py [--rounds N]

Start: the application's imports and its way to the idle screen, in a process of its own (board, interpreter and boot
loader come on top: boot.py measures all of it). Screen: one frame of the large screen drawn, against the same text
pasted with Pillow. Sale: a sale by the till that is declined with 97, the application's own part. Flood: 4 KiB, what a
serial line holds unread, of the worst bytes we know. CPU time; medians. Exit status 1 above a limit.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from PIL import Image
from ratio import against_limit, against_peer

from harness.emulator import font
from harness.emulator.firmware.app import cashier
from harness.emulator.firmware.app.dialect import Dialect
from harness.emulator.firmware.app.screen import Screen
from harness.terminal import cashier as till
from harness.tests.firmware_bench import Answer, Bench, FakeBoard, MemoryFlash

ROOT = Path(__file__).resolve().parent.parent
START_LIMIT_S = 0.15
SALE_LIMIT_MS = 10.0
SCREEN_LIMIT_MS = 4.0
FLOOD_BYTES = 4096
FLOOD_LIMIT_S = 1.0
LINE_BYTES_PER_S = 960  # 9600 baud, ten bits a byte
SALES = 25
START = """
import sys, time
from harness.tests.firmware_bench import FakeBoard, MemoryFlash
board = FakeBoard(MemoryFlash())
board.show = lambda bits: None
for name in [name for name in sys.modules if ".firmware.app" in name]:
    del sys.modules[name]
begun = time.process_time()
from harness.emulator.firmware.app.main import Terminal
Terminal(board)
print(time.process_time() - begun)
"""


def cpu(work: Callable[[], object]) -> float:
    """CPU seconds of one call."""
    begun = time.process_time()
    work()
    return time.process_time() - begun


def start_s() -> float:
    """In a new process. The first call of all may have to compile; :func:`main` does not count it."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    run = subprocess.run([sys.executable, "-c", START], capture_output=True, text=True, check=True, env=environment)
    return float(run.stdout)


def screens() -> list[list[str]]:
    """Different texts, so that what was drawn before does not help."""
    return [["交易失败", f"应答码:{number:02d}", f"终端未登记{number},请联系收单行或银联", "一二三四五六七八九十" * 4]
            for number in range(60)]


def screen_ms() -> tuple[float, float]:
    """CPU a frame of the large screen: the application's, and Pillow's for the same characters."""
    board = FakeBoard(MemoryFlash(), model="HT-200")
    board.show = lambda bits: None  # type: ignore[method-assign]
    screen, shipped = Screen(board, lambda: "12:34 已签到"), font.load()
    images: dict[str, Image.Image] = {}

    def glyph(character: str) -> Image.Image:
        if character not in images:
            bits = shipped.glyph(character) or bytes(32)
            size = (len(bits) // 2, 16)
            images[character] = Image.frombytes("1", size, bits).resize((2 * size[0], 32), Image.Resampling.NEAREST)
        return images[character]

    def paste(lines: list[str]) -> None:
        picture, y = Image.new("1", (480, 320)), 0
        for line in ("12:34 已签到", *lines):
            x = 0
            for character in line:
                image = glyph(character)
                if x + image.width > 480:
                    x, y = 0, y + 32
                picture.paste(image, (x, y))
                x += image.width
            y += 32
        picture.tobytes()

    frames = screens()
    ours = cpu(lambda: [screen.show(lines) for lines in frames]) / len(frames)
    theirs = cpu(lambda: [paste(lines) for lines in frames]) / len(frames)
    board.close()
    return ours * 1000, theirs * 1000


def sale_ms() -> float:
    """CPU of the application a declined sale: its loop's turns, without the instruments that look at its screen."""
    spent = 0.0
    with Bench() as bench:
        bench.ready()
        bench.host.script = lambda request: Answer("97")
        turn, look = bench.terminal.turn, bench.board.show

        def timed(longest: float = 1.0) -> None:
            nonlocal spent
            spent += cpu(lambda: turn(longest))

        def looked_at(bits: bytes) -> None:
            nonlocal spent
            spent -= cpu(lambda: look(bits))

        bench.terminal.turn = timed  # type: ignore[method-assign]
        bench.board.show = looked_at  # type: ignore[method-assign]
        for _ in range(SALES):
            if (code := bench.sale()["DF07"]) != "97":
                sys.exit(f"the sale was answered {code}, not 97")
    return spent / SALES * 1000


def flood_s() -> float:
    """CPU to take in a flood, of the slowest kind."""
    frame = till.encode({"DF01": "00", "DF02": "01", "DF03": "000000009700", "DF04": "1234"})
    pieces = [b"\x02", b"\x02\x00\x00", b"\x02\x00\x05", b"\x02\x05\x12\x03", b"\x15", frame]
    floods = [piece * (FLOOD_BYTES // len(piece)) for piece in pieces]
    return max(cpu(lambda: cashier.Receiver(Dialect).feed(flood)) for flood in floods)  # noqa: B023 - called at once


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    start_s()
    starts, sales, floods, drawn = [], [], [], []
    for _ in range(args.rounds):
        starts.append(start_s())
        sales.append(sale_ms())
        floods.append(flood_s())
        drawn.append(screen_ms())
    ours, theirs = (statistics.median(column) for column in zip(*drawn, strict=True))
    flood = statistics.median(floods)
    fine = [
        against_limit("application's imports and start", statistics.median(starts), START_LIMIT_S, "s"),
        against_limit("a frame of the large screen", ours, SCREEN_LIMIT_MS, "ms"),
        against_limit("a declined sale", statistics.median(sales), SALE_LIMIT_MS, "ms"),
        against_limit(f"a flood of {FLOOD_BYTES} bytes", flood, FLOOD_LIMIT_S, "s"),
    ]
    against_peer("a frame of the large screen", ours, "pasted with Pillow", theirs, "ms")
    on_the_line = FLOOD_BYTES / LINE_BYTES_PER_S
    against_peer(f"a flood of {FLOOD_BYTES} bytes", flood, "on the line at 9600 baud", on_the_line, "s")
    return 0 if all(fine) else 1


if __name__ == "__main__":
    sys.exit(main())
