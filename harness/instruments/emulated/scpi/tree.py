"""Command trees: what an instrument understands, written as in its manual: ``[SOURce:]VOLTage[:LEVel]``.

Capitals are the short form, brackets may be left out. A command has what it does, what it answers, or both.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from harness.instruments.emulated.scpi.errors import ScpiError
from harness.instruments.emulated.scpi.values import Span, boolean, shown

Arguments = tuple[str, ...]
_NODE = re.compile(r"(\[)?:?(\*?[A-Za-z]+):?(\])?")


@dataclass(frozen=True)
class Command:
    """``do`` gets the parameters, ``ask`` gives the answer; either may be None. ``waits``: not before what is under way
    is done."""

    pattern: str
    do: Callable[[Arguments], None] | None = None
    ask: Callable[[Arguments], str] | None = None
    waits: bool = False


class Tree:
    """All commands of an instrument, found by their headers."""

    def __init__(self, commands: Iterable[Command]) -> None:
        self._by_header: dict[tuple[tuple[str, ...], bool], Command] = {}
        for command in commands:
            queries = [query for query, done in ((False, command.do), (True, command.ask)) if done is not None]
            for key in itertools.product(headers(command.pattern), queries):
                if self._by_header.setdefault(key, command) is not command:
                    raise ValueError(f"{':'.join(key[0])} is two commands")

    def find(self, path: tuple[str, ...], *, query: bool) -> Command:
        """Raises :class:`ScpiError` where there is none, or none that answers or that does."""
        written = ":".join(path)[:60] + ("?" if query else "")
        command = self._by_header.get((path, query))
        if command is None and any(one[-1:].isdigit() for one in path):
            bare = tuple(one.rstrip("0123456789") for one in path)
            command = self._by_header.get((bare, query))
            if command is not None and any(one not in (name, f"{name}1") for one, name in zip(path, bare, strict=True)):
                raise ScpiError(-114, written)
        if command is None:
            raise ScpiError(-113, written)
        return command


def headers(pattern: str) -> list[tuple[str, ...]]:
    """Every way to write it, in capitals."""
    choices: list[list[tuple[str, ...]]] = []
    for found in _NODE.finditer(pattern):
        long = found[2].upper()
        short = "".join(one for one in found[2] if not one.islower())
        forms = [(short,)] if short == long else [(short,), (long,)]
        choices.append([(), *forms] if found[1] else list(forms))
    return [tuple(itertools.chain.from_iterable(parts)) for parts in itertools.product(*choices)]


def arguments(given: Arguments, least: int, most: int) -> Arguments:
    """``given``, where there are as many as there may be. Raises :class:`ScpiError`."""
    if len(given) < least:
        raise ScpiError(-109)
    if len(given) > most:
        raise ScpiError(-108, given[most][:40])
    return given


def setting(pattern: str, span: Span, get: Callable[[], float], put: Callable[[float], None]) -> Command:
    """A number that can be set and asked for; ``? MAX`` asks what it may be."""

    def do(given: Arguments) -> None:
        put(span.read(arguments(given, 1, 1)[0]))

    def ask(given: Arguments) -> str:
        if not arguments(given, 0, 1):
            return shown(get())
        limit = span.limit(given[0])
        if limit is None:
            raise ScpiError(-141, given[0][:40])
        return shown(limit)

    return Command(pattern, do, ask)


def switch(pattern: str, get: Callable[[], bool], put: Callable[[bool], None]) -> Command:
    """ON or OFF."""
    return Command(pattern, lambda given: put(boolean(arguments(given, 1, 1)[0])),
                   lambda given: str(int(get())) if arguments(given, 0, 0) == () else "")


def action(pattern: str, do: Callable[[], None]) -> Command:
    """Something that takes no parameter and answers nothing."""

    def run(given: Arguments) -> None:
        arguments(given, 0, 0)
        do()

    return Command(pattern, run)


def question(pattern: str, get: Callable[[], str], *, waits: bool = False) -> Command:
    """Something that can only be asked."""

    def ask(given: Arguments) -> str:
        arguments(given, 0, 0)
        return get()

    return Command(pattern, None, ask, waits)
