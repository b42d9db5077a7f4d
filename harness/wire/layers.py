"""What may lie between the bytes of a TCP stream and its frames: TLS, HTTP, or one in the other. Pure.

A reader gets the bytes of both directions in order and gives what lies in them, with the times and packets it came in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

TO_ACQUIRER, TO_TERMINAL = "to_acquirer", "to_terminal"
SENDER = {TO_ACQUIRER: "terminal", TO_TERMINAL: "acquirer"}
OPPOSITE = {TO_ACQUIRER: TO_TERMINAL, TO_TERMINAL: TO_ACQUIRER}
LINKS = ("tcp", "tls", "http", "https")


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes that belong to frames. ``t`` is the time of the last byte that brought them, ``t_first`` of the first (ns);
    ``packets`` brought them."""

    data: bytes
    t: int
    t_first: int
    packets: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Scrap:
    """Bytes in which no frame can be found; ``reason`` says why."""

    data: bytes
    t: int
    reason: str


Item = tuple[str, Span | Scrap]
"""With the direction."""


class Reader(Protocol):
    """Of one connection."""

    def take(self, direction: str, span: Span) -> list[Item]:
        """The next bytes of a direction."""

    def retry(self) -> list[Item]:
        """What had to wait for something that is not on the wire, and now can be read."""

    def end(self, direction: str, why: str, t: int) -> list[Item]:
        """Nothing more comes in that direction: whatever is unfinished. May be called again, and then has nothing."""


class Stack:
    """A reader over another: HTTP under TLS."""

    def __init__(self, lower: Reader, upper: Reader) -> None:
        self._lower, self._upper = lower, upper

    def take(self, direction: str, span: Span) -> list[Item]:
        return self._raise(self._lower.take(direction, span))

    def retry(self) -> list[Item]:
        return self._raise(self._lower.retry())

    def end(self, direction: str, why: str, t: int) -> list[Item]:
        return self._raise(self._lower.end(direction, why, t)) + self._upper.end(direction, why, t)

    def _raise(self, items: list[Item]) -> list[Item]:
        found: list[Item] = []
        for direction, item in items:
            found += self._upper.take(direction, item) if isinstance(item, Span) else [(direction, item)]
        return found


def readers(link: str, keys: Path | None) -> Callable[[], Reader] | None:
    """Makes a reader for each connection of ``link`` (:data:`LINKS`); None: frames lie open. ``keys``: file with the
    session keys of TLS. What a link needs is imported here, so that a tap on plain TCP is small."""
    makers: list[Callable[[], Reader]] = []
    if link in ("tls", "https"):
        from harness.wire.tls import TlsReader
        from harness.wire.tls_keys import KeyLog

        log = KeyLog(keys)
        makers.append(lambda: TlsReader(log))
    if link in ("http", "https"):
        from harness.wire.http import HttpReader

        makers.append(HttpReader)
    if len(makers) == 2:
        lower, upper = makers
        return lambda: Stack(lower(), upper())
    return makers[0] if makers else None


def joined(parts: Iterable[Scrap]) -> list[Scrap]:
    """Neighbours with the same reason in one: nonsense must not become a flood of events."""
    result: list[Scrap] = []
    for part in parts:
        if result and result[-1].reason == part.reason:
            result[-1] = Scrap(result[-1].data + part.data, part.t, part.reason)
        else:
            result.append(part)
    return result
