"""Pairwise and whole coverage: nothing that can be paired is left out, and a seed means the same everywhere."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.campaigns import cases as kinds_of_cases
from harness.campaigns import matrix
from harness.campaigns.coverage import Block, Whole, pairs_of, pairwise
from harness.checkers.tables import FOLLOW_UPS, OWN
from harness.lab.inventory import BenchEntry, load_lab
from harness.protocol.transactions import KINDS, REVERSIBLE
from harness.terminal.orders import NEEDS

CONFIG = Path(__file__).parents[2] / "lab_config"

LEVELS = st.sampled_from("abc")


@st.composite
def blocks(draw: st.DrawFn) -> Block:
    """Up to four parts of one or two attributes each, with up to four alternatives."""
    parts = []
    for number in range(draw(st.integers(1, 4))):
        names = [f"{number}{n}" for n in range(draw(st.integers(1, 2)))]
        levels = st.fixed_dictionaries(dict.fromkeys(names, LEVELS))
        chosen = draw(st.lists(levels, min_size=1, max_size=4, unique_by=lambda values: tuple(values.items())))
        parts.append(tuple(chosen))
    return Block(tuple(parts))


@given(st.lists(blocks(), max_size=4), st.text(max_size=4))
def test_every_pair_that_there_is_is_covered(space: list[Block], seed: str) -> None:
    wanted = {pair for block in space for number in range(block.size) for pair in pairs_of(block.row(number))}
    rows = pairwise(space, seed)
    assert {pair for row in rows for pair in pairs_of(row)} == wanted
    assert rows == pairwise(space, seed)


@given(st.lists(blocks(), min_size=1, max_size=3), st.text(max_size=4), st.integers(1, 7))
def test_whole_is_every_row_once_in_parts_of_any_size(space: list[Block], seed: str, part: int) -> None:
    whole = Whole(space, seed)
    rows = [row for start in range(0, len(whole), part) for row in whole.rows(start, part)]
    wanted = [block.row(number) for block in space for number in range(block.size)]

    def in_order(row: dict[str, str]) -> list[tuple[str, str]]:
        return sorted(row.items())

    assert sorted(map(in_order, rows)) == sorted(map(in_order, wanted))


# -- the transaction cases of the lab that is shipped ------------------------------------------------------------------


@pytest.fixture(scope="module")
def entries() -> list[BenchEntry]:
    lab = load_lab(CONFIG / "emulated.yaml")
    suite = kinds_of_cases.KINDS["case"].suite
    return list({one.label: one for one in lab.emulated if not one.physical_like and one.runs(suite)}.values())


def test_each_transaction_meets_each_cause_that_it_can_at_each_profile(entries: list[BenchEntry]) -> None:
    cases = matrix.pairwise_cases(entries, "hil97")
    for entry in entries:
        own = {case.transaction for case in cases if case.label == entry.label}
        assert own == set(matrix.transactions(entry.model))
    by_cause = {(case.transaction, case.cause) for case in cases}
    assert {(name, cause) for name in NEEDS if name != "reprint" for cause in matrix.UNREGISTERED} <= by_cause
    assert {(f"reversal_of_{name}", "removed") for name in REVERSIBLE} <= by_cause
    assert {("sale", wallet) for wallet in matrix.WALLETS} <= {(case.transaction, case.entry) for case in cases}
    assert {("sale", "yes"), ("sale", "no")} <= {(case.transaction, case.pin) for case in cases}


def test_the_pairwise_set_is_small_and_its_names_differ(entries: list[BenchEntry]) -> None:
    cases = matrix.pairwise_cases(entries, "hil97")
    assert len(cases) < 250 < matrix.how_many(entries)
    assert len({f"{case}@{case.label}" for case in cases}) == len(cases)
    assert cases == matrix.pairwise_cases(entries, "hil97") != matrix.pairwise_cases(entries, "another")


def test_impossible_cases_are_not_made(entries: list[BenchEntry]) -> None:
    for case in matrix.whole_cases(entries, "hil97", 0, matrix.how_many(entries)):
        entry = next(one for one in entries if one.label == case.label)
        assert case.order in entry.model.transactions
        assert case.entry in ("", *matrix.WALLETS) or case.entry in entry.model.entry
        assert not (case.cause == "signed_out" and case.order in ("sign_in", "echo"))
        if case.cause in matrix.UNREGISTERED and case.order == "sign_in":
            assert case.code(entry.profile) == entry.profile.not_registered[0]


@pytest.mark.parametrize("seed", ["hil97", "tuesday", "97"])
def test_whatever_the_seed_97_itself_comes_on_each_transaction_entry_and_way(
    entries: list[BenchEntry], seed: str
) -> None:
    """Not only its causes: at a host that tells it at sign-in alone a removed row is answered otherwise."""
    profiles = {entry.label: entry.profile for entry in entries}
    told = [case for case in matrix.pairwise_cases(entries, seed) if case.unregistered(profiles[case.label])]
    elsewhere = {label for label, profile in profiles.items() if profile.terminal_unknown_on == "sign_in"}
    for label in profiles.keys() - elsewhere:
        assert {case.via for case in told if case.label == label} == {"keypad", "cashier"}
    wanted = {name for entry in entries for name in matrix.transactions(entry.model)}
    assert {case.transaction for case in told} == wanted
    cards = {mode for entry in entries for mode in entry.model.entry} - {"scan"}
    assert {case.entry for case in told} == {"", *cards, *matrix.WALLETS}
    assert {(case.via, case.reboot) for case in told} == {(v, r) for v in ("keypad", "cashier") for r in ("yes", "no")}


def test_on_which_message_the_refusal_comes(entries: list[BenchEntry]) -> None:
    """Each has a name that the wire knows; a reversal that the host takes from who is signed out is not refused."""
    cases = matrix.whole_cases(entries, "hil97", 0, matrix.how_many(entries))
    known = {name for named in OWN.values() for name in named} | FOLLOW_UPS | {"reversal"}
    assert {case.message for case in cases} <= known
    assert {case.message for case in cases} >= set(KINDS) | FOLLOW_UPS | {"reversal", "settlement", "batch_upload"}
    assert not [case for case in cases if case.message == "reversal" and case.cause == "signed_out"]


def test_what_a_case_declares_depends_on_what_the_host_says(entries: list[BenchEntry]) -> None:
    lab = {entry.profile.name: entry for entry in entries}
    for name, rules in (("unionpay-direct", {"MSG-01", "MON-12"}), ("gicc", set())):
        entry = lab[name]
        case = matrix.Case("sale", "chip", "no", "removed", "keypad", "no", entry.label, entry.model.name, name)
        assert rules <= set(case.declares(entry.profile))
        assert ("MSG-01" in case.declares(entry.profile)) == case.unregistered(entry.profile)


def test_every_financial_transaction_is_among_them(entries: list[BenchEntry]) -> None:
    assert set(KINDS) <= {case.transaction for case in matrix.pairwise_cases(entries, "hil97")}
