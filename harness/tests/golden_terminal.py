"""The good terminal of the golden world: what it sends, keeps, shows and prints (see :mod:`harness.tests.golden`)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Literal

from harness.history.events import OperationInvoked, WireFrame
from harness.protocol import frames
from harness.protocol.nested import make_serial_number
from harness.protocol.profile import Profile
from harness.protocol.transactions import KINDS
from harness.terminal.cashier import TYPES
from harness.tests.golden_faults import Strike, judged
from harness.tests.golden_log import Log
from harness.tests.golden_parts import (
    MID,
    TID,
    Host,
    Outcome,
    Pending,
    Reply,
    Stored,
    TerminalMemory,
    plan_upload,
    reply_of,
)
from harness.tests.golden_wire import OPERATOR, Fields, Message, answer_to, request_of, spoiled

Via = Literal["keypad", "cashier"]
FIRST_HOST, SECOND_HOST = "10.97.0.1:8583", "10.97.0.3:8583"
CONNECT_S = 20.0  # for so long it tries to connect
CODE_OF_FAULT = {"Z1": "连接失败", "Z2": "通讯超时", "Z3": "应答无效"}
TITLES = {
    "sale": "消费", "void": "消费撤销", "refund": "退货", "pre_authorisation": "预授权",
    "pre_authorisation_void": "预授权撤销", "completion": "预授权完成", "completion_void": "预授权完成撤销",
    "completion_advice": "预授权完成通知", "offline_sale": "离线消费", "offline_chip_sale": "电子现金消费",
    "offline_adjust": "离线调整", "offline_tip": "小费",
}  # fmt: skip
APPROVED_TEXT = {"sign_in": "签到成功", "echo": "回响成功", "settle": "结算成功", "sign_off": "签退成功"}


class GoodTerminal(Log):
    """Its memory can be changed from outside; what it does with that memory is always right."""

    def __init__(self, profile: Profile) -> None:
        super().__init__()
        self.profile = profile
        self.host = Host(profile)
        self.terminal = TerminalMemory(keys=self.host.keys)
        self.quiet = False
        self.mid, self.tid = MID, TID
        self.host_at, self.second_host = FIRST_HOST, ""  # the address in use, and one to fall back to
        self.second_ac = ""  # what a bad terminal asks an inserted chip for at the end ("": the right thing)
        self.card_gives = ""  # what a card with a mind of its own gives then
        self.serial = ""  # that a sign-in names ("": it names none)

    def _request(self, mti: str, fields: Fields) -> Message:
        return request_of(mti, fields, tid=self.tid, mid=self.mid)

    # -- what is seen ----------------------------------------------------------------------------------------------

    def idle(self, after: float = 1.0) -> None:
        self.display("欢迎使用", "请按确认键消费", after=after)

    def display(self, *lines: str, after: float = 0.05) -> None:
        """A screen with its status row above ``lines``."""
        if not self.quiet:
            status = self.terminal.clock(self.t).strftime("%H:%M ") + (
                "已签到" if self.terminal.signed_in else "未签到"
            )
            self.screen(status + (" 冲正" if self.terminal.pending else ""), *lines, after=after)

    def result(self, code: str, name: str = "sale") -> None:
        """The screen with an operation's result."""
        if code in self.profile.success:
            self.display(APPROVED_TEXT.get(name, "交易成功"))
        elif code in CODE_OF_FAULT:
            self.display(CODE_OF_FAULT[code])
        elif code == "Z4":
            self.display("请先签到")
        elif code == "Z8":
            self.display("请先结算")
        elif code == "Z9":
            self.display("冲正未完成")
        else:
            texts = self.profile.texts
            self.display("交易失败", f"应答码:{code}", texts.codes.get(code, texts.unknown)[0])

    # -- what it does -----------------------------------------------------------------------------------------

    @contextmanager
    def _operation(self, name: str, via: Via, **args: str) -> Iterator[OperationInvoked]:
        operation = self.invoke(name, via, **args)
        if via == "cashier":
            fields = {"DF01": "00", "DF02": TYPES[name], "DF04": f"{operation.op:04d}"}
            if "amount" in args:
                fields["DF03"] = args["amount"].zfill(12)
            if "trace" in args:
                fields["DF08"] = args["trace"]
            self.till("to_terminal", fields)
        yield operation
        self.idle(after=5.0)

    def _finish(self, operation: OperationInvoked, outcome: Outcome) -> Outcome:
        """Result on the screen and at the till, and the operation's end."""
        self.result(outcome.code, operation.name)
        approved = outcome.code in self.profile.success
        if operation.via == "cashier":
            texts = self.profile.texts
            text = "交易成功" if approved else texts.codes.get(outcome.code, texts.unknown)[0]
            fields = {
                "DF01": "02", "DF02": TYPES[operation.name], "DF04": f"{operation.op:04d}", "DF07": outcome.code,
                "DF09": CODE_OF_FAULT.get(outcome.code, text),
            }  # fmt: skip
            self.till("from_terminal", fields)
        self.complete(operation, "ok" if approved else "fail", None if approved else outcome.code)
        return outcome

    def _sign_in(self, reply: Reply) -> Outcome:
        fields: Fields = {11: self.terminal.next_trace(), 60: f"00{self.terminal.batch}003", 63: OPERATOR}
        if self.serial:
            fields[62] = make_serial_number(f"TEST{self.serial}")
        outcome = self._exchange(self._request("0800", fields), reply)
        if outcome.code == "00":
            loaded = self.terminal.load_working_keys(outcome.fields.get(62))
            if not loaded:
                return Outcome("Z3", outcome.fields, outcome.request, outcome.response)
            self.terminal.adopt(outcome.fields, self.host.clock_ahead)
        return outcome

    def _financial(
        self,
        operation: OperationInvoked,
        kind: str,
        fields: Fields,
        amount: int,
        pan: str,
        original: str | None,
        reply: Reply,
    ) -> Outcome:
        terminal, row = self.terminal, KINDS[kind]
        if not terminal.signed_in:
            return self._finish(operation, Outcome("Z4", {}))
        blocked = self._clear_reversal()
        if blocked:
            return self._finish(operation, blocked)
        if terminal.must_settle_first:
            return self._finish(operation, Outcome("Z8", {}))
        blocked = self.deliver()
        if blocked:
            return self._finish(operation, blocked)
        request = self._request(row.mti, {**fields, 11: terminal.next_trace()})
        inserted = fields.get(22, "")[:2] == "05" and 55 in fields
        if inserted:
            self.chip(1, "ARQC")
        terminal.last_request = request.fields
        if row.reversible:
            terminal.pending = Pending(request.fields, self.profile.reversal_reason_no_answer)
        outcome = self._exchange(request, reply)
        approved = outcome.code in self.profile.success
        if outcome.code == "Z3" and row.reversible:
            terminal.pending = Pending(request.fields, outcome.reason)
            terminal.signed_in = terminal.signed_in and outcome.reason != self.profile.reversal_reason_bad_mac
        elif outcome.code != "Z2":
            terminal.pending = None
        if inserted:
            asked = self.second_ac or ("TC" if approved else "AAC")
            gave = self.chip(2, asked, self.card_gives if approved else "").gave
            if approved and gave == "AAC":
                terminal.pending = Pending(request.fields, self.profile.reversal_reason_fault)
                return self._finish(operation, Outcome("Z3", outcome.fields, outcome.request, outcome.response))
        if approved and kind != "balance":
            rrn = outcome.fields[37]
            stored = Stored(terminal.batch, request.fields[11], kind, amount, pan, rrn, original, request.fields)
            if row.in_batch:
                terminal.log.append(stored)
            self._print(stored)
        return self._finish(operation, outcome)

    def deliver(self, reply: Reply | Strike | str | None = None) -> Outcome | None:
        """What is due goes out: a script notice, and what was accepted offline. None: nothing is in the way of a new
        request; else how the first of it was answered that stays."""
        terminal = self.terminal
        if terminal.script is not None:
            request = self._request("0620", {**terminal.script, 11: terminal.next_trace()})
            outcome = self._exchange(request, reply_of(reply))
            if outcome.code in self.profile.not_registered or outcome.code in CODE_OF_FAULT:
                return outcome
            terminal.script = None
        for stored in list(terminal.offline):
            outcome = self._exchange(self._request(KINDS[stored.kind].mti, stored.fields), reply_of(reply))
            if outcome.code not in self.profile.success:
                return outcome
            terminal.offline.remove(stored)
        return None

    def send_reversal(self, reply: Reply | Strike | str | None = None) -> Outcome:
        """The reversal that is due goes out; before other requests this happens by itself."""
        pending = self.terminal.pending
        if pending is None:
            raise ValueError("no reversal is due")
        kept = {n: v for n, v in pending.fields.items() if n in (2, 3, 4, 11, 22, 25, 49, 60, 61)}
        request = self._request("0400", {**kept, 39: pending.reason})
        outcome = self._exchange(request, reply_of(reply))
        if outcome.code in self.profile.reversal_success:
            self.terminal.pending = None
            self.terminal.adopt_batch()
        return outcome

    def _clear_reversal(self) -> Outcome | None:
        """Send the reversal that is due. None: nothing is in the way of a new request; else how it was answered."""
        if self.terminal.pending is None:
            return None
        outcome = self.send_reversal()
        if self.terminal.pending is None:
            return None
        return outcome if not outcome.code.startswith("Z") else Outcome("Z9", {})

    def _settle(self, reply: Reply, unbalanced: bool, resume: bool, upload: list[Reply]) -> Outcome:
        terminal = self.terminal
        blocked = self._clear_reversal() or self.deliver()
        if blocked:
            return blocked
        if resume:
            return self._upload(Outcome("00", {}), upload)
        fields: Fields = {
            11: terminal.next_trace(), 48: terminal.totals() + "0" + "0" * 31, 49: "156",
            60: f"00{terminal.batch}201", 63: OPERATOR,
        }  # fmt: skip
        rule = None
        if unbalanced:
            rule = self.armed(mti="0500", action="unbalanced", count=1).rule_id
        self.host.claims_difference = unbalanced
        outcome = self._exchange(self._request("0500", fields), reply, rule)
        if outcome.code != "00":
            return outcome
        if outcome.fields[48][30] == "1":
            return self._upload_step(outcome, 0, f"{len(terminal.log):04d}", self.profile.batch_end_balanced, upload)
        return self._upload(outcome, upload)

    def _upload(self, outcome: Outcome, upload: list[Reply]) -> Outcome:
        terminal = self.terminal
        for count, f48, code in list(plan_upload(terminal.log, terminal.uploaded, self.profile.batch_end_unbalanced)):
            outcome = self._upload_step(outcome, count, f48, code, upload)
            if outcome.code != "00":
                break
        return outcome

    def _upload_step(self, settled: Outcome, count: int, f48: str, code: str, replies: list[Reply]) -> Outcome:
        """One request of the batch upload, or its end; a cut upload goes on where it was cut at the next settlement."""
        terminal = self.terminal
        fields: Fields = {11: terminal.next_trace(), 48: f48, 60: f"00{terminal.batch}{code}"}
        outcome = self._exchange(self._request("0320", fields), replies.pop(0) if replies else Reply())
        if outcome.code != "00":
            return outcome
        terminal.uploaded += count
        if not count:
            terminal.close_batch()
        return settled

    def _print(self, stored: Stored) -> None:
        now = self.terminal.clock(self.t)
        self.slip(
            "POS签购单", f"商户号:{self.mid}", f"终端号:{self.tid}", f"交易类型:{TITLES[stored.kind]}",
            f"卡号:{stored.pan[:6]}******{stored.pan[-4:]}" if stored.pan else "付款码:1345**********9797",
            f"批次号:{stored.batch}  凭证号:{stored.trace}",
            f"参考号:{stored.rrn}", f"日期时间:{now:%Y/%m/%d %H:%M:%S}",
            f"金额:RMB {stored.amount / 100:.2f}", "交易成功",
        )  # fmt: skip

    # -- the way of one request ------------------------------------------------------------------------------------

    def _exchange(self, request: Message, reply: Reply, rule: int | None = None) -> Outcome:
        """Connect, send, be answered (or not), and what the terminal makes of it."""
        stream = self.next("stream")
        if reply.action and rule is None:
            rule = self.armed(
                mti=request.mti, action=reply.action, count=1, **({"code": reply.code} if reply.code else {})
            ).rule_id
        self.display("正在连接")
        self.connection(stream, "opening", "terminal", self.host_at)
        if reply.delivery in ("refused", "unreachable"):
            if reply.delivery == "refused":
                self.connection(stream, "refused", "acquirer", self.host_at)
            else:
                self.wait(CONNECT_S)
            if not self.second_host:
                return Outcome("Z1", {})
            self.host_at, self.second_host = self.second_host, self.host_at
            stream, reply = self.next("stream"), replace(reply, delivery="arrives")
            self.connection(stream, "opening", "terminal", self.host_at)
        self.connection(stream, "open", peer=self.host_at)
        asked = self.frame(stream, "to_acquirer", request.encode(self.terminal.mak))
        if reply.wire and reply.wire.request_lost:
            return self._struck(stream, asked, b"", reply.wire)
        self.journal(stream, "in", bytes.fromhex(asked.hex))
        if reply.delivery == "dropped":
            return self._give_up(stream, Outcome("Z2", {}, asked))
        if reply.delivery == "host_closes":
            self.connection(stream, "closed", "acquirer")
            self.connection(stream, "closed", "terminal")
            return Outcome("Z2", {}, asked)
        code, extra = self.host.answer(request, reply, self.t)
        response = answer_to(request, code, self.host.now(self.t), extra, reply.processing)
        raw = spoiled(response, reply.flaw).encode(self.host.working.mak, flaw=reply.flaw)
        if reply.delivery == "withheld":
            self.journal(stream, "withheld", raw, "decided, not sent", rule)
            return self._give_up(stream, Outcome("Z2", {}, asked))
        if reply.delivery == "lost":
            self.link("down")
            self.journal(stream, "out", raw, rule_id=rule)
            outcome = self._give_up(stream, Outcome("Z2", {}, asked), seen=False)
            self.link("up")
            return outcome
        if reply.delivery == "late":
            outcome = self._give_up(stream, Outcome("Z2", {}, asked))
            self.result("Z2")
            self.journal(stream, "out", raw, rule_id=rule)
            self.frame(stream, "to_terminal", raw)
            self.connection(stream, "reset", "terminal")
            return outcome
        self.journal(stream, "out", raw, rule_id=rule)
        if reply.wire:
            return self._struck(stream, asked, raw, reply.wire)
        answered = self.frame(stream, "to_terminal", raw)
        self.connection(stream, "closed", "terminal")
        reason = {"bad_mac": self.profile.reversal_reason_bad_mac}.get(
            reply.flaw or "", self.profile.reversal_reason_mismatch[0]
        )
        if reply.flaw in ("bad_mac", "foreign_trace") or (reply.flaw == "no_mac" and code in self.profile.success):
            return Outcome("Z3", response.fields, asked, answered, reason)
        return Outcome(code, response.fields, asked, answered)

    def _struck(self, stream: int, asked: WireFrame, raw: bytes, wire: Strike) -> Outcome:
        """A fault strikes the answer ``raw`` (or the request): what then comes, and what the terminal makes of it."""
        sent = bytes.fromhex(asked.hex)
        came = raw if wire.deliver is None else wire.deliver(sent, raw, self.host.working.mak)
        number = self.fault_armed(wire.fault, count=1, **wire.parameters).fault_id
        struck, way = (sent, "to_acquirer") if wire.request_lost else (raw, "to_terminal")
        self.fault_struck(number, wire.what, way, struck, came if wire.deliver else b"")  # type: ignore[arg-type]
        self.fault_healed(number, "used_up")
        whole = len(came) >= 2 and len(came) == 2 + int.from_bytes(came[:2], "big")
        if whole:
            answered = self.frame(stream, "to_terminal", came)
            if wire.before:
                self.frame(stream, "to_terminal", raw)
            self.connection(stream, "closed", "terminal")
            code, reason = judged(sent, came, self.terminal.mak, self.profile)
            fields = dict(frames.decode(came).fields) if not code.startswith("Z") else {}
            return Outcome(code, fields, asked, answered, reason or self.profile.reversal_reason_no_answer)
        if wire.then:
            self.connection(stream, "reset" if wire.then == "reset" else "closed", "acquirer")
        if came:
            self.bytes_on(stream, "to_terminal", came, f"cut short after {len(came)} bytes")
        if wire.then:
            self.connection(stream, "closed", "terminal")
            return Outcome("Z2", {}, asked)
        return self._give_up(stream, Outcome("Z2", {}, asked))

    @contextmanager
    def under(self, fault: str, **parameters: Any) -> Iterator[None]:
        """A fault that lasts: it strikes at once, and is healed at the end."""
        number = self.fault_armed(fault, **parameters).fault_id
        self.fault_struck(number, fault)
        yield
        self.fault_healed(number)

    def know_second_host(self, first: str = "") -> None:
        """A second address is set at the terminal; before it the ``first``, as the service engineer writes it."""
        if first:
            self.service("to_terminal", f"HOST {first} 6000030000")
            self.service("from_terminal", "OK")
        self.second_host = SECOND_HOST
        self.service("to_terminal", f"HOST2 {SECOND_HOST.replace(':', ' ')}")
        self.service("from_terminal", "OK")

    def _give_up(self, stream: int, outcome: Outcome, *, seen: bool = True) -> Outcome:
        self.wait(self.profile.receive_timeout_s)
        if seen:
            self.connection(stream, "closed", "terminal")
        return outcome
