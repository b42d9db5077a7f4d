"""The power-cut sweep's journal: what it makes of the flash is what a cut makes of it; and how results are judged."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.campaigns.sweep.cold import chosen, disagreements, restarted_more
from harness.campaigns.sweep.journal import Cut, Journal, Path, Step
from harness.campaigns.sweep.replay import judge
from harness.campaigns.sweep.unit import Unit, questions, understood
from harness.emulator.journal import JournalledNor, PowerIsOff
from harness.emulator.nor import BLOCK, FILE_SYSTEM, SIZE, FlashViolation, Region

_BLOCKS = 3
_WORK = st.one_of(
    st.tuples(st.just("erase"), st.integers(0, _BLOCKS - 1), st.just(0), st.just(b"")),
    st.tuples(
        st.just("program"), st.integers(0, _BLOCKS - 1), st.integers(0, BLOCK - 8), st.binary(min_size=1, max_size=8)
    ),
)
Work = list[tuple[str, int, int, bytes]]


def do(chip: JournalledNor, work: Work) -> None:
    """As far as the power reaches."""
    for kind, block, offset, data in work:
        at = FILE_SYSTEM.offset + block * BLOCK + offset
        with contextlib.suppress(PowerIsOff):
            if kind == "erase":
                chip.erase(at)
            else:  # clears bits only
                old = chip.read(Region(at, len(data)))
                chip.program(at, bytes(a & b for a, b in zip(old, data, strict=True)))


def recorded(work: Work, start: bytes | None = None, first: int = 1) -> tuple[Path, bytes]:
    """The path of that work, and the content afterwards."""
    chip = JournalledNor(start)
    begin = chip.content
    do(chip, work)
    return Path(begin, tuple(Step("transfer", operation) for operation in chip.journal), first), chip.content


@given(work=st.lists(_WORK, min_size=1, max_size=8), data=st.data())
def test_a_moment_of_the_journal_is_the_flash_after_a_cut(work: Work, data: st.DataObject) -> None:
    path, _ = recorded(work)
    cut = Cut(data.draw(st.integers(1, len(work)), "operation"), data.draw(st.booleans(), "torn"))
    chip = JournalledNor()
    chip.cut_at(cut.number, torn=cut.torn)
    do(chip, work)
    assert chip.dead and chip.content == path.content(cut)


@settings(max_examples=40)
@given(work=st.lists(_WORK, min_size=1, max_size=6), scribbles=st.lists(_WORK, max_size=4))
def test_what_a_start_writes_is_gone_at_the_next_moment(work: Work, scribbles: Work) -> None:
    path, after = recorded(work)
    cuts = Journal((path,)).cuts()
    assert cuts == [Cut(n, torn) for n in range(1, len(work) + 1) for torn in (False, True)]
    for cut, chip in path.moments(cuts):
        assert chip.content == path.content(cut)
        chip.cut_at(2, torn=True)  # a start that is cut itself leaves nothing either
        do(chip, scribbles)
    whole = JournalledNor(path.start)
    whole.apply(step.operation for step in path.steps)
    assert whole.content == after


def test_the_ways_back_are_counted_behind_the_update() -> None:
    update, after = recorded([("program", 0, 0, b"\x0f\x0f"), ("erase", 0, 0, b"")])
    back, _ = recorded([("program", 1, 0, b"\x00")], after, first=3)
    journal = Journal((update, back))
    assert journal.operations == 3 and [cut.number for cut in journal.cuts()] == [1, 1, 2, 2, 3, 3]
    assert journal.path(Cut(2, True)) is update and journal.path(Cut(3, False)) is back
    assert journal.content(Cut(3, False)) == after


def test_a_misused_chip_is_dead_even_where_littlefs_swallows_it() -> None:
    chip = JournalledNor()
    chip.program(0, b"\x00")
    with pytest.raises(FlashViolation):
        chip.program(0, b"\x01")
    assert chip.dead and "0x00 can't become 0x01" in chip.misuse
    chip.revive()
    with pytest.raises(FlashViolation):
        chip.partition(fatal=True).read(FILE_SYSTEM.size // BLOCK, 0, 1)
    assert chip.dead and "outside the partition" in chip.misuse


def test_a_chip_of_another_size_is_none() -> None:
    with pytest.raises(ValueError, match=str(SIZE)):
        JournalledNor(b"\xff" * 10)


# -- results -----------------------------------------------------------------------------------------------------------

BEFORE = Unit("1.0.0", {"tid": "97000001", "tmk_kcv": "08D7B4FB", "batch": "000007"})


@pytest.mark.parametrize(
    ("found", "resets", "outcome", "reason"),
    [
        (BEFORE, False, "old", ""),
        (Unit("2.0.0", BEFORE.held), False, "new", ""),
        (Unit("2.0.0", BEFORE.held | {"batch": "000001"}), False, "neither", "batch is '000001', was '000007'"),
        (Unit("1.0.0", {"tid": "97000001", "batch": "000007"}), False, "neither", "tmk_kcv is 'not told'"),
        (Unit("1.5.0", BEFORE.held), False, "neither", "version 1.5.0 runs"),
        (Unit("", {}, 5, "halt: nothing"), False, "neither", "does not stand idle: halt: nothing"),
        (Unit("2.0.0", {"tid": "", "tmk_kcv": "", "batch": "000001"}), True, "new", ""),
        (Unit("2.0.0", BEFORE.held), True, "neither", "tid is still 97000001"),
        (Unit("1.0.0", {"tid": "", "tmk_kcv": "", "batch": "000001"}), True, "neither", "tid is ''"),
    ],
)
def test_old_or_new_and_whole(found: Unit, resets: bool, outcome: str, reason: str) -> None:
    told = judge(found, BEFORE, "2.0.0", resets=resets)
    assert told[0] == outcome and reason in told[1]


@pytest.mark.parametrize(
    ("cold", "differs"),
    [
        (BEFORE, False),
        (Unit("1.0.0", BEFORE.held | {"batch": "000008"}), True),
        (Unit("2.0.0", BEFORE.held), True),
        (Unit("1.0.0", BEFORE.held, resets=1), True),
        (Unit("", {}, 1, "off: 存储故障"), True),
    ],
)
def test_a_board_that_says_something_else_is_seen(cold: Unit, differs: bool) -> None:
    cut = Cut(3, True)
    assert bool(disagreements({cut: BEFORE, Cut(4, False): BEFORE}, {cut: cold})) is differs


def test_two_that_never_stand_idle_agree() -> None:
    cut = Cut(1, False)
    assert not disagreements({cut: Unit("", {}, 5, "crash: a")}, {cut: Unit("", {}, 9, "off: b")})


def test_the_seed_chooses() -> None:
    cuts = [Cut(n, False) for n in range(1, 100)]
    assert chosen(cuts, 10, 1) == chosen(cuts, 10, 1) != chosen(cuts, 10, 2)
    assert len(set(chosen(cuts, 10, 1))) == 10 and chosen(cuts[:3], 10, 1) == cuts[:3]


# -- what a unit says --------------------------------------------------------------------------------------------------


def answered(question: str, **other: str) -> str:
    match question.split():
        case [word, *_] if word in other:
            return other[word]
        case ["VERSION"]:
            return "OK HT-100 reference 1.0.0"
        case ["IDENTITY"]:
            return "OK TID=97000001 MID=898970000000001 SN=SN1"
        case ["COUNTERS"]:
            return "OK batch=000001 trace=000005 sales=2/300 voids=0/0 signed_in=1 reversal=none"
        case _:
            return "OK x=1"


def test_its_answers_are_understood() -> None:
    asked = questions(2)
    found = understood(asked, [answered(question) for question in asked])
    assert found.version == "1.0.0" and not found.unknown
    assert found.held["2.tid"] == found.held["tid"] == "97000001" and found.held["sales"] == "2/300"
    other = understood(asked, [answered(question, PARAM="ERR 03 there is no parameter") for question in asked])
    assert other.held["parameters"] != found.held["parameters"]
    assert other.unknown == {question for question in asked if question.startswith("PARAM")}


@given(data=st.data())
def test_whatever_it_answers_is_kept(data: st.DataObject) -> None:
    asked = questions(1)
    answers = data.draw(st.lists(st.text(max_size=20), min_size=len(asked), max_size=len(asked)))
    found: Any = understood(asked, answers)
    assert {"tid", "mid", "batch", "reversal", "parameters"} <= found.held.keys()
    assert all(isinstance(value, str) for value in found.held.values())


@pytest.mark.parametrize(
    ("cold", "expected"),
    [
        (Unit("1.0.0", BEFORE.held, 2), True), (Unit("1.0.0", BEFORE.held), False),
        (Unit("2.0.0", BEFORE.held, 2), False), (Unit("1.0.0", {"tid": ""}, 2), False),
        (Unit("1.0.0", BEFORE.held, 2, "halt"), False),
    ],
)  # fmt: skip
def test_a_cut_is_made_once_more_only_where_nothing_but_the_restarts_differ(cold: Unit, expected: bool) -> None:
    """A starved board is reset by its watchdog; what the cut does comes again, and is a disagreement as ever."""
    assert restarted_more(BEFORE, cold) is expected
    assert not restarted_more(cold, BEFORE)
