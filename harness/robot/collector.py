"""``.robot`` files below the suites as pytest items: one item a test and bench group, each run by Robot Framework
itself."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from harness.pytest_collecting import LABELS, PLAN
from harness.pytest_plugin import keeper_of
from harness.robot import REQUIREMENT

NEEDS_INSTRUMENTS = "needs-instruments"  # a tag: only on benches that have instruments


def pytest_collect_file(parent: pytest.Collector, file_path: Path) -> pytest.Collector | None:
    if file_path.suffix == ".robot" and parent.config.stash.get(LABELS, None) is not None:
        return RobotFile.from_parent(parent, path=file_path)
    return None


class RobotFile(pytest.File):
    """One Robot suite."""

    def collect(self) -> Iterable[pytest.Item]:
        from robot.api import TestSuite

        suite = TestSuite.from_file_system(str(self.path))
        for test in suite.all_tests:
            tags = sorted(str(tag) for tag in test.tags)
            for label, entry in self.config.stash[LABELS].items():
                if NEEDS_INSTRUMENTS in tags and not entry.instruments:
                    continue
                if entry.runs(self.path) and (not entry.physical_like or "physical" in tags):
                    yield RobotItem.from_parent(
                        self, name=f"{test.name}[@{label}]", test=test.name, label=label, tags=tags
                    )


class RobotItem(pytest.Item):
    """One Robot test on one group of benches."""

    def __init__(self, *, test: str, label: str, tags: list[str], **arguments: Any) -> None:
        super().__init__(**arguments)
        self._test, self._label = test, label
        self.add_marker(pytest.mark.declares(*[tag for tag in tags if REQUIREMENT.match(tag)]))

    def runtest(self) -> None:
        from robot.api import TestSuite

        from harness.robot import session

        plan = self.config.stash[PLAN]
        given = session.Given(keeper_of(self.config).bench(self._label), self.nodeid)
        suite = TestSuite.from_file_system(str(self.path))
        suite.filter(included_tests=[self._test])
        suite.name = f"{suite.name} on {self._label}"
        folder = plan.folder / "robot"
        folder.mkdir(exist_ok=True)
        output = folder / f"output-{_slug(self.nodeid)}.xml"
        said = io.StringIO()
        session.give(given)
        try:
            suite.run(output=str(output), log=None, report=None, stdout=said, stderr=said, console="none")
        finally:
            session.give(None)
        judged = given.judged
        if judged is None:
            raise RobotTestError(f"Robot Framework did not run the test:\n{said.getvalue()}")
        if judged.outcome != "passed":
            raise RobotTestError(judged.message)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        if isinstance(excinfo.value, RobotTestError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        return self.path, None, self.name


class RobotTestError(Exception):
    """A Robot test failed; ``str`` says why."""


def _slug(text: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in text)[-120:]
