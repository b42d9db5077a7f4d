"""The rules about updates on golden histories: each reads like the rule it keeps or breaks."""

from __future__ import annotations

import pytest

from harness.checkers.firmware import missing_pairs
from harness.checkers.reading import Reading
from harness.history.events import AnyEvent, HostLedger, RunOpened, TestOpened, UnitReplaced
from harness.history.update_events import FirmwareTold
from harness.judge import judge_bench
from harness.tests.golden import World
from harness.tests.golden_stories import Stories, Story, findings
from harness.tests.golden_updates import load, refuse, told, unit_with
from harness.tests.histories import (
    firmware_around,
    firmware_held,
    firmware_hurt,
    firmware_kept,
    firmware_merchants,
    firmware_not_looked_at,
    firmware_not_started,
    firmware_reset,
)
from harness.tests.histories.firmware_held import load_while
from harness.tests.judging import assert_verdict

stories = Stories.joined(
    firmware_kept.stories, firmware_held.stories, firmware_around.stories, firmware_hurt.stories,
    firmware_merchants.stories, firmware_not_looked_at.stories, firmware_not_started.stories, firmware_reset.stories,
)  # fmt: skip


@pytest.mark.parametrize("story", stories.kept, ids=str)
def test_good_history_passes(story: Story) -> None:
    stories.passes(story)


@pytest.mark.parametrize("story", stories.kept, ids=str)
def test_without_its_evidence_it_does_not_pass(story: Story) -> None:
    stories.rests_on_its_evidence(story)


@pytest.mark.parametrize("story", stories.broken, ids=str)
def test_bad_history_fails(story: Story) -> None:
    stories.fails(story)


@pytest.mark.parametrize("story", stories.open, ids=str)
def test_open_history_is_undecided(story: Story) -> None:
    stories.stays_open(story)


@pytest.mark.parametrize("story", stories.silent, ids=str)
def test_no_occasion_no_finding(story: Story) -> None:
    stories.stays_silent(story)


def test_every_rule_has_good_and_bad_histories() -> None:
    wanted = {f"FWU-{n:02d}" for n in range(1, 10)}
    assert {story.rule for story in stories.kept} == {story.rule for story in stories.broken} == set(stories.rules)
    assert set(stories.rules) == wanted


@pytest.mark.parametrize("story", stories.kept, ids=str)
def test_an_update_breaks_no_other_rule(story: Story) -> None:
    """It restarts the terminal: that is no crash, no retry of its own, and no visit."""
    assert not [f for f in judge_bench(story.events()) if f.verdict in ("FAIL", "ERROR")]


def test_a_reset_that_no_update_asked_for_is_still_a_crash() -> None:
    world = World()
    unit_with(world, "0.9.0")
    world.sign_in("97")
    load(world, "1.0.0")
    world.reboot("watchdog")
    world.close()
    assert_verdict(world.checked(), "STA-06", "FAIL")


def test_what_was_settled_while_the_image_came_is_not_lost() -> None:
    world = World()
    unit_with(world, "0.9.0")
    world.sign_in()
    world.sale(1200)
    load_while(world, "1.0.0", world.settle)
    world.sale(700)
    world.close()
    assert [f.verdict for f in findings("FWU-01", world.checked())] == ["PASS", "PASS"]  # number and keys


def test_pairs_that_were_planned_and_not_decided_are_named() -> None:
    world = World()
    world.events[0] = world.events[0].model_copy(update={"from_versions": ["0.8.0", "0.9.0"]})
    unit_with(world, "0.9.0")
    load(world, "1.0.0")
    world.close()
    assert missing_pairs([Reading.of(world.checked())]) == ["0.8.0 to 1.0.0"]


def test_a_pair_that_was_loaded_only_is_named() -> None:
    world = World()
    world.events[0] = world.events[0].model_copy(update={"from_versions": ["0.9.0"]})
    unit_with(world, "0.9.0")
    firmware_not_started.only_load(world, "1.0.0")
    told(world, "0.9.0")
    world.close()
    assert missing_pairs([Reading.of(world.checked())]) == ["0.9.0 to 1.0.0"]


def test_what_was_loaded_only_is_decided_by_the_next_attempt() -> None:
    world = World()
    unit_with(world, "0.9.0")
    firmware_not_started.only_load(world, "1.0.0")
    told(world, "0.9.0")
    load(world, "1.0.0")
    world.close()
    assert [f.verdict for f in findings("FWU-09", world.checked())] == ["PASS"]


def test_what_did_not_connect_is_decided_by_the_next_attempt() -> None:
    world = World()
    refuse(world, "1.1.0", flaw="corrupt", why="Z1 连接失败", via="network")
    refuse(world, "1.1.0", flaw="corrupt", via="network")
    world.close()
    assert [f.verdict for f in findings("FWU-04", world.checked())] == ["PASS"]


def test_what_a_test_knows_of_the_past_is_no_update_that_it_saw() -> None:
    """An earlier test updated the unit: of that a later one has what was told, not how it came about."""
    header = next(e for e in stories.kept[0].events() if isinstance(e, RunOpened))
    past: list[AnyEvent] = [
        HostLedger(seq=5, t=header.t + 1, mid="898100000000001", tid="29000001", entries=[]),
        UnitReplaced(seq=6, t=header.t + 2, serial="97000001", firmware=header.firmware),
        FirmwareTold(seq=9, t=header.t + 3, via="service", name=header.firmware.name, version="1.0.1"),
    ]
    opened = TestOpened(seq=20, t=header.t + 4, span="later", test="later", title="later", declares=[])
    assert [f for f in judge_bench([header, *past, opened]) if f.rule == "FWU-07"] == []
