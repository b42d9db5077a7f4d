"""Every financial transaction as a table: approved and booked, refused in the host's order, reversed, repeated."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.acquirer.cards import IssuerCard
from harness.acquirer.issuer import authentication, session_key, wallet
from harness.protocol import keys
from harness.protocol.frames import Frame
from harness.protocol.nested import Totals, settlement_totals
from harness.protocol.tlv import read_ber
from harness.protocol.transactions import KINDS, REVERSIBLE, STORED
from harness.terminal.cards import ALIPAY, CHIP, WECHAT
from harness.tests.acquirer_terminal import CHIP_DATA, MID, PAN, InProcess, Pos, profile

AMOUNT = 10_000
NEEDED = {  # what must be there before a kind can be asked for, in order
    "void": ("sale",), "refund": ("sale",), "pre_authorisation_void": ("pre_authorisation",),
    "completion": ("pre_authorisation",), "completion_advice": ("pre_authorisation",),
    "completion_void": ("pre_authorisation", "completion"), "offline_adjust": ("offline_sale",),
    "offline_tip": ("sale",),
}
MADE = {  # state of the original afterwards
    "void": "voided", "refund": "approved", "pre_authorisation_void": "voided", "completion": "completed",
    "completion_advice": "completed", "completion_void": "voided", "offline_adjust": "adjusted",
    "offline_tip": "adjusted",
}


def prepared(pos: Pos, name: str) -> Frame | None:
    """The answer of the original that ``name`` needs, made for it."""
    original: Frame | None = None
    for step in NEEDED.get(name, ()):
        original = pos.money(step, AMOUNT, original)
        assert original.get(39) == "00"
    return original


def states(lab: InProcess, pos: Pos) -> list[tuple[str, str]]:
    return [(entry["kind"], entry["state"]) for entry in lab.entries(pos)]


# -- the table ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", KINDS)
def test_approved_and_booked(name: str) -> None:
    lab = InProcess()
    pos = lab.terminal()
    original = prepared(pos, name)
    before = lab.entries(pos)
    answer = pos.money(name, AMOUNT, original)
    assert answer.get(39) == "00" and keys.verify(answer, pos.mak) == "ok", lab.notes()[-1]
    new = lab.entries(pos)[len(before) :]
    if name == "balance":
        assert new == [] and answer.get(54) == "1002156C000001000000"
        return
    (entry,) = new
    assert (entry["kind"], entry["amount"], entry["state"], entry["trace"], entry["rrn"], entry["date"]) == (
        name, AMOUNT, "approved", answer.get(11), answer.get(37), answer.get(13),
    )
    assert (38 in answer) == (name not in STORED)
    if original is not None:
        named = next(entry for entry in lab.entries(pos) if entry["trace"] == original.get(11))
        assert named["state"] == MADE[name]


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize(
    ("op", "code"),
    [("remove_terminal", "97"), ("suspend_terminal", "58"), ("sign_out", "77"), ("remove_merchant", "03")],
)
def test_refused_in_the_hosts_order_and_not_booked(name: str, op: str, code: str) -> None:
    lab = InProcess()
    pos = lab.terminal()
    original = prepared(pos, name)
    before = lab.entries(pos)
    lab.do(op, **({"mid": MID} if op == "remove_merchant" else {"mid": MID, "tid": pos.tid}))
    answer = pos.money(name, AMOUNT, original)
    assert answer.get(39) == code and keys.verify(answer, pos.mak) == "ok"
    assert lab.entries(pos) == before


@pytest.mark.parametrize("name", KINDS)
def test_the_not_registered_code_of_the_network(name: str) -> None:
    lab = InProcess(profile(not_registered=["58"]))
    pos = lab.terminal()
    original = prepared(pos, name)
    lab.do("remove_terminal", mid=MID, tid=pos.tid)
    assert pos.money(name, AMOUNT, original).get(39) == "58"


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize(("code", "changes"), [("A0", {}), ("30", {"mac_missing": "30"})])
def test_without_a_mac(name: str, code: str, changes: dict[str, Any]) -> None:
    lab = InProcess(profile(**changes))
    pos = lab.terminal()
    original = prepared(pos, name)
    before, mak = lab.entries(pos), pos.mak
    pos.mak = b"\x01\x02\x04\x07\x08\x0b\x0d\x0e"
    assert pos.money(name, AMOUNT, original).get(39) == "A0"
    kind, pos.mak = KINDS[name], mak
    fields = {3: kind.processing, 4: f"{AMOUNT:012d}", 11: "000900", 22: "022", 25: kind.condition, 49: "156",
              60: f"{kind.message_type}{pos.batch}000"}  # fmt: skip
    assert pos.ask(kind.mti, fields).get(39) == code
    assert lab.entries(pos) == before


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("field", [3, 4, 22, 25, 49])
def test_a_missing_field_is_named_with_its_place(name: str, field: int) -> None:
    if (name, field) == ("balance", 4):
        pytest.skip("a balance has no amount")
    lab = InProcess()
    pos = lab.terminal()
    original = prepared(pos, name)
    before = lab.entries(pos)
    answer = pos.money(name, AMOUNT, original, **{f"F{field}": None})
    assert answer.get(39) == "30" and lab.entries(pos) == before
    note = lab.notes()[-1]
    assert f"F{field}: absent" in note and f"offset {15 + (field - 1) // 8}" in note


@pytest.mark.parametrize("name", [name for name, kind in KINDS.items() if kind.originals])
def test_an_original_that_is_not_there_or_taken_already(name: str) -> None:
    lab = InProcess()
    pos = lab.terminal()
    original = prepared(pos, name)
    assert original is not None
    wrong = {"trace": {"F61": "000001009999"}, "receipt": {"F37": "999999999999"}, "authorisation": {"F38": "999999"}}
    assert pos.money(name, AMOUNT, original, **wrong[KINDS[name].names]).get(39) == "25"
    if KINDS[name].names == "authorisation":
        assert pos.money(name, AMOUNT, original, F61="0" * 12 + "0000").get(39) == "25"  # of another date
        assert pos.money(name, AMOUNT, original, F2="6228480000000970").get(39) == "25"  # of another card
    else:
        assert pos.money(name, AMOUNT, original, F2="6228480000000970").get(39) == "12"
    assert pos.money(name, AMOUNT, original).get(39) == "00"
    again = pos.money(name, AMOUNT, original)
    assert again.get(39) == ("61" if name == "refund" else "12")


@pytest.mark.parametrize("name", sorted(REVERSIBLE))
def test_a_reversal_takes_effect_once_and_gives_the_original_back(name: str) -> None:
    lab = InProcess()
    pos = lab.terminal()
    original = prepared(pos, name)
    before = states(lab, pos)
    done = pos.money(name, AMOUNT, original)
    for _ in range(2):
        assert pos.reverse(done.get(11), AMOUNT, kind=KINDS[name].message_type).get(39) == "00"
    assert states(lab, pos) == [*before, (name, "reversed")]
    assert [entry["reversals"] for entry in lab.entries(pos)] == [0] * len(before) + [1]
    if original is not None:
        assert pos.money(name, AMOUNT, original).get(39) == "00"  # it can be done again


@pytest.mark.parametrize("name", sorted(set(KINDS) - REVERSIBLE - {"balance"}))
def test_what_is_never_reversed(name: str) -> None:
    lab = InProcess()
    pos = lab.terminal()
    done = pos.money(name, AMOUNT, prepared(pos, name))
    before = states(lab, pos)
    assert pos.reverse(done.get(11), AMOUNT, kind=KINDS[name].message_type).get(39) == "12"
    assert states(lab, pos) == before


@pytest.mark.parametrize(("parameters", "declined", "unknown"), [
    ({}, "00", "25"), ({"reversal_of_declined": "12", "reversal_of_unknown": "00"}, "12", "00"),
])  # fmt: skip
def test_reversals_of_what_was_declined_or_never_seen(parameters: dict[str, str], declined: str, unknown: str) -> None:
    lab = InProcess(profile(**parameters))
    pos = lab.terminal()
    refused = pos.money("pre_authorisation", 0)
    assert refused.get(39) == "13"
    assert pos.reverse(refused.get(11), 0, kind="10").get(39) == declined
    assert pos.reverse("000999", AMOUNT, kind="10").get(39) == unknown


# -- advices -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name, kind in KINDS.items() if kind.mti == "0220"])
def test_a_repeated_advice_is_booked_once_and_answered_as_before(name: str) -> None:
    lab = InProcess()
    pos = lab.terminal()
    original = prepared(pos, name)
    first = pos.money(name, AMOUNT, original, F11="000700")
    count = len(lab.entries(pos))
    for _ in range(2):
        again = pos.money(name, AMOUNT, original, F11="000700")
        assert [again.get(field) for field in (37, 38, 39, 13)] == [first.get(field) for field in (37, 38, 39, 13)]
    assert len(lab.entries(pos)) == count
    assert pos.money(name, AMOUNT - 1, original, F11="000700").get(39) == "94"  # another one under the same number


def test_a_stored_advice_is_taken_under_its_own_batch_after_a_new_registration() -> None:
    lab = InProcess()
    pos = lab.terminal()
    lab.do("set_batch", mid=MID, tid=pos.tid, batch=7)
    pos.sign_in()
    done = pos.money("offline_sale", AMOUNT)
    lab.do("register_terminal", mid=MID, tid=pos.tid, tmk=pos.tmk.hex())
    pos.sign_in()
    assert pos.batch == "000001"
    assert pos.money("offline_sale", AMOUNT, F60="3000000700050", F11=done.get(11)).get(37) == done.get(37)
    assert pos.money("offline_sale", 500, F60="3000000700050").get(39) == "00"
    assert [(e["batch"], e["amount"]) for e in lab.entries(pos)] == [("000007", AMOUNT), ("000007", 500)]
    assert pos.money("sale", 500, F60="2200000700050").get(39) == "77"


def test_an_offline_sale_keeps_the_authorisation_of_the_voice_centre() -> None:
    lab = InProcess()
    pos = lab.terminal()
    assert pos.money("offline_sale", AMOUNT, F38="A12345").get(38) == "A12345"


def test_a_chip_sale_approved_offline_comes_as_the_profile_says() -> None:
    lab = InProcess(profile(offline_chip_mti="0200"))
    pos = lab.terminal()
    assert pos.money("offline_chip_sale", AMOUNT).get(39) == "40"
    fields = {2: PAN, 3: "000000", 4: f"{AMOUNT:012d}", 11: "000800", 22: "052", 25: "00", 49: "156", 55: CHIP_DATA,
              60: f"36{pos.batch}00050"}  # fmt: skip
    for _ in range(2):
        assert pos.ask("0200", fields, sealed=True).get(39) == "00"
    assert states(lab, pos) == [("offline_chip_sale", "approved")]


# -- limits of each kind -----------------------------------------------------------------------------------------------


def test_refunds_are_partial_and_stop_at_the_amount_of_the_sale() -> None:
    lab = InProcess()
    pos = lab.terminal()
    sale = pos.money("sale", AMOUNT)
    assert pos.money("refund", 4_000, sale).get(39) == "00"
    assert pos.money("refund", 6_001, sale).get(39) == "61"
    assert pos.money("refund", 6_000, sale, F60=f"27{pos.batch}00050").get(39) == "00"  # 27: of a chip
    assert pos.money("refund", 1, sale).get(39) == "61"
    assert pos.void(sale).get(39) == "12" and pos.reverse(sale.get(11), AMOUNT).get(39) == "12"
    assert states(lab, pos) == [("sale", "approved"), ("refund", "approved"), ("refund", "approved")]


@pytest.mark.parametrize("name", ["completion", "completion_advice"])
def test_a_completion_may_be_up_to_115_percent(name: str) -> None:
    lab = InProcess()
    pos = lab.terminal()
    held = pos.money("pre_authorisation", AMOUNT)
    assert pos.money(name, 11_501, held).get(39) == "61"
    assert pos.money(name, 11_500, held).get(39) == "00"


def test_a_voided_completion_gives_the_pre_authorisation_back() -> None:
    lab = InProcess()
    pos = lab.terminal()
    held = pos.money("pre_authorisation", AMOUNT)
    completed = pos.money("completion", AMOUNT, held)
    assert pos.money("pre_authorisation_void", AMOUNT, held).get(39) == "12"
    undone = pos.money("completion_void", AMOUNT, completed)
    assert [state for _, state in states(lab, pos)] == ["approved", "voided", "approved"]
    assert pos.reverse(undone.get(11), AMOUNT, kind="21").get(39) == "00"
    assert [state for _, state in states(lab, pos)] == ["completed", "approved", "reversed"]
    assert pos.money("completion_void", AMOUNT, completed).get(39) == "00"
    assert pos.money("completion", AMOUNT, held).get(39) == "00"


def test_a_tip_is_added_to_its_sale() -> None:
    lab = InProcess()
    pos = lab.terminal()
    sale = pos.money("sale", AMOUNT)
    assert pos.money("offline_tip", AMOUNT + 500, sale, F54="0002156D000000000400").get(39) == "13"
    assert pos.money("offline_tip", AMOUNT + 500, sale, F54="0002156D00000000050X").get(39) == "30"
    assert pos.money("offline_tip", AMOUNT + 500, sale, F54="0002156D000000000500").get(39) == "00"
    assert pos.void(sale).get(39) == "12"
    home, _ = settlement_totals(pos.settle(Totals(AMOUNT + 500, 1)))
    assert home.result == 1


# -- entry modes -------------------------------------------------------------------------------------------------------

SCAN: dict[str, str | None] = {"F2": None, "F35": None, "F22": "032"}


def code_of(number: str) -> str:
    return f"A3{len(number):03d}{number}"


@pytest.mark.parametrize("code", [WECHAT.code, ALIPAY.code, "25" + "0" * 22])
def test_a_scanned_code_is_paid_and_voided_by_its_voucher(code: str) -> None:
    lab = InProcess()
    pos = lab.terminal()
    sale = pos.money("sale", AMOUNT, **SCAN, F59=code_of(code))
    assert sale.get(39) == "00" and 2 not in sale and sale.get(59)[:2] == "A4"
    assert wallet(code) in lab.notes()[-1]
    assert pos.money("void", AMOUNT, sale, **SCAN, F59="A4003000").get(39) == "12"
    assert pos.money("void", AMOUNT, sale, **SCAN, F59=sale.get(59)).get(39) == "00"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"F59": code_of("16" + "0" * 16)}, "14"), ({"F59": code_of("13" + "0" * 15)}, "14"),
        ({"F59": code_of("31" + "0" * 16)}, "14"), ({"F59": "A4003000"}, "14"), ({"F59": None}, "30"),
        ({"F59": "A3099134"}, "30"), ({"F59": code_of(WECHAT.code), "F22": "031"}, "30"),
    ],
)
def test_what_is_no_payment_code(changes: dict[str, str | None], code: str) -> None:
    lab = InProcess()
    pos = lab.terminal()
    assert pos.money("sale", AMOUNT, **{**SCAN, **changes}).get(39) == code
    assert lab.entries(pos) == []


def test_the_entry_mode_of_a_scan_is_the_profiles() -> None:
    pos = InProcess(profile(entry_scan="031")).terminal()
    scan = {**SCAN, "F59": code_of(WECHAT.code)}
    assert [pos.money("sale", 1, **{**scan, "F22": mode}).get(39) for mode in ("031", "032")] == ["00", "30"]


def test_a_payment_code_that_is_always_refused() -> None:
    pos = InProcess(cards={ALIPAY.code: IssuerCard(ALIPAY.code, code="51")}).terminal()
    assert pos.money("sale", AMOUNT, **SCAN, F59=code_of(ALIPAY.code)).get(39) == "51"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"F22": "012", "F35": None, "F14": "3012"}, "00"), ({"F22": "012", "F35": None}, "30"),
        ({"F22": "022", "F2": None}, "00"), ({"F22": "022", "F2": None, "F35": None}, "14"),
        ({"F22": "052", "F55": CHIP_DATA}, "00"), ({"F22": "072", "F55": CHIP_DATA}, "00"), ({"F22": "052"}, "30"),
        ({"F22": "072"}, "30"), ({"F22": "052", "F55": "9F26"}, "30"),
    ],
)
@pytest.mark.parametrize("name", ["sale", "pre_authorisation", "balance"])
def test_entry_modes(name: str, changes: dict[str, str | None], code: str) -> None:
    lab = InProcess()
    assert lab.terminal().money(name, AMOUNT, **changes).get(39) == code, lab.notes()[-1]


# -- chip --------------------------------------------------------------------------------------------------------------

SCRIPT = "72068604842400 00".replace(" ", "")


def chip_elements(answer: Frame) -> dict[str, bytes]:
    return {element.tag: element.value for element in read_ber(answer.binary(55))}


def test_what_the_issuer_says_to_a_chip() -> None:
    cards = {CHIP.pan: IssuerCard(CHIP.pan, script=SCRIPT), PAN: IssuerCard(PAN, code="51")}
    pos = InProcess(cards=cards).terminal()
    chip: dict[str, str | None] = {"F22": "052", "F2": CHIP.pan, "F35": CHIP.track2, "F23": "001", "F55": CHIP_DATA}
    approved = chip_elements(pos.money("sale", AMOUNT, **chip))
    cryptogram, counter = bytes.fromhex("1122334455667788"), bytes.fromhex("0007")
    assert approved["91"] == authentication(session_key(CHIP.pan, "001", counter), cryptogram, b"00")
    assert approved["91"][8:] == approved["8A"] == b"00" and approved["72"] == bytes.fromhex(SCRIPT[4:])
    refused = chip_elements(pos.money("sale", AMOUNT, **{**chip, "F2": PAN, "F35": None}))
    assert refused["91"][8:] == refused["8A"] == b"51" and "72" not in refused
    assert 55 not in pos.money("sale", AMOUNT, **{**chip, "F22": "072"})  # a tapped card is gone
    assert 55 not in pos.money("sale", AMOUNT)


def test_the_cards_session_key_depends_on_all_it_is_made_of() -> None:
    made = {session_key(pan, psn, counter) for pan in (PAN, CHIP.pan) for psn in ("001", "002")
            for counter in (b"\0\1", b"\0\2")}  # fmt: skip
    assert len(made) == 8 and all(len(key) == 16 for key in made)


def test_a_misbehaviour_adds_a_script_or_gives_the_whole_chip_data() -> None:
    lab = InProcess()
    pos = lab.terminal()
    chip: dict[str, str | None] = {"F22": "052", "F55": CHIP_DATA}
    lab.do("misbehave", rule={"action": "script", "f55": SCRIPT, "message_type": "22"})
    assert pos.money("pre_authorisation", AMOUNT, **chip).get(39) == "00"  # not meant
    assert {"91", "8A", "72"} == chip_elements(pos.money("sale", AMOUNT, **chip)).keys()
    lab.do("misbehave", rule={"action": "answer", "code": "97", "f55": "8A023937", "mti": "0100"})
    told = pos.money("pre_authorisation", AMOUNT, **chip)
    assert told.get(39) == "97" and chip_elements(told) == {"8A": b"97"}
    assert keys.verify(told, pos.mak) == "ok"


# -- any order of transactions -----------------------------------------------------------------------------------------

STEPS = st.lists(
    st.tuples(st.sampled_from([*KINDS, "reverse"]), st.integers(0, 7), st.integers(1, 12_000)), max_size=16
)


@settings(max_examples=80, deadline=None)
@given(STEPS, st.booleans())
def test_the_books_hold_together_whatever_is_done(steps: list[tuple[str, int, int]], net: bool) -> None:
    """Only approved requests are booked; voided, completed and adjusted entries have exactly one living successor;
    refunds never exceed their sale; what was reversed has no effect left; the totals are those of a plain sum."""
    lab = InProcess(profile(settlement_voids="net" if net else "credit"))
    pos = lab.terminal()
    answers: list[Frame] = []
    approved = 0
    for name, index, amount in steps:
        original = answers[index % len(answers)] if answers else None
        if name == "reverse":
            if original is not None:
                pos.reverse(original.get(11), int(original.get(4)), kind=original.message_type)
            continue
        if KINDS[name].originals and original is None:
            continue
        answer = pos.money(name, int(original.get(4)) if KINDS[name].originals and original else amount, original)
        if answer.get(39) == "00" and name != "balance":
            approved += 1
            answers.append(answer)
    entries = lab.host.ledger.entries(MID, pos.tid)
    assert len(entries) == approved
    alive = [entry for entry in entries if entry.state != "reversed"]
    after = {entry.id: [one for one in alive if one.original == entry.id] for entry in entries}
    by_id = {entry.id: entry for entry in entries}
    for entry in entries:
        effective = [one for one in after[entry.id] if one.kind != "refund" and not (
            one.kind in ("completion", "completion_advice") and one.state == "voided")]
        assert len(effective) == (entry.state in ("voided", "completed", "adjusted"))
        assert sum(one.amount for one in after[entry.id] if one.kind == "refund") <= entry.amount
        assert entry.reversals == (entry.state == "reversed")
        assert not (entry.state == "reversed" and after[entry.id])
    counted = [e for e in alive if e.state != "adjusted" and not (
        net and (e.state == "voided" or (e.original and by_id[e.original].state == "voided" and "void" in e.kind)))]
    debits = [e.amount for e in counted if KINDS[e.kind].side == "debit"]
    credits = [e.amount for e in counted if KINDS[e.kind].side == "credit"]
    home, _ = settlement_totals(pos.settle(Totals(sum(debits), len(debits), sum(credits), len(credits))))
    assert home.result == 1
