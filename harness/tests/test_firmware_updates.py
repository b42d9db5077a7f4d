"""Other software at the terminal: by the service port and from the acquirer, judged, shown, remembered, installed when
nothing is under way. The board is in memory, the boot loader's services are the real ones."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.emulator.build import build
from harness.emulator.firmware.app import serial_load
from harness.emulator.shipped import REFERENCE_SOURCE, TEST_KEY
from harness.instruments.serial_noise import Noise, SecondSender, Stops
from harness.protocol.frames import Frame
from harness.terminal.contracts import LoadsFirmware
from harness.terminal.drivers.panel import PanelTerminal
from harness.tests.firmware_acquirer import AcquirerBench
from harness.tests.firmware_bench import Answer, Bench, FakeBoot, MemoryFlash
from harness.tests.firmware_flash import cuts
from harness.tests.firmware_update_bench import (
    SOUND,
    Gone,
    Line,
    Serial,
    fetch,
    install,
    load,
    offer,
    power_cycle,
    restarted,
    status,
)


def is_the_contract(terminal: PanelTerminal) -> LoadsFirmware:
    """For the type checker."""
    return terminal


@pytest.fixture(scope="module")
def newer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reference as 1.1.0."""
    path = tmp_path_factory.mktemp("image") / "1.1.0.img"
    build(REFERENCE_SOURCE, "1.1.0", TEST_KEY, path)
    return path


# -- by the service port -----------------------------------------------------------------------------------------------


def test_it_is_loaded_checked_and_started_on_trial(newer: Path) -> None:
    data = newer.read_bytes()
    with Bench().ready() as bench:
        assert status(bench) == {"state": "none", "version": "-", "received": "0/0", "last": "-"}
        assert load(bench, data) == "OK LOADED reference 1.1.0"
        assert bench.board.boot.loaded.startswith(data) and not bench.board.boot.wanted
        assert status(bench)["state"] == "loaded" and status(bench)["version"] == "1.1.0"
        power_cycle(bench)
        assert status(bench)["state"] == "loaded"
        boot = restarted(bench, lambda: install(bench))
        assert boot.wanted


def test_a_unit_without_identity_can_be_loaded(newer: Path) -> None:
    with Bench() as bench:
        assert load(bench, newer.read_bytes()) == "OK LOADED reference 1.1.0"
        assert restarted(bench, lambda: install(bench)).wanted


def test_the_screen_says_how_far_it_is_and_a_sale_is_possible_meanwhile(newer: Path) -> None:
    data = newer.read_bytes()
    with Bench().ready() as bench:
        bench.key("CANCEL")
        sold: list[dict[str, str]] = []

        class Sells(Stops):
            def _put_block(self, block: bytes, timeout: float) -> int | None:
                if not sold and bench.shows("欢迎使用", "程序更新", "接收")():
                    sold.append(bench.sale())
                return super()._put_block(block, timeout)

        assert load(bench, data, lambda line: Sells(line, blocks=9999, gone=Gone)) == "OK LOADED reference 1.1.0"
        assert sold[0]["DF07"] == "00"
        bench.key("CANCEL")
        bench.run(lambda: bench.shows("欢迎使用")() and not bench.shows("接收")())


def test_noise_in_five_percent_of_the_blocks() -> None:
    data = random.Random(97).randbytes(90_000)
    with Bench() as bench:
        bench.board.boot.verdict = SOUND
        lines: list[Noise] = []

        def noisy(line: Line) -> Noise:
            lines.append(Noise(line, share=0.05, seed=5))
            return lines[0]

        assert load(bench, data, noisy) == "OK LOADED reference 2.0.0" and lines[0].spoilt > 3
        assert bench.board.boot.loaded.startswith(data)


def failed(bench: Bench, number: str) -> None:
    """The reason is everywhere, also after the power was off, and nothing is installed."""
    bench.run(lambda: any("更新失败" in lines and any(f"原因{number}" in one for one in lines)
                          for lines in bench.board.screens))
    assert bench.serve("INSTALL").startswith("ERR ") and not bench.board.boot.wanted
    bench.key("CANCEL")
    bench.run(bench.shows("欢迎使用"))


def test_a_sender_that_stops_is_given_up_and_another_may_begin(newer: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serial_load, "LEAST_GIVE_UP_S", 0.5)
    data = newer.read_bytes()
    with Bench(time_scale=100) as bench:
        assert load(bench, data, lambda line: Stops(line, blocks=4, gone=Gone)).startswith("ERR 73 ")
        assert status(bench)["last"] == "73"
        failed(bench, "73")
        monkeypatch.undo()
        power_cycle(bench)
        assert load(bench, data) == "OK LOADED reference 1.1.0" and status(bench)["last"] == "-"


