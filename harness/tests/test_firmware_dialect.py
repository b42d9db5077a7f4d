"""What each point of the network's dialect changes at the terminal; signatures; the forms of the batch upload."""

from __future__ import annotations

from itertools import groupby

import pytest

from harness.emulator.firmware.app import signatures
from harness.protocol import keys
from harness.protocol.frames import F48, Frame
from harness.protocol.nested import batch_end_count, batch_records, settlement_totals
from harness.terminal.cards import CHIP, MAGNETIC
from harness.terminal.cashier import TYPES
from harness.tests.firmware_bench import MAK, PIK, TMK, Answer, Bench

UNBALANCED = Answer(fields={48: "0" * 30 + "2" + "0" * 31})


def set_up(**parameters: str) -> Bench:
    """Signed in, with these points of the dialect changed."""
    bench = Bench()
    bench.provision()
    for name, value in parameters.items():
        assert bench.serve(f"PARAM {name}={value}") == f"OK {name}={value}"
    assert bench.sign_in()["DF07"] == "00"
    return bench


# -- codes and texts ---------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("network", "code", "text"), [
    ("unionpay", "97", "终端未登记,请联系收单行或银联"), ("aunz", "97", "交易失败"), ("gicc", "97", "交易失败"),
    ("gicc", "58", "终端未登记"), ("aunz", "58", "终端无效,请联系收单行或银联"),
])
def test_a_code_has_the_text_of_its_network(network: str, code: str, text: str) -> None:
    with set_up(network=network) as bench:
        bench.host.script = lambda request: Answer(code) if request.mti == "0200" else None
        assert bench.sale()["DF09"] == text


def test_totals_that_were_reset_are_a_settlement_where_the_network_says_so() -> None:
    with set_up(network="aunz", settlement_success="00,97", not_registered="89") as bench:
        bench.sale(9700)
        bench.host.script = lambda request: Answer("97") if request.mti == "0500" else None
        assert bench.settle()["DF07"] == "00"
        assert bench.lines[1:3] == ["结算成功", "总额已清零"] and "总额已清零" in bench.board.slips[-1]
        assert bench.log == [] and bench.state.batch == 2


def test_another_code_for_not_registered_is_shown_later_and_97_is_not() -> None:
    for code, seen in (("89", True), ("97", False)):
        with set_up(not_registered="89") as bench:
            bench.host.script = lambda request, code=code: Answer(code)  # type: ignore[misc]
            bench.reboot()
            bench.run(lambda b=bench: len(b.host.seen("0800")) == 2)  # type: ignore[misc]
            bench.settle_down()
            assert (bench.state.note == code) is seen


@pytest.mark.parametrize(("category", "again"), [("D", False), ("B", True)])
def test_77_that_is_retryable_brings_a_sign_in_at_once(category: str, again: bool) -> None:
    with set_up(categories=f"77:{category}") as bench:
        bench.host.script = lambda request: Answer("77") if request.mti == "0200" else None
        assert bench.sale()["DF07"] == "77" and "应答码:77" in bench.lines
        assert bench.state.signed_in is again and ("已重新签到,请重试" in bench.lines) is again
        assert len(bench.host.seen("0800")) == 1 + again


def test_97_to_the_sign_in_that_77_brought_is_what_is_shown() -> None:
    with set_up(categories="77:B") as bench:
        bench.host.script = lambda request: Answer("77" if request.mti == "0200" else "97")
        assert bench.sale()["DF07"] == "97" and "应答码:97" in bench.lines


@pytest.mark.parametrize(("category", "text"), [("B", "交易超时,请重试"), ("C", "交易失败")])
def test_68_says_whether_to_try_again(category: str, text: str) -> None:
    with set_up(categories=f"68:{category}") as bench:
        bench.host.script = lambda request: Answer("68") if request.mti == "0200" else None
        assert bench.sale()["DF09"] == text


