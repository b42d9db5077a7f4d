"""What ``hil97 run`` shows while it runs: our progress display in place of pytest's own lines (``-p
harness.campaigns.display``)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from rich.console import Console

from harness.campaigns.scheduling import label_of
from harness.campaigns.session import BENCH_FAILED
from harness.i18n import set_language
from harness.reports.progress import Progress


class Display:
    """Follows the reports that reach the controller."""

    def __init__(self) -> None:
        set_language(None)
        self._console = Console(highlight=False)
        self._progress: Progress | None = None
        self._worst: dict[str, tuple[str, float]] = {}

    def expect(self, total: int) -> None:
        """The number of tests is known."""
        if self._progress is None:
            self._progress = Progress(self._console, total)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        if session.items:
            self.expect(len(session.items))

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: Any, ids: Sequence[str]) -> None:
        self.expect(len(ids))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self._console.print(f"{report.nodeid}: {report.longreprtext}", markup=False)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if self._progress is None:
            return
        node = getattr(report, "node", None)
        worker = node.gateway.id if node is not None else "main"
        if report.when == "setup":
            self._progress.started(worker, label_of(report.nodeid) or "", report.nodeid)
        outcome, seconds = self._worst.get(report.nodeid, ("passed", 0.0))
        if report.failed:
            by_bench = any(name == BENCH_FAILED for name, _what in report.user_properties)
            outcome = "failed" if report.when == "call" and not by_bench else "error"
        elif report.skipped and outcome == "passed":
            outcome = "skipped"
        self._worst[report.nodeid] = (outcome, seconds + report.duration)
        if report.when == "teardown":
            self._progress.finished(report.nodeid, *self._worst.pop(report.nodeid))

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: pytest.TestReport | pytest.CollectReport) -> tuple[str, str, str] | None:
        return ("", "", "") if isinstance(report, pytest.TestReport) else None

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        if self._progress is not None:
            self._progress.close()


def pytest_configure(config: pytest.Config) -> None:
    """On the controller only."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Display(), "hil97-display")
