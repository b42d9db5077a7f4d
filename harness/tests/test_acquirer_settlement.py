"""Settlement as the profile has it, chip uploads, F48 in ASCII, and what follows a transaction: scripts, signatures."""

from __future__ import annotations

from typing import Any

import pytest

from harness.errors import BadInput
from harness.protocol import keys
from harness.protocol.frames import Frame, build, decode
from harness.protocol.nested import BatchRecord, Totals, make_totals, settlement_totals
from harness.protocol.transactions import IN_BATCH, KINDS
from harness.tests.acquirer_terminal import CHIP_DATA, MID, PAN, InProcess, Pos, profile
from harness.tests.test_acquirer_money import AMOUNT, prepared

CHIP: dict[str, str | None] = {"F22": "052", "F55": CHIP_DATA}


def result(answer: Frame) -> int:
    return settlement_totals(answer)[0].result


def settle(pos: Pos, *totals: int, **more: str) -> Frame:
    return pos.settle(Totals(*totals), **more)


# -- totals ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", KINDS)
def test_the_side_of_every_kind(name: str) -> None:
    lab = InProcess()
    pos = lab.terminal()
    original = prepared(pos, name)
    _, before = lab.host.ledger.open_batch(MID, pos.tid, 1), settlement_totals(settle(pos))[0]
    pos.money(name, AMOUNT, original)
    after = settlement_totals(settle(pos))[0]
    moved = (after.debit_count - before.debit_count, after.credit_count - before.credit_count)
    kind = KINDS[name]
    expected = {"debit": (1, 0), "credit": (0, 1), "none": (0, 0)}[kind.side]
    assert moved == ((0, 0) if kind.replaces else expected)  # what replaces another counts instead of it


@pytest.mark.parametrize(("voids", "totals"), [("credit", (900, 2, 400, 1)), ("net", (500, 1, 0, 0))])
def test_a_voided_sale_counts_on_both_sides_or_on_none(voids: str, totals: tuple[int, ...]) -> None:
    pos = InProcess(profile(settlement_voids=voids)).terminal()
    pos.sale(500)
    pos.void(pos.sale(400))
    assert result(settle(pos, *totals)) == 1
    assert result(settle(pos, *({(900, 2, 400, 1), (500, 1, 0, 0)} - {totals}).pop())) == 2


# -- when the host's number moves, and totals reset --------------------------------------------------------------------


@pytest.mark.parametrize("accepts_old_batch", [True, False])
def test_a_batch_number_that_moves_with_the_settlement(accepts_old_batch: bool) -> None:
    lab = InProcess(profile(batch_moves="settlement", accepts_old_batch=accepts_old_batch))
    pos = lab.terminal()
    sale = pos.sale(500)
    assert result(settle(pos, 1, 1)) == 2
    assert pos.sale(100).get(39) == "77"
    assert pos.upload([BatchRecord("00", sale.get(11), PAN, 500)]).get(39) == "00"  # of the batch just settled
    assert pos.end_batch("202", 1).get(39) == "00"
    pos.sign_in()
    assert pos.batch == "000002"  # moved once
    assert pos.sale(100).get(39) == "00"
    assert result(settle(pos, 100, 1)) == 1


@pytest.mark.parametrize("moves", ["batch_end", "settlement"])
@pytest.mark.parametrize(("success", "code"), [(["00"], "00"), (["00", "97"], "97")])
def test_a_settlement_of_books_that_are_closed_says_so_where_the_network_can(
    moves: str, success: list[str], code: str
) -> None:
    lab = InProcess(profile(batch_moves=moves, settlement_success=success, not_registered=["58"]))
    pos = lab.terminal()
    pos.sale(500)
    assert settle(pos, 500, 1).get(39) == "00"
    assert settle(pos, 500, 1).get(39) == (code if moves == "settlement" else "00")
    pos.end_batch("207")
    again = settle(pos, 500, 1)
    assert again.get(39) == code and result(again) == 1
    lab.do("remove_terminal", mid=MID, tid=pos.tid)
    assert settle(pos).get(39) == "58"


