"""What the controller shows while a run is under way: a live display on a terminal, a line now and then elsewhere.

No thread of its own (the controller may still fork): it draws when something happens, at most five times a second.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from types import TracebackType

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from harness.reports.bilingual import _

EVERY_TESTS = 25  # without a terminal: a line after so many tests...
EVERY_SECONDS = 30.0  # ... or so long after the last one
REDRAW_S = 0.2
BAD = ("failed", "error")
OUTCOMES = {"passed": _("passed"), "failed": _("failed"), "error": _("error"), "skipped": _("skipped")}
STYLES = {"passed": "green", "failed": "bold red", "error": "magenta", "skipped": "dim"}


class Progress:
    """``started`` and ``finished`` are called by the controller as workers report; a context manager, or ``close``."""

    def __init__(self, console: Console, total: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._console, self._total, self._clock = console, total, clock
        self._began = self._drawn = self._told = clock()
        self._counts: Counter[str] = Counter()
        self._now: dict[str, tuple[str, str, float]] = {}  # worker -> (bench, test, since)
        self._worker_of: dict[str, str] = {}
        self._live: Live | None = None
        if console.is_terminal and not console.is_dumb_terminal:
            self._live = Live(console=console, auto_refresh=False, transient=True, redirect_stdout=False,
                              redirect_stderr=False)  # fmt: skip

    def started(self, worker: str, bench: str, test: str) -> None:
        """``worker`` began ``test`` on ``bench`` ("" where it is not known yet)."""
        self._now[worker] = (bench, test, self._clock())
        self._worker_of[test] = worker
        self.tick()

    def finished(self, test: str, outcome: str, seconds: float) -> None:
        """A test ended: passed, failed, error or skipped."""
        self._counts[outcome] += 1
        worker = self._worker_of.pop(test, None)
        bench = ""
        if worker is not None and self._now.get(worker, ("", "", 0.0))[1] == test:
            bench = self._now.pop(worker)[0]
        if outcome in BAD:
            where = f"  {bench}" if bench else ""
            self._print(Text.assemble((str(OUTCOMES[outcome]), STYLES[outcome]), f"  {test}{where}  {seconds:.1f} s"))
        if self._live is None:
            due = self._done % EVERY_TESTS == 0 or self._clock() - self._told >= EVERY_SECONDS
            if due or self._done == self._total:
                self._told = self._clock()
                self._print(self._line())
        else:
            self.tick(force=self._done == self._total)

    def tick(self, *, force: bool = False) -> None:
        """Draw again, if it is time to."""
        if self._live is None or (self._clock() - self._drawn < REDRAW_S and not force and self._live.is_started):
            return
        if not self._live.is_started:
            self._live.start()
        self._drawn = self._clock()
        self._live.update(self._picture(), refresh=True)

    def close(self) -> None:
        """Take the live display away."""
        if self._live is not None and self._live.is_started:
            self._live.stop()

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def _done(self) -> int:
        return sum(self._counts.values())

    def _line(self) -> Text:
        """12/60  11 passed, 1 failed  0:42"""
        minutes, seconds = divmod(int(self._clock() - self._began), 60)
        text = Text(f"{self._done}/{self._total}")
        for outcome, style in STYLES.items():
            if self._counts[outcome]:
                text.append(f"  {self._counts[outcome]} {OUTCOMES[outcome]}", style)
        return text.append(f"  {minutes}:{seconds:02d}")

    def _picture(self) -> RenderableType:
        table = Table.grid(padding=(0, 2))
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True, justify="right")
        table.add_column(no_wrap=True, overflow="ellipsis")
        now = self._clock()
        for worker, (bench, test, since) in sorted(self._now.items(), key=lambda item: item[1][0] or item[0]):
            table.add_row(Text(bench or worker, "bold"), Text(f"{now - since:.0f} s", "dim"), Text(test))
        width = min(40, max(10, self._console.width // 3))
        bar = ProgressBar(total=max(self._total, 1), completed=self._done, width=width)
        head = Table.grid(padding=(0, 2))
        head.add_row(bar, self._line())
        return Group(head, table)

    def _print(self, text: Text) -> None:
        (self._live.console if self._live is not None else self._console).print(text, soft_wrap=True)
