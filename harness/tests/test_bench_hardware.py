"""A whole emulated bench whose terminal has broken parts, or is hurt by its surroundings: driven as suites drive it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.bench.bench import Bench
from harness.bench.ready import conclude, make_ready
from harness.campaigns.plan import RunPlan
from harness.errors import TerminalTimeout
from harness.history.events import OperationCompleted, Power, Slip, WireFrame, WireLink
from harness.history.instrument_events import Felt, HardwareState, Part
from harness.instruments.panel import Panel
from harness.lab.inventory import load_lab
from harness.protocol.frames import decode
from harness.terminal.cards import CHIP, CONTACTLESS, MAGNETIC, Card
from harness.terminal.contracts import Order, Via

INVENTORY = """
catalogue: {catalogue}
benches:
  - {{name: counter, kind: emulated, model: HT-100, profile: unionpay-direct, firmware: reference, time_scale: 20}}
  - {{name: portable, kind: emulated, model: HT-300, profile: unionpay-direct, firmware: reference, time_scale: 20}}
"""


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> RunPlan:
    folder = tmp_path_factory.mktemp("lab")
    catalogue = Path(__file__).resolve().parents[2] / "lab_config"
    path = folder / "lab.yaml"
    path.write_text(INVENTORY.format(catalogue=catalogue), encoding="utf-8")
    made = RunPlan.make(load_lab(path), folder / "results")
    made.write([])
    return made


@pytest.fixture(scope="module")
def shared(plan: RunPlan) -> Iterator[Bench]:
    with Bench(plan.bench_plan("counter")).opened() as opened:
        yield opened


@pytest.fixture
def ready(shared: Bench) -> Bench:
    make_ready(shared)
    return shared


def panel_of(bench: Bench) -> Panel:
    """What an emulated instrument has: a connection of its own."""
    return Panel(bench.front._panel.control)


def presented(bench: Bench) -> int:
    return [event.presented for event in bench.history.events if isinstance(event, OperationCompleted)][-1]


def test_a_card_that_was_misread_is_swiped_again(ready: Bench) -> None:
    ready.front.hardware.break_part("magnetic_reader", "worn", seed=1)  # misses the third, then two
    counts = []
    for amount in range(1, 7):
        assert ready.terminal.sale(amount, card=MAGNETIC).ok
        counts.append(presented(ready))
    assert max(counts) > 1
    conclude(ready)
    states = [(e.part, e.state) for e in ready.history.events if isinstance(e, HardwareState)]
    assert states == [("magnetic_reader", "worn"), ("magnetic_reader", "ok")]
    assert ready.terminal.sale(7, card=MAGNETIC).ok and presented(ready) == 1


@pytest.mark.parametrize(("part", "card", "text", "via"), [
    ("magnetic_reader", MAGNETIC, "读卡器故障", "keypad"), ("chip_reader", CHIP, "IC卡读取失败", "cashier"),
    ("contactless_reader", CONTACTLESS, "非接读卡器故障", "keypad"),
])
def test_a_dead_reader_ends_it_with_what_the_screen_says(
    ready: Bench, part: Part, card: Card, text: str, via: Via
) -> None:
    ready.front.hardware.break_part(part, "dead")
    begun = time.monotonic()
    refused = ready.terminal.sale(100, card=card, via=via)
    assert (refused.outcome, refused.code) == ("fail", None) and text in refused.text
    assert time.monotonic() - begun < 15, "nobody tries for ever what says that it is broken"
    ready.terminal.to_idle()
    assert ready.terminal.sale(101, card=CHIP if card is MAGNETIC else MAGNETIC, via=via).ok
    conclude(ready)


@pytest.mark.parametrize(("part", "state", "text"), [("paper", "out", "打印机缺纸"), ("printer", "dead", "打印机故障")])
def test_a_slip_that_could_not_be_printed_comes_with_the_reprint(
    ready: Bench, part: Part, state: str, text: str
) -> None:
    ready.front.hardware.break_part(part, state)
    slips = ready.front.slips
    assert ready.terminal.sale(100, card=MAGNETIC).ok
    assert text in ready.front.latest.text and ready.front.slips == slips
    ready.front.hardware.mend(part)
    assert ready.terminal.reprint().ok
    assert ready.front.slips == slips + 1
    last = [event for event in ready.history.events if isinstance(event, Slip)][-1]
    assert "交易成功" in "".join(last.lines)
    conclude(ready)


def test_a_brown_out_in_the_middle_of_a_sale_costs_nothing(ready: Bench) -> None:
    since = len(ready.history.events)
    with panel_of(ready) as panel:
        ready.host.misbehave("0200", "never")
        operation = ready.terminal.begin_sale(100, card=MAGNETIC)
        ready.front.await_screen(lambda seen: "等待应答" in seen.text, 10, "the wait for the answer")
        panel.request("dip", residual_pct=0, duration_ms=300)
        ready.terminal.await_idle(20)
    reasons = [(e.state, e.reason) for e in ready.history.events if isinstance(e, Power)][-2:]
    assert reasons == [("off", "brown_out"), ("on", "brown_out")]
    with pytest.raises(TerminalTimeout):
        operation.wait(1)
    ready.host.behave()
    conclude(ready)
    sent = [decode(bytes.fromhex(e.hex)).mti for e in ready.history.events[since:] if isinstance(e, WireFrame)]
    assert sent.index("0200") < sent.index("0400") < sent.index("0500"), "it is reversed as after any power cut"


def test_a_disturbance_brings_the_line_down_for_a_moment(ready: Bench) -> None:
    with panel_of(ready) as panel:
        for _ in range(60):
            panel.request("pulse", sort="esd", level_kv=4)
            if [e for e in ready.history.events if isinstance(e, Felt) and e.what == "link_down"]:
                break
            ready.front.await_screen(lambda seen: bool(seen.text), 20, "a screen")
        deadline = time.monotonic() + 10
        while not [e for e in ready.history.events if isinstance(e, Felt) and e.what == "link_up"]:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    links = [event.state for event in ready.history.events if isinstance(event, WireLink)][-2:]
    assert links == ["down", "up"]
    make_ready(ready)
    assert ready.terminal.sale(100, card=MAGNETIC).ok
    conclude(ready)


def test_an_opened_terminal_refuses_and_is_seen_to_before_the_next_test(ready: Bench) -> None:
    assert ready.terminal.sale(100, card=MAGNETIC).ok
    ready.terminal.to_idle()
    ready.front.hardware.break_part("tamper", "open")
    ready.front.await_screen(lambda seen: "设备被拆,请送修" in seen.text, 10, "that it was opened")
    ways: tuple[Via, ...] = ("keypad", "cashier")
    for via in ways:
        refused = ready.terminal.sale(100, card=MAGNETIC, via=via)
        assert refused.outcome == "fail" and "设备被拆,请送修" in refused.text
    assert ready.terminal.perform(Order("echo")).outcome == "fail"
    assert not ready.terminal.open_menu().ok
    conclude(ready)
    assert ready.front.hardware.broken == {} and not ready.front.hardware.opened
    make_ready(ready)


def test_a_portable_runs_on_its_battery(plan: RunPlan) -> None:
    with Bench(plan.bench_plan("portable")).opened() as opened:
        make_ready(opened)
        with panel_of(opened) as panel:
            panel.request("dip", residual_pct=0, duration_ms=3000)
            assert opened.terminal.sale(100, card=CHIP).ok
            opened.front.hardware.break_part("battery", "low")
            opened.front.await_screen(lambda seen: "电量低" in seen.text, 10, "that the battery is low")
        assert not [e for e in opened.history.events if isinstance(e, Power) and e.reason != "operator"]
        conclude(opened)
