"""Steps to a safe state."""

from __future__ import annotations

from collections.abc import Callable

from harness.instruments.contracts import InstrumentRefused


def each(*steps: Callable[[], object]) -> None:
    """All of them, also where an instrument refuses one: the others may still make it safer. The first refusal is
    raised at the end, what says that the instrument is lost at once."""
    refused: InstrumentRefused | None = None
    for step in steps:
        try:
            step()
        except InstrumentRefused as error:
            refused = refused or error
    if refused is not None:
        raise refused
