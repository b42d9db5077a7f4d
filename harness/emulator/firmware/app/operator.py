"""The foreground: idle, function menu, management menu, the dialogs of each transaction, results; the till's commands.

One flow. While a transaction is on the line it takes neither keys nor commands: cancel is ignored, the till is told
that the terminal is busy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from . import cashier, condition, provisioning, results, texts
from .activation import CODE_DIGITS
from .asking import NOTHING_GIVEN, Asking, Given
from .comms import Show
from .dialogs import ENTER, FUNC, LETTERS, Dialogs
from .financial import Order
from .hardware import Board
from .kinds import KINDS
from .loop import CASHIER, SERVICE, TIMEOUT, Flow, Signal, now
from .notice import Notice
from .results import Result
from .screen import Printer, Screen
from .store import Store
from .transactions import Transactions

RESULT_S = 25.0  # of the terminal's own time: idle again well within 30 s
_SELECTED = "selected"  # table of the store: the merchant chosen last


class Merchant(NamedTuple):
    """One of those that share the terminal. ``downloads``: flows by the names of functions. ``online_ended`` is told
    how each online transaction ended."""

    store: Store
    transactions: Transactions
    downloads: Mapping[str, Callable[[Show], Flow[Result]]]
    online_ended: Callable[[Result], None]


class Operator:
    """``at_rest``: idle or a result is shown, nobody is doing anything. ``note_seen`` is told that a 97 was shown.
    ``to_till`` sends bytes to the cashier link. ``merchant``: who is working at the terminal now."""

    def __init__(
        self, board: Board, merchants: Sequence[Merchant], screen: Screen, printer: Printer, dialogs: Dialogs, *,
        firmware: str, to_till: Callable[[bytes], None], note_seen: Callable[[], None], notice: Notice,
    ) -> None:
        self._board, self._merchants, self._screen, self._printer = board, merchants, screen, printer
        self._notice = notice
        self._idle_lines: tuple[str, ...] = ()
        notice.changed = self._notice_changed
        self._ask, self._firmware, self._to_till, self._note_seen = dialogs, firmware, to_till, note_seen
        selected = merchants[0].store.table(_SELECTED) or 0
        self.merchant = merchants[selected if selected < len(merchants) else 0]
        self._functions: dict[str, Callable[[], Flow[Result | None]]] = {
            "sign_in": self._sign_in, "settle": self._settle, "echo": self._echo, "reprint": self._reprint,
            "select_merchant": self._select_merchant, "manage": self._manage,
            **{name: partial(self._financial, name) for name in KINDS},
            **{name: partial(self._download, name) for name in merchants[0].downloads},
        }
        self.at_rest = False

    @property
    def _transactions(self) -> Transactions:
        return self.merchant.transactions

    def run(self) -> Flow[None]:
        """For ever."""
        signal: Signal | None = None
        while True:
            if signal is None:
                self._show_idle()
                signal = yield from self._rest(None)
                if self._notice.stays and (signal.key is not None or signal.kind == CASHIER):
                    self._notice.tell()
                    signal = None if signal.key is not None else signal
            if signal is None:
                continue
            self.at_rest = False
            result, command = None, None
            if signal.kind == CASHIER:
                command = signal.value
                result = self._tampered() or (yield from self._obey(command))
            elif signal.kind == SERVICE:
                result = yield from signal.value.obeyed(self.activate)
            elif signal.key == ENTER:
                result = self._tampered() or (yield from self._financial("sale"))
            elif signal.key == FUNC:
                result = self._tampered() or (yield from self._menu())
            signal = None
            if result is not None:
                signal = yield from self._show_result(result, command)

    def _rest(self, deadline: float | None) -> Flow[Signal]:
        """Nobody does anything until a key, a card or a command comes."""
        self.at_rest = True
        return (yield from self._ask.event(deadline, cashier=True))

    def _show_idle(self) -> None:
        self._idle_lines = self._notice.on_idle()
        self._screen.show(self._idle_lines)

    def _notice_changed(self) -> None:
        """Seen at once where the idle screen stands."""
        if self._screen.lines and self._screen.lines == self._idle_lines != self._notice.on_idle():
            self._show_idle()

    def _show_result(self, result: Result, command: cashier.Command | None) -> Flow[Signal | None]:
        """On the screen, on paper, to the till that gave the ``command``; until a key, or until its time is over.

        The till's next command is returned, to be obeyed.
        """
        if result.answered and result.code in self._transactions.state.dialect.not_registered:
            self._note_seen()
        trouble = self._printer.trouble if result.slip else ""
        self._screen.show((*result.lines, trouble) if trouble else result.lines)
        self._board.beep()
        if result.slip:
            self._transactions.unprinted.print(result.slip)
        if command is not None:
            self._to_till(cashier.answer(command, result, self._transactions.state.dialect))
        deadline = now() + RESULT_S / self._board.time_scale
        while True:
            signal = yield from self._rest(deadline)
            if signal.commanded:
                return signal
            if signal.kind == TIMEOUT or signal.key is not None:
                return None

    def _tampered(self) -> Result | None:
        """Somebody was in it: no transaction, no menu."""
        if condition.tampered(self._board.condition()):
            return results.local(results.TAMPERED, texts.TAMPERED)
        return None

    def _menu(self) -> Flow[Result | None]:
        """The model's menu; an entry with a title and items opens another."""
        title, entries = texts.MENU_TITLE, list(self._board.model["menu"])
        while True:
            chosen = yield from self._ask.choice(title, [_entry_title(entry) for entry in entries])
            if chosen is None:
                return None
            entry: Any = entries[chosen]
            if isinstance(entry, str):
                return (yield from self._functions[entry]())
            title, entries = entry["title"], list(entry["items"])

    # -- transactions --------------------------------------------------------------------------------------------------

    def _online(self, name: str, begin: Callable[[Show], Flow[Result]]) -> Flow[Result]:
        title = results.title(name)
        result = yield from begin(lambda step: self._screen.show((title, step)))
        self.merchant.online_ended(result)
        return result

    def _sign_in(self) -> Flow[Result]:
        return (yield from self._online("sign_in", self._transactions.sign_in))

    def _echo(self) -> Flow[Result]:
        return (yield from self._online("echo", self._transactions.echo))

    def _download(self, name: str) -> Flow[Result]:
        return (yield from self._online(name, self.merchant.downloads[name]))

    def _financial(self, name: str, given: Given = NOTHING_GIVEN) -> Flow[Result | None]:
        """Asks for what the transaction needs, does it, has it signed. None: given up."""
        kind = KINDS[name]
        refusal = self._transactions.refusal_of(kind)
        if refusal is not None:
            return refusal
        order = yield from Asking(self._ask, self._transactions).order(Order(kind), given)
        if not isinstance(order, Order):
            return order
        wanted = order
        result = yield from self._online(name, lambda show: self._transactions.perform(wanted, show))
        if result.record is not None and self._transactions.takes_signature(order, result):
            bitmap = yield from self._ask.signature()
            if bitmap:
                self._transactions.keep_signature(result.record, bitmap)
        return result

    def _select_merchant(self) -> Flow[Result | None]:
        """By digit; where only one is set up there is nothing to choose."""
        names = [one.store.state.mid or texts.NOT_SET_UP for one in self._merchants]
        chosen = yield from self._ask.choice(texts.ASK_MERCHANT, names)
        if chosen is None:
            return None
        self._merchants[0].store.put_table(_SELECTED, chosen)
        self.merchant = self._merchants[chosen]
        return results.done(texts.SETTING_DONE, self.merchant.store.state.tid)

    def _settle(self) -> Flow[Result | None]:
        if not (yield from self._ask.confirmed(texts.CONFIRM_SETTLEMENT)):
            return None
        return (yield from self._settle_online())

    def _settle_online(self) -> Flow[Result]:
        return (yield from self._online("settle", self._transactions.settle))

    def _reprint(self) -> Flow[Result]:
        yield from ()  # a flow like the others, though it never waits
        return self._transactions.reprint()

    # -- management ----------------------------------------------------------------------------------------------------

    def _manage(self) -> Flow[Result | None]:
        chosen = yield from self._ask.choice(texts.MANAGEMENT_TITLE, texts.MANAGEMENT)
        try:
            match chosen:
                case 0:
                    return (yield from self._enter_identity())
                case 1:
                    return (yield from self._enter_master_key())
                case 3:
                    return (yield from self._enter_activation_code())
                case 2:
                    return results.done(self._firmware, f"SN {self._board.serial_number}")
                case _:
                    return None
        except provisioning.Refused as refused:
            text = texts.SETTLE_FIRST if refused.number in ("85", "86") else texts.SETTING_REFUSED
            return results.local(results.BAD_COMMAND, text)

    def _enter_identity(self) -> Flow[Result | None]:
        provisioning.refuse_identity_change(self.merchant.store)
        tid = yield from self._ask.text(texts.ASK_TID, shortest=8, longest=8, letters=LETTERS)
        if tid is None:
            return None
        mid = yield from self._ask.text(texts.ASK_MID, shortest=15, longest=15, letters=LETTERS)
        if mid is None:
            return None
        provisioning.set_identity(self.merchant.store, tid, mid)
        return results.done(texts.SETTING_DONE)

    def _enter_master_key(self) -> Flow[Result | None]:
        typed = yield from self._ask.master_key()
        if typed is None:
            return None
        return results.done(texts.SETTING_DONE, texts.KCV + provisioning.load_tmk(self.merchant.store, typed))

    def _enter_activation_code(self) -> Flow[Result | None]:
        code = yield from self._ask.digits(texts.ASK_ACTIVATION_CODE, CODE_DIGITS)
        if code is None:
            return None
        return (yield from self.activate(self._merchants.index(self.merchant), code))

    def activate(self, number: int, code: str) -> Flow[Result]:
        """The merchant with that number, from 0. Each step is on the screen, whoever asked for it."""
        merchant = self._merchants[number]
        result = yield from merchant.transactions.activate(
            code, lambda step: self._screen.show((texts.ACTIVATION, step))
        )
        merchant.online_ended(result)
        return result

    # -- the till ------------------------------------------------------------------------------------------------------

    def _obey(self, command: cashier.Command) -> Flow[Result]:
        """Does what the till asks for."""
        result: Result | None
        if command.kind in KINDS:
            result = yield from self._financial(command.kind, command.given)
        elif command.kind == "settle":
            result = yield from self._settle_online()
        elif command.kind in self._functions:
            result = yield from self._functions[command.kind]()
        else:
            result = results.local(results.BAD_COMMAND, texts.BAD_COMMAND)
        if result is None:
            return results.local(results.CANCELLED, texts.CANCELLED)
        return result


def _entry_title(entry: Any) -> str:
    return results.title(entry) if isinstance(entry, str) else str(entry["title"])
