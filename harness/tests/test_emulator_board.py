"""The board as a real process: power, boot loader, watchdog, serial lines, panel."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from harness.emulator.build import build
from harness.emulator.factory import program_slot
from harness.emulator.flash import Flash
from harness.emulator.nor import FILE_SYSTEM, SLOT_A, SLOT_B
from harness.emulator.panel_server import connect
from harness.errors import BenchError, TerminalTimeout
from harness.instruments.card_slot import CardSlot
from harness.instruments.keypad import Keypad
from harness.instruments.power import Supply
from harness.instruments.printer import Printer
from harness.instruments.screen import ScreenReading
from harness.terminal.cards import CHIP, CONTACTLESS
from harness.tests.emulator_bench import PROBE, SIGNING_KEY, Terminal, eventually

CLOCK_OF_KEY_5 = "1000000"  # thousands of seconds


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("image") / "probe.img"
    build(PROBE, "1.0.0", SIGNING_KEY, path)
    return path


@pytest.fixture
def terminal(tmp_path: Path, image: Path) -> Iterator[Terminal]:
    with Terminal(tmp_path, image) as terminal:
        yield terminal


@pytest.mark.parametrize("name", ["HT-100", "HT-200"])
def test_it_boots_out_of_the_image(tmp_path: Path, image: Path, name: str) -> None:
    with Terminal(tmp_path, image, name) as terminal:
        assert terminal.screen.read().lines == []
        terminal.on()
        assert terminal.wait_lines("欢迎使用", "boot 1", "SN97").unreadable == 0
        assert terminal.panel.serial_number == "SN97"


def test_power_off_loses_the_memory_and_keeps_the_flash(terminal: Terminal) -> None:
    supply = Supply(terminal.panel)
    for boot in (1, 2, 3):
        supply.on()
        terminal.wait_lines("欢迎使用", f"boot {boot}")
        terminal.key("9")
        terminal.wait_lines("key", "9")
        supply.off()
        terminal.wait_power("off", "operator")
        assert terminal.screen.read().lines == []
    supply.off()
    assert [e["state"] for e in terminal.events if e["ev"] == "power"] == ["on", "off"] * 3


def test_a_board_that_is_started_again_has_the_same_flash_and_clock(tmp_path: Path, image: Path) -> None:
    with Terminal(tmp_path, image) as terminal:
        terminal.on()
        terminal.key("5")
        terminal.key("6")
        terminal.wait_lines("clock", CLOCK_OF_KEY_5)
    with Terminal(tmp_path, None) as terminal:
        terminal.on()
        terminal.wait_lines("欢迎使用", "boot 2")
        terminal.key("6")
        terminal.wait_lines("clock", CLOCK_OF_KEY_5)


# Boot loader


def refusal(terminal: Terminal) -> list[str]:
    """Switches on and returns the boot loader's screen; it must stay, and no watchdog may interfere."""
    terminal.panel.request("power", state="on")
    halt = terminal.wait_event(lambda event: event["ev"] == "halt")
    assert halt["detail"].startswith("boot loader: A: ")
    reading = terminal.wait_lines("固件损坏")
    terminal.key("ENTER")
    assert not [e for e in terminal.events if e.get("reason") == "watchdog"]
    terminal.panel.request("power", state="off")
    terminal.wait_power("off", "operator")
    return reading.lines


@pytest.mark.parametrize("name", ["HT-100", "HT-200"])
def test_an_empty_terminal_halts_with_a_message(tmp_path: Path, name: str) -> None:
    with Terminal(tmp_path, None, name) as terminal:
        assert refusal(terminal)[1:] == ["A: the slot is empty", "B: the slot is empty"]
        refusal(terminal)


def test_a_boot_loader_that_halted_is_left_alone_by_the_watchdog(tmp_path: Path) -> None:
    with Terminal(tmp_path, None) as terminal:
        terminal.panel.request("power", state="on")
        terminal.wait_event(lambda event: event["ev"] == "halt")
        with pytest.raises(AssertionError, match="no such event"):
            terminal.wait_power("off", "watchdog", timeout=5.5)


def test_a_damaged_image_is_not_booted(tmp_path: Path, image: Path) -> None:
    damaged = bytearray(image.read_bytes())
    damaged[2000] ^= 1
    (tmp_path / "damaged").write_bytes(damaged)
    with Terminal(tmp_path, tmp_path / "damaged") as terminal:
        assert refusal(terminal)[1] == "A: hash does not match"


