"""Drivers of pymeasure over our own line, so that what goes wrong is told as everywhere else.

pymeasure is not installed by itself: it brings numpy and pandas. ``pip install '.[instruments]'``.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterator
from typing import Any

from harness.instruments.contracts import InstrumentError
from harness.instruments.transport import troubles
from harness.instruments.transport.visa import Scpi


def instrument(line: Scpi, module: str, name: str, **settings: Any) -> Any:
    """The class ``name`` of ``pymeasure.instruments.<module>`` on our line. Each command of it that is no query is
    followed by the question for errors, where the line has one. Raises :class:`InstrumentError` without pymeasure."""
    try:
        adapters = importlib.import_module("pymeasure.adapters")
        found = importlib.import_module(f"pymeasure.instruments.{module}")
    except ImportError as error:
        raise troubles.missing_library("pymeasure") from error

    class OnOurLine(adapters.Adapter):  # type: ignore[misc, name-defined]
        asked = ""

        def _write(self, command: str, **_: Any) -> None:
            self.asked = command
            if "?" in command:
                line.send(command)
            else:
                line.tell(command)

        def _read(self, **_: Any) -> str:
            return line.receive(self.asked)

    return getattr(found, name)(OnOurLine(), **settings)


@contextlib.contextmanager
def understood(line: Scpi, what: str) -> Iterator[None]:
    """Around what is asked of a pymeasure instrument: its ValueError and the like are an :class:`InstrumentError`."""
    try:
        yield
    except InstrumentError:
        raise
    except Exception as error:
        raise InstrumentError(
            f"{line.address}: {what}: {troubles.shortened(str(error) or type(error).__name__)}",
            remedy="pymeasure did not take the value, or did not understand the answer: is it this very instrument?",
        ) from error


def number(line: Scpi, what: str, value: object) -> float:
    """What a property gave, which for an answer that is no number is that text."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise troubles.garbage(line.address, what, str(value), "number")
    return float(value)
