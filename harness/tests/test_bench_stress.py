"""A stress profile on a bench: where the wire is stopped, and how much of a standard is done."""

from __future__ import annotations

from typing import Any

import pytest

from harness.bench.stress import Pace, held_at, pace_of
from harness.lab.stress import Step
from harness.wire.faults.spoken import parse


@pytest.mark.parametrize(("moment", "words"), [
    ("the response to 0200", "hold at 0210"), ("0400", "hold at 0400"), ("second 0800", "hold at second 0800"),
    ("after the response to 0200", "hold at 0210"),
    ("connecting", "drop count=1 at connecting"),
])
def test_the_wire_is_stopped_at_every_moment(moment: str, words: str) -> None:
    assert parse(held_at(moment)) == parse(words)


def step(**keys: Any) -> Step:
    return Step(1, "esd", "esd", 4, "B", True, **keys)


def test_dips_keep_their_milliseconds_and_long_interruptions_are_cut_on_emulated_instruments() -> None:
    quick = pace_of(emulated=True, real_time=False, time_scale=20)
    assert [quick.dip_ms(one) for one in (10, 20, 500, 5000)] == [10, 20, 500, 250]
    assert quick.times(step(count=3)) == 2 and quick.seconds(7200) == 0.25
    assert pace_of(emulated=False, real_time=False, time_scale=1).dip_ms(5000) == 5000


def test_real_instruments_get_all_that_is_written() -> None:
    real = pace_of(emulated=False, real_time=True, time_scale=1)
    assert real.seconds(7200) == 7200 and real.times(step(count=10)) == 10 and real.at_most == 2
    assert pace_of(emulated=True, real_time=False, time_scale=20) == Pace(20, 0.25, 2, None)
