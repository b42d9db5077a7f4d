"""Run folders for the tests of the reports: golden histories on disk, with pictures, judged by the real judge."""

from __future__ import annotations

import functools
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from harness.emulator import font
from harness.history.events import ADAPTER, AnyEvent, Screen, Slip, TestOpened
from harness.judge_run import judge_run
from harness.tests.golden import World, late, lost, says

NODE = "suites/registration/test_never_registered.py::test_{name}[@{group}]"


@functools.cache
def picture(lines: tuple[str, ...], width: int, height: int) -> bytes:
    """The PNG of some lines of text in the terminal's own font."""
    image = Image.new("1", (width, height), 1)
    for row, line in enumerate(lines):
        x = 0
        for character in line:
            glyph = font.load().glyph(character) or bytes(16)
            wide = 16 if len(glyph) == 32 else 8
            cell = Image.frombytes("1", (wide, 16), bytes(0xFF ^ byte for byte in glyph))
            image.paste(cell, (x, 16 * row))
            x += wide
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def write_bench(run_dir: Path, bench: str, events: Sequence[AnyEvent], *, torn: bool = False) -> Path:
    """One bench's folder. ``torn``: as kill -9 leaves it, without its end and with half a line."""
    folder = run_dir / "benches" / bench
    for name in ("screens", "slips", "logs"):
        (folder / name).mkdir(parents=True)
    lines = [ADAPTER.dump_json(event).decode() for event in events]
    text = "\n".join(lines) + "\n"
    if torn:
        text = "\n".join(lines[:-1]) + "\n" + lines[-1][: len(lines[-1]) // 2]
    (folder / "history.jsonl").write_text(text, encoding="utf-8")
    (folder / "wire.pcapng").write_bytes(b"\x0a\x0d\x0d\x0a")
    for event in events:
        if isinstance(event, Screen):
            (folder / event.image).write_bytes(picture(tuple(event.lines), 320, 240))
        elif isinstance(event, Slip):
            (folder / event.image).write_bytes(picture(tuple(event.lines), 384, 16 * max(len(event.lines), 1)))
    return folder


def write_run(
    run_dir: Path, benches: dict[str, World], *, judged: bool = True, torn: Sequence[str] = (), **info: Any
) -> Path:
    """A whole run from worlds, with ``run.json`` and, where ``judged``, ``verdicts.json``."""
    run_dir.mkdir(parents=True, exist_ok=True)
    for bench, world in benches.items():
        write_bench(run_dir, bench, world.events, torn=bench in torn)
    tests = [{"test": e.test} for world in benches.values() for e in world.events if isinstance(e, TestOpened)]
    run_json = {
        "version": 1, "run": run_dir.name, "lab": "lab_config/emulated.yaml", "arguments": ["suites"], "tests": tests,
        **info,
    }
    (run_dir / "run.json").write_text(json.dumps(run_json), encoding="utf-8")
    if judged:
        judge_run(run_dir).write(run_dir)
    return run_dir


def node(name: str, world_or_group: World | str) -> str:
    """The identifier of a test as pytest names it."""
    group = world_or_group if isinstance(world_or_group, str) else world_or_group.events[0].group  # type: ignore[union-attr]
    return NODE.format(name=name, group=group)


def quiet_day(bench: str = "bench-1", model: str = "HT-100") -> World:
    """A good terminal meets 97 and recovers."""
    world = World(model, bench=bench)
    with world.test(node("sale_after_97", world), declares=["MON-01", "MON-02"]):
        world.sign_in()
        world.sale(1200)
        world.remove_terminal()
        world.sale(500, via="cashier")
        world.register_terminal()
        world.sign_in()
        world.settle()
        world.ledger()
    world.close()
    return world


def bad_day(bench: str = "bench-2", model: str = "HT-100") -> World:
    """A terminal that forgets the reversal that is due when 97 comes, and shows 97 where nothing answered."""
    world = World(model, bench=bench)
    with world.test(node("sign_in_and_sell", world), declares=["MON-01"]):
        world.sign_in()
        world.sale(1200)
    with world.test(node("reversal_pending_when_97_comes", world), declares=["MON-03", "MON-02"]):
        world.sale(3400, lost())
        world.sale(500, says("97"))
        world.terminal.pending = None  # the defect
        world.sale(700)
        world.ledger()
        world.settle()
    with world.test(node("no_answer_is_not_97", world), declares=["MSG-02"]):
        world.sale(900, late("00"))
        world.display("交易失败", "应答码:97", "终端未登记")
    world.close()
    return world


def two_groups(run_dir: Path, change: Callable[[dict[str, World]], None] | None = None) -> Path:
    """Three benches in two groups, one of which saw a bad day."""
    benches = {
        "bench-1": quiet_day("bench-1"), "bench-2": bad_day("bench-2"), "bench-3": quiet_day("bench-3", "HT-200"),
    }  # fmt: skip
    if change is not None:
        change(benches)
    return write_run(run_dir, benches)
