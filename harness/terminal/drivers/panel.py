"""Driver of the emulated models: an operator's hands and eyes, a till, and a service engineer, by their dialogs.

Everything goes through the front panel and the two serial lines, as with a physical terminal; nothing here knows that
the terminal is emulated.
"""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Callable
from typing import Literal

from harness.errors import BenchError, TerminalTimeout
from harness.history.events import OperationCompleted, OperationInvoked
from harness.history.recorder import Recorder
from harness.terminal.cards import Card
from harness.terminal.contracts import Completion, Via
from harness.terminal.front import Front, Seen
from harness.terminal.links import CashierLink, ServicePort
from harness.terminal.model import Function, Model

MENU, ALERT, MANAGE = "功能菜单", "提示", "管理菜单"
PROGRESS = ("请稍候", "正在连接", "正在发送", "等待应答")
APPROVED = ("交易成功", "签到成功", "结算成功", "回响成功", "设置成功", "重打印完成")
ENDED = (
    *APPROVED,
    "交易失败",
    "通讯超时",
    "连接失败",
    "应答无效",
    "请先签到",
    "请先结算",
    "冲正未成功",
    "交易已取消",
    "终端忙",
    "命令错误",
    "无此交易",
    "原交易已撤销",
    "无可打印凭证",
    "密钥错误",
    "设置失败",
    "请先设置",
    "存储故障",
)
PRINTS = ("sale", "void", "settle", "reprint")
SETTLE_S = 3.0  # how long a cashier waits for what should come with a result: the profile's limit for showing it
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
        self._ids = 0
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
                opened = self._open("sale", operation)
                seen = self._step(opened, "请输入金额", "the request for the amount")
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
            opened = self._open("void", operation)
            seen = self._step(opened, "请输入原凭证号", "the request for the original trace number")
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
            opened = self._open("settle", operation)
            if "确认结算" in self._until(opened, ("确认结算", *ENDED), "the confirmation of the settlement").text:
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
            code = _code(seen)
            self.front.press("CANCEL")
            self.await_idle(STEP_S)
            return operation.complete(Completion("ok", code, seen.text))
        raise AssertionError("guarded() re-raises")

    def open_menu(self) -> Completion:
        """The management menu opened and left again: the terminal is operable."""
        operation = self._invoke("menu", "keypad")
        with operation.guarded():
            self._until(self._open("manage", operation), (MANAGE,), "the management menu")
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
                self._open(name, operation)
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
            self._until(self._open("manage", operation), (MANAGE,), "the management menu")
            self._step_by_key("2", "请输入主密钥", "the request for the master key")
            self.front.type(key.upper())
            before = self.front.press("ENTER")
            seen = self._look_for(ENDED, "the result of loading the key", after=before)
            self.to_idle()
            return operation.complete(_completion(seen))
        raise AssertionError("guarded() re-raises")

    def set_identity(self, tid: str, mid: str, *, via: Via = "service") -> Completion:
        operation = self._invoke("set_identity", via, {"tid": tid, "mid": mid})
        with operation.guarded():
            if via == "service":
                return operation.complete(self._served(f"SET TID={tid} MID={mid}"))
            self._until(self._open("manage", operation), (MANAGE,), "the management menu")
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
            completion = _completion(seen)
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

    def _open(self, function: Function, operation: PanelOperation) -> Seen:
        """Choose ``function`` in the menu. Returns the screen that stood before its digit was pressed."""
        self.to_idle()
        before = self.front.press("FUNC")
        seen = self._look_for((MENU, ALERT), "the function menu", after=before)
        if MENU not in seen.text:
            self.front.press("ENTER")
            self.await_idle(STEP_S)
            before = self.front.press("FUNC")
            self._look_for((MENU,), "the function menu", after=before)
        number = self.front.press(str(self.model.menu.index(function) + 1))
        operation.start = number
        return Seen(number, 0, (), 0)

    def _step(self, before: Seen, text: str, what: str) -> Seen:
        return self._until(before, (text, *ENDED), what)

    def _step_by_key(self, key: str, text: str, what: str) -> Seen:
        return self._look_for((text,), what, after=self.front.press(key))

    def _until(self, before: Seen, texts: tuple[str, ...], what: str) -> Seen:
        return self._look_for(texts, what, after=before.number)

    def _look_for(self, texts: tuple[str, ...], what: str, *, after: int = -1) -> Seen:
        return self.front.await_screen(lambda s: any(t in s.text for t in texts), STEP_S, what, after=after)

    # -- parts --------------------------------------------------------------------------------------------------------

    def _invoke(self, name: str, via: Via, args: dict[str, str] | None = None) -> PanelOperation:
        with self._lock:
            self._ids += 1
            number = self._ids
        self._recorder.append(OperationInvoked(t=time.monotonic_ns(), op=number, name=name, via=via, args=args or {}))
        return PanelOperation(self, self._recorder, number, name, self._answer_s)

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