def test_a_decline_without_mac_is_none_where_one_is_required() -> None:
    with set_up(decline_mac="required") as bench:
        bench.host.script = lambda request: Answer("97", mac=False) if request.mti == "0200" else None
        assert bench.sale()["DF07"] == "Z3" and bench.state.reversal is not None


def test_a_success_code_that_is_none_is_a_decline() -> None:
    with set_up(success="00") as bench:
        bench.host.script = lambda request: Answer("10") if request.mti == "0200" else None
        assert bench.sale()["DF07"] == "10" and bench.log == []


# -- reversals ---------------------------------------------------------------------------------------------------------

def mismatch(request: Frame) -> Answer | None:
    return Answer("00", fields={11: "979797"}) if request.mti == "0200" else None


@pytest.mark.parametrize(("parameters", "reason"), [
    ({}, "06"), ({"reversal_reason_mismatch": "98"}, "98"), ({"reversal_on_mismatch": "delete"}, None)])
def test_an_answer_that_does_not_match(parameters: dict[str, str], reason: str | None) -> None:
    with set_up(**parameters) as bench:
        bench.host.script = mismatch
        bench.sale()
        assert (bench.state.reversal.reason if bench.state.reversal else None) == reason


@pytest.mark.parametrize("exhausted", ["keep", "delete_recorded"])
def test_a_reversal_that_nobody_takes(exhausted: str) -> None:
    with set_up(reversal_attempts="3", reversal_exhausted=exhausted) as bench:
        bench.host.script = lambda request: Answer(act="close") if request.mti == "0200" else None
        bench.sale(9700)
        bench.host.script = lambda request: Answer("97") if request.mti == "0400" else None
        for _ in range(3):
            assert bench.sale()["DF07"] == "97"
        kept = exhausted == "keep"
        assert (bench.state.reversal is not None) is kept
        records = [slip for slip in bench.board.slips if slip[0] == "冲正记录"]
        assert len(records) == (not kept)
        for slip in records:
            assert "凭证号:000002" in slip and "金额:RMB 97.00" in slip
        assert bench.sale()["DF07"] == ("97" if kept else "00")


# -- how it is written -------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("digits", "f60"), [
    (8, "22000001"), (11, "22000001000"), (13, "2200000100050"), (14, "22000001000500")])
def test_f60_is_as_long_as_the_dialect_says(digits: int, f60: str) -> None:
    with set_up(f60_digits=str(digits)) as bench:
        bench.sale()
        assert bench.host.seen("0200")[0].get(60) == f60


@pytest.mark.parametrize("pin", ["", "123456"])
def test_a_void_may_carry_the_card_again(pin: str) -> None:
    with set_up(void_carries_card="1") as bench:
        bench.sale(5000)
        bench.send_order("02", DF08="000002")
        bench.run(bench.shows("请刷卡"))
        bench.present(MAGNETIC)
        bench.run(bench.shows("请输入密码"))
        bench.key(*pin, "ENTER")
        assert bench.till_answer()["DF07"] == "00"
        void = bench.host.seen("0200")[-1]
        assert void.get(22) == ("021" if pin else "022") and void.get(35) == MAGNETIC.track2
        assert (52 in void.fields) is bool(pin) and void.get(61) == "000001000002"
        bench.sale(100)
        bench.send_order("02", DF08="000004")
        bench.run(bench.shows("请刷卡"))
        bench.board.put_event({"swipe": {"track2": CHIP.track2, "track3": None}})
        assert bench.till_answer()["DF07"] == "ZA"


@pytest.mark.parametrize(("voids", "home"), [("credit", (3, 600, 1, 200)), ("net", (2, 400, 0, 0))])
def test_a_voided_pair_counts_on_both_sides_or_on_none(voids: str, home: tuple[int, ...]) -> None:
    with set_up(settlement_voids=voids) as bench:
        for amount in (100, 200, 300):
            bench.sale(amount)
        bench.void("000003")
        bench.settle()
        side, _ = settlement_totals(bench.host.seen("0500")[0])
        assert (side.debit_count, side.debit_amount, side.credit_count, side.credit_amount) == home


