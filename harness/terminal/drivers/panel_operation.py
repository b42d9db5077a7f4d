"""An operation under way at an emulated terminal, and how its result is read off the screen or the till's answer."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable
from typing import Literal

from harness.errors import TerminalTimeout
from harness.history.events import AnyEvent, Cashier, OperationCompleted, Screen
from harness.history.recorder import Recorder
from harness.protocol.transactions import KINDS
from harness.terminal.contracts import NOT_CONNECTED, Completion
from harness.terminal.drivers.dialogs import Dialog
from harness.terminal.front import Front, Seen
from harness.terminal.links import CashierLink

PROGRESS = ("请稍候", "正在连接", "正在发送", "等待应答", "接收")
APPROVED = (
    "交易成功", "激活成功", "签到成功", "签退成功", "结算成功", "回响成功", "设置成功", "重打印完成", "参数下载完成",
    "状态上送完成", "公钥下载完成", "IC卡参数下载完成", "黑名单下载完成", "程序下载完成", "无新版本",
)
TAMPERED = "设备被拆"
ENDED = (
    *APPROVED, "交易失败", "通讯超时", *NOT_CONNECTED, "应答无效", "请先签到", "请先结算", "冲正未成功", "交易已取消",
    "终端忙", "命令错误", "无此交易", "原交易已撤销", "无可打印凭证", "密钥错误", "设置失败", "请先设置", "存储故障",
    "脚本通知未成功", "离线交易上送未成功", "卡片拒绝交易", "卡号与原交易不符", "小费超过限额", "原交易已调整",
    "黑名单卡", "不允许此交易", "不支持的付款码", "更新失败", "数据已移交", TAMPERED,
)
NOT_READ = ("请重新刷卡", "读卡错误")
DEAD_READERS = ("读卡器故障", "IC卡读取失败", "非接读卡器故障")
PRINTER_TROUBLE = ("打印机缺纸", "打印机故障", "打印机过热")
PRINTS = frozenset({"settle", "reprint", *KINDS} - {"balance"})
SETTLE_S = 3.0  # how long a cashier waits for what should come with a result: the profile's limit for showing it


class PanelOperation:
    """An operation under way: wait for what the terminal says, and answer what it still asks for meanwhile."""

    def __init__(
        self, front: Front, till: CashierLink | None, recorder: Recorder, number: int, name: str, answer_s: float
    ) -> None:
        self._front, self._till, self._recorder = front, till, recorder
        self.number, self._answer_s = number, answer_s
        self.start = front.latest.number  # result screens are numbered above this
        self.slips = front.slips
        self.prints = name in PRINTS
        self.echo: str | None = None  # set where the till gave the command
        self.dialog = Dialog(front, [], None)
        self._since = recorder.seq
        self._completed: Completion | None = None

    def wait(self, deadline_s: float | None = None) -> Completion:
        if self._completed is not None:
            return self._completed
        return self.complete(self.wait_for_result(deadline_s or self._answer_s))

    def wait_for_result(self, deadline_s: float) -> Completion:
        """As :meth:`wait`; whoever asks says himself how it is completed."""
        with self.guarded():
            told = self._told_by_till(deadline_s) if self.echo is not None else self._told_by_screen(deadline_s)
            if told.ok and self.prints and not _no_slip_comes(self._front.latest):
                self._look_up(lambda: self._front.await_slip(self.slips, SETTLE_S))
            return told
        raise AssertionError("guarded() re-raises")

    def _told_by_screen(self, deadline_s: float) -> Completion:
        began = time.monotonic()
        while True:
            seen = self._front.await_screen(
                lambda seen: self.dialog.asks(seen) or ended(seen) or not seen.powered, deadline_s,
                "the result on the screen", after=self.start,
            )
            if not seen.powered:
                raise TerminalTimeout("the result on the screen: its power went", time.monotonic() - began)
            if not self.dialog.asks(seen):
                return completion_of(seen)
            self._answer(seen)

    def _told_by_till(self, deadline_s: float) -> Completion:
        assert self._till is not None and self.echo is not None
        while self.dialog.prompts:
            event = self._recorder.wait_for(
                self._answered_or_asks, deadline_s, "the result on the cashier link", since=self._since
            )
            self._since = event.seq
            if isinstance(event, Cashier):
                break
            self._answer(self._front.await_screen(self.dialog.asks, deadline_s, "a question", after=self.start))
        fields = self._till.answer(self.echo, deadline_s)
        code = fields.get("DF07", "")
        outcome: Literal["ok", "fail"] = "ok" if code == "00" else "fail"
        self._look_up(lambda: self._front.await_screen(ended, SETTLE_S, "the result", after=self.start))
        return Completion(
            outcome, code or None, fields.get("DF09", ""), fields.get("DF10", ""), fields.get("DF14", "").strip(),
            fields.get("DF17", "").strip(),
        )

    def _answered_or_asks(self, event: AnyEvent) -> bool:
        if isinstance(event, Cashier):
            told = event.direction == "from_terminal" and event.fields.get("DF01") == "02"
            return told and event.fields.get("DF04") == self.echo
        if not isinstance(event, Screen):
            return False
        return any(prompt in "".join(event.lines).replace(" ", "") for prompt in self.dialog.prompts)

    def _answer(self, seen: Seen) -> None:
        self.dialog.answer(seen)
        self.start = seen.number

    @staticmethod
    def _look_up(look: Callable[[], object]) -> None:
        """A cashier looks at the screen and takes the slip before serving on; what does not come is the judge's."""
        with contextlib.suppress(TerminalTimeout):
            look()

    def complete(self, completion: Completion) -> Completion:
        """Record how it ended, once."""
        if self._completed is None:
            self._completed = completion
            self._front.take_card()
            self._recorder.append(
                OperationCompleted(
                    t=time.monotonic_ns(),
                    op=self.number,
                    outcome=completion.outcome,
                    code=completion.code,
                    detail=completion.text[:200],
                    presented=self.dialog.presented,
                )
            )
        return completion

    def guarded(self) -> _Guard:
        """Within it, an exception completes the operation as unknown."""
        return _Guard(lambda error: self.complete(Completion("unknown", None, _first_line(error))))


