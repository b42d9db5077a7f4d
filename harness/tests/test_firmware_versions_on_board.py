"""One version after the other on the real board process, out of signed images, by the boot loader's own trial."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import serial

from harness.emulator import slots
from harness.emulator.build import build_source
from harness.emulator.flash import Flash
from harness.emulator.slots import Slot
from harness.emulator.source import Source
from harness.tests.emulator_bench import SIGNING_KEY, Terminal
from harness.tests.firmware_bench import TMK
from harness.tests.firmware_states import MIDS, TIDS
from harness.tests.firmware_versions import source

KEPT = ("IDENTITY", "COUNTERS", "PARAM timeout?", "PARAM operator?", "PARAM http_path?")
SETTINGS = ("HOST host.example 97 6000970000", "PARAM operator=01 ", "PARAM http_path=/97", "PARAM auto_sign_in=0",
            "PARAM timeout=97")


def image(source: Source, folder: Path) -> bytes:
    build_source(source, source.version, SIGNING_KEY, folder / "image")
    return (folder / "image").read_bytes()


def load(folder: Path, slot: Slot, content: bytes) -> None:
    """The spare slot gets an image that is wanted at the next start; the board is not there."""
    flash = Flash(folder / "flash.bin")
    slots.erase(flash, slot)
    flash.write_in_factory(slots.image_region(slot), content)
    slots.mark_wanted(flash, slot)
    flash.close()


@contextmanager
def switched_on(
    folder: Path, first: Path | None = None, shows: str = "欢迎使用",
) -> Iterator[tuple[Terminal, serial.Serial]]:
    """A board, until it ``shows`` that it is at rest, and its service line."""
    with Terminal(folder, first, "HT-200") as terminal:
        terminal.panel.request("power", state="on")
        reading = terminal.screen.wait(lambda seen: any(shows in one for one in seen.lines), 20)
        assert reading is not None, terminal.screen.read().lines
        with serial.Serial(terminal.panel.service, 115200, timeout=10) as line:
            yield terminal, line


def serve(line: serial.Serial, command: str) -> str:
    line.write(command.encode() + b"\r\n")
    return bytes(line.readline()).decode().strip()


def told(line: serial.Serial) -> list[str]:
    """All that the service port tells of both merchants."""
    found = []
    for number in (1, 2):
        assert serve(line, f"MERCHANT {number}") == f"OK MERCHANT {number}"
        found += [serve(line, command) for command in KEPT]
    assert all(answer.startswith("OK ") for answer in found), found
    return found


def resets(terminal: Terminal) -> int:
    return sum((event["ev"], event.get("reason")) == ("power", "watchdog") for event in terminal.events) // 2


@pytest.fixture
def unit(tmp_path: Path) -> tuple[Path, list[str]]:
    """A unit with 1.0.0 and two merchants, and what its service port tells."""
    image(source("1.0.0"), tmp_path)
    folder = tmp_path / "unit"
    with switched_on(folder, tmp_path / "image") as (_, line):
        for number, (tid, mid) in enumerate(zip(TIDS, MIDS, strict=True), 1):
            for command in (f"MERCHANT {number}", f"KEY TMK {TMK.hex()}", f"SET TID={tid} MID={mid}"):
                assert serve(line, command).startswith("OK ")
        for command in SETTINGS:
            assert serve(line, command).startswith("OK "), command
        return folder, told(line)


def test_each_version_takes_over_from_the_one_before(unit: tuple[Path, list[str]], tmp_path: Path) -> None:
    folder, stood = unit
    for version, slot in (("1.1.0", "B"), ("2.0.0", "A"), ("2.1.0", "B")):
        load(folder, slot, image(source(version), tmp_path))  # type: ignore[arg-type]
        for _ in range(2):  # on trial, and once more
            with switched_on(folder) as (terminal, line):
                assert serve(line, "VERSION") == f"OK HT-200 reference {version}"
                assert told(line) == stood and resets(terminal) == 0
    load(folder, "A", image(source("3.0.0"), tmp_path))
    with switched_on(folder) as (_, line):
        assert serve(line, "VERSION") == "OK HT-200 reference 3.0.0"
        assert serve(line, "IDENTITY") == "OK TID= MID= SN=SN97"


@pytest.mark.parametrize("version", ["1.1.0", "2.0.0", "3.0.0"])
def test_a_version_whose_self_test_fails_is_left_again(
    unit: tuple[Path, list[str]], tmp_path: Path, version: str,
) -> None:
    """After it has written everything in its own format."""
    folder, stood = unit
    good = source(version)
    text, origin = good.files["app/selftest.py"]
    failing = text.replace("    tables.check(stores[0])\n", '    raise SelfTestFailed("of a test")\n')
    assert failing != text
    load(folder, "B", image(replace(good, files=good.files | {"app/selftest.py": (failing, origin)}), tmp_path))
    with switched_on(folder, shows="新版本启动失败") as (terminal, line):
        assert serve(line, "VERSION") == "OK HT-200 reference 1.0.0"
        assert told(line) == stood and resets(terminal) == 1
        assert not any(event["ev"] == "halt" for event in terminal.events)
    load(folder, "B", image(good, tmp_path))
    with switched_on(folder) as (_, line):
        assert serve(line, "VERSION") == f"OK HT-200 reference {version}"
        assert version == "3.0.0" or told(line) == stood