@pytest.mark.parametrize("form", ["bcd", "ascii"])
def test_f48_is_written_and_read_as_the_dialect_says(form: F48) -> None:
    with set_up(f48_encoding=form) as bench:
        bench.host.f48 = form
        bench.sale(9700)
        bench.host.script = lambda request: UNBALANCED if request.mti == "0500" else None
        assert bench.settle()["DF07"] == "00"
        assert bench.host.seen("0500")[0].f48 == form
        assert settlement_totals(bench.host.seen("0500")[0])[0].debit_amount == 9700
        assert [record.amount for record in batch_records(bench.host.seen("0320")[0])] == [9700]


@pytest.mark.parametrize("pin", ["", "123456"])
def test_tracks_go_enciphered_under_a_track_key(pin: str) -> None:
    tdk = bytes(range(16))
    with Bench() as bench:
        bench.provision()
        bench.serve("PARAM sign_in_network_code=004")
        f62 = keys.make_f62(TMK, "004", PIK, MAK, tdk).hex().upper()
        bench.host.script = lambda request: Answer(
            fields={62: f62, 60: "00000001004"}) if request.mti == "0800" else None
        assert bench.sign_in()["DF07"] == "00" and bench.sale(100, MAGNETIC, pin)["DF07"] == "00"
        sale = bench.host.seen("0200")[0]
        assert sale.get(53) == ("2610" if pin else "0610") + "0" * 12 and (52 in sale.fields) is bool(pin)
        track, clear = sale.get(35), MAGNETIC.track2
        assert len(track) == len(clear) and track != clear and track[-1:] == clear[-1:]
        packed = bytes.fromhex(track + "0" * (len(track) % 2))
        opened = packed[:-9] + keys.decrypt(tdk, packed[-9:-1]) + packed[-1:]
        assert opened.hex().upper()[: len(clear)] == clear


def test_codes_and_operator_of_the_settlement() -> None:
    with set_up(batch_end_balanced="202", operator="01 ") as bench:
        bench.settle()
        assert bench.host.seen("0320")[-1].network_code == "202" and bench.host.seen("0500")[0].get(63) == "01 "


def test_it_signs_off_after_a_settlement_where_the_dialect_says_so() -> None:
    with set_up(auto_sign_off="1") as bench:
        assert bench.settle()["DF07"] == "00" and not bench.state.signed_in
        assert (bench.host.requests[-1].mti, bench.host.requests[-1].network_code) == ("0820", "002")


@pytest.mark.parametrize("before", ["0", "1"])
def test_a_settlement_before_a_sign_in(before: str) -> None:
    with set_up(settlement_before_sign_in=before) as bench:
        bench.sale(100)
        bench.host.script = lambda request: Answer("97") if request.mti == "0800" else None
        bench.sign_in()
        assert bench.settle()["DF07"] == ("00" if before == "1" else "Z4")


# -- batch upload ------------------------------------------------------------------------------------------------------

def mixed_batch(bench: Bench) -> None:
    """Traces 2 to 6: stripe, chip, offline chip, stripe, chip."""
    bench.sale(100)
    for amount in (200, 300):
        if amount == 200:
            bench.sale(amount, CHIP)
        else:
            bench.order(TYPES["offline_chip_sale"], CHIP, DF03=f"{amount:012d}")
        bench.board.put_event({"remove": True})
    bench.sale(400)
    bench.sale(500, CHIP)


@pytest.mark.parametrize(("answer", "forms"), [
    (None, ["203", "203", "203", "207"]), (UNBALANCED, ["201", "205", "203", "205", "202"])],
    ids=["balanced", "unbalanced"])
