"""Two slots on a real board: trial, confirmation, return, tampering, and cuts inside the boot loader."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.emulator.build import build
from harness.emulator.flash import Flash
from harness.emulator.slots import image_region
from harness.errors import BenchError
from harness.instruments.power import Supply
from harness.tests.emulator_bench import PROBE, SIGNING_KEY, Terminal


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The probe in versions 1.0.0 and 2.0.0."""
    folder = tmp_path_factory.mktemp("images")
    for version in ("1.0.0", "2.0.0"):
        build(PROBE, version, SIGNING_KEY, folder / version)
    return folder / "1.0.0", folder / "2.0.0"


@pytest.fixture
def loaded(tmp_path: Path, images: tuple[Path, Path]) -> Iterator[Terminal]:
    """1.0.0 runs, 2.0.0 is in the spare slot."""
    with Terminal(tmp_path, images[0]):
        pass
    flash = Flash(tmp_path / "flash.bin")
    flash.write_in_factory(image_region("B"), images[1].read_bytes())
    flash.close()
    with Terminal(tmp_path, None) as terminal:
        terminal.on()
        yield terminal


def wait_version(terminal: Terminal, boots: int, version: str) -> None:
    terminal.wait_lines("欢迎使用", f"boot {boots}", "SN97", version.strip(), timeout=20)


def try_it(terminal: Terminal) -> None:
    """The second start is that of 2.0.0 on trial."""
    wait_version(terminal, 1, "1.0.0")
    terminal.key("FUNC")
    terminal.wait_lines("spare", "2.0.0")
    terminal.key("UP")
    wait_version(terminal, 2, "2.0.0 on trial")


def confirm(terminal: Terminal) -> None:
    terminal.key("ALPHA")
    terminal.wait_lines("confirmed")


def test_a_confirmed_version_stays(loaded: Terminal) -> None:
    try_it(loaded)
    confirm(loaded)
    Supply(loaded.panel).cycle()
    wait_version(loaded, 3, "2.0.0")


@pytest.mark.parametrize(("key", "why"), [
    ("0", "told to crash"), ("1", ""), ("2", "watchdog not fed"), ("DOWN", "way back"),
])
def test_a_trial_that_ends_without_success_is_undone(loaded: Terminal, key: str, why: str) -> None:
    """It ends with an error, resets, hangs, or lays hands on the version before."""
    try_it(loaded)
    loaded.key(key)
    wait_version(loaded, 3, "1.0.0 unconfirmed")
    halts = [str(event["detail"]) for event in loaded.events if event["ev"] == "halt"]
    assert [why in detail for detail in halts] == ([True] if why else [])
    Supply(loaded.panel).cycle()
    wait_version(loaded, 4, "1.0.0")


def test_loss_of_power_on_trial_undoes_it(loaded: Terminal) -> None:
    try_it(loaded)
    Supply(loaded.panel).cycle()
    wait_version(loaded, 3, "1.0.0 unconfirmed")


@pytest.mark.parametrize("torn", [False, True])
@pytest.mark.parametrize("operation", [1, 3])
def test_a_cut_inside_the_boot_loader_leaves_the_old_version(loaded: Terminal, operation: int, torn: bool) -> None:
    """While it erases the slot that was not confirmed."""
    try_it(loaded)
    loaded.panel.request("power", state="off")
    loaded.panel.request("cut_at", operation=operation, torn=torn)
    loaded.panel.request("power", state="on")
    loaded.wait_power("off", "cut")
    loaded.panel.request("power", state="on")
    wait_version(loaded, 3, "1.0.0 unconfirmed")


def test_a_cut_before_the_trial_begins_puts_it_off(loaded: Terminal) -> None:
    wait_version(loaded, 1, "1.0.0")
    loaded.panel.request("cut_at", operation=2, torn=False)  # 1: the request; 2: the boot loader's mark of the start
    loaded.key("UP")
    loaded.wait_power("off", "cut")
    loaded.panel.request("power", state="on")
    wait_version(loaded, 2, "2.0.0 on trial")


def test_an_application_that_was_tampered_with_is_refused(loaded: Terminal) -> None:
    """The other slot comes back if it may run; otherwise nothing is started."""
    try_it(loaded)
    confirm(loaded)
    since = len(loaded.events)
    assert loaded.panel.request("tamper", slot="B", offset=4000)["was"] in range(256)
    Supply(loaded.panel).cycle()
    wait_version(loaded, 3, "1.0.0 damaged")
    loaded.panel.request("power", state="off")
    loaded.panel.request("tamper", slot="A", offset=4000)
    loaded.panel.request("power", state="on")
    halt = loaded.wait_event(lambda event: event["ev"] == "halt", since)
    assert halt["detail"] == "boot loader: A: hash does not match; B: hash does not match"
    loaded.wait_lines("固件损坏", "A: hash does not match", "B: hash does not match")
    loaded.panel.request("power", state="off")
    loaded.panel.request("tamper", slot="B", offset=4000)  # inverted twice, it is whole again
    loaded.panel.request("power", state="on")
    wait_version(loaded, 4, "2.0.0")


def test_what_is_stored_is_changed_with_the_case_open(loaded: Terminal) -> None:
    """Wherever it stands in the file system, and nowhere else."""
    supply = Supply(loaded.panel)
    loaded.panel.request("power", state="off")
    assert supply.change_stored("littlefs", "LITTLEFS") > 0, "the superblock's magic"
    assert supply.change_stored("littlefs", "LITTLEFS") == 0
    assert supply.change_stored("LITTLEFS", "littlefs") > 0
    for wrong in ({"old": "abc", "new": "abd"}, {"old": "abcd", "new": "abcde"}, {"old": "abcd", "new": "abcd"},
                  {"old": 9797, "new": "abcd"}, {"old": "终端终端", "new": "abcd"}):  # fmt: skip
        with pytest.raises(BenchError, match="old and new"):
            loaded.panel.request("change_stored", **wrong)


def test_an_image_that_is_changed_between_check_and_start_is_refused(loaded: Terminal) -> None:
    wait_version(loaded, 1, "1.0.0")
    loaded.key("FUNC")
    loaded.wait_lines("spare", "2.0.0")
    loaded.panel.request("tamper", slot="B", offset=4000)
    loaded.key("UP")
    wait_version(loaded, 2, "1.0.0 damaged")
    loaded.key("FUNC")
    loaded.wait_lines("spare", "empty")


@pytest.mark.parametrize(("wanted", "reason"), [
    ({}, "slot is A or B"), ({"slot": "C", "offset": 1}, "slot is A or B"), ({"slot": ["A"], "offset": 1}, "slot is A"),
    ({"slot": "A"}, "offset"), ({"slot": "A", "offset": -1}, "offset"), ({"slot": "A", "offset": True}, "offset"),
    ({"slot": "A", "offset": 1 << 20}, "offset"), ({"slot": "A", "offset": "1"}, "offset"),
])
def test_a_byte_that_is_none_can_not_be_tampered_with(
    tmp_path: Path, images: tuple[Path, Path], wanted: dict[str, object], reason: str,
) -> None:
    with Terminal(tmp_path, images[0]) as terminal, pytest.raises(BenchError, match=reason):
        terminal.panel.request("tamper", **wanted)
