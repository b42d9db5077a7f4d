"""What is printed, as lines of text. Of a card, the first six and last four digits of its number are shown, no more."""

from __future__ import annotations

import time
from collections.abc import Sequence

from . import texts
from .messages import totals
from .records import Record, State

_KINDS = {"sale": "消费", "void": "消费撤销"}


def masked(pan: str) -> str:
    """First six and last four digits."""
    return pan[:6] + "*" * (len(pan) - 10) + pan[-4:]


def yuan(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"


def receipt(state: State, record: Record, *, again: bool = False) -> tuple[str, ...]:
    """The slip of a booked transaction, that is of an approved one."""
    date, clock = record.date, record.time
    lines = [
        "POS签购单",
        f"商户号:{state.mid}",
        f"终端号:{state.tid}",
        f"卡号:{masked(record.pan)}",
        f"交易类型:{_KINDS[record.kind]}",
        f"批次号:{record.batch:06d}",
        f"凭证号:{record.trace:06d}",
        f"参考号:{record.reference}",
        f"授权码:{record.authorisation}",
        f"日期时间:{record.year}/{date[:2]}/{date[2:]} {clock[:2]}:{clock[2:4]}:{clock[4:]}",
        f"金额:RMB {yuan(record.amount)}",
    ]
    if record.original:
        lines.append(f"原凭证号:{record.original:06d}")
    lines.append(texts.APPROVED)
    if again:
        lines.append("重打印凭证")
    return tuple(lines)


def settlement_report(state: State, log: Sequence[Record], balanced: bool, clock: float) -> tuple[str, ...]:
    """The totals of the batch that is being closed."""
    sums = totals(log)
    return (
        "结算总计单",
        f"商户号:{state.mid}",
        f"终端号:{state.tid}",
        f"批次号:{state.batch:06d}",
        f"日期时间:{time.strftime('%Y/%m/%d %H:%M:%S', time.gmtime(clock))}",
        f"消费:{sums.sales}笔 RMB {yuan(sums.sales_amount)}",
        f"消费撤销:{sums.voids}笔 RMB {yuan(sums.voids_amount)}",
        "对账平" if balanced else "对账不平",
        texts.SETTLEMENT_DONE,
    )
