"""What the driver answers to which question, what the till's command says, and how a result is read."""

from __future__ import annotations

import pytest

from harness.errors import BadInput
from harness.protocol.transactions import KINDS
from harness.terminal.cards import ALIPAY, CHIP, MAGNETIC, MANUAL
from harness.terminal.cashier import TYPES
from harness.terminal.contracts import Order
from harness.terminal.drivers import dialogs
from harness.terminal.drivers.dialogs import PROMPTS, Step, steps, tags
from harness.terminal.drivers.panel_operation import completion_of, ended
from harness.terminal.front import Seen
from harness.terminal.orders import NEEDS, TAKES_PIN, check

FULL = {
    "amount": 1234, "card": MAGNETIC, "trace": "000012", "reference": "112421000003", "date": "1124",
    "authorisation": "000045", "tip": 150,
}


def order(name: str, **changes: object) -> Order:
    """With all that it needs."""
    return Order(name, **({need: FULL[need] for need in NEEDS[name]} | changes))  # type: ignore[arg-type]


def asked(given: Order, *, signature: bool = False) -> dict[str, str]:
    """Prompt -> what is typed, of what is typed."""
    return {step.prompt: step.text for step in steps(given, signature=signature) if step.how == "type"}


@pytest.mark.parametrize("name", NEEDS)
def test_every_transaction_has_all_its_questions(name: str) -> None:
    prompts = [step.prompt for step in steps(order(name), signature=False)]
    assert {PROMPTS[need] for need in NEEDS[name]} <= set(prompts)
    assert len(prompts) == len(set(prompts))
    assert (dialogs.ASK_PIN in prompts) == (name in TAKES_PIN)


def test_answers_are_what_was_ordered() -> None:
    typed = asked(order("completion", pin=True))
    assert typed == {
        "请输入授权码": "000045", "请输入原交易日期": "1124", "请输入金额": "1234", "请输入密码": MAGNETIC.pin,
    }
    assert asked(order("balance"))["请输入密码"] == ""  # only ENTER
    assert asked(order("offline_tip")) == {"请输入原凭证号": "000012", "请输入小费": "150"}
    assert asked(order("offline_sale"))["请输入授权码"] == ""
    assert asked(order("offline_sale", authorisation="000045"))["请输入授权码"] == "000045"
    assert asked(order("settle")) == {"确认结算": ""}


def test_how_a_card_is_presented() -> None:
    manual = steps(order("sale", card=MANUAL), signature=False)
    assert Step("请刷卡", "present") in manual and Step("请输入有效期", text=MANUAL.expiry) in manual
    scanned = steps(order("sale", card=ALIPAY, pin=True), signature=True)
    assert dialogs.ASK_PIN not in {step.prompt for step in scanned}  # never of a wallet
    assert Step("请签名", "sign") in steps(order("sale", card=CHIP), signature=True)
    assert "请签名" not in {step.prompt for step in steps(order("settle"), signature=True)}


def test_a_void_may_ask_for_the_card_again() -> None:
    again = {step.prompt for step in steps(order("void", card=CHIP, pin=True), signature=False)}
    assert {"请输入原凭证号", "撤销确认", "请刷卡", "请输入密码"} == again
    assert {step.prompt for step in steps(order("void"), signature=False)} == {"请输入原凭证号", "撤销确认"}


@pytest.mark.parametrize("name", KINDS)
def test_the_till_says_all_but_the_card(name: str) -> None:
    assert name in TYPES
    said = tags(order(name))
    assert len(said) == len([need for need in NEEDS[name] if need != "card"])
    assert said.get("DF03") in (None, "000000001234")
    assert said.get("DF18") in (None, "000000000150")


def test_an_order_that_lacks_something_is_refused_by_name() -> None:
    with pytest.raises(BadInput, match="refund needs reference, date"):
        check(Order("refund", 100, MAGNETIC))
    with pytest.raises(BadInput, match="there is no transaction 'sell'"):
        check(Order("sell"))


def seen(*lines: str) -> Seen:
    return Seen(1, 0, lines, 0)


def test_a_result_is_read_off_the_screen() -> None:
    told = completion_of(seen("21:40 已签到", "交易成功", "凭证号:000097", "参考号:112421000003", "授权码:000045"))
    assert (told.ok, told.code, told.trace, told.reference, told.authorisation) == (
        True, "00", "000097", "112421000003", "000045"
    )
    refused = completion_of(seen("21:40 已签到", "交易失败", "应答码:97", "终端未登记,请联系收单行或银联"))
    assert (refused.ok, refused.code, refused.trace) == (False, "97", "")
    local = completion_of(seen("21:40 未签到", "请先签到"))
    assert (local.ok, local.code) == (False, None)


@pytest.mark.parametrize("text", ["签退成功", "参数下载完成", "IC卡参数下载完成", "黑名单下载完成", "公钥下载完成"])
def test_network_functions_end(text: str) -> None:
    assert ended(seen("21:40 已签到", text)) and completion_of(seen("21:40 已签到", text)).ok


def test_an_amount_that_looks_like_97_is_no_code() -> None:
    assert completion_of(seen("交易成功", "凭证号:970097", "参考号:979797979797")).code == "00"
    assert completion_of(seen("通讯超时", "金额:97.97")).code is None
