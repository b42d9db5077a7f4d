"""The dialogs of the emulated models as tables: what the screen asks for, what the till says, what is answered.

The order of the questions is the terminal's affair: whatever is asked for is answered, once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from harness.terminal.cards import Card
from harness.terminal.contracts import Order
from harness.terminal.front import Front, Seen
from harness.terminal.orders import NEEDS, TAKES_PIN

PROMPTS: Mapping[str, str] = {  # field of an Order -> what the screen then contains
    "amount": "请输入金额",
    "card": "请刷卡",
    "trace": "请输入原凭证号",
    "reference": "请输入原参考号",
    "date": "请输入原交易日期",
    "authorisation": "请输入授权码",
    "tip": "请输入小费",
}
ASK_EXPIRY, ASK_PIN, ASK_SIGNATURE, ASK_MERCHANT = "请输入有效期", "请输入密码", "请签名", "请选择商户"
CONFIRMS: Mapping[str, str] = {"void": "撤销确认", "completion_void": "撤销确认", "settle": "确认结算"}
MAY_BE_EMPTY: Mapping[str, tuple[str, ...]] = {"offline_sale": ("authorisation",)}  # asked for, and ENTER will do
VOIDS = ("void", "completion_void")  # these ask for card and PIN again where the network wants it

SIGNATURE = b"".join((1 << 63 - 2 * row).to_bytes(8, "big") for row in range(32))  # 64 x 32 pixels: a stroke down

_TWELVE: Callable[[int], str] = "{:012d}".format
_TAGS: Mapping[str, str] = {
    "amount": "DF03", "trace": "DF08", "reference": "DF15", "date": "DF16", "authorisation": "DF17", "tip": "DF18",
}


@dataclass(frozen=True)
class Step:
    """A question and its answer: ``text`` typed and ENTER, the card presented, or the customer's signature."""

    prompt: str
    how: Literal["type", "present", "sign"] = "type"
    text: str = ""


def asked(order: Order) -> list[str]:
    """The fields of the order that the terminal asks for."""
    optional = [need for need in MAY_BE_EMPTY.get(order.name, ()) if need not in NEEDS[order.name]]
    return [*NEEDS[order.name], *optional]


def steps(order: Order, *, signature: bool) -> list[Step]:
    """All that the terminal may ask for on the way to the result; ``signature``: its model has a pad for one."""
    found: list[Step] = []
    for need in asked(order):
        if need != "card":
            found.append(Step(PROMPTS[need], text=_typed(getattr(order, need))))
    takes_card = "card" in NEEDS[order.name] or order.name in VOIDS
    if order.card is not None and takes_card:
        found += _card_steps(order.card)
        if order.card.entry != "scan" and (order.name in TAKES_PIN or order.name in VOIDS):
            found.append(Step(ASK_PIN, text=order.card.pin if order.pin else ""))
        if signature:
            found.append(Step(ASK_SIGNATURE, "sign"))
    if order.name in CONFIRMS:
        found.append(Step(CONFIRMS[order.name]))
    return found


def _card_steps(card: Card) -> list[Step]:
    typed = [Step(ASK_EXPIRY, text=card.expiry)] if card.entry == "manual" else []
    return [Step(PROMPTS["card"], "present"), *typed]


def _typed(value: object) -> str:
    return "" if value is None else str(value)


def tags(order: Order) -> dict[str, str]:
    """What the till's command says of it."""
    found = {}
    for need in asked(order):
        value = getattr(order, need)
        if need in _TAGS and value not in (None, ""):
            found[_TAGS[need]] = _TWELVE(value) if isinstance(value, int) else value
    return found


def arguments(order: Order) -> dict[str, str]:
    """What the history says of it. The card is told by its name."""
    found = {need: str(getattr(order, need)) for need in asked(order) if need != "card" and getattr(order, need)}
    if order.card is not None:
        found |= {"entry": order.card.name, "pin": "yes" if order.pin else "no"}
    return found


class Dialog:
    """The questions that are still open in one operation."""

    def __init__(self, front: Front, steps: list[Step], card: Card | None) -> None:
        self._front, self._open, self._card = front, list(steps), card
        self._last: Step | None = None
        self.presented = 0  # how often a card was held out

    @property
    def prompts(self) -> tuple[str, ...]:
        """Texts of the questions that may still come."""
        return tuple(step.prompt for step in self._open)

    def asks(self, seen: Seen) -> bool:
        """Whether that screen asks something that was not answered yet."""
        return any(prompt in seen.text for prompt in self.prompts)

    def answer(self, seen: Seen) -> int:
        """Do what that screen asks for. Returns the number of the screen before the last key or card."""
        self._last = step = next(step for step in self._open if step.prompt in seen.text)
        self._open.remove(step)
        if step.how == "present":
            return self.present()
        if step.how == "sign":
            return self._front.sign(SIGNATURE)
        self._front.type(step.text)
        return self._front.press("ENTER")

    @property
    def waits_to_be_read(self) -> bool:
        """The last answer was a card that somebody has to read; a number that is typed always gets through."""
        return self._last is not None and self._last.how == "present" and self._entry != "manual"

    @property
    def may_be_shown_again(self) -> bool:
        """Where nothing happens, without doing harm: a chip in the slot is left alone."""
        return self._entry != "chip"

    @property
    def asks_for_card(self) -> str:
        return PROMPTS["card"]

    def present(self) -> int:
        """Hold out the card, once more where it was not read. Returns the number of the screen before."""
        assert self._card is not None
        self._front.take_card()
        self.presented += 1
        return self._front.present(self._card)

    @property
    def _entry(self) -> str:
        return self._card.entry if self._card is not None else ""

    def answer_again(self, seen: Seen) -> int:
        """The last answer once more, where that screen shows its question with a part of it; else nothing."""
        step = self._last
        if step is None or step.how != "type" or step.prompt not in seen.text:
            return seen.number
        self._front.press(*["CLEAR"] * (len(step.text) + 1))
        self._front.type(step.text)
        return self._front.press("ENTER")
