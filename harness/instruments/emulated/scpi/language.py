"""How a line is read: program message units, their headers and their parameters (IEEE 488.2 chapter 7)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from harness.instruments.emulated.scpi.errors import ScpiError

_COMMON = re.compile(r"\*([A-Za-z]{3,12})(\?)?(?=\s|\Z)")
_HEADER = re.compile(r"(:?)([A-Za-z][A-Za-z0-9_]*(?::[A-Za-z][A-Za-z0-9_]*)*)(\?)?(?=\s|\Z)")
_LONGEST_MNEMONIC = 12
_QUOTES = "\"'"


@dataclass(frozen=True)
class Unit:
    """One command of a line. ``path``: mnemonics in capitals, from the root (a common command: one, with its ``*``)."""

    path: tuple[str, ...]
    query: bool
    arguments: tuple[str, ...]


def units(line: str) -> Iterator[Unit]:
    """The commands of a line, one after another. Raises :class:`ScpiError` where it can't be read on.

    A header begins where the one before it left the tree, unless it begins with ``:`` or ``*``.
    """
    node: tuple[str, ...] = ()
    for text in split(line, ";"):
        if not text:
            continue  # an empty unit is allowed
        common = _COMMON.match(text)
        if common:
            path: tuple[str, ...] = (f"*{common[1].upper()}",)
            query, rest = common[2] is not None, text[common.end() :]
        else:
            header = _HEADER.match(text)
            if header is None:
                raise ScpiError(_why_no_header(text), text[:40])
            mnemonics = tuple(header[2].upper().split(":"))
            if any(len(one) > _LONGEST_MNEMONIC for one in mnemonics):
                raise ScpiError(-113, header[2][:40])
            path = mnemonics if header[1] else node + mnemonics
            node = path[:-1]
            query, rest = header[3] is not None, text[header.end() :]
        yield Unit(path, query, tuple(_arguments(rest.strip())))


def split(text: str, mark: str) -> list[str]:
    """At each ``mark`` outside quotation marks; parts are stripped. An open quotation is -151."""
    parts, start, quote = [], 0, ""
    for at, one in enumerate(text):
        if quote:
            quote = "" if one == quote else quote
        elif one in _QUOTES:
            quote = one
        elif one == mark:
            parts.append(text[start:at].strip())
            start = at + 1
    if quote:
        raise ScpiError(-151, "the quotation does not end")
    return [*parts, text[start:].strip()]


def _arguments(rest: str) -> list[str]:
    if not rest:
        return []
    arguments = split(rest, ",")
    if "" in arguments:
        raise ScpiError(-109, "nothing between commas")
    return arguments


def _why_no_header(text: str) -> int:
    first = re.split(r"[\s?]", text, maxsplit=1)[0]
    if re.search(r"[^A-Za-z0-9_:*?]", first):
        return -101
    return -102