class PanelOperation:
    """An operation under way: wait for what the terminal says."""

    def __init__(self, terminal: PanelTerminal, recorder: Recorder, number: int, name: str, answer_s: float) -> None:
        self._terminal, self._recorder, self.number, self._answer_s = terminal, recorder, number, answer_s
        self.start = terminal.front.latest.number  # result screens are numbered above this
        self.slips = terminal.front.slips
        self.prints = name in PRINTS
        self.echo: str | None = None  # set where the till gave the command
        self._completed: Completion | None = None

    def wait(self, deadline_s: float | None = None) -> Completion:
        if self._completed is not None:
            return self._completed
        deadline_s = deadline_s or self._answer_s
        with self.guarded():
            if self.echo is not None:
                assert self._terminal.cashier is not None
                fields = self._terminal.cashier.answer(self.echo, deadline_s)
                code = fields.get("DF07", "")
                outcome: Literal["ok", "fail"] = "ok" if code == "00" else "fail"
                told = Completion(outcome, code or None, fields.get("DF09", ""), fields.get("DF10", ""))
                self._look_up(
                    lambda: self._terminal.front.await_screen(_ended, SETTLE_S, "the result", after=self.start)
                )
            else:
                seen = self._terminal.front.await_screen(
                    _ended, deadline_s, "the result on the screen", after=self.start
                )
                told = _completion(seen)
            if told.ok and self.prints:
                self._look_up(lambda: self._terminal.front.await_slip(self.slips, SETTLE_S))
            return self.complete(told)
        raise AssertionError("guarded() re-raises")

    @staticmethod
    def _look_up(look: Callable[[], object]) -> None:
        """A cashier looks at the screen and takes the slip before serving on; what does not come is the judge's."""
        with contextlib.suppress(TerminalTimeout):
            look()

    def complete(self, completion: Completion) -> Completion:
        """Record how it ended, once."""
        if self._completed is None:
            self._completed = completion
            self._terminal.front.take_card()
            self._recorder.append(
                OperationCompleted(
                    t=time.monotonic_ns(),
                    op=self.number,
                    outcome=completion.outcome,
                    code=completion.code,
                    detail=completion.text[:200],
                )
            )
        return completion

    def guarded(self) -> _Guard:
        """Within it, an exception completes the operation as unknown."""
        return _Guard(lambda error: self.complete(Completion("unknown", None, str(error).splitlines()[0])))


class _Guard:
    def __init__(self, on_error: Callable[[BaseException], object]) -> None:
        self._on_error = on_error

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> Literal[False]:
        if error is not None:
            self._on_error(error)
        return False


def _ended(seen: Seen) -> bool:
    return any(text in seen.text for text in ENDED)


_CODE = re.compile(r"应答码[:：]?([0-9A-Z]{2})")
_TRACE = re.compile(r"凭证号[:：]?([0-9]{6})")


def _code(seen: Seen) -> str | None:
    found = _CODE.search(seen.text)
    return found.group(1) if found else None


def _completion(seen: Seen) -> Completion:
    approved = any(text in seen.text for text in APPROVED)
    trace = _TRACE.search(seen.text)
    return Completion(
        "ok" if approved else "fail",
        "00" if approved else _code(seen),
        " ".join(line.strip() for line in seen.lines[1:] if line.strip()),
        trace.group(1) if trace else "",
    )
