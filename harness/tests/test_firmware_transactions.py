"""Every transaction beside sale and void: its wire, its books, its slip; and 97 on each. MSG-01, MON-01, -02, -04."""

from __future__ import annotations

import pytest

from harness.protocol import keys
from harness.protocol.frames import Frame
from harness.protocol.nested import Original, settlement_totals
from harness.protocol.tlv import read_text_tlv
from harness.protocol.transactions import KINDS
from harness.terminal.cards import ALIPAY, CARDS, CHIP, CONTACTLESS, MAGNETIC, MANUAL, WECHAT, Card
from harness.terminal.cashier import TYPES
from harness.tests.firmware_bench import MAK, Answer, Bench

AMOUNT = {"DF03": f"{5000:012d}"}
OF_AUTHORISATION = {"DF17": "970970", "DF16": "1123", **AMOUNT}
ONLINE = {  # name -> tags of the till, takes a card, takes a PIN
    "balance": ({}, True, True),
    "refund": ({"DF15": "970000000001", "DF16": "1123", **AMOUNT}, True, False),
    "pre_authorisation": (AMOUNT, True, True),
    "pre_authorisation_void": (OF_AUTHORISATION, True, True),
    "completion": (OF_AUTHORISATION, True, True),
    "completion_advice": (OF_AUTHORISATION, True, False),
}


def perform(bench: Bench, name: str, card: Card = MAGNETIC, pin: str = "") -> dict[str, str]:
    tags, _, takes_pin = ONLINE[name]
    return bench.order(TYPES[name], card, pin if takes_pin else None, **tags)


@pytest.mark.parametrize("name", ONLINE)
def test_an_online_transaction_is_as_its_row_says(name: str) -> None:
    kind = KINDS[name]
    with Bench() as bench:
        bench.ready()
        assert perform(bench, name)["DF07"] == "00"
        frame = bench.host.requests[-1]
        assert (frame.mti, frame.get(3), frame.get(25), frame.message_type) == (
            kind.mti, kind.processing, kind.condition, kind.message_type)
        assert keys.verify(frame, MAK) == "ok" and frame.get(22) == "022" and frame.get(35) == MAGNETIC.track2
        assert (4 in frame.fields) is (name != "balance")
        booked = [(record.kind, record.amount) for record in bench.log]
        assert booked == ([(name, 5000)] if kind.in_batch else []) and bench.state.reversal is None
        if kind.names == "authorisation":
            assert frame.get(38) == "970970" and Original.of(frame) == Original("0" * 6, "0" * 6, "1123")
        if name == "refund":
            assert (frame.get(37), frame.get(63)) == ("970000000001", "000")
            assert Original.of(frame) == Original("0" * 6, "0" * 6, "1123")
        if name != "balance":
            assert f"凭证号:{2:06d}" in bench.lines and "交易成功" in bench.board.slips[-1]


@pytest.mark.parametrize("name", ONLINE)
@pytest.mark.parametrize("card", [MAGNETIC, CHIP], ids=["stripe", "chip"])
def test_97_on_an_online_transaction_leaves_nothing(name: str, card: Card) -> None:
    with Bench() as bench:
        bench.ready()
        bench.host.script = lambda request: Answer("97")
        assert perform(bench, name, card)["DF07"] == "97"
        assert bench.lines[1:3] == ["交易失败", "应答码:97"] and bench.board.slips == []
        assert bench.log == [] and bench.state.reversal is None and bench.state.signed_in
        assert len(bench.host.requests) == 2


@pytest.mark.parametrize("name", ["sale", *ONLINE])
def test_an_unknown_outcome_is_reversed_where_the_row_says_so(name: str) -> None:
    with Bench() as bench:
        bench.ready()
        bench.host.script = lambda request: Answer(act="close") if request.mti in ("0100", "0200", "0220") else None
        told = bench.sale(5000) if name == "sale" else perform(bench, name)
        assert told["DF07"] == "Z2"
        assert (bench.state.reversal is not None) is KINDS[name].reversible
        bench.host.script = lambda request: None
        bench.sale(1)
        reversed_ = bench.host.seen("0400")
        assert len(reversed_) == KINDS[name].reversible
        for frame in reversed_:
            assert (frame.message_type, frame.get(3), frame.get(11)) == (
                KINDS[name].message_type, KINDS[name].processing, "000002")


