"""Fees: the rate of one transaction, what is given back, the report of a batch."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.acquirer.cards import IssuerCard
from harness.acquirer.fees import CardType, Fee, Fees, Report, card_type
from harness.acquirer.ledger import Booking, Ledger
from harness.acquirer.store import Store

MID, TID = "898111100000001", "10000001"
DEBIT, CREDIT = "6225880000000097", "6250940000000097"
WECHAT, ALIPAY = "134597979797979797", "289797979797979797"
RATES: Mapping[CardType, Fee] = {"debit": Fee(50, 2000), "credit": Fee(60), "scan": Fee(38)}

_amounts = st.integers(0, 999_999_999_999)
_fees = st.builds(Fee, st.integers(0, 10_000), st.none() | st.integers(0, 1_000_000))


@pytest.mark.parametrize(
    ("fee", "amount", "expected"),
    [(Fee(50), 100, 1), (Fee(50), 99, 0), (Fee(50), 300, 2), (Fee(60), 9797, 59), (Fee(50, 2000), 1_000_000, 2000),
     (Fee(50, 0), 1_000_000, 0), (Fee(0), 1_000_000, 0), (Fee(38), 0, 0)],
)  # fmt: skip
def test_a_fee_is_rounded_half_up_and_capped(fee: Fee, amount: int, expected: int) -> None:
    assert fee.of(amount) == expected


@given(_fees, _amounts)
def test_a_fee_is_what_decimal_arithmetic_says(fee: Fee, amount: int) -> None:
    exact = (Decimal(amount) * fee.basis_points / 10_000).quantize(Decimal(1), ROUND_HALF_UP)
    assert fee.of(amount) == (exact if fee.cap is None else min(exact, fee.cap))
    assert 0 <= fee.of(amount) <= amount


@pytest.mark.parametrize(
    ("number", "expected"),
    [(DEBIT, "debit"), (CREDIT, "credit"), ("6282880000000097", "credit"), ("4392250000000097", "credit"),
     ("3568390000000097", "credit"), (WECHAT, "scan"), (ALIPAY, "scan"), ("2897979797979797", "scan"), ("", "scan"),
     ("9597979797979797", "debit")],
)  # fmt: skip
def test_the_card_type_is_told_by_the_number(number: str, expected: str) -> None:
    assert card_type(number, {}) == expected


def test_the_list_of_test_cards_goes_before_the_range() -> None:
    assert card_type(DEBIT, {DEBIT: IssuerCard(DEBIT, type="credit")}) == "credit"
    assert card_type(DEBIT, {DEBIT: IssuerCard(DEBIT)}) == "debit"


class Books:
    """Bookings without a host."""

    def __init__(self) -> None:
        self.store = Store(":memory:")
        self.ledger, self.fees = Ledger(self.store), Fees(self.store, {})
        self.fees.set_rates(MID, RATES)
        self._trace = 0

    def book(self, kind: str, amount: int, pan: str = DEBIT, original: int | None = None, batch: int = 1) -> int:
        self._trace += 1
        self.ledger.book(Booking(
            MID, TID, 1, batch, f"{self._trace:06d}", kind, amount, f"{self._trace:012d}", "1124", pan, "", original
        ))  # fmt: skip
        return self.ledger.entries(MID, TID)[-1].id

    def report(self, batch: int = 1) -> Report:
        found = self.fees.newest(MID, TID, batch)
        assert found is not None
        return found


def test_a_report_has_a_line_for_each_card_type() -> None:
    books = Books()
    books.book("sale", 10_000)
    books.book("sale", 1_000_000)
    books.book("completion", 5_000, CREDIT)
    books.book("sale", 9_797, WECHAT)
    books.book("pre_authorisation", 70_000)
    report = books.report()
    assert [(one.card_type, one.count, one.gross, one.fee, one.net) for one in report.lines] == [
        ("debit", 2, 1_010_000, 2_050, 1_007_950), ("credit", 1, 5_000, 30, 4_970), ("scan", 1, 9_797, 37, 9_760),
    ]
    assert (report.gross, report.fee, report.net, report.open) == (1_024_797, 2_117, 1_022_680, True)


def test_a_void_gives_the_whole_fee_back_and_what_is_reversed_does_not_count() -> None:
    books = Books()
    sale = books.book("sale", 9_797, CREDIT)
    books.book("void", 9_797, "", sale)  # without a card: its original tells the type
    books.book("sale", 100_000)
    books.ledger.reverse(books.ledger.entries(MID, TID)[-1])
    report = books.report()
    assert [(one.card_type, one.count, one.gross, one.fee) for one in report.lines] == [("credit", 2, 0, 0)]


def test_an_adjusted_sale_counts_as_adjusted() -> None:
    books = Books()
    sale = books.book("offline_sale", 10_000)
    books.book("offline_tip", 12_000, original=sale)
    assert [(one.count, one.gross, one.fee) for one in books.report().lines] == [(1, 12_000, 60)]


def test_a_refund_takes_its_part_of_the_fee_from_another_batch() -> None:
    books = Books()
    sale = books.book("sale", 1_000_000)  # 50.00, capped at 20.00
    books.book("refund", 500_000, original=sale, batch=2)
    books.book("refund", 500_000, original=sale, batch=3)
    assert books.report(1).fee == 2_000
    assert (books.report(2).gross, books.report(2).fee) == (-500_000, 0), "half of it still costs the cap"
    assert (books.report(3).gross, books.report(3).fee) == (-500_000, -2_000)


@given(st.integers(1, 10_000_000), st.lists(st.integers(1, 4_000_000), max_size=5), _fees)
def test_refunds_give_back_the_original_fee_and_not_a_cent_more(amount: int, parts: list[int], fee: Fee) -> None:
    books = Books()
    books.fees.set_rates(MID, {"debit": fee})
    sale = books.book("sale", amount)
    left = amount
    for part in parts:
        if part < left:
            books.book("refund", part, original=sale)
            left -= part
    assert books.report().fee == fee.of(left)
    books.book("refund", left, original=sale)
    assert (books.report().gross, books.report().fee) == (0, 0)


def test_the_report_of_a_closed_batch_stays_what_it_was() -> None:
    """Other fees hold for what is open and comes; what is given back of a closed batch takes back what it had cost."""
    books = Books()
    sale = books.book("sale", 100_000)
    closed = books.ledger.open_batch(MID, TID, 1)
    assert closed is not None
    books.ledger.close_batch(closed)
    books.book("sale", 100_000, batch=2)
    before = books.report(1)
    for basis_points in (100, 200):
        books.fees.set_rates(MID, {"debit": Fee(basis_points)})
        assert books.report(1) == before and before.fee == 500
        assert books.report(2).fee == 10 * basis_points
    books.book("refund", 100_000, original=sale, batch=3)
    assert books.report(3).fee == -500


def test_a_merchant_without_fees_pays_none() -> None:
    books = Books()
    books.fees.set_rates(MID, {})
    books.book("sale", 9_797)
    assert (books.report().fee, books.report().net) == (0, 9_797)
    assert books.fees.newest(MID, TID, 2) is None
