"""Whose fault it is, as types.

* :class:`BadInput` - what the caller gave us can't be used: one message with file and line or offset, exit status 2.
* :class:`BenchError` - the bench failed, not the terminal: the verdict of what ran is ERROR.
* :class:`TerminalTimeout` - the terminal did not do in time what was waited for: evidence, not yet a verdict.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path


class Hil97Error(Exception):
    """The root of what this project raises on purpose."""


class BadInput(Hil97Error):
    """Input that can't be used. ``str()`` of it is complete for the person at the bench.

    ``where`` is ``file:line:column`` or ``offset N`` (bytes); ``remedy`` says what to do next.
    """

    def __init__(self, message: str, *, where: str = "", remedy: str = "") -> None:
        self.message, self.where, self.remedy = message, where, remedy
        super().__init__(f"{where}: {message}" if where else message)

    def __str__(self) -> str:
        text = f"{self.where}: {self.message}" if self.where else self.message
        return f"{text}\n  {self.remedy}" if self.remedy else text


class BenchError(Hil97Error):
    """Something of the bench failed: a process ended, a socket broke, a device is missing.

    ``bench`` is its name in the inventory, ``evidence`` a path, ``remedy`` what to do next.
    """

    def __init__(self, message: str, *, bench: str = "", evidence: str = "", remedy: str = "") -> None:
        self.message, self.bench, self.evidence, self.remedy = message, bench, evidence, remedy
        text = f"bench {bench}: {message}" if bench else message
        if evidence:
            text += f"\n  evidence: {evidence}"
        if remedy:
            text += f"\n  next: {remedy}"
        super().__init__(text)


class TerminalTimeout(Hil97Error):
    """A deadline passed before the terminal (or the host) did what was waited for."""

    def __init__(self, waited_for: str, seconds: float, *, bench: str = "", seen: str = "", evidence: str = "") -> None:
        self.waited_for, self.seconds, self.bench, self.seen, self.evidence = waited_for, seconds, bench, seen, evidence
        text = f"bench {bench}: " if bench else ""
        text += f"waited {seconds:.1f} s for {waited_for}"
        if seen:
            text += f"\n  last seen: {seen}"
        if evidence:
            text += f"\n  evidence: {evidence}"
        super().__init__(text)


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """What is written inside goes to ``path``: an OSError of a full disk names none, and is given this one."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)
        raise
