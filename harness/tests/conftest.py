"""The project's own tests make network namespaces. root may; an ordinary user's pytest moves into a lab before it
begins."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from harness.errors import BadInput
from harness.tests.lab_helpers import make_sure_of_a_lab
from harness.tests.system_helpers import SystemLab, closing

settings.register_profile("hil97", deadline=None)  # no test is timed: a loaded machine must not fail one
settings.load_profile("hil97")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """On the controller, which has one thread here; its workers are born inside and keep the capabilities."""
    if hasattr(config, "workerinput") or config.option.collectonly:
        return
    try:
        make_sure_of_a_lab()
    except BadInput as error:
        pytest.exit(str(error), returncode=2)


@pytest.fixture
def system_lab(tmp_path: Path) -> Iterator[SystemLab]:
    """A lab with two benches whose commands run for real. Its runtime folder has a short path: sockets are in there."""
    with tempfile.TemporaryDirectory(prefix="hil97-t-") as runtime, closing(SystemLab(tmp_path, Path(runtime))) as lab:
        yield lab
