"""What is printed, as lines of text. Of a card number or payment code the first six and last four digits are shown."""

from __future__ import annotations

import time
from collections.abc import Sequence

from . import batch, texts
from .cards import masked, provider
from .kinds import DEBIT, KINDS
from .records import Record, Reversal, Settlement, State

_ALWAYS = ("sale", "void")  # on the report; the other kinds where there are any


def yuan(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"


def receipt(state: State, record: Record, *, again: bool = False) -> tuple[str, ...]:
    """The slip of a transaction that was approved, or stored."""
    date, clock = record.date, record.time
    lines = ["POS签购单"]
    if state.parameters.merchant_name:
        lines.append(f"商户名称:{state.parameters.merchant_name}")
    lines += [f"商户号:{state.mid}", f"终端号:{state.tid}", *_paid_with(record)]
    lines += [
        f"交易类型:{KINDS[record.kind].title}",
        f"批次号:{record.batch:06d}",
        f"凭证号:{record.trace:06d}",
        f"参考号:{record.reference}",
        f"授权码:{record.authorisation}",
        f"日期时间:{record.year}/{date[:2]}/{date[2:]} {clock[:2]}:{clock[2:4]}:{clock[4:]}",
        f"金额:RMB {yuan(record.amount)}",
    ]
    if record.tip:
        lines.append(f"小费:RMB {yuan(record.tip)}")
    if record.original:
        lines.append(f"原凭证号:{record.original:06d}")
    lines.append(texts.APPROVED)
    if again:
        lines.append("重打印凭证")
    return tuple(lines)


def _paid_with(record: Record) -> list[str]:
    if not record.code:
        return [f"卡号:{masked(record.pan)}"]
    lines = [f"付款码:{masked(record.code)}", f"渠道:{provider(record.code)}"]
    return [*lines, f"凭证码:{record.voucher}"] if record.voucher else lines


def reversal_record(state: State, due: Reversal) -> tuple[str, ...]:
    """A reversal that is given up: what somebody has to put right by hand."""
    return (
        texts.REVERSAL_RECORD,
        f"商户号:{state.mid}",
        f"终端号:{state.tid}",
        f"批次号:{due.fields[60][2:8]}",
        f"凭证号:{due.trace}",
        f"金额:RMB {yuan(int(due.fields[4]))}",
        f"冲正次数:{due.attempts + 1}",
        "冲正未成功,请联系收单行",
    )


def settlement_report(state: State, log: Sequence[Record], settlement: Settlement, clock: float) -> tuple[str, ...]:
    """The totals of the batch that is being closed, and what the host has not."""
    records = batch.counting(state, log)
    sums = batch.totals(state, log)
    lines = [
        "结算总计单",
        f"商户号:{state.mid}",
        f"终端号:{state.tid}",
        f"批次号:{state.batch:06d}",
        f"日期时间:{time.strftime('%Y/%m/%d %H:%M:%S', time.gmtime(clock))}",
    ]
    for name, kind in KINDS.items():
        amounts = [record.amount for record in records if record.kind == name]
        if amounts or name in _ALWAYS:
            lines.append(f"{kind.title}:{len(amounts)}笔 RMB {yuan(sum(amounts))}")
    lines.append(f"借方合计:{sums.debits}笔 RMB {yuan(sums.debit_amount)}")
    lines.append(f"贷方合计:{sums.credits}笔 RMB {yuan(sums.credit_amount)}")
    for record in log:
        if record.trace in state.refused:
            sign = "" if KINDS[record.kind].side == DEBIT else "-"
            lines.append(f"上送被拒:{record.trace:06d} RMB {sign}{yuan(record.amount)}")
    lines += [f"未上送签名:{one.fields[11]}" for one in state.signatures]
    if settlement.code != "00":
        lines.append(texts.TOTALS_RESET)
    lines += ["对账平" if settlement.balanced else "对账不平", texts.SETTLEMENT_DONE]
    return tuple(lines)
