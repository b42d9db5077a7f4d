"""The application's start: puts the parts together and runs the event loop until the power goes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from . import backup, cashier, condition, migration, selftest, texts, version
from .comms import Line
from .dialogs import Dialogs
from .downloads import Downloads
from .files import Files, FilesFault
from .hardware import Board
from .loop import CASHIER, PANEL, SERVICE, Loop, Signal, now
from .network import Network
from .notice import Notice
from .operator import RESULT_S, Merchant, Operator
from .screen import Printer, Screen
from .serial_load import SerialLoad
from .service import ServicePort
from .store import Store, StoreDamaged
from .tamper import Tamper
from .transactions import Transactions
from .unattended import Unattended
from .updates import Updates

if TYPE_CHECKING:
    from .modem import Modem

_READ_SIZE = 4096


def start(board: Board) -> None:
    """Never returns."""
    terminal = Terminal(board)
    while True:
        terminal.turn()


class Terminal:
    """The terminal after power-on: idle is shown when it is made. :meth:`turn` is one turn of its loop."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._loop = Loop(self._tick)
        self.screen = Screen(board, self._status)
        self.notice = Notice(RESULT_S / board.time_scale)
        self._store: Store | None = None
        self._modem: Modem | None = None
        self._operator: Operator | None = None
        self._tamper: Tamper | None = None
        board.feed_watchdog()
        self._loop.listen(board.events_fd, self._read_panel)
        stores = self._open()
        if stores:
            self._store = stores[0]
            self._begin()

    def turn(self, longest: float = 1.0) -> None:
        """Waits for something to happen, at most ``longest`` seconds, and handles it."""
        self._loop.turn(longest)

    def _open(self) -> list[Store]:
        """The start of a version, before anything else is possible: self-test, what is stored in its format, all its
        parts are made, and then it stays. None: it can't work; on trial it does not even return."""
        board, trial = self._board, self._board.boot.trial
        if trial:
            self.screen.show((texts.SELF_TEST,))
        try:
            if trial:
                selftest.modules()
            selftest.hardware(board)
            stores = self._open_stores(trial)
            selftest.records(stores)
            self._build(stores[0], stores)
            if trial:
                board.boot.confirm()
                trial = False
            migration.finish(stores[0].files, board.feed_watchdog)
            backup.finish(stores)
        except (StoreDamaged, selftest.SelfTestFailed, ImportError) as fault:
            if trial:
                self.screen.show((texts.SELF_TEST_FAILED,))
                board.reboot()
            told = getattr(fault, "told", ()) or getattr(fault.__cause__, "told", ())
            self.screen.show((texts.STORAGE_FAULT, *told))
            return []
        return stores

    def _open_stores(self, trial: bool) -> list[Store]:
        """One for each merchant. Raises :class:`StoreDamaged`."""
        board = self._board
        merchants = range(1, int(board.model["identities"]) + 1)
        try:
            files = Files(board.flash)
        except FilesFault as error:
            raise StoreDamaged(str(error)) from error
        migration.prepare(files, len(merchants), trial=trial, feed=board.feed_watchdog)
        return [Store(board.flash, merchant=number, files=files) for number in merchants]

    def _build(self, store: Store, stores: Sequence[Store]) -> None:
        """Makes the parts; none does anything yet."""
        board = self._board
        self._by_itself: list[Unattended] = []
        image = getattr(board, "firmware", None) or {}
        firmware = f"{image.get('name', version.NAME)} {image.get('version', version.VERSION)}"
        self._modem = self._make_modem(store) if board.modem_fd >= 0 else None
        self._network = Network(board, lambda: store.state, self._modem)
        self._line = Line(board.time_scale, self._network)
        self._dialogs = Dialogs(board, store, self.screen)
        self._till = cashier.Receiver(lambda: store.state.dialect)
        self._till_read_at, self._till_answer = 0.0, b""
        about = str(board.model["name"]), firmware, board.serial_number
        self._tamper = Tamper(board, stores)
        self.notice.broken = self._broken
        self._updates = Updates(
            board.boot, stores, running=firmware, data_format=migration.FORMAT, idle=self._is_idle,
            tell=self.notice.tell, reboot=board.reboot,
        )
        self._loads = SerialLoad(
            self._updates, time_scale=board.time_scale, write=lambda data: self._write(board.service_fd, data)
        )
        merchants = [self._merchant(one, about) for one in stores]
        self._operator = Operator(
            board, merchants, self.screen, Printer(board), self._dialogs,
            firmware=firmware, to_till=self._answer_till, note_seen=lambda: self._note(""), notice=self.notice,
        )
        self._service = ServicePort(
            stores, self._network, model=str(board.model["name"]), firmware=firmware, serial_number=board.serial_number,
            has_interface=bool(board.ethernet), busy=lambda: self._line.busy,
            order=lambda order: self._loop.offer(Signal(SERVICE, order)),
            tell=lambda line: self._write(board.service_fd, line), random=board.random,
            updates=self._updates, loads=self._loads, tamper=self._tamper,
        )

    def _begin(self) -> None:
        """From here on it shows idle, and takes whatever comes."""
        assert self._operator is not None
        self._updates.tell_how_it_ended()
        if self._modem is not None:
            self._loop.listen(self._board.modem_fd, self._modem.heard)
            self._loop.start(self._modem.run())
        self._loop.start(self._network.run())
        self._loop.start(self._operator.run())
        for unattended in self._by_itself:
            self._loop.start(unattended.run())
        self._loop.start(self._line.links.tend())
        self._loop.start(self._loads.run())
        self._loop.start(self._updates.run())
        self._loop.listen(self._board.cashier_fd, self._read_till)
        self._loop.listen(self._board.service_fd, self._read_service)

    def _make_modem(self, store: Store) -> Modem:
        from .modem import Modem

        return Modem(self._board.modem_fd, self._board.time_scale, lambda: store.state.apn)

    def _merchant(self, store: Store, about: tuple[str, str, str]) -> Merchant:
        """One of those that share the terminal, with what it does by itself."""
        transactions = Transactions(self._board, store, self._line)
        downloads = Downloads(
            store, self._line, transactions.numbered, about=about, updates=self._updates,
            in_use=lambda: not self._at_rest(),
        )
        unattended = Unattended(
            store, transactions, downloads, time_scale=self._board.time_scale,
            at_rest=self._at_rest, note=self._note,
        )
        self._by_itself.append(unattended)
        return Merchant(store, transactions, downloads.flows, unattended.online_ended)

    def _at_rest(self) -> bool:
        """Nobody uses it."""
        return self._operator is not None and self._operator.at_rest

    def _is_idle(self) -> bool:
        """Nobody uses it, and nothing is on the line."""
        return self._at_rest() and not self._line.busy

    def _note(self, code: str) -> None:
        """What an unattended answer said, for the operator's next key; "": it was seen."""
        assert self._store is not None
        if self._store.state.note != code:
            self._store.commit(note=code)

    def _status(self) -> str:
        """Row 0: time, signed in or not, whether a reversal is pending, and what is wrong with clock and battery."""
        clock = time.strftime("%H:%M", time.gmtime(self._board.now()))
        if self._store is None:
            return clock
        merchant = self._operator.merchant if self._operator else None
        state = merchant.store.state if merchant else self._store.state
        words = [clock, texts.SIGNED_IN if state.signed_in else texts.NOT_SIGNED_IN]
        if self._modem is not None:
            words.append(self._modem.bars)
        if state.reversal is not None and not (merchant and merchant.transactions.original_under_way):
            words.append(texts.REVERSAL_PENDING)
        told = self._board.condition()
        return " ".join(filter(None, (*words, condition.of_clock(told), condition.of_battery(told))))

    def _broken(self) -> tuple[str, ...]:
        """What the idle screen says of the terminal's own parts."""
        told = self._board.condition()
        if condition.tampered(told):
            return (texts.TAMPERED,)
        return condition.on_idle(told, self._board.model["entry"])

    def _tick(self) -> None:
        self._board.feed_watchdog()
        if self._store is not None and self._tamper is not None:
            self._tamper.tick()
        self.notice.tick()
        self.screen.refresh()

    # -- what comes in -------------------------------------------------------------------------------------------------

    def _read_panel(self) -> None:
        """Every panel event there is; one that nobody waits for is lost, but for where the chip card is."""
        while (event := self._board.read_event()) is not None:
            if self._store is None:
                continue
            if "insert" in event or "remove" in event:
                self._dialogs.chip = "insert" in event
            self._loop.offer(Signal(PANEL, event))

    def _read_till(self) -> None:
        data = self._read(self._board.cashier_fd)
        if now() - self._till_read_at > cashier.PIECE_GAP_S:
            self._till.forget()
        self._till_read_at = now()
        reply, commands, naks = self._till.feed(data)
        self._write(self._board.cashier_fd, reply)
        if naks:
            self._write(self._board.cashier_fd, self._till_answer)
        assert self._store is not None
        for command in commands:
            if not self._loop.offer(Signal(CASHIER, command)):
                self._write(self._board.cashier_fd, cashier.busy(command, self._store.state.dialect))

    def _answer_till(self, frame: bytes) -> None:
        self._till_answer = frame
        self._write(self._board.cashier_fd, frame)

    def _read_service(self) -> None:
        data = self._read(self._board.service_fd)
        if self._loads.active:
            self._loads.feed(data)
            return
        self._write(self._board.service_fd, self._service.feed(data))
        self._updates.restart()

    def _read(self, fd: int) -> bytes:
        """What is there; a line that has ended is never asked again."""
        try:
            data = os.read(fd, _READ_SIZE)
        except BlockingIOError:
            return b""
        except OSError:
            data = b""
        if not data:
            self._loop.forget(fd)
        return data

    @staticmethod
    def _write(fd: int, data: bytes) -> None:
        """What fits: nobody may be reading, and nothing here waits for them."""
        write: Callable[[int, bytes], int] = os.write
        while data:
            try:
                data = data[write(fd, data) :]
            except OSError:
                return
