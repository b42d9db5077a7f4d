"""The rules about surroundings on golden histories: each reads like the rule it keeps or breaks."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.bench.lasting import THE_LAST, Lasting
from harness.checkers.finding import Finding
from harness.checkers.reading import Reading
from harness.history.events import AnyEvent, TestOpened
from harness.history.instrument_events import InstrumentsSafe, Readings
from harness.judge import judge_bench
from harness.tests.golden import World, lost
from harness.tests.golden_log import PowerReason
from harness.tests.golden_stories import Stories, Story
from harness.tests.golden_surroundings import Lab
from harness.tests.golden_updates import offer, told
from harness.tests.histories import (
    env_97,
    env_back,
    env_borne,
    env_corners,
    env_dips,
    env_disturbance,
    env_hardware,
    env_hardware_excused,
    env_kept,
    env_range,
    struck_elsewhere,
)
from harness.tests.judging import assert_verdict, verdict

twice = Stories.joined(env_disturbance.shown_twice, env_back.shown_twice, env_kept.shown_twice)
shown, struck = env_97.stories, struck_elsewhere.stories
environment = Stories.joined(
    env_range.stories, env_disturbance.stories, env_back.stories, env_borne.stories, env_dips.stories,
    env_kept.stories, env_hardware.stories, env_hardware_excused.stories, env_corners.stories,
)  # fmt: skip


@pytest.mark.parametrize("story", [*environment.kept, *twice.kept], ids=str)
def test_good_history_passes(story: Story) -> None:
    environment.passes(story)


@pytest.mark.parametrize("story", environment.kept, ids=str)
def test_without_its_evidence_it_does_not_pass(story: Story) -> None:
    environment.rests_on_its_evidence(story)


@pytest.mark.parametrize("story", environment.broken, ids=str)
def test_bad_history_fails(story: Story) -> None:
    environment.fails(story)


@pytest.mark.parametrize("story", environment.open, ids=str)
def test_open_history_is_undecided(story: Story) -> None:
    environment.stays_open(story)


@pytest.mark.parametrize("story", environment.silent, ids=str)
def test_no_occasion_no_finding(story: Story) -> None:
    environment.stays_silent(story)


@pytest.mark.parametrize("story", shown.kept, ids=str)
def test_neither_a_broken_part_nor_a_disturbance_is_97(story: Story) -> None:
    shown.passes(story)
    shown.rests_on_its_evidence(story)


@pytest.mark.parametrize("story", shown.broken, ids=str)
def test_and_is_blamed_where_it_is_shown_as_one(story: Story) -> None:
    shown.fails(story)


@pytest.mark.parametrize("story", shown.silent, ids=str)
def test_what_costs_no_answer_is_no_occasion(story: Story) -> None:
    shown.stays_silent(story)


# -- what other rules make of it ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("story", struck.kept, ids=str)
def test_a_rule_that_always_holds_goes_by_the_next_sign_in(story: Story) -> None:
    struck.passes(story)
    struck.rests_on_its_evidence(story)


@pytest.mark.parametrize("story", struck.broken, ids=str)
def test_and_is_broken_where_nothing_explains_it(story: Story) -> None:
    struck.fails(story)


@pytest.mark.parametrize("story", struck.open, ids=str)
def test_and_is_open_where_there_is_no_other(story: Story) -> None:
    struck.stays_open(story)


def after_97(world: World) -> None:
    world.sign_in()
    world.sale(700, "97")


def reset_after(story: str) -> list[AnyEvent]:
    """A terminal resets itself after a 97: by itself, or because of what was done to it."""
    world = World()
    with world.test(story), Lab(world) as lab:
        after_97(world)
        if story == "discharge":
            with lab.hit("esd", level_kv=4):
                world.wait(1)
        elif story == "cold":
            lab.set(temperature_c=-20)
        elif story == "broken":
            lab.breaks("battery")
        world.reboot("watchdog")
    world.close()
    return world.checked()


@pytest.mark.parametrize("story", ["discharge", "cold", "broken"])
def test_a_reset_by_what_was_done_to_it_is_no_lock_up_after_97(story: str) -> None:
    assert_verdict(reset_after("nothing"), "STA-06", "FAIL")
    assert verdict(reset_after(story), "STA-06") != "FAIL"


def test_power_that_goes_and_comes_for_want_of_voltage_is_nobodys_visit() -> None:
    """The line is out, the supply sags, both come back: nobody came, and the terminal works again."""
    reasons: list[tuple[PowerReason, str]] = [("brown_out", "PASS"), ("battery", "PASS"), ("operator", "")]
    for reason, wanted in reasons:
        world = World()
        with world.test("line and supply"):
            world.sign_in()
            world.sale(700, lost())
            world.reboot(reason)
            world.sign_in()
        world.close()
        assert_verdict(world.checked(), "NET-04", wanted)


@pytest.mark.parametrize(("reason", "wanted"), [("brown_out", ""), ("battery", ""), ("operator", "FAIL")])
def test_power_that_sags_in_an_update_is_no_hand_that_helps(reason: PowerReason, wanted: str) -> None:
    world = World()
    with world.test("update"):
        operation = world.invoke("load_firmware", "service", version="1.1.0")
        offer(world, operation.op, "1.1.0", flaw="hangs")
        world.complete(operation, "ok")
        world.power("off", "watchdog")
        world.power("on", "watchdog")
        world.screen("程序自检")
        world.reboot(reason)
        told(world, "1.0.0")
    world.close()
    assert_verdict(world.checked(), "FWU-06", wanted)


def test_a_slow_screen_outside_the_range_is_not_held_against_it() -> None:
    def shown_at(temperature_c: float) -> list[Finding]:
        world = World()
        with world.test("cold"), Lab(world) as lab:
            world.sign_in()
            lab.set(temperature_c=temperature_c)
            world.quiet = True
            world.sale(700, "97")
            world.screen("请稍候")
            world.wait(20)
        world.close()
        return [f for f in judge_bench(world.checked()) if f.rule == "MSG-01"]

    assert [f.verdict for f in shown_at(2)] == ["FAIL"]
    (outside,) = shown_at(-20)
    assert outside.verdict == "INCONCLUSIVE"
    assert "(temperature -20.0 °C) may explain it: would be FAIL: 97 to sale" in outside.reason


@pytest.mark.parametrize("emulated", [True, False], ids=["emulated", "physical"])
def test_a_terminal_that_was_too_cold_is_still_settling(emulated: bool) -> None:
    """An emulated chamber leaves nothing behind."""
    world = World()
    with world.test("cold before"), Lab(world, emulated=emulated) as lab:
        world.sign_in()
        lab.set(temperature_c=-30, settle=600)
        lab.set(temperature_c=20, settle=60)
        world.quiet = True
        world.sale(700, "97")
        world.screen("请稍候")
        world.wait(20)
        world.reboot("watchdog")
    world.close()
    found = [f for f in judge_bench(world.checked()) if f.rule in ("MSG-01", "STA-06") and f.verdict != "PASS"]
    assert [(f.rule, f.verdict) for f in found if f.verdict == "FAIL"] == (
        [("MSG-01", "FAIL"), ("STA-06", "FAIL")] if emulated else []
    )
    assert emulated or "(temperature -30.0 °C) may explain it" in found[0].reason


def of_the_second_test(events: list[AnyEvent], *, knows: bool = True) -> list[tuple[str, str]]:
    """What its window alone shows, as a bench keeps it (``knows``: of what came before)."""
    ordered = sorted(events, key=lambda e: (e.t, e.seq))
    start = next(e.t for e in ordered if isinstance(e, TestOpened) and e.test == "two")
    lasting = Lasting(Reading.of(events).model.surroundings)
    for event in ordered:
        if event.t < start and (knows or not isinstance(event, (*THE_LAST, Readings))):
            lasting.note(event)
    window = [*lasting.events, *(e for e in ordered if e.t >= start)]
    assert not Reading.of(window).begins_with_the_log
    return [(f.rule, f.verdict) for f in judge_bench(window) if f.span == "two" and f.verdict == "FAIL"]


def struck_at_the_end_of_the_first_test(world: World, lab: Lab) -> None:
    with world.test("one"):
        world.sign_in()
        with lab.hit("burst", level_kv=1):
            world.wait(0.3)
    with world.test("two"):
        world.wait(5)
        world.quiet = True
        world.sale(700, "97")
        world.screen("正在恢复")
        world.wait(8)
        world.reboot("watchdog")


def too_cold_in_the_first_test(world: World, lab: Lab) -> None:
    with world.test("one"):
        world.sign_in()
        lab.set(temperature_c=-30, settle=600)
        lab.set(temperature_c=20)
    with world.test("two"):
        world.quiet = True
        world.sale(700, "97")
        world.screen("请稍候")
        world.wait(20)


def broken_and_mended_in_the_first_test(world: World, lab: Lab) -> None:
    with world.test("one"):
        world.sign_in()
        lab.breaks("tamper", "open")
        world.display("设备被拆", "请送修")
        world.wait(5)
        world.acknowledge()
        lab.breaks("tamper", "ok")
    with world.test("two"):
        lab.set(temperature_c=44)
        operation = world.invoke("sign_in")
        world.display("设备被拆", "请送修")
        world.wait(2)
        world.complete(operation, "fail")
        world.wait(10)


@pytest.mark.parametrize(("story", "blamed"), [
    (struck_at_the_end_of_the_first_test, {"MSG-01", "STA-06"}), (too_cold_in_the_first_test, {"MSG-01"}),
    (broken_and_mended_in_the_first_test, {"ENV-01"}),
])  # fmt: skip
def test_a_test_is_not_failed_for_what_was_done_in_the_one_before(
    story: Callable[[World, Lab], None], blamed: set[str]
) -> None:
    world = World()
    with Lab(world) as lab:
        story(world, lab)
    world.close()
    events = world.checked()
    assert {rule for rule, _verdict in of_the_second_test(events, knows=False)} >= blamed
    assert not of_the_second_test(events)
    assert not [f for f in judge_bench(events) if f.verdict == "FAIL"]


@pytest.mark.parametrize(("made_safe", "wanted"), [(True, "FAIL"), (False, "INCONCLUSIVE")])
def test_a_disturbance_whose_end_is_not_told_ends_with_the_safe_state(made_safe: bool, wanted: str) -> None:
    world = World()
    with world.test("broken off"), Lab(world) as lab:
        world.sign_in()
        with lab.hit("burst", level_kv=1):
            world.wait(0.3)
        world.events.pop()
        if made_safe:
            world.append(InstrumentsSafe(t=0, why="asked", instruments=["chamber-1", "supply-1", "burst-1"]))
        world.wait(600)
        world.quiet = True
        world.sale(700, "97")
        world.screen("请稍候")
        world.wait(20)
    world.close()
    assert [f.verdict for f in judge_bench(world.checked()) if f.rule == "MSG-01"] == [wanted]


@pytest.mark.parametrize(("residual_pct", "wanted"), [(70, "FAIL"), (10, "INCONCLUSIVE")])
def test_a_dip_that_it_must_bear_excuses_nothing(residual_pct: float, wanted: str) -> None:
    """The supply that reads low in it is the dip. The deeper one is none that the model declares."""
    world = World()
    with world.test("dip"), Lab(world) as lab:
        world.sign_in()
        world.quiet = True
        with lab.hit("dip", residual_pct=residual_pct, duration_ms=500):
            lab.reads(220 * residual_pct / 100)
            world.sale(700, "97")
            lab.reads(220)
        world.screen("请稍候")
        world.wait(20)
    world.close()
    assert [f.verdict for f in judge_bench(world.checked()) if f.rule == "MSG-01"] == [wanted]


@pytest.mark.parametrize("name", ["deeper", "longer", "stronger"])
def test_what_was_worse_than_it_was_told_to_be_is_judged_as_what_it_was(name: str) -> None:
    """The model declares nothing for it."""
    world = World()
    with world.test(name), Lab(world) as lab:
        world.sign_in()
        if name == "deeper":
            env_dips.dip(world, lab, (0, 0.5))
        elif name == "longer":
            env_dips.dip(world, lab, (154, 2), (154, 2))
        else:
            env_dips.field(world, lab, 20)
        world.sale(700)
    world.close()
    assert not [f for f in judge_bench(world.checked()) if f.verdict in ("FAIL", "ERROR")]


def test_money_is_held_against_it_wherever_it_stands() -> None:
    world = World()
    with world.test("cold"), Lab(world) as lab:
        world.sign_in()
        lab.set(temperature_c=-20)
        world.sale(500, "97")
        world.terminal.book()
        world.settle()
    world.close()
    assert [f.verdict for f in judge_bench(world.checked()) if f.rule == "MON-01"] == ["FAIL"]


@pytest.mark.parametrize("family", [environment, shown], ids=["ENV", "MSG-02"])
def test_no_other_rule_is_broken_where_the_terminal_is_good(family: Stories) -> None:
    for story in family.kept:
        broken = [f for f in judge_bench(story.events()) if f.verdict in ("FAIL", "ERROR")]
        assert not broken, (story, broken)


def test_every_rule_about_surroundings_has_good_and_bad_histories() -> None:
    assert {s.rule for s in environment.kept} == {s.rule for s in environment.broken} == set(environment.rules)
    assert environment.rules == [f"ENV-{n:02d}" for n in range(1, 5)]
