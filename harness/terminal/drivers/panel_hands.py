"""Eyes and fingers at an emulated terminal: the idle screen, the menus, an order's dialog; and the service engineer."""

from __future__ import annotations

import threading
import time

from harness.errors import BenchError, TerminalTimeout
from harness.history.events import OperationInvoked
from harness.history.recorder import Recorder
from harness.terminal.contracts import AGAIN_S, BUSY, Completion, Via
from harness.terminal.drivers.panel_operation import (
    DEAD_READERS,
    ENDED,
    NOT_READ,
    PROGRESS,
    TAMPERED,
    PanelOperation,
)
from harness.terminal.front import Front, Seen
from harness.terminal.links import CashierLink, ServicePort
from harness.terminal.model import Function, Model

MENU, ALERT, MANAGE = "功能菜单", "提示", "管理菜单"
ALERTS = 5  # an operator who is interrupted so often in one operation calls for help
LOOK_S = 1.0  # how long an operator looks whether an alert is gone
HELD_OUT_S = 4.0  # after which a person swipes or taps again where nothing happens
MOST_PRESENTED, WITH_DEAD_READER = 6, 2  # times that a card is held out; the second: where it says that it is broken
PATIENCE_S = 20.0  # so long an engineer waits for a terminal that is at work
STEP_S = 10.0  # a screen that a key press asks for; real terminals answer in well under a second


