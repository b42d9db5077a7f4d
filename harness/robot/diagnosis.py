"""Keywords about what is the matter with a terminal. Import it beside the terminal's library:
``Library  harness.robot.diagnosis.DiagnosisLibrary``.
"""

from __future__ import annotations

from typing import Any

from robot.api.deco import keyword, library
from robot.libraries.BuiltIn import BuiltIn

from harness.bench.bench import Bench
from harness.campaigns.diagnose import look_around
from harness.diagnosis.causes import CAUSES, TOLD
from harness.diagnosis.diagnosing import of_looking
from harness.diagnosis.judging import Diagnosis
from harness.history.events import AnyEvent
from harness.robot.library import TerminalLibrary


@library(scope="GLOBAL", listener="SELF", auto_keywords=False)
class DiagnosisLibrary:
    """A look around, and what it is held for."""

    ROBOT_LISTENER_API_VERSION = 3

    def __init__(self) -> None:
        self._seen: list[AnyEvent] | None = None
        self._found: Diagnosis | None = None

    def start_test(self, data: Any, result: Any) -> None:
        self._seen = self._found = None

    @keyword("A technician looks for what is the matter")
    def look(self) -> None:
        """Questions that a technician may ask at a counter, none of which moves money (docs/diagnosis.md). What is said
        of it afterwards is by what is seen from outside, until ``The acquirer is asked too``."""
        terminal = BuiltIn().get_library_instance("harness.robot.library.TerminalLibrary")
        assert isinstance(terminal, TerminalLibrary)
        bench: Bench = terminal.bench
        self._seen = look_around(bench)
        self._found = of_looking(self._seen, "outside")

    @keyword("The acquirer is asked too")
    def ask(self) -> None:
        """With the acquirer's view of what was seen."""
        self._diagnosis()
        self._found = of_looking(self._seen or [], "host")

    @keyword("It is held for ${cause}")
    def first(self, cause: str) -> None:
        """The likeliest cause: a name of docs/diagnosis.md, with blanks, as in ``It is held for not registered``."""
        found, wanted = self._diagnosis(), _cause(cause)
        if not found.known or found.fits[0].cause != wanted:
            raise AssertionError(f"it is held for {_told(found)}, not for {cause}")

    @keyword("It may be ${cause}")
    def among(self, cause: str) -> None:
        """One of the causes that fit."""
        found, wanted = self._diagnosis(), _cause(cause)
        if wanted not in [fit.cause for fit in found.fits]:
            raise AssertionError(f"what fits is {_told(found)}, not {cause}")

    @keyword("That is certain")
    def certain(self) -> None:
        """No other cause fits."""
        found = self._diagnosis()
        if not found.certain:
            raise AssertionError(f"nothing is certain: it is held for {_told(found)}")

    @keyword("Nothing is certain")
    def uncertain(self) -> None:
        """More than one cause fits, or none."""
        found = self._diagnosis()
        if found.certain:
            raise AssertionError(f"it is certain: {_told(found)}")

    def _diagnosis(self) -> Diagnosis:
        if self._found is None:
            raise AssertionError("nobody has looked yet: A technician looks for what is the matter")
        return self._found


def _cause(text: str) -> str:
    name = text.strip().lower().replace(" ", "_")
    if name not in CAUSES:
        raise AssertionError(f"there is no cause {text!r}; known: {', '.join(CAUSES)}")
    return name


def _told(found: Diagnosis) -> str:
    if not found.known:
        return "not known"
    return ", ".join(f"{TOLD[fit.cause].name} ({100 * fit.likelihood:.0f} %)" for fit in found.fits)
