"""The money rules on golden histories: each reads like the rule it keeps or breaks."""

from __future__ import annotations

import pytest

from harness.checkers.money_books import read_slip
from harness.checkers.reading import Reading
from harness.history.events import WireFrame
from harness.tests.golden import World, lost
from harness.tests.golden_stories import Stories, Story
from harness.tests.histories import money_batch, money_cut, money_kinds, money_requests, money_reversals, money_slips

stories = Stories.joined(
    money_requests.stories, money_reversals.stories, money_batch.stories, money_kinds.stories, money_cut.stories,
    money_slips.stories,
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


def a_slip_printed_twice(world: World) -> None:
    money_batch.meet_97_and_recover(world)
    world.reprint()
    world.settle(unbalanced=True)
    world.ledger()


def test_a_reprint_is_no_second_transaction() -> None:
    stories.passes(Story("MON-07", a_slip_printed_twice, "agree on 1 transactions", {}))


@pytest.mark.parametrize(("rule", "reason"), [("MON-06", "each once"), ("MON-07", "agree on 10 transactions")])
def test_a_block_taken_just_before_power_went_may_come_again(rule: str, reason: str) -> None:
    stories.passes(Story(rule, money_cut.a_block_is_sent_again_because_power_went, reason, {}))


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["批次号:000001  凭证号:000012", "金额:RMB 12.00"], ("000001", "000012", 1200)),
        (["凭证号:000013", "金额:RMB 1,012.34", "原凭证号:000012"], ("", "000013", 101234)),
        (["原凭证号:000012", "凭证号：０００013", "金额(AMOUNT)", "RMB:0.07"], ("", "000013", 7)),
        (["批次号(BATCH NO)", "000002", "流水号(TRACE NO)", "000014", "金额", "RMB 5.00"], ("000002", "000014", 500)),
    ],
)
def test_a_slip_is_read_whatever_its_layout(lines: list[str], expected: tuple[str, str, int]) -> None:
    said = read_slip(World().slip(*lines))
    assert said is not None
    assert (said.batch, said.trace, said.amount) == expected


@pytest.mark.parametrize(
    "lines",
    [
        [],
        ["结算总计单", "批次号:000001", "消费:2笔 RMB 22.00", "结算成功"],
        ["凭证号:000012"],
        ["原凭证号:000012", "金额:RMB 12.00"],
        ["凭证号:0000123", "金额:RMB 12.00"],
    ],
)
def test_a_slip_of_no_single_transaction_is_none(lines: list[str]) -> None:
    assert read_slip(World().slip(*lines)) is None


def test_golden_frames_are_byte_true() -> None:
    """What the world writes decodes without remainder, and its MACs verify under the keys that its sign-ins brought."""
    world = World()
    world.sign_in()
    sale = world.sale(1200, entry="chip")
    world.void(sale.trace)
    world.sale(1300, lost())
    world.sign_in()
    world.echo()
    world.settle(unbalanced=True)
    reading = Reading.of(world.checked())
    assert len(reading.exchanges) == sum(f.direction == "to_acquirer" for f in reading.all(WireFrame))
    maced = [e for e in reading.exchanges if e.mti in ("0200", "0400")]
    assert [e.request_mac for e in maced] == ["ok"] * 4
    assert [e.response_mac for e in maced if e.response] == ["ok"] * 3
    assert all(reading.journal_of(frame) for frame in reading.all(WireFrame))


def test_every_money_rule_has_good_and_bad_histories() -> None:
    assert {story.rule for story in stories.kept} == {story.rule for story in stories.broken} == set(stories.rules)
    reachable = {f"MON-{n:02d}" for n in range(1, 13)}
    assert set(stories.rules) == reachable