def test_a_completion_is_voided_and_both_stand_in_the_totals() -> None:
    with Bench() as bench:
        bench.ready()
        perform(bench, "completion")
        assert bench.void("000002")["DF07"] == "Z7"  # a sale's void is another
        assert bench.order(TYPES["completion_void"], DF08="000002")["DF07"] == "00"
        frame = bench.host.seen("0200")[-1]
        assert (frame.message_type, frame.get(22), frame.get(61)) == ("21", "012", "000001000002")
        assert bench.order(TYPES["completion_void"], DF08="000002")["DF07"] == "Z7"
        perform(bench, "refund")
        bench.settle()
        home, _ = settlement_totals(bench.host.seen("0500")[0])
        assert (home.debit_count, home.debit_amount, home.credit_count, home.credit_amount) == (1, 5000, 2, 10000)


def test_a_balance_is_shown_and_told_and_not_printed() -> None:
    with Bench() as bench:
        bench.ready()
        told_by_host = Answer(fields={54: "0210156C000000009797"})
        bench.host.script = lambda request: told_by_host if request.mti == "0200" else None
        told = perform(bench, "balance", pin="123456")
        assert told["DF19"] == "000000009797" and "余额:RMB 97.97" in bench.lines
        assert bench.board.slips == [] and bench.log == [] and bench.state.last is None
        assert (bench.host.requests[-1].get(26), bench.host.requests[-1].get(22)) == ("12", "021")


# -- how a card is presented -------------------------------------------------------------------------------------------

@pytest.mark.parametrize("name", ["magnetic", "chip", "contactless", "manual"])
@pytest.mark.parametrize("pin", ["", "123456"])
def test_every_entry_mode_has_its_fields(name: str, pin: str) -> None:
    card = CARDS[name]
    with Bench() as bench:
        bench.ready()
        assert bench.sale(9700, card, pin)["DF07"] == "00"
        frame = bench.host.seen("0200")[0]
        first = {"magnetic": "02", "chip": "05", "contactless": "07", "manual": "01"}[name]
        assert frame.get(22) == first + ("1" if pin else "2") and frame.get(2) == card.pan
        assert (35 in frame.fields) is (name != "manual") and (14 in frame.fields) is (name == "manual")
        assert (55 in frame.fields) is (23 in frame.fields) is (name in ("chip", "contactless"))
        assert frame.get(14) == (card.expiry if name == "manual" else "")
        assert card.pan not in "".join("".join(screen) for screen in bench.board.screens)


@pytest.mark.parametrize(("card", "channel"), [(WECHAT, "微信"), (ALIPAY, "支付宝")], ids=["wechat", "alipay"])
def test_a_scanned_code_is_paid_voided_and_reversed_without_a_card(card: Card, channel: str) -> None:
    with Bench() as bench:
        bench.ready()
        bench.send_sale(9700)
        bench.board.present(card)
        assert bench.till_answer()["DF07"] == "00"
        frame = bench.host.seen("0200")[0]
        assert not {2, 14, 35, 52, 55} & set(frame.fields) and frame.get(22) == "032"
        assert read_text_tlv(frame.get(59)) == [("A3", card.code)]
        slip = bench.board.slips[-1]
        assert f"渠道:{channel}" in slip and not any(card.code in line for line in slip)
        bench.host.script = lambda request: Answer(act="close") if request.mti == "0200" else None
        bench.void("000002")
        bench.host.script = lambda request: None
        assert bench.void("000002")["DF07"] == "00"
        void, reversal = bench.host.seen("0200")[-1], bench.host.seen("0400")[0]
        voucher = bench.log[0].voucher
        assert len(voucher) == 20 and read_text_tlv(void.get(59)) == [("A4", voucher)]
        assert 2 not in void.fields and void.get(22) == "032" and read_text_tlv(reversal.get(59)) == [("A4", voucher)]


