"""Questions to the operator: numbers, cards, confirmations. Each is a flow that ends in the answer, or None.

None means: cancelled, or nobody answered. While a note of an unattended answer waits to be seen, the next key shows it
before anything else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from . import texts
from .loop import CASHIER, PANEL, TIMEOUT, Flow, Signal, Wait, now
from .messages import Card
from .screen import Screen
from .slips import yuan
from .store import Store

ENTER, CANCEL, CLEAR, FUNC, ALPHA = "ENTER", "CANCEL", "CLEAR", "FUNC", "ALPHA"
PATIENCE_S, LEAST_PATIENCE_S = 60.0, 15.0  # for an answer; people do not get faster with time_scale
HEX_LETTERS = {"2": "2ABC", "3": "3DEF"}
LETTERS = {
    "2": "2ABC", "3": "3DEF", "4": "4GHI", "5": "5JKL", "6": "6MNO", "7": "7PQRS", "8": "8TUV", "9": "9WXYZ",
}


class Dialogs:
    """``chip`` is the card that sits in the slot, if any."""

    def __init__(self, store: Store, screen: Screen, time_scale: float) -> None:
        self._store, self._screen = store, screen
        self._patience_s = max(PATIENCE_S / time_scale, LEAST_PATIENCE_S)
        self.chip: dict[str, Any] | None = None

    # -- signals -------------------------------------------------------------------------------------------------------

    def event(self, deadline: float | None = None, *, cashier: bool = False) -> Flow[Signal]:
        """The next thing that the operator (or, with ``cashier``, the till) does, or TIMEOUT."""
        while True:
            signal = yield Wait(deadline=deadline, panel=True, cashier=cashier)
            if signal.key is None or not self._store.state.note:
                return signal
            covered = self._screen.lines
            command = yield from self._alert(cashier)
            if command is not None:
                return command
            self._screen.show(covered)

    def _alert(self, cashier: bool) -> Flow[Signal | None]:
        """What an unattended answer said: stays until ENTER or CANCEL. A command of the till goes first."""
        code = self._store.state.note
        self._screen.show((texts.ALERT, texts.code_line(code), texts.of_code(code)))
        while True:
            signal = yield Wait(panel=True, cashier=cashier)
            if signal.kind == CASHIER:
                return signal
            if signal.key in (ENTER, CANCEL):
                self._store.commit(note="")
                return None

    # -- questions -----------------------------------------------------------------------------------------------------

    def text(
        self, prompt: str, *, shortest: int, longest: int, shown: Callable[[str], str] = str,
        letters: dict[str, str] | None = None, may_be_empty: bool = False,
    ) -> Flow[str | None]:
        """Digits (with ``letters``: ALPHA turns the last one into the next of its letters), ended by ENTER."""
        typed = ""
        deadline = now() + self._patience_s
        while True:
            self._screen.show((prompt, shown(typed)))
            signal = yield from self.event(deadline)
            key = signal.key
            if signal.kind == TIMEOUT or key == CANCEL:
                return None
            deadline = now() + self._patience_s
            if key == CLEAR:
                typed = typed[:-1]
            elif key == ALPHA and letters and typed:
                typed = typed[:-1] + _next_letter(typed[-1], letters)
            elif key == ENTER and (shortest <= len(typed) or (may_be_empty and not typed)):
                return typed
            elif key is not None and key.isdigit() and len(typed) < longest:
                typed += key

    def amount(self) -> Flow[int | None]:
        """Cents, above 0."""
        while True:
            typed = yield from self.text(texts.ASK_AMOUNT, shortest=1, longest=9, shown=lambda t: yuan(int(t or "0")))
            if typed is None:
                return None
            if int(typed) > 0:
                return int(typed)

    def pin(self) -> Flow[str | None]:
        """4 to 12 digits; empty: the customer has none. Never shown."""
        return (yield from self.text(texts.ASK_PIN, shortest=4, longest=12, shown=_stars, may_be_empty=True))

    def master_key(self) -> Flow[str | None]:
        """32 hex characters. Never shown; their count is."""
        return (yield from self.text(
            texts.ASK_TMK, shortest=32, longest=32, letters=HEX_LETTERS, shown=lambda t: f"{_stars(t)} {len(t)}/32"
        ))

    def card(self) -> Flow[Card | None]:
        """A card that was swiped, or is or gets inserted."""
        note: tuple[str, ...] = ()
        deadline = now() + self._patience_s
        while True:
            presented = card_of_chip(self.chip) if self.chip else None
            if presented is None:
                self._screen.show((texts.ASK_CARD, *note))
                signal = yield from self.event(deadline)
                if signal.kind == TIMEOUT or signal.key == CANCEL:
                    return None
                presented = self._card_of(signal)
                if presented is None and signal.key is None:
                    note = (texts.CARD_UNREADABLE,)
            if presented is not None:
                return presented

    def _card_of(self, signal: Signal) -> Card | None:
        if signal.kind != PANEL:
            return None
        if "insert" in signal.value:
            return card_of_chip(signal.value["insert"])
        return card_of_stripe(signal.value["swipe"]) if "swipe" in signal.value else None

    def confirmed(self, *lines: str) -> Flow[bool]:
        """ENTER or not."""
        self._screen.show((*lines, texts.ENTER_OR_CANCEL))
        deadline = now() + self._patience_s
        while True:
            signal = yield from self.event(deadline)
            if signal.kind == TIMEOUT or signal.key in (ENTER, CANCEL):
                return signal.key == ENTER

    def choice(self, title: str, items: Iterable[str]) -> Flow[int | None]:
        """The index of the item whose digit (from 1) is pressed."""
        lines = [f"{number}.{item}" for number, item in enumerate(items, 1)]
        self._screen.show((title, *lines))
        deadline = now() + self._patience_s
        while True:
            signal = yield from self.event(deadline)
            if signal.kind == TIMEOUT or signal.key == CANCEL:
                return None
            key = signal.key or ""
            if key.isdigit() and 1 <= int(key) <= len(lines):
                return int(key) - 1


def card_of_stripe(value: Any) -> Card | None:
    """``{"track2": ..., "track3": ...}`` of the stripe reader; None where that is no payment card."""
    if not isinstance(value, dict):
        return None
    return _card("02", value.get("track2"), value.get("track3") or "")


def card_of_chip(value: Any) -> Card | None:
    """``{"pan", "track2", "psn", "f55"}`` of the chip; None where that is no payment card."""
    if not isinstance(value, dict):
        return None
    card = _card("05", value.get("track2"), "")
    sequence, f55 = value.get("psn") or "", value.get("f55") or ""
    if card is None or not isinstance(sequence, str) or not isinstance(f55, str):
        return None
    return card._replace(sequence=sequence.rjust(3, "0") if sequence else "", f55=f55.upper())


def _card(entry: str, track2: Any, track3: Any) -> Card | None:
    if not isinstance(track2, str) or not isinstance(track3, str):
        return None
    track2, track3 = track2.replace("=", "D"), track3.replace("=", "D")
    pan, separator, rest = track2.partition("D")
    whole = separator and 13 <= len(pan) <= 19 and pan.isascii() and pan.isdigit() and len(rest) >= 4
    if not whole or len(track2) > 37:
        return None
    return Card(entry, pan, track2, track3)


def _next_letter(last: str, letters: dict[str, str]) -> str:
    for cycle in letters.values():
        if last in cycle:
            return cycle[(cycle.index(last) + 1) % len(cycle)]
    return last


def _stars(text: str) -> str:
    return "*" * len(text)