def test_an_image_for_another_model_is_not_booted(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "app").mkdir(parents=True)
    (source / "firmware.yaml").write_text("name: other\nmodels: [HT-200]\ndata_format: 1\n")
    (source / "app" / "__init__.py").write_text("")
    (source / "app" / "main.py").write_text("def start(board):\n    board.beep()\n")
    build(source, "1.0.0", SIGNING_KEY, tmp_path / "other.img")
    with Terminal(tmp_path, tmp_path / "other.img") as terminal:
        assert refusal(terminal)[1] == "A: for HT-200, not for HT-100"


def test_slot_b_is_booted_when_slot_a_is_damaged(tmp_path: Path, image: Path) -> None:
    with Terminal(tmp_path, image) as terminal:
        terminal.on()
    flash = Flash(tmp_path / "flash.bin")
    program_slot(flash, SLOT_B, image.read_bytes())
    program_slot(flash, SLOT_A, image.read_bytes()[:-1])
    flash.close()
    with Terminal(tmp_path, None) as terminal:
        terminal.on()
        terminal.wait_lines("欢迎使用", "boot 2")


# Watchdog


def test_a_crash_is_told_and_the_terminal_starts_again(terminal: Terminal) -> None:
    terminal.on()
    terminal.key("0")
    halt = terminal.wait_event(lambda event: event["ev"] == "halt")
    assert "RuntimeError: told to crash" in halt["detail"] and "app/main.py" in halt["detail"]
    terminal.wait_power("off", "watchdog")
    terminal.wait_power("on", "watchdog")
    terminal.wait_lines("欢迎使用", "boot 2")
    assert "told to crash" in terminal.log.read_text("utf-8")


def test_a_reboot_is_no_crash(terminal: Terminal) -> None:
    terminal.on()
    terminal.key("1")
    terminal.wait_power("on", "watchdog")
    terminal.wait_lines("欢迎使用", "boot 2")
    assert not [event for event in terminal.events if event["ev"] == "halt"]


def test_a_hang_is_ended_by_the_watchdog_and_says_where(terminal: Terminal) -> None:
    terminal.on()
    start = time.monotonic()
    terminal.key("2")
    halt = terminal.wait_event(lambda event: event["ev"] == "halt", timeout=20)
    assert time.monotonic() - start > 4
    assert halt["detail"].startswith("watchdog not fed for 5 s")
    assert 'File "app/main.py"' in halt["detail"] and "in react" in halt["detail"]
    terminal.wait_lines("欢迎使用", "boot 2")


def test_misuse_of_the_flash_is_a_crash(terminal: Terminal) -> None:
    terminal.on()
    terminal.key("7")
    halt = terminal.wait_event(lambda event: event["ev"] == "halt")
    assert "0x00 can't become 0x01 without an erase" in halt["detail"]


def test_an_application_that_always_dies_is_restarted_ever_more_slowly(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "app").mkdir(parents=True)
    (source / "firmware.yaml").write_text("name: dying\nmodels: [HT-100]\ndata_format: 1\n")
    (source / "app" / "__init__.py").write_text("")
    (source / "app" / "main.py").write_text("def start(board):\n    return\n")
    build(source, "1.0.0", SIGNING_KEY, tmp_path / "dying.img")
    with Terminal(tmp_path, tmp_path / "dying.img") as terminal:
        terminal.panel.request("power", state="on")

        def starts() -> list[int]:
            return [e["t"] for e in terminal.events if e["ev"] == "power" and e["state"] == "on"]

        eventually(lambda: len(starts()) >= 5)
        gaps = [later - earlier for earlier, later in zip(starts(), starts()[1:], strict=False)]
        assert all(gap >= 1e8 * 2**turn for turn, gap in enumerate(gaps))
        assert "returned" in terminal.wait_event(lambda event: event["ev"] == "halt")["detail"]
        terminal.panel.request("power", state="off")
        assert starts() and terminal.screen.read().lines == []


def test_an_application_that_hangs_up_on_the_board_does_not_keep_it_busy(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "app").mkdir(parents=True)
    (source / "firmware.yaml").write_text("name: deaf\nmodels: [HT-100]\ndata_format: 1\n")
    (source / "app" / "__init__.py").write_text("")
    (source / "app" / "main.py").write_text(
        "import os, sys, time\ndef start(board):\n    for descriptor in (board.events_fd, 1, 2):\n"
        "        os.close(descriptor)\n    while True:\n        board.feed_watchdog()\n        time.sleep(1)\n")
    build(source, "1.0.0", SIGNING_KEY, tmp_path / "deaf.img")
    with Terminal(tmp_path, tmp_path / "deaf.img") as terminal:

        def busy() -> int:
            """Clock ticks (10 ms) of CPU time that the board has used."""
            words = Path(f"/proc/{terminal.process.pid}/stat").read_text().rpartition(") ")[2].split()
            return int(words[11]) + int(words[12])

        terminal.panel.request("power", state="on")
        before = busy()
        with pytest.raises(AssertionError, match="no such event"):
            terminal.wait_event(lambda event: event["ev"] == "halt", timeout=1.5)
        terminal.key("1")
        assert busy() - before < 50
        terminal.panel.request("power", state="off")
        terminal.wait_power("off", "operator")