def test_two_senders_on_one_line_never_make_an_image(newer: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serial_load, "LEAST_GIVE_UP_S", 0.5)
    data = newer.read_bytes()
    with Bench(time_scale=100) as bench:
        told = load(bench, data, lambda line: SecondSender(line, other=data[5000:] * 2))
        assert told.startswith("ERR 73 ") and status(bench)["state"] == "none"
        assert bench.serve("VERSION").startswith("OK HT-100")


FLAWS: list[tuple[str, Callable[[bytes], bytes], str]] = [
    ("a bit", lambda d: d[:9000] + bytes([d[9000] ^ 1]) + d[9001:], "70"),
    ("cut short", lambda d: d[:-200], "70"),
    ("no image", lambda d: b"hello " * 300, "70"),
    ("signature", lambda d: d[:-1] + bytes([d[-1] ^ 1]), "71"),
]


@pytest.mark.parametrize(("change", "number"), [flaw[1:] for flaw in FLAWS], ids=[flaw[0] for flaw in FLAWS])
def test_what_is_wrong_is_refused_by_its_reason(newer: Path, change: Callable[[bytes], bytes], number: str) -> None:
    with Bench() as bench:
        assert load(bench, change(newer.read_bytes())).startswith(f"ERR {number} ")
        assert status(bench) == {"state": "none", "version": "-", "received": "0/0", "last": number}
        failed(bench, number)
        bench.reboot()
        assert status(bench)["last"] == "77"  # the last attempt was to install nothing


@pytest.mark.parametrize(("verdict", "number"), [
    ({"refused": "model", "reason": "for HT-200"}, "72"), ({"refused": "old", "reason": "counter"}, "74"),
    ({"refused": "empty", "reason": "the slot is empty"}, "70"), ({"data_format": 0}, "75"),
    ({"version": "1.0.0"}, "74"),
    ({"version": "0.9.9"}, "74"),
])
def test_what_the_boot_loader_or_the_application_refuses(verdict: dict[str, Any], number: str) -> None:
    with Bench() as bench:
        bench.board.boot.verdict = SOUND | verdict
        assert load(bench, b"x" * 3000).startswith(f"ERR {number} ")
        failed(bench, number)


@pytest.mark.parametrize(("size", "answer"), [
    ("0", "ERR 70 "), ("1044481", "ERR 76 "), ("99999999", "ERR 76 "), ("-1", "ERR 03 "), ("x", "ERR 03 "),
    ("", "ERR 01 "),
])
def test_sizes_that_can_not_be(size: str, answer: str) -> None:
    with Bench() as bench:
        assert bench.serve(f"LOAD {size}".strip()).startswith(answer)
        assert bench.serve("VERSION").startswith("OK ")


def test_one_that_resets_by_design_waits_until_nothing_is_stored() -> None:
    with Bench().ready() as bench:
        bench.board.boot.verdict = {
            "refused": "", "reason": "", "name": "reference", "version": "3.0.0", "data_format": 3, "resets": True,
        }
        bench.sale()
        assert load(bench, b"x" * 3000).startswith("OK LOADED")
        assert bench.serve("INSTALL").startswith("ERR 85 ") and status(bench)["last"] == "85"
        assert status(bench)["state"] == "loaded"
        bench.settle()
        bench.host.script = lambda request: Answer(act="close") if request.mti in ("0200", "0400") else None
        bench.sale()
        assert bench.serve("INSTALL").startswith("ERR 86 ")
        bench.host.script = lambda request: None
        bench.sale()
        bench.settle()
        assert restarted(bench, lambda: install(bench)).wanted


def test_what_stands_behind_the_command_is_no_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serial_load, "LEAST_GIVE_UP_S", 0.5)
    with Bench(time_scale=100) as bench:
        line = Serial(bench)
        line.putc(b"LOAD 5000\r\nrubbish")
        assert line.line() == "OK LOAD 5000" and line.line().startswith("ERR 73 ")
        assert bench.serve("VERSION").startswith("OK HT-100")


def test_while_a_transaction_is_under_way_it_is_busy(newer: Path) -> None:
    with Bench().ready() as bench:
        assert load(bench, newer.read_bytes()).startswith("OK LOADED")
        bench.send_sale(100)
        assert bench.serve("INSTALL").startswith("ERR 90 ") and bench.serve("LOAD 5000").startswith("ERR 90 ")
        assert status(bench)["last"] == "-"  # busy is no reason to remember


