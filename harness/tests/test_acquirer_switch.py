"""The host's order of decision: the checks as a table, and the same order met by a terminal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from harness.acquirer.registry import Merchant, SignState, Terminal
from harness.acquirer.switch import ORDER, Known, Request, classify, decide
from harness.protocol import keys
from harness.protocol.frames import build, decode
from harness.protocol.nested import Totals
from harness.protocol.transactions import KINDS
from harness.tests.acquirer_terminal import MID, InProcess, Pos, new_tid, profile

MERCHANT = Merchant(MID, "", "active")
ROW = Terminal(MID, "10000001", 1, "active", SignState.SIGNED_IN, 5, True)
HONEST = profile()


def request(transaction: str = "sale", batch: int = 5) -> Request:
    mti = {
        "sign_in": "0800", "echo": "0820", "sign_off": "0820", "sale": "0200", "void": "0200", "reversal": "0400",
        "settlement": "0500", "batch_upload": "0320", "batch_end": "0320",
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
    ("97", "another unit", known(
        foreign_unit="another unit", terminal=terminal(state="suspended", sign_state=SignState.INITIAL, batch=9)
    )),
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


STATES: list[tuple[str, str, dict[str, Any], dict[str, Any], str | None]] = [
    ("sign-in needs no sign-in", "sign_in", {"sign_state": SignState.INITIAL}, {}, None),
    ("sign-in with another batch", "sign_in", {"batch": 9}, {}, None),
    ("echo needs no sign-in", "echo", {"sign_state": SignState.INITIAL, "batch": 9}, {}, None),
    ("sign-off with another batch", "sign_off", {"batch": 9}, {}, None),
    ("sale signed off", "sale", {"sign_state": SignState.SIGNED_OFF}, {}, "77"),
    ("sale in maintenance", "sale", {"sign_state": SignState.MAINTENANCE}, {}, "77"),
    ("sale closed", "sale", {"sign_state": SignState.CLOSED}, {}, "58"),
    ("sign-in suspended", "sign_in", {"state": "suspended"}, {}, "58"),
    ("reversal before sign-in, allowed", "reversal", {"sign_state": SignState.INITIAL}, {}, None),
    ("reversal before sign-in, not allowed", "reversal", {"sign_state": SignState.INITIAL},
     {"reversal_before_sign_in": False}, "77"),
    ("settlement before sign-in", "settlement", {"sign_state": SignState.INITIAL}, {}, "77"),
    ("settlement before sign-in, allowed", "settlement", {"sign_state": SignState.INITIAL},
     {"settlement_before_sign_in": True}, None),
    ("upload before sign-in, allowed", "batch_upload", {"sign_state": SignState.INITIAL},
     {"settlement_before_sign_in": True}, None),
    ("sale of another batch", "sale", {"batch": 9}, {}, "77"),
    ("void of another batch", "void", {"batch": 9}, {}, "77"),
    *((f"{t} of another batch", t, {"batch": 9}, {}, None)
      for t in ("reversal", "settlement", "batch_upload", "batch_end")),
    *((f"{t} of another batch, strict host", t, {"batch": 9}, {"accepts_old_batch": False}, "77")
      for t in ("reversal", "settlement", "batch_upload", "batch_end")),
]


@pytest.mark.parametrize(
    ("transaction", "row", "parameters", "code"), [s[1:] for s in STATES], ids=[s[0] for s in STATES]
)
def test_sign_state_and_batch_by_transaction(
    transaction: str, row: dict[str, Any], parameters: dict[str, Any], code: str | None
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
    assert decide(request("reversal"), known(duplicate=True), HONEST) is None


def test_the_not_registered_code_is_the_profiles() -> None:
    refusal = decide(request(), known(terminal=None), profile(not_registered=["B7", "97"]))
    assert refusal is not None and refusal.code == "B7"


def classified(mti: str, message_type: str, network_code: str, processing: str = "", **parameters: Any) -> str:
    fields = {60: f"{message_type}000005{network_code}"} | ({3: processing} if processing else {})
    return classify(build(mti, fields), profile(**parameters))


@pytest.mark.parametrize(
    ("mti", "message_type", "network_code", "processing", "expected"),
    [
        ("0800", "00", "003", "", "sign_in"), ("0800", "00", "001", "", "unknown"), ("0820", "00", "301", "", "echo"),
        ("0820", "00", "002", "", "sign_off"), ("0200", "22", "000", "200000", "unknown"),
        ("0220", "27", "000", "200000", "refund"), ("0400", "22", "000", "000000", "reversal"),
        ("0500", "00", "201", "", "settlement"), ("0320", "00", "201", "", "batch_upload"),
        ("0320", "00", "207", "", "batch_end"), ("0320", "00", "202", "", "batch_end"),
        ("0320", "00", "203", "", "batch_upload_chip"), ("0320", "00", "205", "", "batch_upload_chip"),
        ("0620", "22", "951", "", "script_notice"), ("0820", "07", "800", "", "signature_upload"),
        ("0800", "00", "360", "", "parameter_download"), ("0800", "00", "364", "", "unknown"),
        ("0200", "36", "000", "000000", "unknown"), ("9980", "00", "000", "", "unknown"),
        *((kind.mti, kind.message_type, "000", kind.processing, kind.name) for kind in KINDS.values()),
    ],
)  # fmt: skip
def test_classify(mti: str, message_type: str, network_code: str, processing: str, expected: str) -> None:
    assert classified(mti, message_type, network_code, processing) == expected


def test_what_a_message_is_called_where_the_profile_has_another_code_for_it() -> None:
    assert classified("0800", "00", "004", sign_in_network_code="004") == "sign_in"
    assert classified("0800", "00", "364", parameter_download_code="364") == "parameter_download"
    assert classified("0200", "36", "000", "000000", offline_chip_mti="0200") == "offline_chip_sale"
    assert classified("0220", "36", "000", "000000", offline_chip_mti="0200") == "unknown"
    swapped = {"batch_end_balanced": "202", "batch_end_unbalanced": "208"}
    assert classified("0320", "00", "208", **swapped) == "batch_end"
    assert classified("0320", "00", "207", **swapped) == "unknown"


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
    assert pos.ask("0800", {11: "000001", 60: "00000001900"}).get(39) == "40"
    assert pos.ask("0200", {3: "630000", 11: "000002", 60: "46000001000"}, sealed=True).get(39) == "40"
    assert "F60.1 46" in lab.notes()[-1] and "offset" in lab.notes()[-1]
    remove(lab, pos)
    assert pos.ask("0800", {11: "000003", 60: "00000001900"}).get(39) == "97"


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