@pytest.mark.parametrize("cut", range(5))
def test_every_transaction_is_uploaded_once_wherever_it_is_cut(
    answer: Answer | None, forms: list[str], cut: int
) -> None:
    with set_up() as bench:
        mixed_batch(bench)
        uploads = 0

        def script(request: Frame) -> Answer | None:
            nonlocal uploads
            uploads += request.mti == "0320"
            if request.mti == "0320" and uploads == cut + 1:
                return Answer("97")
            return answer if request.mti == "0500" else None

        bench.host.script = script
        told = [bench.settle()["DF07"] for _ in range(2 if cut < len(forms) else 1)]
        assert told == (["97", "00"] if cut < len(forms) else ["00"])
        sent = bench.host.seen("0320")
        keys_ = ((frame.network_code, frame.get(11) if 55 in frame else "") for frame in sent)
        taken = [key for key, _ in groupby(keys_)]
        assert [code for code, _ in taken] == forms and len(sent) == len(forms) + (cut < len(forms))
        chips = {trace for _, trace in taken if trace}
        assert chips == {"000003", "000004", "000006"} and batch_end_count(sent[-1]) == 5
        if answer is not None:
            assert [record.trace for record in batch_records(sent[0])] == ["000002", "000005"]
        originals = {frame.get(11): frame for frame in bench.host.requests if frame.mti in ("0200", "0220")}
        for frame in sent:
            if 55 in frame:
                assert frame.fields[55] == originals[frame.get(11)].fields[55]


# -- signatures --------------------------------------------------------------------------------------------------------

def signed_sale(bench: Bench) -> None:
    bench.send_sale(9700)
    bench.present(MAGNETIC)
    bench.run(bench.shows("请输入密码"))
    bench.key("ENTER")
    bench.run(bench.shows("请签名"))
    assert [record.trace for record in bench.log] == [2]  # booked before anybody signs
    bench.board.put_event({"sign": {"strokes": (bytes(200) + b"\x18\x3c" * 20 + bytes(200)).hex()}})
    assert bench.till_answer()["DF07"] == "00"


def test_a_signature_is_uploaded_when_the_terminal_is_at_rest() -> None:
    with Bench(model="HT-200") as bench:
        bench.ready()
        signed_sale(bench)
        bench.run(lambda: bench.state.signatures == ())
        upload = bench.host.seen("0820")[0]
        assert (upload.message_type, upload.network_code, upload.get(11)) == ("07", "800", "000002")
        assert upload.get(37) == bench.log[0].reference and 64 in upload and 0 < len(upload.binary(62)) < 100


def test_97_keeps_a_signature_and_undoes_nothing() -> None:
    with Bench(model="HT-200") as bench:
        bench.ready()
        bench.host.script = lambda request: Answer("97") if request.mti == "0820" else None
        signed_sale(bench)
        log = bench.log
        bench.run(lambda: bench.state.signatures and bench.state.signatures[0].attempts == 1)
        assert bench.log == log and bench.state.reversal is None
        bench.reboot()
        bench.host.script = lambda request: None
        bench.run(lambda: bench.state.signatures == ())
        assert len(bench.host.seen("0820")) == 2


def test_a_customer_with_a_pin_does_not_sign_and_one_may_sign_on_paper() -> None:
    with Bench(model="HT-200") as bench:
        bench.ready()
        assert bench.sale(100, MAGNETIC, "123456")["DF07"] == "00"
        assert not any("请签名" in "".join(screen) for screen in bench.board.screens)
        assert bench.sale(100)["DF07"] == "00" and bench.state.signatures == ()
        assert any("请签名" in "".join(screen) for screen in bench.board.screens)


@pytest.mark.parametrize("picture", [b"", b"\0" * 5000, bytes(range(256)) * 8, b"\1\1\2" * 900, b"a", b"ab", b"aab"])
def test_a_compressed_picture_is_the_picture_as_far_as_it_fits(picture: bytes) -> None:
    packed, opened, at = signatures.compressed(picture), b"", 0
    assert len(packed) <= signatures.LARGEST
    while at < len(packed):
        count = packed[at] & 0x7F
        if packed[at] & 0x80:
            opened, at = opened + packed[at + 1 : at + 2] * (count + 1), at + 2
        else:
            opened, at = opened + packed[at + 1 : at + 2 + count], at + 2 + count
    assert picture.startswith(opened) and (opened == picture or len(packed) > signatures.LARGEST - 130)