def test_the_one_that_came_back_says_so() -> None:
    with Bench() as bench:
        power_cycle(bench, FakeBoot(returned="unconfirmed"))
        bench.run(bench.shows("更新失败", "原因78"))
        assert status(bench)["last"] == "78"
        bench.reboot()
        assert status(bench)["last"] == "78" and bench.shows("欢迎使用")()


def test_a_power_cut_at_any_moment_of_the_record_leaves_a_terminal_that_works(newer: Path) -> None:
    """Of the file system; the slots are the boot loader's sweep."""
    with Bench() as bench:
        before = bytes(bench.flash.content)
        bench.flash.operations.clear()
        assert load(bench, b"x" * 3000).startswith("ERR 70")
        for _, content in cuts(before, bench.flash.operations):
            bench.reboot(MemoryFlash(content))
            assert status(bench)["last"] in ("-", "70")


# -- from the host -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Bytes for an image that the boot loader is told to find good: 125 blocks."""
    path = tmp_path_factory.mktemp("image") / "small.img"
    path.write_bytes(random.Random(1).randbytes(120_000))
    return path


def test_nothing_new_is_a_success_and_fulfils_the_wish(small: Path) -> None:
    with AcquirerBench() as bench:
        assert fetch(bench)["DF09"] == "无新版本" and bench.codes() == ["397"]
        offer(bench, small, "1.0.0")
        bench.office("demand_download", kind="software")
        assert fetch(bench)["DF07"] == "00" and bench.office("downloads")["due"] == []


def test_it_is_fetched_and_installed_when_nobody_uses_the_terminal(small: Path) -> None:
    with AcquirerBench() as bench:
        offer(bench, small)
        told = {}
        boot = restarted(bench, lambda: told.update(fetch(bench)))
        assert boot.wanted and boot.loaded.startswith(small.read_bytes())
        assert set(bench.codes()) == {"397", "398", "399"} and bench.codes().count("399") == 1


def test_the_host_asks_and_the_terminal_fetches_it_by_itself(small: Path) -> None:
    with AcquirerBench(time_scale=60) as bench:
        offer(bench, small)
        bench.office("demand_download", kind="software")
        assert restarted(bench, bench.sign_in).wanted
        assert bench.office("downloads")["due"] == []


def test_97_in_the_middle_changes_nothing_and_it_goes_on_where_it_was(small: Path) -> None:
    with AcquirerBench() as bench:
        offer(bench, small)
        blocks = []

        def refuses(request: Frame) -> Answer | None:
            if request.network_code != "398":
                return None
            blocks.append(request.binary(62)[:8])
            return Answer("97") if len(blocks) == 100 else None

        bench.host.script = refuses
        assert fetch(bench)["DF07"] == "97" and bench.shows("应答码:97", "终端未登记")()
        assert status(bench)["state"] == "none" and status(bench)["received"].startswith("95040/")
        restarted(bench, lambda: fetch(bench))
        assert blocks[100] == blocks[99]  # the one that was answered 97, and none before it again


def test_after_a_power_cut_it_goes_on_from_what_was_committed(small: Path) -> None:
    with AcquirerBench() as bench:
        offer(bench, small)
        asked = []

        def silent(request: Frame) -> Answer | None:
            if request.network_code == "398":
                asked.append(int(request.binary(62)[:8]))
            return Answer(act="close") if len(asked) == 80 else None

        bench.host.script = silent
        assert fetch(bench)["DF07"] == "Z2"
        power_cycle(bench)
        offer(bench, small)
        asked.append(-1)
        assert restarted(bench, lambda: fetch(bench)).loaded.startswith(small.read_bytes())
        assert asked[81] == 2 * 8 * 4096  # so many whole commits


def test_another_image_on_offer_begins_at_zero(small: Path, tmp_path: Path) -> None:
    with AcquirerBench() as bench:
        offer(bench, small)
        asked: list[int] = []

        def cut(request: Frame) -> Answer | None:
            if request.network_code == "398":
                asked.append(int(request.binary(62)[:8]))
                return Answer(act="close") if len(asked) == 20 else None
            return None

        bench.host.script = cut
        fetch(bench)
        other = tmp_path / "other.img"
        other.write_bytes(random.Random(2).randbytes(50_000))
        offer(bench, other, "1.1.1")
        restarted(bench, lambda: fetch(bench))
        assert asked[20] == 0 and bench.board.boot.loaded.startswith(other.read_bytes())