# -- batch upload ------------------------------------------------------------------------------------------------------


def upload_chip(pos: Pos, of: Frame, source: str, **changes: str | None) -> Frame:
    fields: dict[int, str | None] = {
        2: PAN, 4: of.get(4), 11: of.get(11), 22: "052", 23: "001", 55: CHIP_DATA, 60: f"00{pos.batch}{source}",
    }
    fields |= {int(name[1:]): value for name, value in changes.items()}
    return pos.ask("0320", {number: value for number, value in fields.items() if value is not None})


@pytest.mark.parametrize("source", ["203", "205", "206"])
def test_a_chip_record_is_kept_with_its_data_and_once(source: str) -> None:
    lab = InProcess()
    pos = lab.terminal()
    sale, other = pos.money("sale", AMOUNT, **CHIP), pos.money("sale", 700)
    for _ in range(2):
        answer = upload_chip(pos, sale, source)
        assert answer.get(39) == "00" and 64 not in answer
    assert "not taken twice" in lab.notes()[-1]
    pos.upload([BatchRecord("00", other.get(11), PAN, 700)])
    batch = lab.host.ledger.open_batch(MID, pos.tid, 1)
    assert batch is not None and lab.host.uploads.chip_data(batch) == {sale.get(11): CHIP_DATA}
    reconciled = lab.do("reconciliation", mid=MID, tid=pos.tid, batch=1)
    assert reconciled == {"records": 2, "missing": (), "unknown": (), "different": ()}
    assert len(lab.entries(pos)) == 2


def test_a_card_that_refused_after_the_approval_is_not_in_the_batch() -> None:
    lab = InProcess()
    pos = lab.terminal()
    sale = pos.money("sale", AMOUNT, **CHIP)
    pos.reverse(sale.get(11), AMOUNT)
    assert upload_chip(pos, sale, "204").get(39) == "00"
    reconciled = lab.do("reconciliation", mid=MID, tid=pos.tid, batch=1)
    assert reconciled == {"records": 0, "missing": (), "unknown": (), "different": ()}


@pytest.mark.parametrize("changes", [{"F55": None}, {"F4": None}, {"F11": None}, {"F2": None}, {"F55": "9F26"}])
def test_a_chip_record_that_is_none(changes: dict[str, str | None]) -> None:
    lab = InProcess()
    pos = lab.terminal()
    sale = pos.money("sale", AMOUNT, **CHIP)
    assert upload_chip(pos, sale, "203", **changes).get(39) == "30"
    assert "offset" in lab.notes()[-1]
    assert lab.do("reconciliation", mid=MID, tid=pos.tid, batch=1)["records"] == 0


@pytest.mark.parametrize("name", sorted(IN_BATCH))
def test_every_kind_in_the_batch_is_missed_where_it_is_not_uploaded(name: str) -> None:
    lab = InProcess()
    pos = lab.terminal()
    done = pos.money(name, AMOUNT, prepared(pos, name))
    pos.end_batch("202", 0)
    missing = lab.do("reconciliation", mid=MID, tid=pos.tid, batch=1)["missing"]
    assert done.get(11) in missing
    replaced = [entry["trace"] for entry in lab.entries(pos) if entry["state"] == "adjusted"]
    assert not set(replaced) & set(missing)


def test_what_a_tip_replaced_may_be_uploaded_or_not() -> None:
    lab = InProcess()
    pos = lab.terminal()
    sale = pos.money("sale", AMOUNT)
    tip = pos.money("offline_tip", AMOUNT + 100, sale)
    pos.upload([BatchRecord("00", tip.get(11), PAN, AMOUNT + 100)])
    clean = {"missing": (), "unknown": (), "different": ()}
    assert lab.do("reconciliation", mid=MID, tid=pos.tid, batch=1) == {"records": 1, **clean}
    pos.upload([BatchRecord("00", sale.get(11), PAN, AMOUNT)])
    assert lab.do("reconciliation", mid=MID, tid=pos.tid, batch=1) == {"records": 2, **clean}


