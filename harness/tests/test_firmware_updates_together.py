"""Updates and whatever else happens at the same moment: the other way in, a power cut, another merchant, a sale."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from harness.emulator.build import build
from harness.emulator.shipped import REFERENCE_SOURCE, TEST_KEY
from harness.instruments.serial_noise import Stops
from harness.protocol.frames import Frame
from harness.tests.firmware_acquirer import AcquirerBench
from harness.tests.firmware_bench import Answer, FakeBoot, Rebooted
from harness.tests.firmware_update_bench import (
    SOUND,
    Gone,
    Line,
    fetch,
    load,
    offer,
    power_cycle,
    restarted,
    status,
)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Bytes for an image that the boot loader is told to find good."""
    path = tmp_path_factory.mktemp("image") / "small.img"
    path.write_bytes(random.Random(1).randbytes(20_000))
    return path


def boot_again(bench: AcquirerBench) -> None:
    """The power was off; the slots are as they were, and what the boot loader thinks of the spare one."""
    was = bench.board.boot
    power_cycle(bench, FakeBoot(nor=was.nor, verdict=was.verdict))


@pytest.mark.parametrize("version", ["0.9.0", "1.1.0"])
def test_an_offer_leaves_a_transfer_by_the_service_port_alone(small: Path, version: str) -> None:
    """Whatever is on offer, what is older than this version too: the one who sends is not disturbed."""
    with AcquirerBench() as bench:
        offer(bench, small, version)
        bench.board.boot.verdict = SOUND | {"version": "1.1.0"}

        class Asks(Stops):
            asked: dict[str, str] = {}

            def _put_block(self, block: bytes, timeout: float) -> int | None:
                if not self.asked:
                    self.asked.update(fetch(bench))
                return super()._put_block(block, timeout)

        def through(line: Line) -> Any:
            return Asks(line, blocks=9999, gone=Gone)

        assert load(bench, small.read_bytes(), through) == "OK LOADED reference 1.1.0"
        assert Asks.asked["DF07"] == "Z6" and "398" not in bench.codes()
        assert status(bench)["last"] == "-" and bench.board.boot.loaded.startswith(small.read_bytes())


class PowerGone(Exception):
    """Instead of an operation."""


@pytest.mark.parametrize("moment", ["the host took the end", "before the boot loader is asked"])
def test_what_the_host_was_told_is_taken_is_installed_whenever_the_power_goes(
    small: Path, moment: str, monkeypatch: pytest.MonkeyPatch,
) -> None:
    with AcquirerBench() as bench:
        offer(bench, small)
        bench.office("demand_download", kind="software")
        ended = []

        def power(request: Frame) -> Answer | None:
            if request.network_code == "399":
                ended.append(bench.acquirer.exchange(request.raw))
                if moment == "the host took the end":
                    raise PowerGone
                return Answer()
            return None

        def gone() -> None:
            raise PowerGone

        bench.host.script = power
        if moment == "before the boot loader is asked":
            monkeypatch.setattr(bench.board.boot, "request_trial", gone)
        with pytest.raises(PowerGone):
            fetch(bench)
            bench.run(lambda: False, 20)
        assert ended and bench.office("downloads")["due"] == [] and not bench.board.boot.wanted
        bench.host.script = lambda request: None
        with pytest.raises(Rebooted):
            boot_again(bench)
            bench.run(lambda: False, 10)
        assert bench.board.boot.wanted and bench.board.boot.loaded.startswith(small.read_bytes())


def test_an_end_that_the_host_refuses_installs_nothing(small: Path) -> None:
    with AcquirerBench() as bench:
        offer(bench, small)
        bench.host.script = lambda request: Answer("97") if request.network_code == "399" else None
        assert fetch(bench)["DF07"] == "97"
        bench.settle_down(50)
        boot_again(bench)
        bench.settle_down(50)
        assert not bench.board.boot.wanted and status(bench)["state"] == "loaded"
        bench.host.script = lambda request: None
        assert restarted(bench, lambda: fetch(bench)).wanted


def test_nobody_else_begins_while_the_host_is_told_the_end(small: Path) -> None:
    with AcquirerBench() as bench:
        offer(bench, small)
        told = []

        def asks(request: Frame) -> Answer | None:
            if request.network_code == "399":
                told.append(bench.terminal._updates.sender)
            return None

        bench.host.script = asks
        assert restarted(bench, lambda: fetch(bench)).wanted and told == ["network"]


def test_one_that_resets_by_design_waits_for_the_settlement_of_a_sale_that_came_between(small: Path) -> None:
    """It was judged before the sale, and the host, which was told that it is taken, does not ask again."""
    with AcquirerBench(time_scale=60) as bench:
        offer(bench, small)
        bench.board.boot.verdict = SOUND | {"version": "1.1.0", "resets": True}
        bench.office("demand_download", kind="software")
        bench.sign_in()
        bench.key("CANCEL")
        bench.run(lambda: "398" in bench.codes())
        updates = bench.terminal._updates
        idle, updates._idle = updates._idle, lambda: False  # somebody is at the till until the sale is booked
        bench.run(lambda: "399" in bench.codes())
        assert bench.sale()["DF07"] == "00"
        updates._idle = idle
        bench.run(lambda: status(bench)["last"] == "85")
        bench.key("CANCEL")
        bench.run(bench.shows("更新失败", "原因85"))
        bench.key("CANCEL")
        boot_again(bench)
        bench.settle_down(50)
        assert not bench.board.boot.wanted and status(bench)["last"] == "85"
        assert restarted(bench, bench.settle).wanted


def test_what_is_cut_short_is_not_made_whole_by_what_lay_in_the_slot(tmp_path: Path) -> None:
    """The same image came before, whole; this time it ends where a block of the flash does."""
    image = tmp_path / "1.1.0.img"
    build(REFERENCE_SOURCE, "1.1.0", TEST_KEY, image)
    data = image.read_bytes()
    with AcquirerBench() as bench:
        assert load(bench, data) == "OK LOADED reference 1.1.0"
        assert load(bench, data[: 20 * 4096]).startswith("ERR 70 cut short") and status(bench)["state"] == "none"
        assert bench.serve("INSTALL").startswith("ERR 77 ") and not bench.board.boot.wanted
