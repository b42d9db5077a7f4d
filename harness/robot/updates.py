"""Keywords about the terminal's software. Import it beside the terminal's library:
``Library  harness.robot.updates.UpdateLibrary``.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from pathlib import Path

from robot.api.deco import keyword, library
from robot.libraries.BuiltIn import BuiltIn

from harness.bench.bench import Bench
from harness.bench.updating import update
from harness.errors import BadInput
from harness.lab.image_set import FLAWS, ImageFile, ImageSet, open_image_set
from harness.robot.library import TerminalLibrary
from harness.terminal.contracts import Completion

_BY = "by the service port|by the host"


@library(scope="GLOBAL", auto_keywords=False)
class UpdateLibrary:
    """Images for what runs on the bench, given to its terminal; and what it runs then."""

    def __init__(self) -> None:
        self._sets: dict[Path, ImageSet] = {}
        self._last = Completion("unknown")
        self._given: ImageFile | None = None

    @property
    def _bench(self) -> Bench:
        terminal = BuiltIn().get_library_instance("harness.robot.library.TerminalLibrary")
        assert isinstance(terminal, TerminalLibrary)
        return terminal.bench

    def _images(self) -> ImageSet:
        plan = self._bench.plan
        if plan.image not in self._sets:
            folder = Path(tempfile.mkdtemp(prefix="hil97-images-"))
            atexit.register(shutil.rmtree, folder, ignore_errors=True)
            self._sets[plan.image] = open_image_set(
                version=plan.firmware.version, images=plan.images, running=plan.image, scratch=folder
            )
        return self._sets[plan.image]

    def _give(self, image: ImageFile | None, by: str) -> None:
        if image is None:
            raise AssertionError("nobody has made such an image for what this bench runs")
        self._given = image
        self._last = update(self._bench, image, via="network" if by == "by the host" else "service")

    @keyword(f"The next version is given ${{by:{_BY}}}")
    def next_version(self, by: str) -> None:
        """The same firmware under the next number, signed as it is."""
        self._give(self._images().successor(), by)

    @keyword(f"An image is given ${{by:{_BY}}} that is flawed: ${{flaw}}")
    def flawed(self, by: str, flaw: str) -> None:
        """A flaw of ``harness/lab/image_set.py``: corrupt, foreign key, self test..."""
        name = flaw.strip().lower().replace(" ", "_")
        if name not in FLAWS:
            raise BadInput(f"there is no flaw {flaw!r}; there are {', '.join(FLAWS)}")
        self._give(self._images().flawed(name), by)

    @keyword("It is installed")
    def installed(self) -> None:
        assert self._last.ok, self._last.text

    @keyword("The image is refused with a reason")
    def refused(self) -> None:
        assert self._last.outcome == "fail", f"{self._last.outcome}: {self._last.text}"
        assert self._last.text, "no reason was told"

    @keyword("The terminal runs ${which:the next version|what it ran before}")
    def runs(self, which: str) -> None:
        """As it says on the service port."""
        own = self._bench.plan.firmware
        given = self._given.firmware if self._given is not None and which == "the next version" else own
        assert self._bench.runs == (given.name, given.version), f"it runs {' '.join(self._bench.runs)}"
