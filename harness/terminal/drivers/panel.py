"""Driver of the emulated models: an operator's hands and eyes, a till, and a service engineer, by their dialogs.

Everything goes through the front panel and the two serial lines, as with a physical terminal; nothing here knows that
the terminal is emulated.
"""

from __future__ import annotations

import threading
import time

from harness.errors import BenchError, TerminalTimeout
from harness.history.events import OperationInvoked
from harness.history.recorder import Recorder
from harness.terminal.cards import Card
from harness.terminal.contracts import Completion, Via
from harness.terminal.drivers.panel_operation import ENDED, PROGRESS, PanelOperation, code_of, completion_of
from harness.terminal.front import Front, Seen
from harness.terminal.links import CashierLink, ServicePort
from harness.terminal.model import Function, Model

MENU, ALERT, MANAGE = "功能菜单", "提示", "管理菜单"
ALERTS = 5  # an operator who is interrupted so often in one operation calls for help
STEP_S = 10.0  # a screen that a key press asks for; real terminals answer in well under a second


class PanelTerminal:
    """One terminal in an operator's hands. ``answer_s``: seconds in which it must have given up waiting for its
    host."""

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

    # -- operations ---------------------------------------------------------------------------------------------------

    def begin_sale(self, amount: int, *, card: Card, pin: bool = False, via: Via = "keypad") -> PanelOperation:
        args = {"amount": str(amount), "entry": card.name, "pin": "yes" if pin else "no"}
        operation = self._invoke("sale", via, args)
        self.money_moved = True
        with operation.guarded():
            if via == "cashier":
                operation.echo = self._till().command("sale", amount=amount)
                seen = self._look_for(("请刷卡", *ENDED), "the request for a card", after=operation.start)
            else:
                seen = self._open("sale", operation, ("请输入金额",), "the request for the amount")
                if "请输入金额" not in seen.text:
                    operation.start = seen.number - 1
                    return operation
                self.front.type(str(amount))
                before = self.front.press("ENTER")
                seen = self._look_for(("请刷卡", *ENDED), "the request for a card", after=before)
            if "请刷卡" not in seen.text:
                operation.start = seen.number - 1
                return operation
            before = self.front.present(card)
            seen = self._look_for(("请输入密码", *ENDED), "the request for the PIN", after=before)
            if "请输入密码" not in seen.text:
                operation.start = seen.number - 1
                return operation
            if pin:
                self.front.type(card.pin)
            operation.start = self.front.press("ENTER")
        return operation

    def begin_void(self, trace: str, *, via: Via = "keypad") -> PanelOperation:
        operation = self._invoke("void", via, {"trace": trace})
        self.money_moved = True
        with operation.guarded():
            if via == "cashier":
                operation.echo = self._till().command("void", trace=trace)
                return operation
            seen = self._open("void", operation, ("请输入原凭证号",), "the request for the original trace number")
            if "请输入原凭证号" not in seen.text:
                operation.start = seen.number - 1
                return operation
            self.front.type(trace)
            before = self.front.press("ENTER")
            seen = self._look_for(("撤销确认", *ENDED), "the confirmation of the void", after=before)
            operation.start = self.front.press("ENTER") if "撤销确认" in seen.text else seen.number - 1
        return operation

    def begin_settlement(self, *, via: Via = "keypad") -> PanelOperation:
        operation = self._invoke("settle", via)
        with operation.guarded():
            if via == "cashier":
                operation.echo = self._till().command("settle")
                return operation
            seen = self._open("settle", operation, ("确认结算",), "the confirmation of the settlement")
            if "确认结算" in seen.text:
                operation.start = self.front.press("ENTER")
        return operation

    def begin_sign_in(self, *, via: Via = "keypad") -> PanelOperation:
        return self._begin_plain("sign_in", via)

    def begin_echo(self, *, via: Via = "keypad") -> PanelOperation:
        return self._begin_plain("echo", via)

    def reprint(self, *, via: Via = "keypad") -> Completion:
        return self._begin_plain("reprint", via).wait()

    def acknowledge(self) -> Completion:
        """One key, as an operator who comes to an idle terminal; an alert that it brings is read and dismissed."""
        operation = self._invoke("acknowledge", "keypad")
        with operation.guarded():
            before = self.front.press("FUNC")
            seen = self._look_for((MENU, ALERT), "what the terminal has to say", after=before)
            code = code_of(seen)
            self.front.press("CANCEL")
            self.await_idle(STEP_S)
            return operation.complete(Completion("ok", code, seen.text))
        raise AssertionError("guarded() re-raises")

    def open_menu(self) -> Completion:
        """The management menu opened and left again: the terminal is operable."""
        operation = self._invoke("menu", "keypad")
        with operation.guarded():
            self._open("manage", operation, (MANAGE,), "the management menu")
            self.to_idle()
            return operation.complete(Completion("ok"))
        raise AssertionError("guarded() re-raises")

    # -- the same, waited for -----------------------------------------------------------------------------------------

    def sale(self, amount: int, *, card: Card, pin: bool = False, via: Via = "keypad") -> Completion:
        return self.begin_sale(amount, card=card, pin=pin, via=via).wait()

    def void(self, trace: str, *, via: Via = "keypad") -> Completion:
        return self.begin_void(trace, via=via).wait()

    def settle(self, *, via: Via = "keypad") -> Completion:
        return self.begin_settlement(via=via).wait()

    def sign_in(self, *, via: Via = "keypad") -> Completion:
        return self.begin_sign_in(via=via).wait()

    def echo(self, *, via: Via = "keypad") -> Completion:
        return self.begin_echo(via=via).wait()

    def _begin_plain(self, name: Function, via: Via) -> PanelOperation:
        operation = self._invoke(name, via)
        with operation.guarded():
            if via == "cashier":
                operation.echo = self._till().command(name)
            else:
                self._open(name, operation, PROGRESS, "the begin of the operation")
        return operation

    # -- provisioning -------------------------------------------------------------------------------------------------

    def load_tmk(self, key: str) -> Completion:
        """The terminal master key (32 hex digits): by the service port, or typed by the operator where there is
        none."""
        if not self._keys_by_operator and self.service is not None:
            operation = self._invoke("load_tmk", "service")
            with operation.guarded():
                return operation.complete(self._served(f"KEY TMK {key}"))
        operation = self._invoke("load_tmk", "operator")
        with operation.guarded():
            self._open("manage", operation, (MANAGE,), "the management menu")
            self._step_by_key("2", "请输入主密钥", "the request for the master key")
            self.front.type(key.upper())
            before = self.front.press("ENTER")
            seen = self._look_for(ENDED, "the result of loading the key", after=before)
            self.to_idle()
            return operation.complete(completion_of(seen))
        raise AssertionError("guarded() re-raises")

    def set_identity(self, tid: str, mid: str, *, via: Via = "service") -> Completion:
        operation = self._invoke("set_identity", via, {"tid": tid, "mid": mid})
        with operation.guarded():
            if via == "service":
                return operation.complete(self._served(f"SET TID={tid} MID={mid}"))
            self._open("manage", operation, (MANAGE,), "the management menu")
            before = self.front.press("1")
            seen = self._look_for(("请输入终端号", *ENDED), "the request for the terminal number", after=before)
            if "请输入终端号" in seen.text:
                self.front.type(tid)
                before = self.front.press("ENTER")
                seen = self._look_for(("请输入商户号", *ENDED), "the request for the merchant number", after=before)
            if "请输入商户号" in seen.text:
                self.front.type(mid)
                before = self.front.press("ENTER")
                seen = self._look_for(ENDED, "the result of setting the identity", after=before)
            completion = completion_of(seen)
            self.to_idle()
            return operation.complete(completion)
        raise AssertionError("guarded() re-raises")

    def set_host(self, address: str, port: int, tpdu: str) -> Completion:
        operation = self._invoke("set_host", "service", {"address": address, "port": str(port)})
        with operation.guarded():
            return operation.complete(self._served(f"HOST {address} {port} {tpdu}"))
        raise AssertionError("guarded() re-raises")

    def set_parameter(self, name: str, value: str) -> Completion:
        return self._served(f"PARAM {name}={value}")

    def read_counters(self) -> dict[str, str]:
        """The service counters; they are recorded."""
        return self._port().counters()

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
        for _ in range(ALERTS):
            self.to_idle()
            before = self.front.press("FUNC")
            seen = self._look_for((MENU, ALERT), "the function menu", after=before)
            if ALERT not in seen.text:
                operation.start = self.front.press(str(self.model.menu.index(function) + 1))
                seen = self._look_for((*wanted, *ENDED, ALERT), what, after=operation.start)
            if ALERT not in seen.text:
                return seen
            self.front.press("ENTER")
        raise TerminalTimeout(f"{what}: alert after alert instead", STEP_S, bench=self._bench, seen=seen.text)

    def _step_by_key(self, key: str, text: str, what: str) -> Seen:
        return self._look_for((text,), what, after=self.front.press(key))

    def _look_for(self, texts: tuple[str, ...], what: str, *, after: int = -1) -> Seen:
        return self.front.await_screen(lambda s: any(t in s.text for t in texts), STEP_S, what, after=after)

    # -- parts --------------------------------------------------------------------------------------------------------

    def _invoke(self, name: str, via: Via, args: dict[str, str] | None = None) -> PanelOperation:
        with self._lock:
            self._ids += 1
            number = self._ids
        self._recorder.append(OperationInvoked(t=time.monotonic_ns(), op=number, name=name, via=via, args=args or {}))
        return PanelOperation(self.front, self.cashier, self._recorder, number, name, self._answer_s)

    def _served(self, command: str) -> Completion:
        answer = self._port().ask(command)
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