# -- F48 in ASCII ------------------------------------------------------------------------------------------------------


def settlement_request(pos: Pos, encoding: Any) -> Frame:
    fields = {11: "000900", 41: pos.tid, 42: pos.mid, 48: make_totals(Totals(500, 1)), 49: "156",
              60: f"00{pos.batch}201", 63: "01 "}  # fmt: skip
    return build("0500", fields, f48=encoding)


@pytest.mark.parametrize("encoding", ["bcd", "ascii"])
@pytest.mark.parametrize("profiles", ["bcd", "ascii"])
def test_f48_is_written_as_the_profile_says_in_both_directions(encoding: str, profiles: str) -> None:
    lab = InProcess(profile(f48_encoding=profiles))
    pos = lab.terminal()
    pos.sale(500)
    answer = decode(lab.exchange(settlement_request(pos, encoding).raw) or b"")
    if encoding != profiles:
        assert answer.get(39) == "30" and "offset" in lab.notes()[-1]
        return
    assert answer.get(39) == "00" and answer.f48 == encoding and result(answer) == 1
    assert (make_totals(Totals(500, 1, 0, 0, 1), Totals(result=1)).encode() in answer.raw) == (encoding == "ascii")


# -- what follows a transaction ----------------------------------------------------------------------------------------

RESULTS = "DF310500000000009F360200079F2608" + "11" * 8
IMAGE = "00FF" * 40


def script_notice(pos: Pos, of: Frame, **changes: str | None) -> Frame:
    fields: dict[int, str | None] = {
        2: PAN, 3: "000000", 4: of.get(4), 11: pos.next_trace(), 22: "052", 25: "00", 37: of.get(37), 49: "156",
        55: RESULTS, 60: f"22{pos.batch}951", 61: of.batch + of.get(11) + of.get(13),
    }
    fields |= {int(name[1:]): value for name, value in changes.items()}
    return pos.ask("0620", {number: value for number, value in fields.items() if value is not None}, sealed=True)


def signature(pos: Pos, of: Frame, **changes: str | None) -> Frame:
    fields: dict[int, str | None] = {
        2: PAN, 4: of.get(4), 11: of.get(11), 37: of.get(37), 55: "FF0004746573740A", 60: f"07{pos.batch}800",
        62: IMAGE,
    }
    fields |= {int(name[1:]): value for name, value in changes.items()}
    return pos.ask("0820", {number: value for number, value in fields.items() if value is not None}, sealed=True)


def kept(lab: InProcess, pos: Pos) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = lab.do("follow_ups", mid=MID, tid=pos.tid)["follow_ups"]
    return found


@pytest.mark.parametrize("follow_up", [script_notice, signature])
def test_a_follow_up_is_kept_with_its_original_and_once(follow_up: Any) -> None:
    lab = InProcess()
    pos = lab.terminal()
    sale = pos.money("sale", AMOUNT, **CHIP)
    before = lab.entries(pos)
    for times in (1, 2):
        answer = follow_up(pos, sale)
        assert answer.get(39) == "00" and keys.verify(answer, pos.mak) == "ok", lab.notes()[-1]
        (found,) = kept(lab, pos)
        assert (found["trace"], found["batch"], found["times"]) == (sale.get(11), "000001", times)
        assert found["data"] == (IMAGE if follow_up is signature else RESULTS)
    assert lab.entries(pos) == before


@pytest.mark.parametrize("follow_up", [script_notice, signature])
@pytest.mark.parametrize(
    ("op", "code"), [("remove_terminal", "97"), ("suspend_terminal", "58"), ("sign_out", "77")]
)
def test_a_follow_up_refused_in_the_hosts_order(follow_up: Any, op: str, code: str) -> None:
    lab = InProcess()
    pos = lab.terminal()
    sale = pos.money("sale", AMOUNT, **CHIP)
    lab.do(op, mid=MID, tid=pos.tid)
    answer = follow_up(pos, sale)
    assert answer.get(39) == code and keys.verify(answer, pos.mak) == "ok"
    assert kept(lab, pos) == [] and [entry["state"] for entry in lab.entries(pos)] == ["approved"]


