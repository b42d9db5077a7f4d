"""Which tests ``--only`` keeps, and in which order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.campaigns.selection import Only

RULES = st.sets(st.sampled_from(["MSG-01", "MON-02", "NET-03"]))
WORDS = st.sampled_from(["MSG-01", "MON-02", "sale", "balance", ""])


def test_nothing_asked_for_is_no_selection() -> None:
    assert Only.of(None) is None
    assert Only.of("") is Only.of(",") is None


def test_requirements_and_transactions_are_told_apart() -> None:
    only = Only.of("MSG-01,balance,void")
    assert only == Only(frozenset({"MSG-01"}), frozenset({"balance", "void"}))
    assert only.has_test(["MSG-01", "MON-02"]) and not only.has_test(["MON-02"])
    assert only.has_case("void", []) and not only.has_case("sale", ["MSG-01"])
    plain = Only(frozenset({"MSG-01"}), frozenset())
    assert plain.has_case("sale", ["MSG-01"]) and not plain.has_case("void", [])


@given(st.lists(WORDS), RULES, st.sampled_from(["sale", "balance", "void"]))
def test_what_is_kept_was_asked_for(words: list[str], declares: set[str], transaction: str) -> None:
    only = Only.of(",".join(words))
    if only is None:
        assert not any(words)
        return
    assert only.has_test(declares) == bool(declares & set(words))
    assert only.has_case(transaction, declares) <= bool({transaction, *declares} & set(words))


def test_the_most_promising_come_first() -> None:
    """The cases where the defect is known to sit in a transaction, else last; who declares little else goes before."""
    by_rule, by_place = Only.of("MSG-01"), Only.of("MSG-01,void")
    assert by_rule is not None and by_place is not None
    narrow, wide = ["MSG-01"], ["MSG-01", "MON-01", "MON-02"]
    assert by_rule.order(False, narrow) < by_rule.order(False, wide) < by_rule.order(True, narrow)
    assert by_place.order(True, wide) < by_place.order(False, narrow)
