"""The host's order of decision: the checks as a table, and the same order met by a terminal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from harness.acquirer.registry import Merchant, SignState, Terminal
from harness.acquirer.switch import ORDER, Known, Request, Transaction, classify, decide
from harness.errors import BadInput
from harness.protocol import keys
from harness.protocol.frames import decode
from harness.protocol.nested import Totals
from harness.tests.acquirer_terminal import MID, InProcess, Pos, new_tid, profile

T = Transaction
MERCHANT = Merchant(MID, "", "active")
ROW = Terminal(MID, "10000001", 1, "active", SignState.SIGNED_IN, 5, True)
HONEST = profile()


def request(transaction: Transaction = T.SALE, batch: int = 5) -> Request:
    mti = {
        T.SIGN_IN: "0800", T.ECHO: "0820", T.SIGN_OFF: "0820", T.SALE: "0200", T.VOID: "0200", T.REVERSAL: "0400",
        T.SETTLEMENT: "0500", T.UPLOAD: "0320", T.BATCH_END: "0320",
    }[transaction]
    return Request(transaction, mti, MID, "10000001", batch, "000007", "", "")


def known(**changes: Any) -> Known:
    row: dict[str, Any] = {"duplicate": False, "mac": "ok", "merchant": MERCHANT, "terminal": ROW}
    return Known(**{**row, **changes})


def terminal(**changes: Any) -> Terminal:
    return Terminal(**{**vars(ROW), **changes})


WRONG = [  # in the host's order; each line has everything wrong that stands below it, too
    ("94", "duplicate", known(duplicate=True, mac="bad", merchant=None, terminal=None)),
    ("A0", "MAC", known(mac="bad", merchant=None, terminal=None)),
    ("03", "merchant", known(merchant=None, terminal=None)),
    ("97", "not registered", known(terminal=None)),
    ("58", "suspended", known(terminal=terminal(state="suspended", sign_state=SignState.INITIAL, batch=9))),
    ("77", "not signed in", known(terminal=terminal(sign_state=SignState.INITIAL, batch=9))),
    ("77", "batch", known(terminal=terminal(batch=9))),
]


@pytest.mark.parametrize(("code", "why", "state"), WRONG, ids=[f"{w[0]} {w[1]}" for w in WRONG])
def test_the_first_thing_wrong_decides_whatever_is_wrong_behind_it(code: str, why: str, state: Known) -> None:
    refusal = decide(request(), state, HONEST)
    assert refusal is not None and refusal.code == code and why in refusal.why


def test_nothing_wrong_is_no_refusal() -> None:
    assert decide(request(), known(), HONEST) is None
    assert len(ORDER) == len(WRONG)


STATES: list[tuple[str, Transaction, dict[str, Any], dict[str, Any], str | None]] = [
    ("sign-in needs no sign-in", T.SIGN_IN, {"sign_state": SignState.INITIAL}, {}, None),
    ("sign-in with another batch", T.SIGN_IN, {"batch": 9}, {}, None),
    ("echo needs no sign-in", T.ECHO, {"sign_state": SignState.INITIAL, "batch": 9}, {}, None),
    ("sign-off with another batch", T.SIGN_OFF, {"batch": 9}, {}, None),
    ("sale signed off", T.SALE, {"sign_state": SignState.SIGNED_OFF}, {}, "77"),
    ("sale in maintenance", T.SALE, {"sign_state": SignState.MAINTENANCE}, {}, "77"),
    ("sale closed", T.SALE, {"sign_state": SignState.CLOSED}, {}, "58"),
    ("sign-in suspended", T.SIGN_IN, {"state": "suspended"}, {}, "58"),
    ("reversal before sign-in, allowed", T.REVERSAL, {"sign_state": SignState.INITIAL}, {}, None),
    ("reversal before sign-in, not allowed", T.REVERSAL, {"sign_state": SignState.INITIAL},
     {"reversal_before_sign_in": False}, "77"),
    ("settlement before sign-in", T.SETTLEMENT, {"sign_state": SignState.INITIAL}, {}, "77"),
    ("settlement before sign-in, allowed", T.SETTLEMENT, {"sign_state": SignState.INITIAL},
     {"settlement_before_sign_in": True}, None),
    ("upload before sign-in, allowed", T.UPLOAD, {"sign_state": SignState.INITIAL},
     {"settlement_before_sign_in": True}, None),
    ("sale of another batch", T.SALE, {"batch": 9}, {}, "77"),
    ("void of another batch", T.VOID, {"batch": 9}, {}, "77"),
    *((f"{t.value} of another batch", t, {"batch": 9}, {}, None)
      for t in (T.REVERSAL, T.SETTLEMENT, T.UPLOAD, T.BATCH_END)),
    *((f"{t.value} of another batch, strict host", t, {"batch": 9}, {"accepts_old_batch": False}, "77")
      for t in (T.REVERSAL, T.SETTLEMENT, T.UPLOAD, T.BATCH_END)),
]


@pytest.mark.parametrize(
    ("transaction", "row", "parameters", "code"), [s[1:] for s in STATES], ids=[s[0] for s in STATES]
)
def test_sign_state_and_batch_by_transaction(
    transaction: Transaction, row: dict[str, Any], parameters: dict[str, Any], code: str | None
) -> None:
    refusal = decide(request(transaction), known(terminal=terminal(**row)), profile(**parameters))
    assert (None if refusal is None else refusal.code) == code


@pytest.mark.parametrize(
    ("mac", "code"), [("ok", None), ("not_required", None), ("bad", "A0"), ("absent", "A0"), ("no_key", "A0")]
)
def test_mac(mac: Any, code: str | None) -> None:
    refusal = decide(request(), known(mac=mac), HONEST)
    assert (None if refusal is None else refusal.code) == code


def test_a_reversal_repeats_its_originals_trace_and_is_no_duplicate() -> None:
    assert decide(request(T.REVERSAL), known(duplicate=True), HONEST) is None


def test_the_not_registered_code_is_the_profiles() -> None:
    refusal = decide(request(), known(terminal=None), profile(not_registered=["B7", "97"]))
    assert refusal is not None and refusal.code == "B7"


@pytest.mark.parametrize(
    ("mti", "message_type", "network_code", "processing_code", "expected"),
    [
        ("0800", "00", "003", "", T.SIGN_IN), ("0800", "00", "001", "", T.OTHER), ("0820", "00", "301", "", T.ECHO),
        ("0820", "00", "002", "", T.SIGN_OFF), ("0200", "22", "000", "000000", T.SALE),
        ("0200", "23", "000", "200000", T.VOID), ("0200", "01", "000", "310000", T.OTHER),
        ("0200", "22", "000", "200000", T.OTHER), ("0400", "22", "000", "000000", T.REVERSAL),
        ("0500", "00", "201", "", T.SETTLEMENT), ("0320", "00", "201", "", T.UPLOAD),
        ("0320", "00", "207", "", T.BATCH_END), ("0320", "00", "202", "", T.BATCH_END),
        ("0320", "00", "203", "", T.OTHER), ("0100", "10", "000", "030000", T.OTHER),
    ],
)  # fmt: skip
def test_classify(mti: str, message_type: str, network_code: str, processing_code: str, expected: Transaction) -> None:
    assert classify(mti, message_type, network_code, processing_code, HONEST) is expected


# -- a terminal meets the order ----------------------------------------------------------------------------------------

Break = Callable[[InProcess, Pos], None]


def remove(lab: InProcess, pos: Pos) -> None:
    lab.do("remove_terminal", mid=MID, tid=pos.tid)


def suspend(lab: InProcess, pos: Pos) -> None:
    lab.do("suspend_terminal", mid=MID, tid=pos.tid)


def pending(lab: InProcess, pos: Pos) -> None:
    lab.do("set_terminal_state", mid=MID, tid=pos.tid, state="pending")


def rejected(lab: InProcess, pos: Pos) -> None:
    lab.do("set_terminal_state", mid=MID, tid=pos.tid, state="rejected")


def no_merchant(lab: InProcess, pos: Pos) -> None:
    lab.do("remove_merchant", mid=MID)


def merchant_suspended(lab: InProcess, pos: Pos) -> None:
    lab.do("suspend_merchant", mid=MID)


def merchant_and_terminal_gone(lab: InProcess, pos: Pos) -> None:
    remove(lab, pos)
    no_merchant(lab, pos)


def sign_out(lab: InProcess, pos: Pos) -> None:
    lab.do("sign_out", mid=MID, tid=pos.tid)


def other_batch(lab: InProcess, pos: Pos) -> None:
    lab.do("set_batch", mid=MID, tid=pos.tid, batch="000777")


def wrong_tid(lab: InProcess, pos: Pos) -> None:
    pos.tid = new_tid()


def anothers_merchant(lab: InProcess, pos: Pos) -> None:
    pos.mid = "898111100000002"
    lab.do("register_merchant", mid=pos.mid, name="the other one")


def registered_anew(lab: InProcess, pos: Pos) -> None:
    lab.do("register_terminal", mid=MID, tid=pos.tid, tmk=pos.tmk.hex())


MET = [  # what was done, then the codes of: sign-in, echo, sale, reversal (never seen), settlement
    (remove, "97", "97", "97", "97", "97"),
    (pending, "97", "97", "97", "97", "97"),
    (rejected, "97", "97", "97", "97", "97"),
    (suspend, "58", "58", "58", "58", "58"),
    (no_merchant, "03", "03", "03", "03", "03"),
    (merchant_suspended, "03", "03", "03", "03", "03"),
    (merchant_and_terminal_gone, "03", "03", "03", "03", "03"),
    (sign_out, "00", "00", "77", "25", "77"),
    (other_batch, "00", "00", "77", "25", "00"),
    (registered_anew, "00", "00", "77", "25", "77"),
    (wrong_tid, "97", "97", "A0", "A0", "97"),
    (anothers_merchant, "97", "97", "A0", "A0", "97"),
]


@pytest.mark.parametrize(
    ("break_it", "sign_in", "echo", "sale", "reversal", "settlement"), MET, ids=[m[0].__name__ for m in MET]
)
def test_the_cause_and_the_code_on_each_transaction(
    break_it: Break, sign_in: str, echo: str, sale: str, reversal: str, settlement: str
) -> None:
    lab = InProcess()
    pos = lab.terminal()
    break_it(lab, pos)
    assert pos.echo().get(39) == echo
    assert pos.sale(100).get(39) == sale
    assert pos.reverse("009999", 100).get(39) == reversal
    assert pos.settle(Totals()).get(39) == settlement
    assert pos.ask("0800", pos.sign_in_fields()).get(39) == sign_in
    assert lab.entries(pos) == []


def test_keys_that_go_with_the_row_answer_a0_before_97() -> None:
    lab = InProcess(profile(keys_outlive_registration=False))
    pos = lab.terminal()
    remove(lab, pos)
    assert pos.sale(100).get(39) == "A0"
    assert pos.sign_in().get(39) == "97"
    registered_anew(lab, pos)
    assert pos.sale(100).get(39) == "A0"  # the working keys did not come back with the row
    assert pos.sign_in().get(39) == "00"
    assert pos.sale(100).get(39) == "00"


def test_restored_rows_are_the_same_rows() -> None:
    lab = InProcess()
    pos = lab.terminal()
    for away in (suspend, pending, rejected):
        away(lab, pos)
        assert pos.sale(100).get(39) in ("58", "97")
        lab.do("restore_terminal", mid=MID, tid=pos.tid)
        assert pos.sale(100).get(39) == "00"


@pytest.mark.parametrize("with_mac", [True, False])
def test_declines_carry_a_mac_as_the_profile_says(with_mac: bool) -> None:
    lab = InProcess(profile(declines_carry_mac=with_mac))
    pos = lab.terminal()
    approved = pos.sale(100)
    assert keys.verify(approved, pos.mak) == "ok"
    remove(lab, pos)
    declined = pos.sale(100)
    assert declined.get(39) == "97"
    assert keys.verify(declined, pos.mak) == ("ok" if with_mac else "absent")
    assert 64 not in pos.ask("0800", pos.sign_in_fields())


@pytest.mark.parametrize("missing", [11, 41, 42, 60])
def test_a_request_without_what_it_needs_is_a_format_error(missing: int) -> None:
    lab = InProcess()
    pos = lab.terminal()
    whole = pos.request("0200", pos.sale_fields(100))
    answer = lab.exchange(keys.seal(whole.but({missing: None}), pos.mak).raw)
    assert answer is not None
    assert decode(answer).get(39) == "30"


def test_unsupported_transactions_are_refused_in_order() -> None:
    lab = InProcess()
    pos = lab.terminal()
    assert pos.ask("0800", {11: "000001", 60: "00000001370"}).get(39) == "40"
    assert pos.ask("0200", {3: "310000", 11: "000002", 60: "01000001000"}, sealed=True).get(39) == "40"
    remove(lab, pos)
    assert pos.ask("0800", {11: "000003", 60: "00000001370"}).get(39) == "97"


def test_answers_have_the_usual_fields_and_swapped_tpdu() -> None:
    lab = InProcess()
    pos = lab.terminal(signed_in=False)
    signed_in = pos.sign_in()
    assert sorted(signed_in.fields) == [11, 12, 13, 32, 37, 39, 41, 42, 60, 62]
    assert (signed_in.tpdu, signed_in.header, signed_in.mti) == ("6000000005", "602100000000", "0810")
    assert len(signed_in.binary(62)) == 40 and signed_in.get(60) == "00000001003"
    echo = pos.echo()
    assert sorted(echo.fields) == [12, 13, 32, 37, 39, 41, 42, 60] and echo.mti == "0830"
    sale = pos.sale(1234)
    assert {2, 3, 4, 11, 12, 13, 15, 25, 32, 37, 38, 39, 41, 42, 44, 49, 60, 63, 64} == set(sale.fields)
    assert sale.get(63)[:3] == "CUP" and len(sale.get(44)) == 25 and sale.get(37) != signed_in.get(37)
    remove(lab, pos)
    declined = pos.ask("0800", pos.sign_in_fields())
    assert sorted(declined.fields) == [11, 12, 13, 32, 37, 39, 41, 42, 60]


def test_only_sign_in_codes_that_can_be_made_are_accepted() -> None:
    with pytest.raises(BadInput, match="sign_in_network_code"):
        InProcess(profile(sign_in_network_code="005"))
