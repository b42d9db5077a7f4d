"""Instruments that speak HTTP: JSON in, JSON (or a picture) out. The protocol is in :mod:`.http_line`."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from harness.instruments.emulated.instrument import Instrument
from harness.instruments.emulated.listener import Line


@dataclass(frozen=True)
class Asked:
    """``values``: the parameters of the query, and of a JSON body where there is one."""

    method: str
    path: str
    values: dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """``body``: JSON, or bytes of that kind."""

    body: Any
    status: int = 200
    kind: str = "application/json"


class Trouble(Exception):
    """What is answered with a 4xx or 5xx."""

    def __init__(self, status: int, code: str, message: str) -> None:
        self.answer = Answer({"error": {"code": code, "message": message}}, status)
        super().__init__(message)


class HttpInstrument(Instrument):
    """One that speaks HTTP."""

    scheme = "http://{host}:{port}"
    protocol = "harness.instruments.emulated.http_line"

    @abstractmethod
    async def handle(self, asked: Asked) -> Answer:
        """Does it, and answers when it is done. Raises :class:`Trouble`."""

    async def converse(self, line: Line) -> None:
        await import_module(self.protocol).converse(self, line)

    async def answer(self, asked: Asked) -> Answer:
        """As the faults have it. Raises :class:`Trouble`."""
        if self.faults.errors:
            raise Trouble(500, "failed", "the instrument has failed")
        self.rig.catch_up()
        try:
            return await self.handle(asked)
        finally:
            self.rig.kick()


def number(asked: Asked, name: str, default: float | None, low: float, high: float) -> float:
    """A parameter. Raises :class:`Trouble` (400) where it is no number, or beyond what can be."""
    given = asked.values.get(name, default)
    try:
        value = float("nan") if isinstance(given, bool) or given is None else float(given)
    except (TypeError, ValueError, OverflowError):
        value = float("nan")
    if not low <= value <= high:
        raise Trouble(400, "bad_parameter", f"{name} is a number from {low:g} to {high:g}, not {str(given)[:60]!r}")
    return value


def text(asked: Asked, name: str) -> str:
    """A parameter that must be there. Raises :class:`Trouble` (400)."""
    given = asked.values.get(name)
    if not isinstance(given, str) or not given:
        raise Trouble(400, "bad_parameter", f"{name} is a text, not {str(given)[:60]!r}")
    return given
