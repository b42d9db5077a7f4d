"""A test as a span of a bench's history: made ready, driven, concluded, judged at once on what it left.

pytest and Robot Framework both run their tests through this.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from harness.bench.bench import Bench
from harness.bench.ready import conclude, make_ready
from harness.checkers.finding import Finding
from harness.errors import BadInput, BenchError
from harness.history.events import AnyEvent, TestClosed, TestOpened, TestPhase
from harness.judge import SURROUNDING, judge_bench

DEADLINE_S = 900.0
Outcome = Literal["passed", "failed", "error", "skipped"]


class TestSpan:
    """``begin``, drive, ``end`` - in that order, each once. ``deadline_s``: when the bench's instruments are made safe
    although the test has not ended."""

    __test__ = False  # the name is a word of test labs, not a pytest class

    def __init__(
        self, bench: Bench, test: str, title: str, declares: Sequence[str], *, deadline_s: float = DEADLINE_S
    ) -> None:
        self.bench, self.test = bench, test
        self._title, self._declares, self._deadline_s = title, list(declares), deadline_s
        self._began = 0.0
        self._waiting_before = 0.0
        self._standing: tuple[AnyEvent, ...] = ()
        self._first = 1

    def begin(self) -> None:
        """Opens the span and makes the bench ready. On an exception the caller still calls :meth:`end`."""
        history = self.bench.history
        self._began, self._waiting_before = time.monotonic(), history.waiting_s
        opened = TestOpened(t=time.monotonic_ns(), test=self.test, title=self._title, declares=self._declares)
        self._standing = tuple(self.bench.standing)
        self._first = history.append(opened).seq
        self._phase("setup")
        self.bench.check()
        if self.bench.instruments is not None:
            self.bench.instruments.begin_test(self.test, self._deadline_s)
        make_ready(self.bench)
        self._phase("body")

    def end(self, error: BaseException | None) -> Judged:
        """Concludes, judges what the span holds, closes it. ``error`` is what the body raised, or None."""
        history = self.bench.history
        trouble = self._safe() or error
        if not isinstance(trouble, BenchError | KeyboardInterrupt | SystemExit):
            try:
                self._phase("conclude")
                conclude(self.bench)
            except Exception as late:
                trouble = trouble or late
        try:
            self.bench.check()
            self.bench.measure_surroundings()
            self.bench.sync()  # what the tap or the acquirer has not told yet must not look like silence
        except BenchError as dead:
            trouble = dead
        if self.bench.failed and not isinstance(trouble, BenchError):  # an instrument, say: nobody had to notice
            trouble = BenchError(self.bench.failed, bench=self.bench.name)
        if isinstance(trouble, BenchError) and not self.bench.failed:
            self.bench.fail(str(trouble))
        findings = [finding for finding in self._judge() if finding.verdict == "FAIL"]
        outcome: Outcome = "passed"
        message = ""
        if isinstance(trouble, BenchError | BadInput):  # what nobody can do is not the terminal's doing
            outcome, message = "error", str(trouble)
        elif findings:
            outcome = "failed"
            message = "\n".join(f"{finding.rule} FAIL: {finding.reason}" for finding in findings)
        elif trouble is not None:
            outcome, message = "failed", f"{type(trouble).__name__}: {trouble}"
        history.append(
            TestClosed(
                t=time.monotonic_ns(),
                test=self.test,
                outcome=outcome,
                message=message,
                duration_s=round(time.monotonic() - self._began, 4),
                waiting_s=round(history.waiting_s - self._waiting_before, 4),
            )
        )
        return Judged(outcome, message, tuple(findings))

    def _safe(self) -> BenchError | None:
        """The instruments in their safe state before anything else, whatever has happened."""
        if self.bench.instruments is None:
            return None
        try:
            self.bench.instruments.end_test()
        except BenchError as unsafe:
            return unsafe
        return None

    def _judge(self) -> list[Finding]:
        """What this span alone shows. Rules that reach across tests are judged again on the whole log at the run's
        end; so is what was done to the terminal before this span, of which it has no more than what may excuse it."""
        before = {event.t for event in self._standing if isinstance(event, SURROUNDING)}
        return [finding for finding in judge_bench(self.window()) if finding.t not in before]

    def window(self) -> list[AnyEvent]:
        """The events of this span so far, and what stood before it (see :attr:`Bench.standing`)."""
        return [*self._standing, *self.bench.history.since(self._first - 1)]

    def _phase(self, phase: Literal["setup", "body", "conclude"]) -> None:
        self.bench.history.append(TestPhase(t=time.monotonic_ns(), phase=phase))


@dataclass(frozen=True)
class Judged:
    """How a test ended: ``outcome``, its message, and the findings that fail it."""

    outcome: Outcome
    message: str
    findings: tuple[Finding, ...]
