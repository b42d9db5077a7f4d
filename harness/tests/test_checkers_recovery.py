"""The recovery rules on golden histories: each reads like the rule it keeps or breaks."""

from __future__ import annotations

import pytest

from harness.checkers.reading import Reading
from harness.checkers.recoveries import recoveries
from harness.checkers.recovery import missing_recoveries, untried
from harness.tests.golden import MID, TID, World
from harness.tests.golden_stories import Stories, Story
from harness.tests.histories import recovery_registration, recovery_sign_in, recovery_swap, recovery_work
from harness.tests.histories import recovery_ways as ways
from harness.tests.histories.steps import meet_97

stories = Stories.joined(
    recovery_registration.stories, ways.stories, recovery_sign_in.stories, recovery_work.stories,
    recovery_swap.stories,
)


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


def test_every_recovery_rule_has_good_and_bad_histories() -> None:
    assert {story.rule for story in stories.kept} == {story.rule for story in stories.broken} == set(stories.rules)
    assert set(stories.rules) == {f"REC-{n:02d}" for n in range(1, 11)}


def reading_of(*tellings: object) -> list[Reading]:
    return [Reading.of(story.events()) for story in stories.kept if story.telling in tellings]


def test_missing_recoveries_are_told_over_all_benches() -> None:
    """What one bench did not try another may have; echo is asked for only where a host answered one with 97."""
    one = reading_of(ways.from_sign_in, ways.from_a_sale_with_a_reboot)
    assert ("sign_in", False) not in missing_recoveries(one)
    assert ("sign_in", True) in missing_recoveries(one)
    assert ("sale", True) not in missing_recoveries(one)
    assert ("echo", False) not in missing_recoveries(one)
    without, with_one = untried(one).removeprefix("not tried: ").split("; ")
    assert without.startswith("without a reboot after 97 on ") and "balance" in without and "sign_in" not in without
    assert with_one.startswith("with a reboot after 97 on ") and "sign_in" in with_one
    every = [Reading.of(story.events()) for story in stories.kept if story.rule == "REC-08"]
    old = {"batch_upload", "echo", "reversal", "sale", "settlement", "sign_in", "void"}
    assert [pair for pair in missing_recoveries(every) if pair[0] in old] == [
        ("batch_upload", False), ("echo", True), ("reversal", True), ("sale", False), ("settlement", True),
        ("sign_in", True), ("void", True),
    ]  # fmt: skip


def test_registering_another_terminal_is_no_recovery() -> None:
    world = World()
    meet_97(world)
    world.changed("terminal_registered", MID, "99999999")
    assert TID != "99999999"
    assert not recoveries(Reading.of(world.checked()))
