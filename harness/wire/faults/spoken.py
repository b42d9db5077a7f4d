"""Faults in words: for the command line, for Robot Framework, for people who read a history. Pure.

    swallow at response to 0200
    cut after_bytes=20 then=reset at second response to 0800
    rewrite F39=00 F63= mac=keep at 0210 with F39=97
    drop percent=30 direction=to_terminal port=8583

A name (or another name of it), parameters as ``key=value`` - of the fault and of its match alike - and after ``at``
the moment (before one that begins with ``after`` it may be left out). ``F39=00`` is an entry of ``fields``, ``F63=``
leaves that field out; lists are written with commas, ``none`` is nothing. Words with spaces or quotes are quoted as in
a shell. :func:`words` is the inverse of :func:`parse`.

:func:`sentence` reads what Robot tests say: ``the response to 0200`` ``is cut after 20 bytes``.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from typing import Any, get_args

from harness.errors import BadInput
from harness.wire.faults import Fault, catalogue, named, read
from harness.wire.faults.base import Match

_OF_MATCH = ("direction", "address", "port")
_FORM = "It is written FAULT [key=value ...] [at MOMENT]; `hil97 wire faults` lists them."


def parse(text: str) -> Fault:
    """The fault in words. Raises :class:`BadInput` that says what is wrong and how it is written."""
    try:
        name, *rest = shlex.split(text)
    except ValueError as error:
        raise BadInput(f"no fault: {text!r}: {str(error).lower()}", where="fault", remedy=_FORM) from None
    values: dict[str, Any] = {"fault": name}
    match: dict[str, Any] = {}
    fields: dict[str, str | None] = {}
    where = next((index for index, word in enumerate(rest) if word in ("at", "after")), None)
    if where is not None:
        rest, match["moment"] = rest[:where], " ".join(rest[where:]).removeprefix("at ")
    for word in rest:
        key, equals, value = word.partition("=")
        if not equals or not key:
            raise BadInput(f"{word!r} is no key=value", where=f"fault {name}", remedy=_FORM)
        if re.fullmatch(r"F\d+", key):
            fields[key[1:]] = value or None
        elif key in _OF_MATCH:
            match[key] = value
        elif key in ("fault", "match", "fields"):
            raise BadInput(f"{key} is not written so", where=f"fault {name}", remedy=_FORM)
        else:
            values[key] = _value(named(name), key, value)
    return read(values | ({"match": match} if match else {}) | ({"fields": fields} if fields else {}))


def words(fault: Fault) -> str:
    """The shortest text that :func:`parse` reads as this fault: what is the default is left out."""
    said = [fault.fault]
    plain = type(fault).model_fields
    for name, value in fault:
        if name in ("fault", "match") or value == plain[name].default:
            continue
        if isinstance(value, dict):
            said += [f"F{number}={content or ''}" for number, content in sorted(value.items())]
        else:
            said.append(f"{name}={_text(value)}")
    said += [
        f"{name}={_text(value)}"
        for name, value in fault.match
        if name != "moment" and value != Match.model_fields[name].default
    ]
    if fault.match.moment is not None:
        said += ["at", *str(fault.match.moment).split()]
    return " ".join(shlex.quote(word) for word in said)


def sentence(moment: str, what: str) -> Fault:
    """``moment`` is struck so: ``swallowed``, ``held for 3 seconds``, ``cut after 20 bytes``... (:data:`PHRASES`).

    Raises :class:`BadInput` with what can be said."""
    said = " ".join(what.split())
    for form, make in PHRASES.items():
        found = re.fullmatch(form, said, re.IGNORECASE)
        if found is not None:
            return read(make(found.groupdict()) | {"match": {"moment": re.sub(r"^the\s+", "", moment.strip())}})
    known = "; ".join(_spelt(form) for form in PHRASES)
    raise BadInput(f"nobody knows what it means that a message is {what!r}", where="fault", remedy=f"Known: {known}.")


Groups = dict[str, str | None]
_SECONDS, _MS = r"(?P<n>\d+(?:\.\d+)?) s(?:econds?)?", r"(?P<n>\d+(?:\.\d+)?) ms"

PHRASES: dict[str, Callable[[Groups], dict[str, Any]]] = {
    r"swallowed": lambda _: {"fault": "swallow"},
    r"lost": lambda _: {"fault": "drop"},
    r"lost once": lambda _: {"fault": "drop", "count": 1},
    r"held": lambda _: {"fault": "hold"},
    rf"held for {_SECONDS}": lambda g: {"fault": "hold", "release_s": g["n"]},
    rf"delayed by {_MS}": lambda g: {"fault": "delay", "delay_ms": g["n"]},
    r"delivered twice": lambda _: {"fault": "duplicate"},
    r"overtaken": lambda _: {"fault": "reorder"},
    r"damaged": lambda _: {"fault": "corrupt", "fix_checksum": True, "count": 1},
    r"sent byte by byte": lambda _: {"fault": "dribble", "gap_ms": 0},
    r"cut after (?P<n>-?\d+) bytes?(?: and (?P<then>closed|reset))?": lambda g: {
        "fault": "cut", "after_bytes": g["n"], "then": {"reset": "reset"}.get(g["then"] or "", "close"),
    },
    rf"cut after (?P<bytes>-?\d+) bytes? for {_SECONDS}": lambda g: {
        "fault": "cut", "after_bytes": g["bytes"], "then": "heal", "pause_s": g["n"],
    },
    r"answered with a reset": lambda _: {"fault": "rst"},
    r"answered with a forged (?P<code>[0-9A-Z]{2})": lambda g: {"fault": "forge", "code": g["code"]},
    r"answered with a forged (?P<code>[0-9A-Z]{2}) without MAC": lambda g: {
        "fault": "forge", "code": g["code"], "mac": "none",
    },
    r"stripped of its MAC": lambda _: {"fault": "rewrite", "mac": "strip"},
    r"given a wrong MAC": lambda _: {"fault": "rewrite", "mac": "break"},
    r"changed to (?P<code>[0-9A-Z]{2})": lambda g: {"fault": "rewrite", "fields": {39: g["code"]}},
}  # fmt: skip
"""What is said of a message -> the fault, without its moment."""


def example(form: str) -> str:
    """A phrase of that form."""
    text = re.sub(r"\(\?:\\\.\\d\+\)\?", "", form)
    text = re.sub(r"\(\?P<code>[^)]*\)", "97", text)
    text = re.sub(r"\(\?P<(?:n|bytes)>[^)]*\)", "3", text)
    text = re.sub(r"\(\?: and \(\?P<then>(\w+)[^)]*\)\)\?", r" and \1", text)
    return re.sub(r"s\(\?:econds\?\)\?", "seconds", text).replace("bytes?", "bytes")


def _spelt(form: str) -> str:
    return example(form)


def _value(kind: type[Fault] | None, key: str, text: str) -> Any:
    """As :func:`harness.wire.faults.read` takes it; what it means is decided there."""
    known = kind.model_fields.get(key) if kind is not None else None
    if text == "none" and known is not None and type(None) in get_args(known.annotation):
        return None
    return [part for part in text.split(",") if part] if key == "only" else text


def _text(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ",".join(str(one) for one in value)
    return str(value)


def names() -> list[str]:
    """Every name and other name that :func:`parse` knows."""
    return sorted({name for called, kind in catalogue().items() for name in (called, *kind.known_as)})
