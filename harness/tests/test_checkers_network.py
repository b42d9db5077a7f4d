"""The rules about the wire on golden histories: each reads like the rule it keeps or breaks."""

from __future__ import annotations

import pytest

from harness.tests.golden_stories import Stories, Story
from harness.tests.histories import (
    faults_elsewhere,
    network_97,
    network_after,
    network_hosts,
    network_outcomes,
    security,
)

network = Stories.joined(
    network_outcomes.stories, network_97.stories, network_after.stories, network_hosts.stories
)  # fmt: skip
families = [network, security.stories, faults_elsewhere.stories]


def family_of(story: Story) -> Stories:
    return next(family for family in families if story.rule.startswith(family.prefix))


@pytest.mark.parametrize("story", [s for f in families for s in f.kept], ids=str)
def test_good_history_passes(story: Story) -> None:
    family_of(story).passes(story)


@pytest.mark.parametrize("story", [s for f in families for s in f.kept], ids=str)
def test_without_its_evidence_it_does_not_pass(story: Story) -> None:
    family_of(story).rests_on_its_evidence(story)


@pytest.mark.parametrize("story", [s for f in families for s in f.broken], ids=str)
def test_bad_history_fails(story: Story) -> None:
    family_of(story).fails(story)


@pytest.mark.parametrize("story", [s for f in families for s in f.open], ids=str)
def test_open_history_is_undecided(story: Story) -> None:
    family_of(story).stays_open(story)


@pytest.mark.parametrize("story", [s for f in families for s in f.silent], ids=str)
def test_no_occasion_no_finding(story: Story) -> None:
    family_of(story).stays_silent(story)


def test_every_rule_of_the_wire_has_good_and_bad_histories() -> None:
    for family in (network, security.stories):
        assert {story.rule for story in family.kept} == {story.rule for story in family.broken} == set(family.rules)
    assert network.rules == [f"NET-{n:02d}" for n in range(1, 7)]
    assert security.stories.rules == [f"SEC-{n:02d}" for n in range(1, 5)]
