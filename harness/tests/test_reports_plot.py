"""What surrounded a test, as the page plots and tells it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.history.events import ADAPTER, AnyEvent
from harness.history.instrument_events import InstrumentOpened, Readings
from harness.reports import page, plot, tell_surroundings
from harness.reports.bilingual import Both
from harness.tests.golden import World
from harness.tests.golden_parts import model_data
from harness.tests.golden_surroundings import Lab
from harness.tests.reports_runs import node, write_run


def hot_day(*, still: bool = False) -> World:
    world = World()
    with world.test(node("hot", world), declares=["ENV-01"]), Lab(world) as lab:
        world.sign_in()
        if not still:
            for celsius in range(23, 45, 3):
                lab.set(temperature_c=celsius, settle=6)
            with lab.unread():
                world.wait(30)
            with lab.step("burst", 1, "B", "burst-1"), lab.hit("burst", level_kv=1, duration_ms=60):
                world.sale(1500)
            lab.breaks("printer", "dead")
            lab.trouble("chamber-1", "does not answer")
        world.sale(700)
    world.close()
    return world


def plotted(world: World) -> plot.Plot:
    events: list[AnyEvent] = sorted((e for e in world.checked() if e.span), key=lambda e: (e.t, e.seq))
    opened = [e for e in events if isinstance(e, InstrumentOpened)]
    found = plot.of(events, opened, {"surroundings": model_data("HT-100")["surroundings"]})
    assert found is not None
    return found


def test_a_curve_for_each_quantity_with_a_gap_where_nobody_read() -> None:
    found = plotted(hot_day())
    assert [strip.name.en for strip in found.strips] == ["temperature", "humidity", "supply voltage"]
    warm = found.strips[0]
    assert (warm.lowest, warm.highest, warm.unit, len(warm.paths)) == ("23.0", "44.0", "°C", 2)
    assert warm.band is not None and [level.label.en for level in warm.levels] == ["declared: 0 °C", "declared: 45 °C"]
    heights = [float(y) for y in re.findall(r"V([\d.]+)", warm.paths[0])]
    assert heights == sorted(heights, reverse=True) and len(heights) == 7  # each step up is drawn once


def test_what_was_done_stands_below() -> None:
    found = plotted(hot_day())
    assert [bar.label.en for bar in found.stress] == ["burst 1 kV (B)"]
    assert [bar.label.en for bar in found.done] == ["printer: dead", "burst 1 kV, 60 ms"]
    assert [mark.label for mark in found.troubles] == ["chamber-1: does not answer"]


def test_a_day_on_which_nothing_moves_is_a_line_of_text() -> None:
    found = plotted(hot_day(still=True))
    assert not found.drawn and found.still is not None
    assert found.still.en == "nothing moved: temperature 23.0 °C, humidity 50.0 %, supply voltage 220.0 V"


def test_a_bench_without_instruments_has_no_plot() -> None:
    world = World()
    with world.test("plain"):
        world.sign_in()
    assert plot.of(world.checked(), [], {}) is None


def test_many_readings_make_a_short_curve() -> None:
    readings = [
        Readings(t=n * 100_000_000, instrument="c", values={"temperature_c": 20 + n % 7}) for n in range(20_000)
    ]
    found = plot.of(readings, [], {})
    assert found is not None and sum(len(path) for path in found.strips[0].paths) < 60_000


@pytest.mark.parametrize(("event", "english", "chinese"), [
    ({"kind": "hardware", "part": "paper", "state": "out"}, "paper: run out", "打印纸：用完"),
    ({"kind": "disturbance", "instrument": "supply", "sort": "dip", "state": "begun",
      "values": {"residual_pct": 70, "duration_ms": 500}},
     "voltage dip 70 %, 500 ms begins", "电压暂降 70 %, 500 ms开始"),
    ({"kind": "readings", "instrument": "chamber", "values": {"temperature_c": 44.04}},
     "chamber reads temperature 44.0 °C", "chamber 读数：温度 44.0 °C"),
    ({"kind": "instruments.safe", "why": "hung", "instruments": ["supply"], "unsafe": {"chamber": "no answer"}},
     "instruments brought to their safe state: the test hung", "仪器已置于安全状态：测试挂起"),
])  # fmt: skip
def test_each_event_is_told_in_both_languages(event: dict[str, object], english: str, chinese: str) -> None:
    told = tell_surroundings.told(ADAPTER.validate_python({"t": 1, **event}))  # type: ignore[arg-type]
    assert (told[1].en, told[1].zh) == (english, chinese)


def test_what_went_wrong_is_told_in_both_languages_with_what_to_do() -> None:
    what = "it took 3.1 s to read, which is too slow to be watched"
    remedy = "look at its network, and at who else talks to it"
    wrong = {"kind": "instrument.trouble", "instrument": "chamber", "what": what, "remedy": remedy}
    _kind, _text, _mood, (cure,) = tell_surroundings.told(ADAPTER.validate_python({"t": 1, **wrong}))  # type: ignore[arg-type]
    assert isinstance(cure[1], Both) and cure[1].en.startswith("look at its network") and "检查其网络" in cure[1].zh
    safe = {"kind": "instruments.safe", "why": "hung", "instruments": [],
            "unsafe": {"chamber": "it was told, and is not in its safe state (stopped) 2 s later"}}
    _kind, _text, _mood, (why,) = tell_surroundings.told(ADAPTER.validate_python({"t": 1, **safe}))  # type: ignore[arg-type]
    assert isinstance(why[1], Both) and "仍未处于安全状态" in why[1].zh


def test_the_page_holds_it_above_the_timeline(tmp_path: Path) -> None:
    page.write(write_run(tmp_path / "run", {"bench-1": hot_day()}))
    text = (tmp_path / "run" / "index.html").read_text(encoding="utf-8")
    assert 0 < text.index('class="timeline plot"') < text.index('<svg class="timeline" ')
    assert "声明: 0" not in text and text.count('<path class="curve"') == 6
