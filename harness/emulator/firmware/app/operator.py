"""The foreground: idle, function menu, management menu, the dialogs of each transaction, results; the till's commands.

One flow. While a transaction is on the line it takes neither keys nor commands: cancel is ignored, the till is told
that the terminal is busy.
"""

from __future__ import annotations

from collections.abc import Callable

from . import cashier, provisioning, results, texts
from .dialogs import ENTER, FUNC, LETTERS, Dialogs
from .hardware import Board
from .loop import CASHIER, TIMEOUT, Flow, Signal, now
from .records import Record
from .results import Result
from .rules import NOT_REGISTERED
from .screen import Printer, Screen
from .slips import yuan
from .store import Store
from .transactions import Transactions

RESULT_S = 25.0  # of the terminal's own time: idle again well within 30 s


class Operator:
    """``at_rest``: idle or a result is shown, nobody is doing anything. ``online_ended`` is told how each online
    transaction ended. ``to_till`` sends bytes to the cashier link."""

    def __init__(
        self, board: Board, store: Store, screen: Screen, printer: Printer, dialogs: Dialogs,
        transactions: Transactions, *, firmware: str, to_till: Callable[[bytes], None],
        online_ended: Callable[[Result], None],
    ) -> None:
        self._board, self._store, self._screen, self._printer = board, store, screen, printer
        self._ask, self._transactions = dialogs, transactions
        self._firmware, self._to_till, self._online_ended = firmware, to_till, online_ended
        self._functions: dict[str, Callable[[], Flow[Result | None]]] = {
            "sign_in": self._sign_in, "sale": self._sale, "void": self._void, "settle": self._settle,
            "echo": self._echo, "reprint": self._reprint, "manage": self._manage,
        }
        self.at_rest = False

    def run(self) -> Flow[None]:
        """For ever."""
        signal: Signal | None = None
        while True:
            if signal is None:
                self._screen.show((texts.WELCOME, texts.HINT))
                signal = yield from self._rest(None)
            self.at_rest = False
            result, command = None, None
            if signal.kind == CASHIER:
                command = signal.value
                result = yield from self._obey(command)
            elif signal.key == ENTER:
                result = yield from self._sale()
            elif signal.key == FUNC:
                result = yield from self._menu()
            signal = None
            if result is not None:
                signal = yield from self._show_result(result, command)

    def _rest(self, deadline: float | None) -> Flow[Signal]:
        """Nobody does anything until a key, a card or a command comes."""
        self.at_rest = True
        return (yield from self._ask.event(deadline, cashier=True))

    def _show_result(self, result: Result, command: cashier.Command | None) -> Flow[Signal | None]:
        """On the screen, on paper, to the till that gave the ``command``; until a key, or until its time is over.

        The till's next command is returned, to be obeyed.
        """
        if result.answered and result.code in NOT_REGISTERED and self._store.state.note:
            self._store.commit(note="")  # seen now
        self._screen.show(result.lines)
        self._board.beep()
        if result.slip:
            self._printer.print(result.slip)
        if command is not None:
            self._to_till(cashier.answer(command, result))
        deadline = now() + RESULT_S / self._board.time_scale
        while True:
            signal = yield from self._rest(deadline)
            if signal.kind == CASHIER:
                return signal
            if signal.kind == TIMEOUT or signal.key is not None:
                return None

    def _menu(self) -> Flow[Result | None]:
        names = list(self._board.model["menu"])
        chosen = yield from self._ask.choice(texts.MENU_TITLE, [texts.FUNCTIONS[name] for name in names])
        if chosen is None:
            return None
        return (yield from self._functions[names[chosen]]())

    # -- transactions --------------------------------------------------------------------------------------------------

    def _online(self, title: str, begin: Callable[[Callable[[str], None]], Flow[Result]]) -> Flow[Result]:
        result = yield from begin(lambda step: self._screen.show((title, step)))
        self._online_ended(result)
        return result

    def _sign_in(self) -> Flow[Result]:
        return (yield from self._online(texts.FUNCTIONS["sign_in"], self._transactions.sign_in))

    def _echo(self) -> Flow[Result]:
        return (yield from self._online(texts.FUNCTIONS["echo"], self._transactions.echo))

    def _sale(self, amount: int | None = None) -> Flow[Result | None]:
        """``amount`` in cents where the till gave it; else it is asked for. None: given up."""
        refusal = self._transactions.refusal()
        if refusal is not None:
            return refusal
        if amount is None:
            amount = yield from self._ask.amount()
        if amount is None:
            return None
        card = yield from self._ask.card()
        if card is None:
            return None
        pin = yield from self._ask.pin()
        if pin is None:
            return None
        return (yield from self._online(
            texts.FUNCTIONS["sale"], lambda show: self._transactions.sale(amount, card, pin, show)
        ))

    def _void(self, trace: str | None = None) -> Flow[Result | None]:
        """``trace``: the sale that the till names; it is not asked for then, nor confirmed."""
        refusal = self._transactions.refusal()
        if refusal is not None:
            return refusal
        by_operator = trace is None
        if trace is None:
            trace = yield from self._ask.text(texts.ASK_TRACE, shortest=6, longest=6)
        if trace is None:
            return None
        original = self._transactions.find_sale(trace)
        if isinstance(original, Result):
            return original
        if by_operator and not (yield from self._ask.confirmed(texts.CONFIRM_VOID, yuan(original.amount))):
            return None
        return (yield from self._void_online(original))

    def _void_online(self, original: Record) -> Flow[Result]:
        return (yield from self._online(
            texts.FUNCTIONS["void"], lambda show: self._transactions.void(original, show)
        ))

    def _settle(self) -> Flow[Result | None]:
        if not (yield from self._ask.confirmed(texts.CONFIRM_SETTLEMENT)):
            return None
        return (yield from self._settle_online())

    def _settle_online(self) -> Flow[Result]:
        return (yield from self._online(texts.FUNCTIONS["settle"], self._transactions.settle))

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
                case 2:
                    return results.done(self._firmware, f"SN {self._board.serial_number}")
                case _:
                    return None
        except provisioning.Refused as refused:
            text = texts.SETTLE_FIRST if refused.number in ("85", "86") else texts.SETTING_REFUSED
            return results.local(results.BAD_COMMAND, text)

    def _enter_identity(self) -> Flow[Result | None]:
        provisioning.refuse_identity_change(self._store)
        tid = yield from self._ask.text(texts.ASK_TID, shortest=8, longest=8, letters=LETTERS)
        if tid is None:
            return None
        mid = yield from self._ask.text(texts.ASK_MID, shortest=15, longest=15, letters=LETTERS)
        if mid is None:
            return None
        provisioning.set_identity(self._store, tid, mid)
        return results.done(texts.SETTING_DONE)

    def _enter_master_key(self) -> Flow[Result | None]:
        typed = yield from self._ask.master_key()
        if typed is None:
            return None
        return results.done(texts.SETTING_DONE, texts.KCV + provisioning.load_tmk(self._store, typed))

    # -- the till ------------------------------------------------------------------------------------------------------

    def _obey(self, command: cashier.Command) -> Flow[Result]:
        """Does what the till asks for."""
        match command.kind:
            case "sale":
                result = yield from self._sale(command.amount)
            case "void":
                result = yield from self._void(command.original)
            case "settle":
                result = yield from self._settle_online()
            case "sign_in":
                result = yield from self._sign_in()
            case "echo":
                result = yield from self._echo()
            case "reprint":
                result = yield from self._reprint()
            case _:
                result = results.local(results.BAD_COMMAND, texts.BAD_COMMAND)
        if result is None:
            return results.local(results.CANCELLED, texts.CANCELLED)
        return result
