"""The board as a real process in its surroundings: what is told to it by the panel, what the application gets of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.emulator.build import build
from harness.emulator.flash import Flash
from harness.errors import BenchError
from harness.instruments.panel import Event
from harness.terminal.cards import CHIP, CONTACTLESS, MAGNETIC
from harness.tests.emulator_bench import PROBE, SIGNING_KEY, Terminal, eventually

GONE_S = 0.4  # after which a board that was to die of something would be dead


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("image") / "probe.img"
    build(PROBE, "1.0.0", SIGNING_KEY, path)
    return path


@pytest.fixture
def terminal(tmp_path: Path, image: Path) -> Iterator[Terminal]:
    with Terminal(tmp_path, image) as terminal:
        terminal.on()
        yield terminal


@pytest.fixture
def portable(tmp_path: Path, image: Path) -> Iterator[Terminal]:
    with Terminal(tmp_path, image, "HT-300") as terminal:
        terminal.on()
        yield terminal


def felt(terminal: Terminal, what: str, since: int = 0) -> Event:
    return terminal.wait_event(lambda event: event["ev"] == "felt" and event["what"] == what, since)


def condition(terminal: Terminal) -> dict[str, str]:
    """What the application is told of its sensors, read from its screen."""
    terminal.key("9")
    terminal.wait_lines("key", "9")
    terminal.key("CLEAR")
    reading = terminal.screen.wait(lambda seen: seen.lines[:1] != [] and seen.lines[0].startswith("battery "), 10)
    assert reading is not None
    return dict(line.split(" ") for line in reading.lines)


def powers(terminal: Terminal) -> list[tuple[str, str]]:
    return [(event["state"], event["reason"]) for event in terminal.events if event["ev"] == "power"]


# The supply


def test_a_brown_out_kills_and_the_voltage_brings_back(terminal: Terminal) -> None:
    terminal.panel.request("surroundings", voltage_v=140)
    terminal.wait_power("off", "brown_out")
    eventually(lambda: terminal.screen.read().lines == [])
    terminal.panel.request("surroundings", voltage_v=220)
    terminal.wait_power("on", "brown_out")
    terminal.wait_lines("欢迎使用", "boot 2")
    assert condition(terminal)["started_by"] == "brown_out"


def test_dips_are_bridged_up_to_the_hold_up_time(terminal: Terminal) -> None:
    for residual, milliseconds in ((0, 10), (70, 500), (0, 19)):
        terminal.panel.request("dip", residual_pct=residual, duration_ms=milliseconds)
        time.sleep(GONE_S + milliseconds / 1000)  # that nothing happens has no event
    assert powers(terminal) == [("on", "operator")]
    terminal.panel.request("dip", residual_pct=40, duration_ms=200)
    off, on = terminal.wait_power("off", "brown_out"), terminal.wait_power("on", "brown_out")
    assert (on["t"] - off["t"]) / 1e9 > 0.1, "it was off as long as the dip lasted without the hold-up time"


def test_a_unit_that_is_switched_off_stays_off_over_brown_outs(terminal: Terminal) -> None:
    terminal.panel.request("power", state="off")
    terminal.panel.request("surroundings", voltage_v=0)
    felt(terminal, "supply_lost")
    terminal.panel.request("surroundings", voltage_v=220)
    felt(terminal, "supply_back")
    assert powers(terminal) == [("on", "operator"), ("off", "operator")]
    since = len(terminal.events)
    terminal.panel.request("surroundings", voltage_v=0)
    felt(terminal, "supply_lost", since)
    terminal.panel.request("power", state="on")
    assert powers(terminal)[-1] == ("off", "operator"), "there is no supply"
    terminal.panel.request("surroundings", voltage_v=220)
    terminal.wait_power("on", "brown_out")


def test_an_armed_cut_that_was_quicker_stays_one(terminal: Terminal) -> None:
    terminal.panel.request("cut_at", operation=1)
    terminal.key("3")
    terminal.wait_power("off", "cut")
    terminal.panel.request("dip", residual_pct=0, duration_ms=100)
    felt(terminal, "supply_back")
    assert powers(terminal)[-1] == ("off", "cut")


def test_a_battery_bridges_and_says_how_full_it_is(portable: Terminal) -> None:
    portable.panel.request("surroundings", voltage_v=0)
    felt(portable, "on_battery")
    told = condition(portable)
    assert (told["battery"], told["supply"]) == ("ok", "none") and int(told["battery_pct"]) >= 98
    portable.panel.request("hardware", part="battery", state="low")
    assert condition(portable)["battery"] == "low"
    portable.panel.request("hardware", part="battery", state="dead")
    portable.wait_power("off", "battery")
    portable.panel.request("surroundings", voltage_v=220)
    portable.wait_power("on", "battery")


# Screen and printer


def test_pictures_come_later_in_the_cold(terminal: Terminal) -> None:
    terminal.panel.request("surroundings", temperature_c=-30)
    assert felt(terminal, "screen_late")["detail"] == "600 ms"
    begun = time.monotonic_ns()
    terminal.key("9")
    terminal.wait_lines("key", "9")
    assert terminal.panel.frame.t - begun > 0.5e9
    terminal.panel.request("surroundings", temperature_c=20)
    assert condition(terminal)["temperature_c"] == "20"


def test_a_slip_waits_in_a_hot_printer(terminal: Terminal) -> None:
    terminal.panel.request("surroundings", temperature_c=65)
    assert condition(terminal)["printer"] == "hot"
    terminal.key("4")
    terminal.wait_event(lambda event: event["ev"] == "beep")
    assert not [event for event in terminal.events if event["ev"] == "paper"]
    terminal.panel.request("surroundings", temperature_c=30)
    assert terminal.wait_event(lambda event: event["ev"] == "paper")["n"] == 1
    assert condition(terminal)["printer"] == "ok"


@pytest.mark.parametrize(("part", "state"), [("printer", "dead"), ("paper", "out")])
def test_what_a_broken_printer_is_sent_is_lost(terminal: Terminal, part: str, state: str) -> None:
    terminal.panel.request("hardware", part=part, state=state)
    assert condition(terminal)[part] == state
    terminal.key("4")
    felt(terminal, "slip_lost")
    terminal.panel.request("hardware", part=part, state="ok")
    terminal.key("4")
    assert terminal.wait_event(lambda event: event["ev"] == "paper")["n"] == 1


def test_a_dead_screen_is_blank_though_the_application_goes_on(terminal: Terminal) -> None:
    terminal.panel.request("hardware", part="screen", state="dead")
    terminal.wait_lines()
    terminal.key("9")
    terminal.panel.request("hardware", part="screen", state="ok")
    terminal.wait_lines("key", "9")


# Readers and keys


def test_a_worn_reader_misreads_and_the_same_seed_misreads_the_same(terminal: Terminal) -> None:
    found = []
    for _ in range(2):
        terminal.panel.request("hardware", part="magnetic_reader", state="worn", seed=1)
        since = len(terminal.events)
        for _ in range(8):
            terminal.panel.request("swipe", track2=MAGNETIC.track2, track3=None)
            terminal.panel.request("key", key="9")
        found.append([event.get("what") for event in terminal.events[since:]].count("misread"))
    assert found[0] == found[1] and 0 < found[0] < 8
    assert condition(terminal)["magnetic_reader"] == "ok", "nobody senses that"


def test_dead_readers_and_a_dead_keypad(terminal: Terminal) -> None:
    for part in ("magnetic_reader", "chip_reader", "contactless_reader"):
        terminal.panel.request("hardware", part=part, state="dead")
    told = condition(terminal)
    assert {told[part] for part in ("magnetic_reader", "chip_reader", "contactless_reader")} == {"dead"}
    terminal.panel.request("swipe", track2=MAGNETIC.track2, track3=None)
    terminal.panel.request("tap", chip=CONTACTLESS.chip())
    assert not terminal.screen.read().lines[0].startswith(("swipe", "tap"))
    terminal.panel.request("insert", chip=CHIP.chip())
    terminal.wait_lines("insert", "gone")
    terminal.panel.request("hardware", part="chip_reader", state="ok")
    terminal.panel.request("remove")
    terminal.panel.request("insert", chip=CHIP.chip())
    terminal.wait_lines("insert", "ARQC")
    terminal.panel.request("hardware", part="keypad", state="dead")
    terminal.key("9")
    felt(terminal, "key_lost")
    terminal.panel.request("hardware", part="keypad", state="ok")
    terminal.key("8")


# Disturbances


def test_pulses_within_what_is_declared_are_survived_and_the_same_unit_does_the_same(
    tmp_path: Path, image: Path
) -> None:
    found = []
    for folder in ("one", "other"):
        with Terminal(tmp_path / folder, image) as terminal:
            terminal.on()
            for _ in range(8):
                terminal.panel.request("pulse", sort="esd", level_kv=4, count=10)
            found.append([event["what"] for event in terminal.events if event["ev"] == "felt"])
            terminal.panel.request("power", state="off")
            terminal.panel.request("power", state="on")
            terminal.wait_lines("欢迎使用")
    assert found[0] == found[1] and {"misread", "key_lost"} <= set(found[0])
    assert "link_down" not in found[0], "no line to switch is given to this board"


def test_a_reset_by_a_pulse_is_told_as_one(terminal: Terminal) -> None:
    for _ in range(40):
        terminal.panel.request("pulse", sort="esd", level_kv=4)
        if ("off", "watchdog") in powers(terminal):
            break
    terminal.wait_power("on", "watchdog")
    eventually(lambda: terminal.screen.read().lines[:1] == ["欢迎使用"])


def test_a_pulse_beyond_what_is_declared_hangs_it_until_the_power_goes(terminal: Terminal) -> None:
    terminal.panel.request("pulse", sort="esd", level_kv=2)
    assert not [event for event in terminal.events if event["ev"] == "felt"], "half of it does nothing"
    terminal.panel.request("pulse", sort="esd", level_kv=8)
    felt(terminal, "hangs")
    terminal.key("9")
    with pytest.raises(AssertionError, match="no such event"):
        terminal.wait_power("off", "watchdog", timeout=6)
    terminal.panel.request("surroundings", voltage_v=0)
    terminal.wait_power("off", "brown_out")
    terminal.panel.request("surroundings", voltage_v=220)
    terminal.wait_lines("欢迎使用", "boot 2")


# Clock and case


def test_a_clock_without_its_battery_begins_in_2000_until_it_is_set(terminal: Terminal) -> None:
    terminal.panel.request("hardware", part="clock_battery", state="dead")
    assert condition(terminal)["clock"] == "ok"
    terminal.panel.request("power", state="off")
    terminal.on()
    assert condition(terminal)["clock"] == "lost"
    terminal.key("6")
    terminal.wait_lines("clock", "946684")
    terminal.key("5")
    terminal.key("6")
    terminal.wait_lines("clock", "1000000")
    assert condition(terminal)["clock"] == "ok"


def test_a_drifting_clock_goes_wrong(tmp_path: Path, image: Path) -> None:
    with Terminal(tmp_path, image) as terminal:
        begun = time.monotonic()
        terminal.panel.request("hardware", part="clock", state="drifting")
        assert felt(terminal, "clock_moved")["detail"] == "+50000.0 ppm"
        time.sleep(1.0)  # what it drifts takes its time
        terminal.panel.request("hardware", part="clock", state="ok")
        took = time.monotonic() - begun
    flash = Flash(tmp_path / "flash.bin")
    assert 0.049 < flash.clock_drift < 0.051 * took
    flash.close()


def test_the_tamper_latch_outlives_case_power_and_board(tmp_path: Path, image: Path) -> None:
    with Terminal(tmp_path, image) as terminal:
        terminal.panel.request("hardware", part="tamper", state="open")
        felt(terminal, "keys_erased")
        terminal.on()
        assert condition(terminal)["tamper"] == "open"
        terminal.key("CANCEL")
        terminal.wait_lines("tamper", "False")
        terminal.panel.request("hardware", part="tamper", state="ok")
        assert condition(terminal)["tamper"] == "latched"
    with Terminal(tmp_path, None) as terminal:
        terminal.on()
        assert condition(terminal)["tamper"] == "latched"
        terminal.key("CANCEL")
        terminal.wait_lines("tamper", "True")
        assert condition(terminal)["tamper"] == "ok"


# Requests


@pytest.mark.parametrize("request_", [
    {"op": "surroundings"}, {"op": "surroundings", "temperature_c": "warm"}, {"op": "dip", "residual_pct": 40},
    {"op": "pulse", "sort": "lightning", "level_kv": 1}, {"op": "hardware", "part": "printer", "state": "angry"},
    {"op": "swipe", "track2": MAGNETIC.track2, "track3": None, "speed_cm_s": "fast"},
])
def test_a_request_that_can_not_be_is_refused(terminal: Terminal, request_: dict[str, object]) -> None:
    op = str(request_.pop("op"))
    with pytest.raises(BenchError, match="refused"):
        terminal.panel.request(op, **request_)
    terminal.key("9")
    terminal.wait_lines("key", "9")