@pytest.mark.parametrize(
    ("follow_up", "changes", "code"),
    [
        (script_notice, {"F61": "000001009999"}, "25"), (script_notice, {"F37": "000000000000"}, "25"),
        (script_notice, {"F61": None}, "30"), (script_notice, {"F55": "9F3602000700"}, "30"),
        (script_notice, {"F55": None}, "30"), (signature, {"F11": "009999"}, "25"), (signature, {"F62": None}, "30"),
        (signature, {"F37": "000000000000"}, "25"), (signature, {"F4": "000000000001"}, "12"),
    ],
)
def test_a_follow_up_that_fits_nothing(follow_up: Any, changes: dict[str, str | None], code: str) -> None:
    lab = InProcess()
    pos = lab.terminal()
    assert follow_up(pos, pos.money("sale", AMOUNT, **CHIP), **changes).get(39) == code
    assert kept(lab, pos) == []


def test_macs_of_follow_ups() -> None:
    """A script notice without one is taken, as the surveyed host does; a wrong one never is. A signature needs it."""
    lab = InProcess()
    pos = lab.terminal()
    sale = pos.money("sale", AMOUNT, **CHIP)
    notice = {3: "000000", 4: sale.get(4), 11: "000800", 22: "052", 25: "00", 37: sale.get(37), 49: "156", 55: RESULTS,
              60: f"22{pos.batch}951", 61: sale.batch + sale.get(11)}  # fmt: skip
    assert pos.ask("0620", notice).get(39) == "00"
    assert pos.ask("0620", {**notice, 64: "00000000"}).get(39) == "A0"
    image = {11: sale.get(11), 37: sale.get(37), 60: f"07{pos.batch}800", 62: IMAGE}
    assert pos.ask("0820", image).get(39) == "A0"
    assert [one["kind"] for one in kept(lab, pos)] == ["script_notice"]


def test_no_such_terminal_has_follow_ups() -> None:
    with pytest.raises(BadInput, match="tid"):
        InProcess().do("follow_ups", mid=MID, tid="1")


# -- which terminals are told ------------------------------------------------------------------------------------------


def test_a_host_that_says_not_registered_at_sign_in_only() -> None:
    lab = InProcess(profile(terminal_unknown_on="sign_in", not_signed_in="98"))
    pos = lab.terminal()
    sale = pos.sale(500)
    lab.do("remove_terminal", mid=MID, tid=pos.tid)
    assert pos.ask("0800", pos.sign_in_fields()).get(39) == "97"
    codes = {pos.sale(1).get(39), pos.echo().get(39), settle(pos).get(39), pos.reverse(sale.get(11), 500).get(39)}
    assert codes == {"98"}


def test_the_code_of_not_signed_in_is_the_profiles() -> None:
    lab = InProcess(profile(not_signed_in="97"))
    pos = lab.terminal()
    lab.do("sign_out", mid=MID, tid=pos.tid)
    assert pos.sale(1).get(39) == "97" and pos.echo().get(39) == "00"
    pos.sign_in()
    lab.do("set_batch", mid=MID, tid=pos.tid, batch=9)
    assert pos.sale(1).get(39) == "77"  # another batch is another thing


@pytest.mark.parametrize("digits", [8, 11, 13, 14, 17])
def test_every_length_of_f60_is_taken(digits: int) -> None:
    pos = InProcess().terminal()
    assert pos.money("sale", 100, F60=f"22{pos.batch}000501000"[:digits]).get(39) == "00"


@pytest.mark.parametrize("carries", [True, False])
def test_declines_of_every_message_with_a_mac_carry_one_by_profile(carries: bool) -> None:
    pos = InProcess(profile(declines_carry_mac=carries)).terminal()
    for name in KINDS:
        answer = pos.money(name, 0 if name != "balance" else 1, prepared(pos, name), F25="77")
        assert answer.get(39) == "40" and (64 in answer) == carries