# Power cut at a flash operation


@pytest.mark.parametrize("torn", [False, True])
def test_a_cut_in_the_middle_of_writing(terminal: Terminal, torn: bool) -> None:
    supply = Supply(terminal.panel)
    terminal.on()
    before = supply.flash_operations()
    terminal.key("3")
    terminal.key("8")
    terminal.wait_lines("newnewnewnew", "newnewnewnew")
    needed = supply.flash_operations() - before
    assert needed >= 2
    for operation in range(1, needed + 1):
        since = len(terminal.events)
        supply.cut_at(operation, torn=torn)
        for _ in range(3):  # littlefs needs now more, now fewer operations
            terminal.key("3")
        supply.wait_cut(10)
        terminal.wait_power("off", "cut", since)
        terminal.wait_event(lambda event: event["ev"] == "screen", since)
        assert terminal.screen.read().lines == []
        terminal.on()
        terminal.key("8")
        terminal.wait_lines("newnewnewnew", "newnewnewnew")
    assert not [event for event in terminal.events if event["ev"] == "halt"]


def test_a_cut_that_comes_before_the_switch_is_told_once(terminal: Terminal) -> None:
    """The board learns of both at once: it was stopped while the CPU died."""
    supply = Supply(terminal.panel)
    terminal.on()
    cpu = terminal.cpu()
    supply.cut_at(1)
    os.kill(cpu, signal.SIGSTOP)  # or it dies, and is buried, before the board stands still
    terminal.key("3")
    os.kill(terminal.process.pid, signal.SIGSTOP)
    try:
        os.kill(cpu, signal.SIGCONT)
        eventually(lambda: Path(f"/proc/{cpu}/stat").read_text().rpartition(") ")[2].startswith("Z"))
        with connect(terminal.control) as sock, sock.makefile("rb") as lines:
            sock.sendall(b'{"id":1,"op":"power","state":"off"}\n')
            os.kill(terminal.process.pid, signal.SIGCONT)
            assert any(json.loads(line) == {"re": 1, "ok": True} for line in lines)
            terminal.wait_power("off", "cut")
            terminal.on()
            supply.off()
            terminal.wait_power("off", "operator")
    finally:
        os.kill(terminal.process.pid, signal.SIGCONT)
    assert sum(event.get("reason") == "cut" for event in terminal.events) == 1


def test_an_armed_cut_can_be_disarmed(terminal: Terminal) -> None:
    supply = Supply(terminal.panel)
    terminal.on()
    supply.cut_at(1)
    supply.disarm()
    terminal.key("3")
    terminal.key("8")
    terminal.wait_lines("newnewnewnew", "newnewnewnew")
    with pytest.raises(TerminalTimeout):
        supply.wait_cut(0.0)


# Instruments


def test_cards_and_keys_reach_the_application(terminal: Terminal) -> None:
    terminal.on()
    slot = CardSlot(terminal.panel)
    slot.swipe("6222000000000000097D3012")
    terminal.wait_lines("swipe", "6222000000000000097D3012")
    slot.insert(CHIP.chip())
    terminal.wait_lines("insert", "ARQC")
    told = [event for event in terminal.events if event["ev"] == "chip"]
    assert [(event["command"], event["number"], event["asked"], event["gave"]) for event in told] == [
        ("select", 0, "", ""), ("generate_ac", 1, "ARQC", "ARQC")]
    with pytest.raises(BenchError, match="already"):
        slot.insert(CHIP.chip())
    slot.remove()
    terminal.wait_lines("remove")
    slot.tap(replace(CONTACTLESS, first="AAC").chip())
    terminal.wait_lines("tap", "AAC")
    slot.scan("134597979797979797")
    terminal.wait_lines("scan", "134597979797979797")
    slot.sign(b"\x97\x00")
    terminal.wait_lines("sign", "9700")
    Keypad(terminal.panel).press("ENTER")
    terminal.wait_lines("key", "ENTER")
    with pytest.raises(BenchError, match="no key"):
        Keypad(terminal.panel).press("ANY")


