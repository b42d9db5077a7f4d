"""An operation under way at an emulated terminal, and how its result is read off the screen or the till's answer."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable
from typing import Literal

from harness.errors import TerminalTimeout
from harness.history.events import OperationCompleted
from harness.history.recorder import Recorder
from harness.terminal.contracts import Completion
from harness.terminal.front import Front, Seen
from harness.terminal.links import CashierLink

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


class PanelOperation:
    """An operation under way: wait for what the terminal says."""

    def __init__(
        self, front: Front, till: CashierLink | None, recorder: Recorder, number: int, name: str, answer_s: float
    ) -> None:
        self._front, self._till, self._recorder = front, till, recorder
        self.number, self._answer_s = number, answer_s
        self.start = front.latest.number  # result screens are numbered above this
        self.slips = front.slips
        self.prints = name in PRINTS
        self.echo: str | None = None  # set where the till gave the command
        self._completed: Completion | None = None

    def wait(self, deadline_s: float | None = None) -> Completion:
        if self._completed is not None:
            return self._completed
        deadline_s = deadline_s or self._answer_s
        with self.guarded():
            if self.echo is not None:
                assert self._till is not None
                fields = self._till.answer(self.echo, deadline_s)
                code = fields.get("DF07", "")
                outcome: Literal["ok", "fail"] = "ok" if code == "00" else "fail"
                told = Completion(outcome, code or None, fields.get("DF09", ""), fields.get("DF10", ""))
                self._look_up(lambda: self._front.await_screen(ended, SETTLE_S, "the result", after=self.start))
            else:
                seen = self._front.await_screen(ended, deadline_s, "the result on the screen", after=self.start)
                told = completion_of(seen)
            if told.ok and self.prints:
                self._look_up(lambda: self._front.await_slip(self.slips, SETTLE_S))
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
            self._front.take_card()
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


def ended(seen: Seen) -> bool:
    return any(text in seen.text for text in ENDED)


_CODE = re.compile(r"应答码[:：]?([0-9A-Z]{2})")
_TRACE = re.compile(r"凭证号[:：]?([0-9]{6})")


def code_of(seen: Seen) -> str | None:
    found = _CODE.search(seen.text)
    return found.group(1) if found else None


def completion_of(seen: Seen) -> Completion:
    approved = any(text in seen.text for text in APPROVED)
    trace = _TRACE.search(seen.text)
    return Completion(
        "ok" if approved else "fail",
        "00" if approved else code_of(seen),
        " ".join(line.strip() for line in seen.lines[1:] if line.strip()),
        trace.group(1) if trace else "",
    )


def _first_line(error: BaseException) -> str:
    """What happened, in a line; Ctrl-C and bare assertions have a name only."""
    return next(iter(str(error).splitlines()), type(error).__name__)