@pytest.mark.parametrize(("version", "change", "reason"), [
    ("1.1.0", lambda data: data[:-1] + bytes([data[-1] ^ 1]), "71"), ("1.1.0", lambda data: data[:3000], "70"),
    ("0.9.0", lambda data: data, "74"), ("1.1.0", lambda data: b"", "70"),
    ("1.1.0", lambda data: data + bytes(1 << 20), "76"),
])
def test_the_host_is_told_why_not(
    newer: Path, tmp_path: Path, version: str, change: Callable[[bytes], bytes], reason: str,
) -> None:
    wrong = tmp_path / "wrong.img"
    wrong.write_bytes(change(newer.read_bytes()))
    with AcquirerBench() as bench:
        offer(bench, wrong, version, good=False)
        bench.office("demand_download", kind="software")
        assert fetch(bench)["DF07"] == "ZB" and bench.shows("更新失败", f"原因{reason}")()
        ends = [f.binary(62).decode() for f in bench.host.requests if f.network_code == "399"]
        assert ends == [f"{reason}{version}"] and bench.office("downloads")["due"] == []
        assert status(bench)["last"] == reason and not bench.board.boot.wanted


def test_one_that_resets_by_design_is_not_taken_and_asked_for_again(small: Path) -> None:
    with AcquirerBench() as bench:
        bench.sign_in()
        bench.sale()
        offer(bench, small)
        bench.board.boot.verdict = SOUND | {"version": "1.1.0", "resets": True}
        bench.office("demand_download", kind="software")
        assert fetch(bench)["DF07"] == "ZB" and bench.shows("原因85")()
        assert bench.office("downloads")["due"] == ["software"]
        bench.settle()
        blocks = bench.codes().count("398")
        restarted(bench, lambda: fetch(bench))
        assert bench.codes().count("398") == blocks  # it was there already


@pytest.mark.parametrize(("code", "f62"), [
    ("397", b""), ("397", b"2"), ("397", b"1" + b"x" * 80), ("397", b"1" + b"0" * 72), ("398", b""),
    ("398", b"100000001" + bytes(960)), ("398", b"100000000" + bytes(959)),
])
def test_what_the_host_says_wrong_is_no_valid_answer(small: Path, code: str, f62: bytes) -> None:
    with AcquirerBench() as bench:
        offer(bench, small)
        bench.host.script = (
            lambda request: Answer(fields={62: f62.hex().upper()}) if request.network_code == code else None)
        assert fetch(bench)["DF07"] == "Z3" and bench.shows("应答无效")()
        assert bench.codes()[-1] == code


def test_blocks_that_are_not_those_of_the_image_are_found_by_its_hash(small: Path) -> None:
    with AcquirerBench() as bench:
        offer(bench, small)

        def wrong(request: Frame) -> Answer | None:
            if request.network_code != "398" or request.binary(62)[:8] != b"00000960":
                return None
            return Answer(fields={62: (b"100000960" + bytes(960)).hex().upper()})

        bench.host.script = wrong
        assert fetch(bench)["DF07"] == "ZB" and bench.shows("原因73")()
        assert "399" not in bench.codes() and status(bench)["received"] == "0/0"


def test_by_itself_it_gives_way_to_whoever_uses_the_terminal(small: Path) -> None:
    with AcquirerBench(time_scale=60) as bench:
        offer(bench, small)
        bench.office("demand_download", kind="software")
        bench.sign_in()
        bench.key("CANCEL")
        bench.run(lambda: bench.codes().count("398") > 20)
        assert bench.sale()["DF07"] == "00"
        restarted(bench, lambda: bench.key("CANCEL"))
        offsets = [f.binary(62)[:8] for f in bench.host.requests if f.network_code == "398"]
        assert len(offsets) == len(set(offsets))  # no block twice


def test_the_second_sender_is_refused(small: Path) -> None:
    with AcquirerBench(time_scale=60) as bench:
        offer(bench, small)
        bench.office("demand_download", kind="software")
        bench.sign_in()
        bench.key("CANCEL")
        bench.run(lambda: bench.codes().count("398") > 5)
        assert bench.serve("LOAD 5000").startswith("ERR 90 ")
    with AcquirerBench() as bench:
        offer(bench, small)

        class Asks(Stops):
            asked: dict[str, str] = {}

            def _put_block(self, block: bytes, timeout: float) -> int | None:
                if not self.asked:
                    self.asked.update(fetch(bench))
                return super()._put_block(block, timeout)

        assert load(bench, small.read_bytes(), lambda line: Asks(line, blocks=9999, gone=Gone)).startswith("OK LOADED")
        assert Asks.asked["DF07"] == "Z6" and "398" not in bench.codes()
