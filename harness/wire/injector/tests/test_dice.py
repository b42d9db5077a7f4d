# SPDX-License-Identifier: GPL-2.0-only
"""Dice: the seed alone decides, the counts hold, and a recorded run can be thrown again."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from harness.wire.faults.base import Fault
from harness.wire.faults.delay import Delay
from harness.wire.faults.drop import Drop
from harness.wire.injector.dice import dice

a_drop = st.one_of(
    st.builds(Drop, percent=st.floats(0, 100), count=st.none() | st.integers(1, 5), seed=st.text("abc", min_size=1)),
    st.builds(Drop, every_nth=st.integers(2, 7), count=st.none() | st.integers(1, 5)),
    st.builds(Drop, first_n=st.integers(1, 9), percent=st.floats(0, 100)),
    st.builds(Drop, burst_enter=st.floats(0, 100), burst_leave=st.floats(0, 100), seed=st.text("abc", min_size=1)),
)


def struck(fault: Fault, matches: int = 40) -> list[int]:
    thrown = dice(fault)
    return [number for number in (thrown.thrown() for _ in range(matches)) if number is not None]


@given(a_drop)
def test_the_same_seed_is_the_same_fate_and_only_repeats_it(fault: Drop) -> None:
    first = struck(fault)
    assert struck(fault) == first
    assert struck(fault.model_copy(update={"only": tuple(first), "seed": "other", "count": None})) == first


@given(a_drop)
def test_counts_hold_and_used_up_is_final(fault: Drop) -> None:
    thrown, seen, used_up = dice(fault), 0, False
    for match in range(1, 41):
        number = thrown.thrown()
        assert number in (None, match)
        assert not (used_up and number)
        seen += number is not None
        used_up = thrown.used_up
    assert fault.count is None or seen <= fault.count
    assert fault.first_n is None or (used_up and seen <= fault.first_n)


def test_all_and_none() -> None:
    assert struck(Delay(), 5) == [1, 2, 3, 4, 5]
    assert struck(Delay(percent=0), 5) == []
    assert struck(Drop(every_nth=2), 6) == [2, 4, 6]
    assert struck(Drop(every_nth=2, count=1), 6) == [2]
    assert struck(Drop(first_n=2), 6) == [1, 2]
    assert struck(Delay(count=3), 6) == [1, 2, 3]
    assert struck(Delay(only=(2, 5)), 6) == [2, 5]
    assert dice(Delay(only=())).used_up


def test_about_as_many_as_the_percentage_says() -> None:
    assert 250 < len(struck(Drop(percent=30.0), 1000)) < 350


def test_bursts_come_in_bursts() -> None:
    fate = struck(Drop(burst_enter=2.0, burst_leave=20.0), 5000)
    together = sum(later - earlier == 1 for earlier, later in itertools.pairwise(fate))
    assert 200 < len(fate) < 900, "a burst is entered every 50, and lasts 5"
    assert together / len(fate) > 0.7