class PanelHands:
    """What every operation at one terminal is made of. ``answer_s``: seconds in which it must have given up waiting for
    its host."""

    def __init__(
        self,
        model: Model,
        front: Front,
        recorder: Recorder,
        *,
        cashier: CashierLink | None,
        service: ServicePort | None,
        answer_s: float,
        keys_by_operator: bool,
        bench: str,
    ) -> None:
        self.model, self.front, self.cashier, self.service = model, front, cashier, service
        self._recorder, self._answer_s, self._bench = recorder, answer_s, bench
        self._keys_by_operator = keys_by_operator
        # unique in the log, over the units that stood on the bench
        self._ids = max((e.op for e in recorder.events if isinstance(e, OperationInvoked)), default=0)
        self.money_moved = False  # a financial request may have been sent since the last settlement
        self._lock = threading.Lock()

    # -- the idle screen ----------------------------------------------------------------------------------------------

    def is_idle(self, seen: Seen) -> bool:
        return any(text in seen.text for text in self.model.idle_texts)

    def await_idle(self, deadline_s: float) -> None:
        """Wait for the idle screen without touching anything."""
        self.front.await_screen(self.is_idle, deadline_s, "the idle screen")

    def to_idle(self, deadline_s: float = STEP_S) -> None:
        """Bring the terminal to its idle screen with the CANCEL key, as an operator would."""
        end = time.monotonic() + deadline_s
        while not self.is_idle(seen := self.front.latest):
            if time.monotonic() > end:
                raise TerminalTimeout("the idle screen", deadline_s, bench=self._bench, seen=seen.text)
            busy = any(text in seen.text for text in PROGRESS) or not seen.text
            before = seen.number if busy else self.front.press("CANCEL")
            try:
                self.front.await_screen(lambda s: True, min(1.0, deadline_s), "another screen", after=before)
            except TerminalTimeout:
                continue

    # -- steps --------------------------------------------------------------------------------------------------------

    def _open(self, function: Function, operation: PanelOperation, wanted: tuple[str, ...], what: str) -> Seen:
        """Choose ``function`` in the menu: the first screen with one of the ``wanted`` texts, or with a result.

        An alert that comes in between (it swallows the key) is read and dismissed, and the function chosen again.
        """
        keys = self.model.keys_to(function)
        if keys is None:
            raise BenchError(f"the model {self.model.name} has no {function} in its menu", bench=self._bench)
        for _ in range(ALERTS):
            self.to_idle()
            shown, seen = self._from_idle("FUNC", (MENU, ALERT, TAMPERED), "the function menu")
            if TAMPERED in seen.text:
                operation.start = shown
                return seen
            for digit in keys[:-1]:
                if ALERT not in seen.text:
                    shown = self.front.press(digit)
                    title = self._submenu(digit)
                    seen = self._look_for((title, ALERT), f"the menu {title}", after=shown)
            if ALERT not in seen.text:
                operation.start = self.front.press(keys[-1])
                seen = self._look_for((*wanted, *ENDED, ALERT), what, after=operation.start)
            if ALERT not in seen.text:
                return seen
            self.front.press("ENTER")
        raise TerminalTimeout(f"{what}: alert after alert instead", STEP_S, bench=self._bench, seen=seen.text)

    def _from_idle(self, key: str, texts: tuple[str, ...], what: str) -> tuple[int, Seen]:
        """The number of the screen before this key, and the screen that it brings; pressed once more where the terminal
        stays idle: a key may be lost."""
        before = self.front.press(key)
        try:
            return before, self.front.await_screen(
                lambda seen: any(text in seen.text for text in texts), LOOK_S, what, after=before
            )
        except TerminalTimeout:
            if self.is_idle(self.front.latest):
                before = self.front.press(key)
        return before, self._look_for(texts, what, after=before)

    def _submenu(self, digit: str) -> str:
        entry = self.model.menu[int(digit) - 1]
        assert not isinstance(entry, str), "keys_to() leads through menus"
        return entry.title

    def _converse(self, operation: PanelOperation, seen: Seen) -> None:
        """Answer what is asked for, beginning with ``seen``, until the terminal is at work or has ended."""
        while operation.dialog.asks(seen):
            asked = seen
            operation.start = operation.dialog.answer(asked)
            wanted = (*operation.dialog.prompts, *PROGRESS, *ENDED)
            if operation.dialog.waits_to_be_read:
                read = self._until_read(operation, (*wanted, ALERT), asked)
                if read is None:
                    return
                seen = read
            else:
                seen = self._next_question((*wanted, ALERT), asked)
            while ALERT in seen.text:
                shown = self._back_at_question(seen)
                operation.start = operation.dialog.answer_again(shown)
                seen = self._next_question((*wanted, ALERT), shown)
        if any(text in seen.text for text in ENDED):
            operation.start = seen.number - 1

    def _until_read(self, operation: PanelOperation, texts: tuple[str, ...], asked: Seen) -> Seen | None:
        """What comes after the card was held out, again and again where the terminal says that it has not read it, or
        nothing happens. None: it has not, and the operation was given up."""
        dialog, before = operation.dialog, asked
        while True:
            dead = any(text in before.text for text in DEAD_READERS)
            try:
                seen = self.front.await_screen(
                    lambda s: not s.text.strip() or any(t in s.text for t in (*texts, *NOT_READ)),
                    LOOK_S if dead else HELD_OUT_S if dialog.may_be_shown_again else STEP_S, "the next question",
                    after=before.number,
                )
                if not any(text in seen.text for text in NOT_READ):
                    return seen
                before = seen
            except TerminalTimeout:
                if dialog.asks_for_card not in self.front.latest.text or not (dead or dialog.may_be_shown_again):
                    raise  # it shows something that nobody knows, or a chip is in the slot and it says nothing
                before = self.front.latest
            dead = any(text in before.text for text in DEAD_READERS)
            if dialog.presented >= (WITH_DEAD_READER if dead else MOST_PRESENTED):
                self._give_up(operation, before)
                return None
            operation.start = dialog.present()

    def _give_up(self, operation: PanelOperation, seen: Seen) -> None:
        """The card can't be read: what the screen says of it is how the operation ended."""
        self.front.press("CANCEL")
        text = " ".join(line.strip() for line in seen.lines[1:] if line.strip())
        operation.complete(Completion("fail", None, text))

    def _next_question(self, texts: tuple[str, ...], before: Seen) -> Seen:
        """The screen with one of these texts; or a blank one: the supply went, nobody asks any more."""
        return self.front.await_screen(
            lambda s: not s.text.strip() or any(t in s.text for t in texts), STEP_S, "the next question",
            after=before.number,
        )

    def _back_at_question(self, alert: Seen) -> Seen:
        """An alert came between two keys of an answer: it has swallowed the rest, up to the ENTER that dismissed it;
        where it was the ENTER that brought it, it still stands."""
        try:
            return self.front.await_screen(lambda s: ALERT not in s.text, LOOK_S, "another screen", after=alert.number)
        except TerminalTimeout:
            self.front.press("ENTER")
        return self.front.await_screen(lambda s: ALERT not in s.text, STEP_S, "the question again", after=alert.number)

    def _step_by_key(self, key: str, text: str, what: str) -> Seen:
        return self._look_for((text,), what, after=self.front.press(key))

    def _look_for(self, texts: tuple[str, ...], what: str, *, after: int = -1) -> Seen:
        return self.front.await_screen(
            lambda s: any(t in s.text for t in texts), STEP_S, what, after=after, answer=True
        )

    # -- parts --------------------------------------------------------------------------------------------------------

    def _invoke(self, name: str, via: Via, args: dict[str, str] | None = None) -> PanelOperation:
        with self._lock:
            self._ids += 1
            number = self._ids
        self._recorder.append(OperationInvoked(t=time.monotonic_ns(), op=number, name=name, via=via, args=args or {}))
        return PanelOperation(self.front, self.cashier, self._recorder, number, name, self._answer_s)

    def _served(self, command: str, deadline_s: float = 5.0, *, patience_s: float = 0.0) -> Completion:
        """What the service port answers; for ``patience_s`` a terminal that is at work is asked again."""
        end = time.monotonic() + patience_s
        while (told := self._served_once(command, deadline_s)).code == BUSY and time.monotonic() < end:
            time.sleep(AGAIN_S)  # a person's pace between two tries
        return told

    def _served_once(self, command: str, deadline_s: float) -> Completion:
        answer = self._port().ask(command, deadline_s)
        status, _, rest = answer.partition(" ")
        if status == "OK":
            return Completion("ok", None, rest)
        return Completion("fail", rest.split(" ")[0] if rest else None, rest)

    def _till(self) -> CashierLink:
        if self.cashier is None:
            raise BenchError("this model declares no cashier link", bench=self._bench)
        return self.cashier

    def _port(self) -> ServicePort:
        if self.service is None:
            raise BenchError("this model declares no service port", bench=self._bench)
        return self.service
