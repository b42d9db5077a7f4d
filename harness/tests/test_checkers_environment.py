"""The rules about surroundings on golden histories: each reads like the rule it keeps or breaks."""

from __future__ import annotations

import pytest

from harness.checkers.finding import Finding
from harness.history.events import AnyEvent
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
    env_disturbance,
    env_hardware,
    env_kept,
    env_range,
)
from harness.tests.judging import assert_verdict, verdict

twice = Stories.joined(env_disturbance.shown_twice, env_back.shown_twice, env_kept.shown_twice)
shown = env_97.stories
environment = Stories.joined(
    env_range.stories, env_disturbance.stories, env_back.stories, env_borne.stories,
    env_kept.stories, env_hardware.stories, env_corners.stories,
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
        world.reboot("watchdog")
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
