"""The controller's part of a run: what failed outside any history, the end before the last test, judging."""

from __future__ import annotations

import pytest

from harness.campaigns.plan import RunPlan

BENCH_FAILED = "hil97.error"  # a test's property where it ended as the bench's ERROR, whatever pytest makes of that
FAILED = "hil97.failed"  # a test's property for each requirement that FAILed in it


class Session:
    """Registered on the controller of a run: its session ends when every worker is done."""

    def __init__(self, config: pytest.Config, plan: RunPlan) -> None:
        self._outside: list[str] = []
        self._config, self._plan = config, plan
        self._stop_at: str | None = config.getoption("--stop-at")
        self._session: pytest.Session | None = None

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        self._session = session

    def _end(self, why: str) -> None:
        """No further test: pytest asks its session, or where there are workers xdist's."""
        self._plan.note_stopped(why)
        for one in (self._session, self._config.pluginmanager.get_plugin("dsession")):
            if one is not None:
                one.shouldstop = why
        self._stop_at = None

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A file that can't be imported takes its tests and what they declare with it."""
        if report.failed:
            self._outside.append(f"{report.nodeid} could not be collected: {_last_line(report.longreprtext)}")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """What fails in a fixture, or in a test without a bench, stands in no history. At the FAIL that is waited for
        the run ends."""
        if self._stop_at is not None and (FAILED, self._stop_at) in report.user_properties:
            self._end(f"stopped at the first FAIL of {self._stop_at}")
        if report.failed and (report.when != "call" or "@" not in report.nodeid):
            self._outside.append(f"{report.nodeid} failed in {report.when}: {_last_line(report.longreprtext)}")

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Judge the run, write the reports, set the exit status."""
        from harness.campaigns.finish import cannot_write, finish

        try:
            if self._outside:
                self._plan.note_outside(self._outside)
            session.exitstatus = finish(self._plan, int(exitstatus))
        except OSError as error:
            session.exitstatus = cannot_write(self._plan.folder, error)


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].removeprefix("E ").strip() if lines else "no reason given"