class _Guard:
    def __init__(self, on_error: Callable[[BaseException], object]) -> None:
        self._on_error = on_error

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> Literal[False]:
        if error is not None:
            self._on_error(error)
        return False


def _no_slip_comes(seen: Seen) -> bool:
    """It says so itself."""
    return any(text in seen.text for text in PRINTER_TROUBLE)


def ended(seen: Seen) -> bool:
    return any(text in seen.text for text in ENDED)


_CODE = re.compile(r"应答码[:：]?([0-9A-Z]{2})")
_TRACE = re.compile(r"凭证号[:：]?([0-9]{6})")
_REFERENCE = re.compile(r"参考号[:：]?([0-9A-Za-z]{12})")
_AUTHORISATION = re.compile(r"授权码[:：]?([0-9A-Za-z]{6})")


def _told(pattern: re.Pattern[str], seen: Seen) -> str:
    found = pattern.search(seen.text)
    return found.group(1) if found else ""


def code_of(seen: Seen) -> str | None:
    return _told(_CODE, seen) or None


def completion_of(seen: Seen) -> Completion:
    approved = any(text in seen.text for text in APPROVED)
    return Completion(
        "ok" if approved else "fail",
        "00" if approved else code_of(seen),
        " ".join(line.strip() for line in seen.lines[1:] if line.strip()),
        _told(_TRACE, seen),
        _told(_REFERENCE, seen),
        _told(_AUTHORISATION, seen),
    )


def _first_line(error: BaseException) -> str:
    """What happened, in a line; Ctrl-C and bare assertions have a name only."""
    return next(iter(str(error).splitlines()), type(error).__name__)