def test_letters_are_typed_with_alpha(terminal: Terminal) -> None:
    pressed: list[str] = []

    class Noting:
        def request(self, op: str, *, key: str) -> None:
            pressed.append(key)

    Keypad(Noting()).type("1AF9C")  # type: ignore[arg-type]
    assert pressed == ["1", "2", "ALPHA", "3", "ALPHA", "ALPHA", "ALPHA", "9", "2", "ALPHA", "ALPHA", "ALPHA"]
    with pytest.raises(ValueError, match="'G'"):
        Keypad(terminal.panel).type("G")


def test_a_card_in_the_slot_is_noticed_at_power_on_and_keys_without_power_are_lost(terminal: Terminal) -> None:
    terminal.key("9")
    CardSlot(terminal.panel).insert(CHIP.chip())
    terminal.panel.request("power", state="on")
    terminal.wait_lines("insert", "ARQC")
    assert terminal.screen.read().lines == ["insert", "ARQC"]


def test_a_slip_and_a_beep(terminal: Terminal) -> None:
    slips: list[ScreenReading] = []
    printer = Printer(terminal.panel, lambda reading, frame: slips.append(reading))
    terminal.on()
    terminal.key("4")
    terminal.wait_event(lambda event: event["ev"] == "beep")
    printer.close()
    assert [slip.lines for slip in slips] == [["签购单", "应答码:97"]]
    assert slips[0].png.startswith(b"\x89PNG")


def test_the_same_screen_again_is_no_event(terminal: Terminal) -> None:
    terminal.on()
    terminal.key("9")
    terminal.wait_lines("key", "9")
    count = sum(event["ev"] == "screen" for event in terminal.events)
    terminal.key("9")
    terminal.key("4")
    terminal.wait_event(lambda event: event["ev"] == "beep")
    assert sum(event["ev"] == "screen" for event in terminal.events) == count


# The process


def test_a_missing_or_wrong_file_is_one_message(tmp_path: Path, image: Path) -> None:
    import subprocess

    from harness.tests.emulator_bench import ROOT, board_arguments

    arguments = board_arguments(tmp_path, image)
    for option, value in (("--model", "nothing.json"), ("--boot-key", str(SIGNING_KEY)), ("--image", "nothing.img"),
                          ("--time-scale", "0")):
        wrong = [*arguments, option, value]
        done = subprocess.run(wrong, capture_output=True, text=True, timeout=20, cwd=ROOT)
        assert done.returncode == 2, done
        assert len(done.stderr.splitlines()) == 1 and done.stderr.startswith("harness.emulator: "), done.stderr


def test_a_flash_in_use_is_refused(terminal: Terminal, tmp_path: Path) -> None:
    import subprocess

    from harness.tests.emulator_bench import ROOT, board_arguments

    arguments = board_arguments(tmp_path, None)
    arguments[arguments.index("--control") + 1] = str(tmp_path / "other")
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=20, cwd=ROOT)
    assert done.returncode == 2 and "in use by another board" in done.stderr
    terminal.on()


def test_a_deep_folder_is_no_obstacle(tmp_path: Path, image: Path) -> None:
    """A Unix socket's address holds 107 bytes; results folders are deeper."""
    folder = tmp_path / ("results-of-a-night" * 6) / "benches"
    folder.mkdir(parents=True)
    with Terminal(folder, image) as terminal:
        terminal.on()


def test_the_file_system_is_never_formatted_by_the_board_again(tmp_path: Path, image: Path) -> None:
    with Terminal(tmp_path, image) as terminal:
        terminal.on()
    flash = Flash(tmp_path / "flash.bin")
    flash.write_in_factory(FILE_SYSTEM, b"\0" * FILE_SYSTEM.size)
    flash.close()
    with Terminal(tmp_path, image) as terminal:
        terminal.panel.request("power", state="on")
        assert "LittleFSError" in terminal.wait_event(lambda event: event["ev"] == "halt")["detail"]
    flash = Flash(tmp_path / "flash.bin")
    assert flash.read(FILE_SYSTEM) == b"\0" * FILE_SYSTEM.size
    flash.close()


def test_the_model_that_the_application_gets_is_the_file(tmp_path: Path, image: Path) -> None:
    with Terminal(tmp_path, image) as terminal:
        assert json.loads((tmp_path / "model.json").read_text("utf-8"))["name"] == "HT-100"
        terminal.on()
