"""The books: sales, voids, reversals exactly once, duplicates, settlement, batch upload, batch numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.acquirer.ledger import Ledger
from harness.acquirer.registry import next_batch
from harness.acquirer.store import Store
from harness.history.events import LedgerEntry
from harness.protocol.frames import Frame
from harness.protocol.nested import BatchRecord, Totals, settlement_totals
from harness.tests.acquirer_terminal import MID, PAN, InProcess, Pos, profile


def record(trace: str, amount: int) -> BatchRecord:
    return BatchRecord("00", trace, PAN, amount)


def states(lab: InProcess, pos: Pos) -> list[tuple[str, str, int, str, int]]:
    return [(e["kind"], e["trace"], e["amount"], e["state"], e["reversals"]) for e in lab.entries(pos)]


def results(answer: Frame) -> tuple[int, int]:
    home, foreign = settlement_totals(answer)
    return home.result, foreign.result


# -- sale, duplicate, void ---------------------------------------------------------------------------------------------


def test_a_sale_is_booked_with_what_the_answer_says() -> None:
    lab = InProcess()
    pos = lab.terminal()
    sale = pos.sale(1234)
    (entry,) = lab.entries(pos)
    assert LedgerEntry.model_validate(entry) == LedgerEntry(
        batch="000001", trace=sale.get(11), kind="sale", amount=1234, rrn=sale.get(37), date=sale.get(13),
        state="approved",
    )
    assert sale.get(39) == "00" and len(sale.get(38)) == 6


def test_a_declined_sale_is_not_booked() -> None:
    lab = InProcess()
    pos = lab.terminal()
    assert pos.sale(0).get(39) == "13"
    fields = pos.sale_fields(100)
    del fields[35]
    assert pos.ask("0200", fields, sealed=True).get(39) == "14"
    assert lab.entries(pos) == []


def test_a_trace_number_used_twice_in_a_batch_is_a_duplicate() -> None:
    lab = InProcess()
    pos = lab.terminal()
    first = pos.sale(100)
    assert pos.sale(100, trace=first.get(11)).get(39) == "94"
    assert pos.sale(999, trace=first.get(11)).get(39) == "94"
    assert pos.reverse(first.get(11), 100).get(39) == "00"
    assert pos.sale(100, trace=first.get(11)).get(39) == "94"  # reversed, but used
    assert len(lab.entries(pos)) == 1


def test_trace_numbers_may_come_in_any_order_and_each_once() -> None:
    lab = InProcess()
    pos = lab.terminal()
    said = [(trace, pos.sale(100, trace=trace).get(39)) for trace in ("000007", "000003", "000007", "000003", "000005")]
    assert said == [("000007", "00"), ("000003", "00"), ("000007", "94"), ("000003", "94"), ("000005", "00")]
    with pytest.raises(ZeroDivisionError), lab.host.store.messages():
        assert pos.sale(100, trace="000009").get(39) == "00"
        raise ZeroDivisionError  # which undoes it
    assert [pos.sale(100, trace=trace).get(39) for trace in ("000008", "000009", "000009")] == ["00", "00", "94"]
    assert [entry["trace"] for entry in lab.entries(pos)] == ["000007", "000003", "000005", "000008", "000009"]


def test_a_refused_request_does_not_use_up_its_trace_number() -> None:
    lab = InProcess()
    pos = lab.terminal()
    lab.do("sign_out", mid=MID, tid=pos.tid)
    assert pos.sale(100, trace="000050").get(39) == "77"
    pos.sign_in()
    assert pos.sale(100, trace="000050").get(39) == "00"


def test_the_same_trace_in_another_batch_and_at_another_terminal_is_none() -> None:
    lab = InProcess()
    pos, other = lab.terminal(), lab.terminal()
    assert pos.sale(100, trace="000050").get(39) == "00"
    assert other.sale(100, trace="000050").get(39) == "00"
    pos.end_batch("207")
    pos.batch = "000002"
    assert pos.sale(100, trace="000050").get(39) == "00"


def test_a_void_marks_its_original() -> None:
    lab = InProcess()
    pos = lab.terminal()
    sale = pos.sale(700)
    void = pos.void(sale)
    assert void.get(39) == "00"
    assert states(lab, pos) == [
        ("sale", sale.get(11), 700, "voided", 0), ("void", void.get(11), 700, "approved", 0),
    ]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"F61": "000001009999"}, "25"), ({"F61": "000009000001"}, "25"), ({"F4": "000000000699"}, "12"),
        ({"F38": "999999"}, "12"), ({"F37": "000000000000"}, "12"), ({"F2": "6228480000000970"}, "12"),
        ({"F61": "0000"}, "30"),
    ],
)  # fmt: skip
def test_a_void_that_does_not_fit_its_original(changes: dict[str, str], code: str) -> None:
    lab = InProcess()
    pos = lab.terminal()
    sale = pos.sale(700)
    assert pos.void(sale, **changes).get(39) == code
    assert [e["state"] for e in lab.entries(pos)] == ["approved"]


def test_nothing_is_voided_twice_nor_after_its_reversal_nor_after_settlement() -> None:
    lab = InProcess()
    pos = lab.terminal()
    voided, reversed_, settled = pos.sale(1), pos.sale(2), pos.sale(3)
    pos.void(voided)
    pos.reverse(reversed_.get(11), 2)
    assert pos.void(voided).get(39) == "12"
    assert pos.void(reversed_).get(39) == "12"
    pos.end_batch("207")
    pos.batch = "000002"
    assert pos.void(settled, F61="000001" + settled.get(11)).get(39) == "25"


# -- reversal ----------------------------------------------------------------------------------------------------------


def test_a_reversal_takes_effect_exactly_once_and_repeats_are_approved() -> None:
    lab = InProcess()
    pos = lab.terminal()
    sale = pos.sale(500)
    for _ in range(3):
        assert pos.reverse(sale.get(11), 500).get(39) == "00"
    assert states(lab, pos) == [("sale", sale.get(11), 500, "reversed", 1)]


def test_a_reversal_of_what_was_never_seen_and_of_what_was_declined() -> None:
    lab = InProcess()
    pos = lab.terminal()
    assert pos.reverse("000900", 500).get(39) == "25"
    lab.do("remove_terminal", mid=MID, tid=pos.tid)
    assert pos.sale(500, trace="000901").get(39) == "97"
    lab.do("register_terminal", mid=MID, tid=pos.tid, tmk=pos.tmk.hex())
    pos.sign_in()
    assert pos.reverse("000901", 500).get(39) == "00"
    assert lab.entries(pos) == []


def test_a_forged_request_leaves_no_trace_of_itself() -> None:
    lab = InProcess()
    pos = lab.terminal()
    good, pos.mak = pos.mak, b"\x01\x02\x04\x07\x08\x0b\x0d\x0e"
    assert pos.sale(500, trace="000900").get(39) == "A0"
    pos.mak = good
    assert pos.reverse("000900", 500).get(39) == "25"


@pytest.mark.parametrize(("amount", "kind"), [(501, "22"), (500, "23")])
def test_a_reversal_that_does_not_fit_its_original_reverses_nothing(amount: int, kind: str) -> None:
    lab = InProcess()
    pos = lab.terminal()
    sale = pos.sale(500)
    assert pos.reverse(sale.get(11), amount, kind=kind).get(39) == "12"
    assert [e["state"] for e in lab.entries(pos)] == ["approved"]


def test_a_reversed_void_gives_the_sale_back_and_can_be_done_again() -> None:
    lab = InProcess()
    pos = lab.terminal()
    sale = pos.sale(500)
    void = pos.void(sale)
    assert pos.reverse(sale.get(11), 500).get(39) == "12"  # a voided sale is not reversed on top
    for _ in range(2):
        assert pos.reverse(void.get(11), 500, kind="23").get(39) == "00"
    assert [e["state"] for e in lab.entries(pos)] == ["approved", "reversed"]
    assert pos.void(sale).get(39) == "00"
    assert [(e["state"], e["reversals"]) for e in lab.entries(pos)] == [("voided", 0), ("reversed", 1), ("approved", 0)]


def test_a_reversal_is_due_after_de_registration_and_takes_effect_once_after_it() -> None:
    lab = InProcess()
    pos = lab.terminal()
    lab.do("set_batch", mid=MID, tid=pos.tid, batch="000007")
    pos.sign_in()
    sale = pos.sale(500)
    lab.do("remove_terminal", mid=MID, tid=pos.tid)
    assert pos.reverse(sale.get(11), 500).get(39) == "97"
    lab.do("register_terminal", mid=MID, tid=pos.tid, tmk=pos.tmk.hex())
    pos.sign_in()
    assert pos.batch == "000001"
    assert pos.reverse(sale.get(11), 500, batch="000007").get(39) == "00"
    assert pos.reverse(sale.get(11), 500, batch="000007").get(39) == "00"
    assert states(lab, pos) == [("sale", sale.get(11), 500, "reversed", 1)]


def test_a_trace_number_of_a_closed_batch_with_the_same_number_is_another_transaction() -> None:
    lab = InProcess()
    pos = lab.terminal()
    assert pos.sale(500, trace="000050").get(39) == "00"
    pos.end_batch("207")
    lab.do("register_terminal", mid=MID, tid=pos.tid, tmk=pos.tmk.hex())
    pos.sign_in()
    assert pos.batch == "000001"
    assert pos.reverse("000050", 500).get(39) == "25"
    assert pos.sale(500, trace="000050").get(39) == "00"
    assert [e["state"] for e in lab.entries(pos)] == ["approved", "approved"]


# -- settlement --------------------------------------------------------------------------------------------------------


def test_a_balanced_settlement_and_the_next_batch() -> None:
    lab = InProcess()
    pos = lab.terminal()
    pos.sale(500)
    gone, voided = pos.sale(300), pos.sale(200)
    pos.reverse(gone.get(11), 300)
    pos.void(voided)
    answer = pos.settle(Totals(700, 2, 200, 1))  # a voided sale stays a debit, its void is a credit
    assert answer.get(39) == "00" and results(answer) == (1, 1)
    assert pos.end_batch("207").get(39) == "00"
    assert pos.sale(100).get(39) == "77"
    pos.sign_in()
    assert pos.batch == "000002"
    assert pos.sale(100).get(39) == "00"
    assert results(pos.settle(Totals(100, 1))) == (1, 1)


@pytest.mark.parametrize(
    "totals", [Totals(501, 1), Totals(500, 2), Totals(500, 1, 500, 1), Totals(), Totals(0, 1), Totals(500, 1, 0, 1)]
)
def test_an_unbalanced_settlement_its_upload_and_the_batch_end(totals: Totals) -> None:
    lab = InProcess()
    pos = lab.terminal()
    sale = pos.sale(500)
    answer = pos.settle(totals)
    assert results(answer) == (2, 1)
    assert settlement_totals(answer)[0] == Totals(500, 1, 0, 0, 2)  # the host says what it has
    assert pos.upload([record(sale.get(11), 500)]).get(39) == "00"
    assert pos.end_batch("202", 1).get(39) == "00"
    assert lab.do("reconciliation", mid=MID, tid=pos.tid, batch=1) == {
        "records": 1, "missing": (), "unknown": (), "different": (),
    }
    pos.sign_in()
    assert pos.batch == "000002"


def test_a_settlement_moves_nothing_before_the_batch_end() -> None:
    lab = InProcess()
    pos = lab.terminal()
    sale = pos.sale(500)
    pos.settle(Totals(500, 1))
    pos.sign_in()
    assert pos.batch == "000001"
    assert pos.void(sale).get(39) == "00"


def test_uploaded_records_are_taken_once_and_compared_with_the_books() -> None:
    lab = InProcess()
    pos = lab.terminal()
    sales = [pos.sale(100 + n) for n in range(4)]
    missing, same, wrong, again = (s.get(11) for s in sales)
    records = [record(same, 101), record(wrong, 999), record(again, 103), record("009999", 5)]
    for _ in range(2):  # the answer to the first was lost
        assert pos.upload(records).get(39) == "00"
    assert lab.do("reconciliation", mid=MID, tid=pos.tid, batch=1) == {
        "records": 4, "missing": (missing,), "unknown": ("009999",), "different": (wrong,),
    }
    assert "4 of them known before and not taken twice" in lab.notes()[-1]
    assert len(lab.entries(pos)) == 4


def test_a_repeated_batch_end_is_answered_and_moves_nothing() -> None:
    lab = InProcess()
    pos = lab.terminal()
    pos.sale(500)
    for _ in range(3):
        assert pos.end_batch("207", batch="000001").get(39) == "00"
    pos.sign_in()
    assert pos.batch == "000002"


def test_batch_numbers_wrap() -> None:
    lab = InProcess()
    pos = lab.terminal()
    lab.do("set_batch", mid=MID, tid=pos.tid, batch=999_999)
    pos.sign_in()
    assert pos.batch == "999999"
    assert pos.end_batch("207").get(39) == "00"
    pos.sign_in()
    assert pos.batch == "000001"
    assert [next_batch(n) for n in (1, 999_998, 999_999)] == [2, 999_999, 1]


def test_a_batch_from_before_a_registration_is_settled_under_its_own_number() -> None:
    lab = InProcess()
    pos = lab.terminal()
    lab.do("set_batch", mid=MID, tid=pos.tid, batch=7)
    pos.sign_in()
    sale = pos.sale(500)
    lab.do("remove_terminal", mid=MID, tid=pos.tid)
    assert pos.settle(Totals(500, 1)).get(39) == "97"
    lab.do("register_terminal", mid=MID, tid=pos.tid, tmk=pos.tmk.hex())
    pos.sign_in()
    assert results(pos.settle(Totals(500, 1), batch="000007")) == (1, 1)
    assert pos.end_batch("207", batch="000007").get(39) == "00"
    assert pos.sale(100).get(39) == "00"  # batch 000001 did not move
    assert sale.get(11) in [e["trace"] for e in lab.entries(pos)]


def test_a_strict_host_answers_77_for_an_old_batch_for_ever() -> None:
    lab = InProcess(profile(accepts_old_batch=False))
    pos = lab.terminal()
    lab.do("set_batch", mid=MID, tid=pos.tid, batch=7)
    pos.sign_in()
    sale = pos.sale(500)
    lab.do("register_terminal", mid=MID, tid=pos.tid, tmk=pos.tmk.hex())
    for _ in range(2):
        pos.sign_in()
        assert pos.reverse(sale.get(11), 500, batch="000007").get(39) == "77"
        assert pos.settle(Totals(500, 1), batch="000007").get(39) == "77"


def test_a_new_unit_whose_predecessors_batch_is_written_off() -> None:
    lab = InProcess()
    pos = lab.terminal()
    pos.sale(500, trace="000001")
    lab.do("register_terminal", mid=MID, tid=pos.tid, tmk=pos.tmk.hex(), write_off=True)
    pos.sign_in()
    assert pos.sale(70, trace="000001").get(39) == "00"
    assert results(pos.settle(Totals(70, 1))) == (1, 1)


@pytest.mark.parametrize("f48", ["", "0" * 61, "0" * 63])
def test_totals_of_another_shape_are_a_format_error(f48: str) -> None:
    lab = InProcess()
    pos = lab.terminal()
    assert pos.ask("0500", {11: "000001", 48: f48, 60: f"00{pos.batch}201"}).get(39) == "30"
    assert pos.ask("0320", {11: "000001", 48: f48, 60: f"00{pos.batch}201"}).get(39) == "30"


Step = tuple[str, int, int]
STEPS = st.lists(
    st.tuples(st.sampled_from(["sale", "void", "reverse"]), st.integers(0, 5), st.integers(1, 10**9)), max_size=14
)


@given(STEPS)
def test_the_hosts_totals_are_the_terminals_whatever_was_sold_voided_and_reversed(steps: list[Step]) -> None:
    """A terminal's own sums, kept from the answers alone, balance with the host; nothing is reversed twice."""
    lab = InProcess()
    pos = lab.terminal()
    sales = []
    live: dict[str, tuple[str, int]] = {}  # trace -> kind, amount
    voids: dict[str, str] = {}  # sale -> its living void
    for what, index, amount in steps:
        if what == "sale":
            sales.append(pos.sale(amount))
            live[sales[-1].get(11)] = ("sale", amount)
        elif sales:
            target = sales[index % len(sales)]
            trace, amount = target.get(11), int(target.get(4))
            if what == "void":
                answer = pos.void(target)
                assert (answer.get(39) == "00") == (trace in live and trace not in voids)
                if answer.get(39) == "00":
                    live[answer.get(11)], voids[trace] = ("void", amount), answer.get(11)
            elif trace in voids:
                assert pos.reverse(voids[trace], amount, kind="23").get(39) == "00"
                del live[voids.pop(trace)]
            else:
                assert pos.reverse(trace, amount).get(39) == "00"
                live.pop(trace, None)
    sums = {kind: [amount for k, amount in live.values() if k == kind] for kind in ("sale", "void")}
    totals = Totals(sum(sums["sale"]), len(sums["sale"]), sum(sums["void"]), len(sums["void"]))
    assert results(pos.settle(totals)) == (1, 1)
    assert all(e["reversals"] == (e["state"] == "reversed") for e in lab.entries(pos))


def test_totals_of_no_batch_are_zero() -> None:
    assert Ledger(Store(":memory:")).totals(None) == Totals()