@pytest.mark.parametrize("code", ["1645979797979797979", "199797979797979797", "1345", "319797979797979797"])
def test_a_code_of_no_known_provider_is_refused_at_the_terminal(code: str) -> None:
    with Bench() as bench:
        bench.ready()
        bench.send_sale(9700)
        bench.board.put_event({"scan": {"code": code}})
        assert bench.till_answer()["DF07"] == "ZB"
        assert bench.host.seen("0200") == []


def test_a_model_takes_only_what_it_has_readers_for() -> None:
    with Bench(model="HT-200") as bench:
        bench.ready()
        bench.send_sale(9700)
        bench.key(*MANUAL.pan, "ENTER")
        assert bench.shows("请刷卡或插卡")()
        bench.present(CONTACTLESS)
        bench.key("ENTER")
        assert bench.till_answer()["DF07"] == "00"


# -- stored transactions -----------------------------------------------------------------------------------------------

def offline_sale(bench: Bench, amount: int = 5000, **tags: str) -> dict[str, str]:
    return bench.order(TYPES["offline_sale"], MAGNETIC, DF03=f"{amount:012d}", **tags)


def advices(bench: Bench) -> list[Frame]:
    return bench.host.seen("0220")


def test_an_offline_sale_is_stored_and_sent_before_the_next_sale() -> None:
    with Bench() as bench:
        bench.ready()
        assert offline_sale(bench, DF17="ABC123")["DF07"] == "00"
        assert advices(bench) == [] and list(bench.state.undelivered) == [2] and "交易成功" in bench.board.slips[-1]
        bench.reboot()
        bench.run(lambda: len(bench.host.seen("0800")) == 2)
        assert bench.sale(100)["DF07"] == "00"
        assert [frame.mti for frame in bench.host.requests[-2:]] == ["0220", "0200"]
        frame = advices(bench)[0]
        assert (frame.get(11), frame.get(38), frame.message_type) == ("000002", "ABC123", "30")
        assert int(frame.get(4)) == 5000
        assert bench.state.undelivered == () and [r.amount for r in bench.log] == [5000, 100]


@pytest.mark.parametrize(
    "answer", [Answer("97"), Answer("77"), Answer("A0"), Answer(act="close"), Answer("00", mac=False)],
    ids=["97", "77", "A0", "closed", "no-mac"])
def test_a_stored_sale_survives_what_is_no_answer_to_it_and_is_the_same_each_time(answer: Answer) -> None:
    with Bench() as bench:
        bench.ready()
        offline_sale(bench)
        bench.host.script = lambda request: answer if request.mti == "0220" else None
        for _ in range(3):
            assert bench.sale(1)["DF07"] in ("97", "77", "A0", "Z9")
            bench.sign_in()
        assert bench.settle()["DF07"] in ("97", "77", "A0", "Z9") and bench.host.seen("0500") == []
        assert bench.host.seen("0200") == [] and bench.state.undelivered == (2,)
        bench.host.script = lambda request: None
        bench.host.batch = 41
        bench.sign_in()
        assert bench.settle()["DF07"] == "00"
        sent = advices(bench)
        assert len(sent) == 5 and len({f.raw[13:-8] for f in sent}) == 1  # but for a MAC under new keys
        assert (sent[0].get(11), sent[0].batch) == ("000002", "000001")
        home, _ = settlement_totals(bench.host.seen("0500")[0])
        assert (home.debit_count, home.debit_amount) == (1, 5000)


