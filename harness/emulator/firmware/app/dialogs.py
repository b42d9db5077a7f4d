"""Questions to the operator: numbers, cards, confirmations. Each is a flow that ends in the answer, or None.

None means: cancelled, or nobody answered. While a note of an unattended answer waits to be seen, the next key shows it
before anything else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from . import cards, condition, emv, results, texts
from .cards import Card
from .hardware import Board
from .kinds import CHIP, CONTACTLESS, MAGNETIC, MANUAL, SCAN
from .loop import PANEL, TIMEOUT, Flow, Signal, Wait, now
from .results import Result
from .screen import Screen
from .slips import yuan
from .store import Store

ENTER, CANCEL, CLEAR, FUNC, ALPHA = "ENTER", "CANCEL", "CLEAR", "FUNC", "ALPHA"
PATIENCE_S, LEAST_PATIENCE_S = 60.0, 15.0  # for an answer; people do not get faster with time_scale
SHORTEST_PAN, LONGEST_PAN = 13, 19
HEX_LETTERS = {"2": "2ABC", "3": "3DEF"}
LETTERS = {
    "2": "2ABC", "3": "3DEF", "4": "4GHI", "5": "5JKL", "6": "6MNO", "7": "7PQRS", "8": "8TUV", "9": "9WXYZ",
}


class Dialogs:
    """``store`` keeps the note that waits to be seen. ``chip``: a card sits in the slot."""

    def __init__(self, board: Board, store: Store, screen: Screen) -> None:
        self._board, self._store, self._screen = board, store, screen
        self._patience_s = max(PATIENCE_S / board.time_scale, LEAST_PATIENCE_S)
        self._entry = frozenset(board.model["entry"])
        self.chip = False

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
        self._screen.show((texts.ALERT, texts.code_line(code), texts.of_code(code, self._store.state.dialect)))
        while True:
            signal = yield Wait(panel=True, cashier=cashier)
            if signal.commanded:
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

    def amount(self, prompt: str = texts.ASK_AMOUNT) -> Flow[int | None]:
        """Cents, above 0."""
        while True:
            typed = yield from self.text(prompt, shortest=1, longest=9, shown=lambda t: yuan(int(t or "0")))
            if typed is None:
                return None
            if int(typed) > 0:
                return int(typed)

    def digits(self, prompt: str, size: int, *, may_be_empty: bool = False) -> Flow[str | None]:
        """A number of so many digits."""
        return (yield from self.text(prompt, shortest=size, longest=size, may_be_empty=may_be_empty))

    def pin(self) -> Flow[str | None]:
        """4 to 12 digits; empty: the customer has none. Never shown."""
        return (yield from self.text(texts.ASK_PIN, shortest=4, longest=12, shown=_stars, may_be_empty=True))

    def master_key(self) -> Flow[str | None]:
        """32 hex characters. Never shown; their count is."""
        return (yield from self.text(
            texts.ASK_TMK, shortest=32, longest=32, letters=HEX_LETTERS, shown=lambda t: f"{_stars(t)} {len(t)}/32"
        ))

    def card(self) -> Flow[Card | Result | None]:
        """A card that was swiped, tapped or typed, or is or gets inserted, or a payment code that was scanned; as the
        model can. A result: why that is none that can be taken."""
        note: tuple[str, ...] = ()
        typed, misses = "", 0
        deadline = now() + self._patience_s
        while True:
            presented = emv.read_card(self._board, CHIP) if self.chip and CHIP in self._entry and not typed else None
            if presented is not None:
                return presented
            broken = condition.of_readers(self._board.condition(), self._entry)
            self._screen.show((texts.ASK_CARD, *((_hidden(typed),) if typed else (*note, *broken))))
            signal = yield from self.event(deadline)
            key = signal.key
            if signal.kind == TIMEOUT or key == CANCEL:
                return None
            if key is None:
                found = self._presented(signal)
                if found is not None:
                    return found
                misses += 1
                swiped = signal.kind == PANEL and "swipe" in signal.value
                text = texts.SWIPE_AGAIN if swiped else texts.CARD_UNREADABLE
                note, typed = (text if misses == 1 else f"{text}({misses})",), ""
                deadline = now() + self._patience_s
            elif MANUAL in self._entry:
                deadline = now() + self._patience_s
                if key == ENTER and len(typed) >= SHORTEST_PAN:
                    return (yield from self._expiry(typed))
                typed = typed[:-1] if key == CLEAR else typed + key if key.isdigit() else typed
                typed = typed[:LONGEST_PAN]

    def _presented(self, signal: Signal) -> Card | Result | None:
        """What stripe reader, slot, contactless reader or scanner gave; None: nothing that is a card."""
        if signal.kind != PANEL:
            return None
        value = signal.value
        if "swipe" in value and MAGNETIC in self._entry:
            return cards.of_stripe(value["swipe"])
        if "insert" in value and CHIP in self._entry:
            return emv.read_card(self._board, CHIP)
        if "tap" in value and CONTACTLESS in self._entry:
            return emv.read_card(self._board, CONTACTLESS)
        if "scan" in value and SCAN in self._entry:
            return cards.of_scan(value["scan"]) or results.local(results.NOT_ALLOWED, texts.UNKNOWN_PAYMENT_CODE)
        return None

    def _expiry(self, pan: str) -> Flow[Card | Result | None]:
        while True:
            expiry = yield from self.digits(texts.ASK_EXPIRY, 4)
            if expiry is None:
                return None
            card = cards.of_keys(pan, expiry)
            if card is not None:
                return card

    def signature(self) -> Flow[bytes | None]:
        """The pad's bitmap; None: the customer signs on paper, or not at all."""
        self._screen.show((texts.ASK_SIGNATURE, texts.ENTER_OR_CANCEL))
        deadline = now() + self._patience_s
        while True:
            signal = yield from self.event(deadline)
            if signal.kind == TIMEOUT or signal.key in (ENTER, CANCEL):
                return None
            if signal.kind == PANEL and "sign" in signal.value:
                return bytes.fromhex(signal.value["sign"]["strokes"])

    def confirmed(self, *lines: str) -> Flow[bool]:
        """ENTER or not."""
        self._screen.show((*lines, texts.ENTER_OR_CANCEL))
        deadline = now() + self._patience_s
        while True:
            signal = yield from self.event(deadline)
            if signal.kind == TIMEOUT or signal.key in (ENTER, CANCEL):
                return signal.key == ENTER

    def choice(self, title: str, items: Iterable[str]) -> Flow[int | None]:
        """The index of the item whose digit is pressed: from 1, and 0 for the tenth."""
        lines = [f"{number % 10}.{item}" for number, item in enumerate(items, 1)]
        self._screen.show((title, *self._screen.in_columns(lines)))
        deadline = now() + self._patience_s
        while True:
            signal = yield from self.event(deadline)
            if signal.kind == TIMEOUT or signal.key == CANCEL:
                return None
            key = signal.key or ""
            if key.isdigit() and 1 <= (number := int(key) or 10) <= len(lines):
                return number - 1


def _next_letter(last: str, letters: dict[str, str]) -> str:
    for cycle in letters.values():
        if last in cycle:
            return cycle[(cycle.index(last) + 1) % len(cycle)]
    return last


def _stars(text: str) -> str:
    return "*" * len(text)


def _hidden(pan: str) -> str:
    """A card number while it is typed: what may be shown of one."""
    return pan[:6] + "*" * (len(pan) - 6)
