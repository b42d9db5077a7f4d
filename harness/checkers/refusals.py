"""Whether an image that was not taken had been looked at: what its refusal can't be about.

A vendor's terminal words its reasons as it likes. So only what is known to be about something else is left out: the
transfer, the line, the host, or that the terminal was at work.
"""

from __future__ import annotations

from harness.checkers.observing import interrupted
from harness.checkers.reading import Exchange, Reading
from harness.checkers.tables import OWN
from harness.checkers.updates import Update, disturbed, reason_told, updates
from harness.history.events import Power
from harness.terminal.contracts import BUSY, NOT_CONNECTED

BROKEN_OFF, NOTHING_LOADED = "73", "77"
OF_WHAT_IS_STORED = frozenset({"85", "86"})  # transactions, a reversal
NO_VERSION, CANCELLED = "无新版本", "交易已取消"
_OF_THE_TRANSFER = frozenset({BROKEN_OFF, NOTHING_LOADED, BUSY})
_OF_THE_LINE = (*NOT_CONNECTED, "通讯超时", "应答无效")
_OF_THE_TERMINAL = ("传输中断", "终端忙", "请先签到", "请先设置")


def never_came(reading: Reading, update: Update) -> str:
    """Why nothing shows that the image reached the terminal, or what this made of it, though nobody hurt the transfer:
    in words. "": it did, or the terminal itself kept it away."""
    if update.operation.outcome == "unknown":
        return "how it ended is not known"
    if interrupted(reading, update.operation):
        return "the bench broke it off"
    host = refused_by_the_host(reading, update)
    if host is not None:
        return f"the host answered {host.code}"
    told = reason_told(reading, update)
    if _says(told, CANCELLED):
        return f"somebody cancelled it ({told})"
    line = _code(update, told).startswith("Z") or _says(told, NO_VERSION, *_OF_THE_LINE)
    if update.offered.via == "network" and line:
        return f"nothing came from the host ({told})"
    return ""


def not_looked_at(reading: Reading, update: Update, others: frozenset[str] = frozenset()) -> str:
    """Why its refusal is no word on the image, as :func:`never_came`, and also where the transfer was hurt or the
    terminal had another reason, one of ``others`` too; "": it may be one."""
    absent = never_came(reading, update)
    if absent:
        return absent
    hurt = disturbed(reading, update)
    if hurt is not None:
        return hurt[0]
    powers = reading.between(Power, update.t, update.operation.done + 1)
    if any(p.state == "off" and p.reason != "watchdog" for p in powers):
        return "the power went in it"
    told = reason_told(reading, update)
    code = _code(update, told)
    if code.startswith("Z") or code in _OF_THE_TRANSFER | others or _says(told, NO_VERSION, *_OF_THE_TERMINAL):
        return f"the reason is another ({told})"
    return ""


def given_again(reading: Reading, update: Update) -> Update | None:
    """The next attempt with the same image at the same unit: it tells more of one that came to nothing."""
    sha256 = update.offered.firmware.sha256
    later = (u for u in updates(reading) if update.t < u.t < update.unit)
    return next((u for u in later if u.offered.firmware.sha256 == sha256 and u.flaw == update.flaw), None)


def refused_by_the_host(reading: Reading, update: Update) -> Exchange | None:
    """Nothing was downloaded because the host said no: a 97 to the question what there is, or within the download."""
    sent = reading.exchanges_between(update.t, update.operation.done + 1) if update.offered.via == "network" else ()
    asked = OWN["software_update"]
    return next((e for e in sent if e.transaction in asked and e.declined(reading.profile)), None)


def of_what_is_stored(reading: Reading, update: Update) -> bool:
    """It was refused for transactions that are stored, or a reversal."""
    return _code(update, reason_told(reading, update)) in OF_WHAT_IS_STORED


def _code(update: Update, told: str) -> str:
    """The code of its end, or what it says in its place: two characters before the words."""
    words = [word for word in told.split() if word != "ERR"]
    done = update.operation.completed
    return (done.code if done else None) or (words[0] if words and len(words[0]) == 2 else "")


def _says(told: str, *texts: str) -> bool:
    return any(text in told for text in texts)