def test_a_stored_sale_that_the_host_declines_is_refused_for_good_and_on_the_report() -> None:
    with Bench() as bench:
        bench.ready()
        offline_sale(bench)
        bench.host.script = lambda request: Answer("51") if request.mti == "0220" else None
        assert bench.sale(100)["DF07"] == "00" and list(bench.state.refused) == [2]
        assert bench.settle()["DF07"] == "00"
        assert len(advices(bench)) == 1 and "上送被拒:000002 RMB 50.00" in bench.board.slips[-1]
        home, _ = settlement_totals(bench.host.seen("0500")[0])
        assert (home.debit_count, home.debit_amount) == (1, 100) and bench.state.refused == ()


def test_an_adjustment_and_a_tip_stand_for_their_originals() -> None:
    with Bench() as bench:
        bench.ready()
        offline_sale(bench, 5000)  # 2
        assert bench.order(TYPES["offline_adjust"], DF08="000002", DF03=f"{4000:012d}")["DF07"] == "00"  # 3
        assert bench.order(TYPES["offline_adjust"], DF08="000002", DF03=f"{1:012d}")["DF07"] == "Z7"
        assert bench.order(TYPES["offline_tip"], DF08="000003", DF18=f"{400:012d}")["DF07"] == "00"  # 4
        bench.sale(1000)  # 5
        assert bench.order(TYPES["offline_tip"], DF08="000005", DF18=f"{97:012d}")["DF07"] == "00"  # 6
        assert bench.void("000005")["DF07"] == "Z7"
        bench.settle()
        sent = advices(bench)
        assert [(f.message_type, f.get(11), int(f.get(4)), f.get(61)) for f in sent] == [
            ("30", "000002", 5000, ""), ("32", "000003", 4000, "000001000002"), ("34", "000004", 4400, "000001000003"),
            ("34", "000006", 1097, "000001000005")]
        assert sent[-1].get(54) == "0002156D000000000097" and {f.get(2) for f in sent} == {MAGNETIC.pan}
        home, _ = settlement_totals(bench.host.seen("0500")[0])
        assert (home.debit_count, home.debit_amount) == (2, 5497)


def test_the_tills_need_not_be_told_everything_twice_and_what_it_forgets_is_no_command() -> None:
    with Bench() as bench:
        bench.ready()
        for name, tags in {
            "refund": AMOUNT, "completion": AMOUNT, "offline_tip": {"DF08": "000002"}, "void": {"DF08": "2"},
            "pre_authorisation": {"DF03": "0"},
        }.items():
            assert bench.till(TYPES[name], **tags)["DF07"] == "Z7"


def test_by_the_keypad_everything_is_asked_for_in_its_order() -> None:
    with Bench() as bench:
        bench.ready()
        bench.key("CANCEL", "FUNC", "5")
        asked = []
        for typed in ("970000000001", "1123", "5000"):
            asked.append(bench.lines[1])
            bench.key(*typed, "ENTER")
        asked.append(bench.lines[1])
        bench.present(MAGNETIC)
        bench.run(bench.shows("交易成功"))
        assert asked == ["请输入原参考号", "请输入原交易日期", "请输入金额", "请刷卡或插卡"]
        bench.key("CANCEL", "FUNC", "6", "3")
        bench.present(MAGNETIC)
        asked = []
        for typed in ("970970", "1123", "5000", ""):
            asked.append(bench.lines[1])
            bench.key(*typed, "ENTER")
        bench.run(bench.shows("交易成功"))
        assert asked == ["请输入授权码", "请输入原交易日期", "请输入金额", "请输入密码"]
        bench.key("CANCEL", "FUNC", "7", "1", *"300", "ENTER")
        bench.present(MAGNETIC)
        assert bench.lines[1] == "请输入授权码"
        bench.key("ENTER")
        bench.run(bench.shows("交易成功"))
        bench.key("CANCEL", "FUNC", "7", "4", *"000004", "ENTER")
        assert bench.lines[1] == "请输入小费"
        bench.key("5", "0", "ENTER")
        bench.run(bench.shows("交易成功"))
        assert bench.log[-1].amount == 350 and "小费:RMB 0.50" in bench.board.slips[-1]
