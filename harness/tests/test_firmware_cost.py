"""What the application costs: it runs beside many others on a small machine."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

import harness
from harness.emulator import font
from harness.emulator.firmware.app.screen import Screen
from harness.tests.firmware_bench import Answer, Bench, FakeBoard, MemoryFlash

ROOT = Path(harness.__file__).parent.parent
BOOT = """
import time
from harness.tests.firmware_bench import FakeBoard, MemoryFlash
flash, clock = MemoryFlash(), time.process_time
board = FakeBoard(flash)
board.show = lambda bits: None
import sys
for name in [name for name in sys.modules if ".firmware.app" in name]:
    del sys.modules[name]
begun = clock()
from harness.emulator.firmware.app.main import Terminal
Terminal(board)
print(clock() - begun)
"""


def test_import_and_boot_to_idle() -> None:
    run = subprocess.run([sys.executable, "-c", BOOT], capture_output=True, text=True, check=True, cwd=ROOT,
                         env={**os.environ, "PYTHONPATH": str(ROOT)}, timeout=60)
    assert float(run.stdout) < 0.15


def test_a_frame_of_the_large_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    board = FakeBoard(MemoryFlash(), model="HT-200")
    monkeypatch.setattr(board, "show", lambda bits: None)
    screen = Screen(board, lambda: "12:34 已签到")
    frames = [["交易失败", f"应答码:{number:02d}", f"终端未登记{number},请联系收单行或银联", "一二三四五六七八九十" * 4]
              for number in range(60)]
    begun = time.process_time()
    for lines in frames:
        screen.show(lines)
    assert (time.process_time() - begun) / len(frames) < 0.004
    board.close()
    assert font.load().glyph("未") is not None


def test_a_sale_that_is_declined(monkeypatch: pytest.MonkeyPatch) -> None:
    with Bench() as bench:
        bench.ready()
        bench.host.script = lambda request: Answer("97")
        spent = 0.0
        turn = bench.terminal.turn

        def timed(longest: float = 1.0) -> None:
            nonlocal spent
            begun = time.process_time()
            turn(longest)
            spent += time.process_time() - begun

        looked = bench.board.show
        monkeypatch.setattr(bench.terminal, "turn", timed)

        def look_for_free(bits: bytes) -> None:
            nonlocal spent
            begun = time.process_time()
            looked(bits)
            spent -= time.process_time() - begun

        monkeypatch.setattr(bench.board, "show", look_for_free)
        for _ in range(50):
            assert bench.sale()["DF07"] == "97"
        assert spent / 50 < 0.010
