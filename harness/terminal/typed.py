"""What a person types to an emulated terminal that stands alone: lines of commands, and single keys."""

from __future__ import annotations

import re
from dataclasses import dataclass

from harness.errors import BadInput, BenchError
from harness.instruments.card_slot import CardSlot
from harness.instruments.keypad import Keypad
from harness.instruments.panel import Panel
from harness.terminal.cards import CARDS, Card
from harness.terminal.front import SIGNATURE

HELP = """\
KEYS            digits and ENTER CANCEL CLEAR FUNC ALPHA UP DOWN, separated by spaces: 1234 ENTER
swipe [CARD]    a magnetic stripe: a test card's name, or track 2 (PAN=YYMM...)
insert [CARD]   a chip card into the slot; remove takes it out
tap [CARD]      a contactless card
scan [CODE]     a payment code: wechat, alipay, or its digits
sign [HEX]      a signature
power on|off    the supply
wait TEXT [S]   until the screen shows TEXT (spaces don't count), at most S seconds (default 30)
slip [S]        until another slip has come out
screen          show the screen again
help, quit"""
KEYS = ("ENTER", "CANCEL", "CLEAR", "FUNC", "ALPHA", "UP", "DOWN")
_TRACK2 = re.compile(r"[0-9]{8,19}[D=][0-9]{4,24}\Z")
_CODE = re.compile(r"[0-9]{16,24}\Z")
_SECONDS = re.compile(r"[0-9]{1,4}(\.[0-9]+)?\Z")
WAIT_S = 30.0


@dataclass(frozen=True)
class Wait:
    """The line asks to wait for a text on the screen, or (None) for a slip."""

    text: str | None
    seconds: float


@dataclass(frozen=True)
class Show:
    """The line asks for ``what``: the screen, help, or the end (quit)."""

    what: str


class Hands:
    """Obeys lines. What the board refuses is BadInput with its reason."""

    def __init__(self, panel: Panel) -> None:
        self._panel, self._keypad, self._slot, self._inside = panel, Keypad(panel), CardSlot(panel), False

    def obey(self, line: str) -> Wait | Show | None:
        """Does what the line says, or returns what the caller has to do. BadInput where it says nothing known."""
        words = line.split()
        if not words or words[0].startswith("#"):
            return None
        name, rest = words[0].lower(), words[1:]
        try:
            match name:
                case "wait" if rest:
                    timed = len(rest) > 1 and bool(_SECONDS.match(rest[-1]))
                    return Wait("".join(rest[:-1] if timed else rest), _seconds(rest[1:]))
                case "slip" if len(rest) < 2:
                    return Wait(None, _seconds(rest))
                case "screen" | "help" | "quit" if not rest:
                    return Show(name)
                case "swipe" if len(rest) < 2:
                    self._slot.swipe(_track2(rest))
                case "insert" if len(rest) < 2:
                    self._slot.insert(_card(rest[0] if rest else "chip", name).chip())
                    self._inside = True
                case "tap" if len(rest) < 2:
                    self._slot.tap(_card(rest[0] if rest else "contactless", name).chip())
                case "remove" if not rest:
                    self._slot.remove()
                    self._inside = False
                case "scan" if len(rest) < 2:
                    self._slot.scan(_code(rest))
                case "sign" if len(rest) < 2:
                    self._slot.sign(_strokes(rest))
                case "power" if rest in (["on"], ["off"]):
                    self._panel.request("power", state=rest[0])
                case _:
                    self._keypad.press(*_keys(words))
        except BenchError as error:
            raise BadInput(str(error)) from error
        return None

    def toggle_chip(self) -> None:
        """The chip test card into the slot, or out of it."""
        self.obey("remove" if self._inside else "insert")


def _keys(words: list[str]) -> list[str]:
    keys: list[str] = []
    for word in words:
        if word.upper() in KEYS:
            keys.append(word.upper())
        elif word.isascii() and word.isdigit():
            keys += word
        else:
            raise BadInput(f"{word!r} is neither a command nor a key", remedy="type help for what there is")
    return keys


def _card(name: str, use: str) -> Card:
    card = CARDS.get(name.lower())
    fitting = [one.name for one in CARDS.values() if (one.track2 if use == "swipe" else one.objects)]
    if card is None or card.name not in fitting:
        raise BadInput(f"there is no test card {name!r} to {use}; there are {', '.join(fitting)}")
    return card


def _track2(rest: list[str]) -> str:
    if rest and _TRACK2.match(rest[0].upper()):
        return rest[0].upper().replace("=", "D")
    return _card(rest[0] if rest else "magnetic", "swipe").track2


def _code(rest: list[str]) -> str:
    text = rest[0].lower() if rest else "wechat"
    if _CODE.match(text):
        return text
    card = CARDS.get(text)
    if card is None or not card.code:
        raise BadInput(f"{text!r} is no payment code: wechat, alipay, or 16 to 24 digits")
    return card.code


def _strokes(rest: list[str]) -> bytes:
    try:
        return bytes.fromhex(rest[0]) if rest else SIGNATURE
    except ValueError as error:
        raise BadInput("a signature is a bitmap in hexadecimal digits") from error


def _seconds(words: list[str]) -> float:
    """The seconds at the end of a line."""
    return float(words[-1]) if words and _SECONDS.match(words[-1]) else WAIT_S
