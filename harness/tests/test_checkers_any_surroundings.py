"""Whatever surrounds a good terminal, hits it and breaks, no rule says FAIL: drawn by Hypothesis."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Literal

from hypothesis import given, settings
from hypothesis import strategies as st

from harness.history.instrument_events import Disturbance, Part
from harness.judge import judge_bench
from harness.terminal.surroundings import Surroundings
from harness.tests.golden import Reply, World, late, lost, withheld
from harness.tests.golden_parts import model_data
from harness.tests.golden_surroundings import Lab

DECLARED = Surroundings.model_validate(model_data("HT-100")["surroundings"])
Step = Callable[[World, Lab], None]
HITS: list[tuple[Disturbance, dict[str, float]]] = [
    ("burst", {"level_kv": 1}), ("burst", {"level_kv": 4}), ("esd", {"level_kv": 4}), ("esd", {"level_kv": 15}),
    ("surge", {"level_kv": 1}), ("surge", {}), ("field", {"field_v_m": 3}), ("field", {"field_v_m": 30}),
    ("dip", {"residual_pct": 70, "duration_ms": 500}), ("dip", {"residual_pct": 40, "duration_ms": 200}),
    ("interruption", {"duration_ms": 10}), ("interruption", {"duration_ms": 5000}),
]  # fmt: skip
SHOWN: dict[Part, tuple[str, str]] = {
    "printer": ("hot", "打印机过热"), "tamper": ("open", "设备被拆,请送修"), "clock": ("lost", "时钟故障"),
    "paper": ("out", "打印机缺纸"), "battery": ("low", ""), "contactless_reader": ("dead", ""),
}  # fmt: skip
Sale = Literal["sale", "sign_in", "settle", "echo", "nothing"]


@st.composite
def replies(draw: st.DrawFn) -> Reply:
    code = draw(st.sampled_from([None, None, "97", "51"]))
    travel = draw(st.sampled_from(["arrives", "arrives", "lost", "late", "withheld"]))
    return {"lost": lost, "late": late}[travel](code) if travel in ("lost", "late") else (
        withheld() if travel == "withheld" else Reply(code=code)
    )  # fmt: skip


def does(world: World, what: Sale, amount: int, reply: Reply) -> None:
    terminal: Any = world.terminal
    if what == "sale":
        world.sale(amount, reply)
    elif what == "sign_in":
        if not world.sign_in(reply).code.startswith(("Z", "00")):
            terminal.signed_in = False
        world.host.working = terminal.working
    elif what == "settle" and terminal.signed_in:
        world.settle()
    elif what == "echo":
        world.echo(reply)
    else:
        world.wait(10)


@st.composite
def steps(draw: st.DrawFn) -> Step:
    sort = draw(st.sampled_from(["climate", "supply", "hit", "hit", "part", "work", "work", "unread"]))
    what: Sale = draw(st.sampled_from(["sale", "sale", "sale", "sign_in", "settle", "echo", "nothing"]))
    amount, reply = draw(st.integers(1, 5)) * 100, draw(replies())
    wait = draw(st.sampled_from([0.5, 6, 40, 90]))
    if sort == "climate":
        quantity, value = draw(st.sampled_from([
            ("temperature_c", -20), ("temperature_c", 1), ("temperature_c", 23), ("temperature_c", 44),
            ("temperature_c", 70), ("humidity_pct", 89), ("humidity_pct", 99),
        ]))  # fmt: skip
        return lambda world, lab: lab.set(settle=wait, **{quantity: value})
    if sort == "supply":
        volts = draw(st.sampled_from([120, 199, 220, 241, 260]))
        return lambda world, lab: _supply(world, lab, volts, wait)
    if sort == "hit":
        struck, criterion = draw(st.sampled_from(HITS)), draw(st.sampled_from(["A", "B", "C", None]))
        worst = draw(st.booleans())
        return lambda world, lab: _hit(world, lab, struck, criterion, worst, lambda: does(world, what, amount, reply))
    if sort == "part":
        part = draw(st.sampled_from(list(SHOWN)))
        return lambda world, lab: _part(world, lab, part, lambda: does(world, what, amount, reply))
    if sort == "unread":
        return lambda world, lab: _unread(world, lab, lambda: does(world, what, amount, reply))
    return lambda world, lab: does(world, what, amount, reply)


def _supply(world: World, lab: Lab, volts: float, wait: float) -> None:
    lab.told("supply-1", "set_voltage", voltage_v=str(volts))
    lab.set(settle=wait, voltage_v=volts)
    if volts < DECLARED.emulated.brown_out_v:
        world.power("off", "brown_out")
        world.screen()
        lab.set(settle=1, voltage_v=220)
        world.power("on", "brown_out")
        world.idle()


def _hit(
    world: World, lab: Lab, struck: tuple[Disturbance, dict[str, float]], criterion: Any, worst: bool,
    meanwhile: Callable[[], None],
) -> None:  # fmt: skip
    """As bad as it may be by what is declared, or not at all; ``criterion``: what a profile asks where nothing is."""
    sort, values = struck
    level = values.get("level_kv", values.get("field_v_m", values.get("duration_ms")))
    met = DECLARED.criterion(sort, level, values.get("residual_pct", 0.0)) if level is not None else None
    name = "supply-1" if sort in ("dip", "interruption") else f"{sort}-1"
    allowed = met or criterion or "C"
    with ExitStack() as stack:
        if criterion:
            stack.enter_context(lab.step(sort, level or 0, criterion, name))
        with lab.hit(sort, **values):
            meanwhile()
        if worst and allowed == "B":
            world.reboot("brown_out" if name == "supply-1" else "watchdog")
        elif worst and allowed == "C":
            world.screen("正在处理")
            world.wait(90)
            world.reboot()


def _part(world: World, lab: Lab, part: Part, meanwhile: Callable[[], None]) -> None:
    state, text = SHOWN[part]
    lab.breaks(part, state)
    if text:
        world.display(text)
    meanwhile()
    if text:
        world.display(text)
    world.wait(4)
    lab.breaks(part, "ok")


def _unread(world: World, lab: Lab, meanwhile: Callable[[], None]) -> None:
    with lab.unread():
        meanwhile()


@settings(max_examples=200, deadline=None)
@given(st.lists(steps(), min_size=1, max_size=7))
def test_a_good_terminal_breaks_nothing(told: list[Step]) -> None:
    world = World()
    with world.test("any", declares=["ENV-02"]), Lab(world) as lab:
        world.sign_in()
        for step in told:
            step(world, lab)
        world.sign_in()
        world.sale(700)
        world.settle(unbalanced=True)
        world.ledger()
    world.close()
    broken = [f for f in judge_bench(world.checked()) if f.verdict in ("FAIL", "ERROR")]
    assert not broken, broken
