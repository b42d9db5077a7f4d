"""The journal for the person in front of it: a line for each message, the settlement report at a batch end."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import sys
from collections.abc import Callable
from datetime import datetime
from typing import Any

from rich.cells import cell_len
from rich.console import Console as RichConsole
from rich.table import Table
from rich.text import Text

from harness.acquirer.answers import card_number
from harness.acquirer.fees import CardType, Fees, Report
from harness.acquirer.journal import JournalRow
from harness.acquirer.masking import masked, masked_in
from harness.acquirer.switch import words
from harness.i18n import _
from harness.protocol.codes import original_name, transaction_name
from harness.protocol.frames import Frame, FrameError, decode

_CODE_STYLE = {"00": "green", "97": "bold red"}
_NAME_CELLS = 24


class Paper(RichConsole):
    """Standard output, as long as it takes anything. That it takes no more (a pipe whose reader has gone, a full disk)
    is told once on standard error, and the host goes on: what it prints is no reason to leave a terminal unanswered.
    """

    def print(self, *objects: Any, **options: Any) -> None:
        """As rich's, but for what can't be written."""
        try:
            super().print(*objects, **options)
        except OSError as error:
            self._lost(error)

    def on_broken_pipe(self) -> None:
        """Called by rich, whose own ends the process."""
        self._lost(BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE)))

    def _lost(self, error: OSError) -> None:
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), self.file.fileno())  # Python writes what is left there at the end
        with contextlib.suppress(OSError):
            text = _("messages can't be shown any more ({problem}); the acquirer goes on without")
            print(f"hil97: {text.format(problem=error.strerror)}", file=sys.stderr, flush=True)


class Console:
    """Takes rows as they are pushed; prints an exchange when its answer has gone out, or when there was none."""

    def __init__(self, out: RichConsole, fees: Fees, now: Callable[[], datetime]) -> None:
        self._out, self._fees, self._now = out, fees, now
        self._unanswered: dict[int, JournalRow] = {}  # by the connection
        self._cards: dict[int, str] = {}

    def row(self, row: JournalRow) -> None:
        """One row of the journal. Called in the event loop."""
        if row.direction == "in":
            self._unanswered[row.connection] = row
            asyncio.get_running_loop().call_soon(self._left_over, row)
            return
        came = self._unanswered.pop(row.connection, None)
        frame, asked = _frame(row), None if came is None else _frame(came)
        note = f"{_('NOT SENT')}: {row.note}" if row.direction == "withheld" else row.note
        code = "" if frame is None else frame.get(39)
        self._print(frame, code, note, card="" if asked is None else card_number(asked))
        if frame is not None and transaction_name(frame) == "batch_end" and frame.get(39) == "00" and frame.batch:
            report = self._fees.newest(frame.get(42), frame.get(41), int(frame.batch))
            if report is not None:
                self._out.print(table(report))

    def _left_over(self, row: JournalRow) -> None:
        """Came, and nothing was answered: garbage, dropped, or answered later. F39 of what came (the reason of a
        reversal, a response that somebody sends us) is no code of ours."""
        if self._unanswered.get(row.connection) is row:
            del self._unanswered[row.connection]
            frame = _frame(row)
            self._print(frame, "", row.note, card="" if frame is None else card_number(frame))

    def _print(self, frame: Frame | None, code: str, note: str, card: str) -> None:
        line = Text(f"{self._now():%H:%M:%S} ")
        if frame is None:
            line.append(_("no message") + " ", "yellow")
        else:
            name = _(words(transaction_name(frame)))
            if transaction_name(frame) == "reversal":
                name += f": {_(words(original_name(frame)))}"
            name += " " * (_NAME_CELLS - cell_len(name))
            amount = f"{int(frame.get(4)) / 100:.2f}" if frame.get(4).isdigit() else ""
            line.append(f"{frame.get(41):8} {name} {amount:>10} ")
            line.append(f"{code or '--':2} ", _CODE_STYLE.get(code, "red" if code else "yellow"))
            note = note.removeprefix(f"{code}: ")
        line.append(masked_in(note))
        if card:
            line.append(f", card {masked(card)}", "dim")
        self._out.print(line, soft_wrap=True)


def table(report: Report) -> Table:
    """A settlement report in yuan."""
    title = _("Batch {batch} of {tid} ({mid})").format(batch=f"{report.batch:06d}", tid=report.tid, mid=report.mid)
    names: dict[CardType, str] = {"debit": _("debit cards"), "credit": _("credit cards"), "scan": _("scanned")}
    made = Table(_("card type"), _("count"), _("gross"), _("fee"), _("net"), title=title, title_justify="left")
    for column in made.columns[1:]:
        column.justify = "right"
    for line in report.lines:
        made.add_row(names[line.card_type], str(line.count), *(_yuan(one) for one in (line.gross, line.fee, line.net)))
    made.add_section()
    made.add_row(_("all"), str(sum(line.count for line in report.lines)),
                 *(_yuan(one) for one in (report.gross, report.fee, report.net)))  # fmt: skip
    return made


def _yuan(cents: int) -> str:
    return f"{'-' if cents < 0 else ''}{abs(cents) // 100}.{abs(cents) % 100:02d}"


def _frame(row: JournalRow) -> Frame | None:
    try:
        return decode(row.frame)
    except FrameError:
        return None
