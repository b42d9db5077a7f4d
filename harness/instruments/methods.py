"""What can be asked of each kind of instrument: the methods of its contract beyond those that all have, with their
arguments. Read from the Protocols, so that guard, inventory and client can't differ from them."""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.history.instrument_events import InstrumentKind
from harness.instruments import contracts

CONTRACTS: Mapping[InstrumentKind, type] = {
    "chamber": contracts.Chamber, "supply": contracts.Supply, "power_switch": contracts.PowerSwitch,
    "burst": contracts.Generator, "esd": contracts.Generator, "surge": contracts.Generator,
    "field": contracts.FieldGenerator, "card_robot": contracts.CardRobot, "key_pusher": contracts.KeyPusher,
    "camera": contracts.Camera, "printer_sensor": contracts.PrinterSensor, "relay": contracts.Relay,
}  # fmt: skip
Value = float | int | bool | str | None
QUESTIONS = frozenset({"ready", "snapshot"})  # change nothing, so they leave no event


@dataclass(frozen=True)
class Method:
    """``arguments``: name -> its type (float, int, bool or str); those without a default are ``required``."""

    name: str
    arguments: Mapping[str, type]
    required: frozenset[str]
    optional_none: frozenset[str]


@functools.cache
def methods(kind: InstrumentKind) -> Mapping[str, Method]:
    """The methods of the kind's contract."""
    found = {}
    for name, function in vars(CONTRACTS[kind]).items():
        if name.startswith("_") or not inspect.isfunction(function):
            continue
        hints = typing.get_type_hints(function)
        parameters = [one for one in inspect.signature(function).parameters.values() if one.name != "self"]
        arguments = {one.name: _plain(hints[one.name]) for one in parameters}
        required = frozenset(one.name for one in parameters if one.default is inspect.Parameter.empty)
        nones = frozenset(one.name for one in parameters if type(None) in typing.get_args(hints[one.name]))
        found[name] = Method(name, arguments, required, nones)
    return found


@functools.cache
def numbers(kind: InstrumentKind) -> frozenset[str]:
    """The names of all numbers that its methods take: each may have a limit."""
    return frozenset(
        name for one in methods(kind).values() for name, sort in one.arguments.items() if sort in (float, int)
    )


def in_words(arguments: Mapping[str, Any]) -> dict[str, str]:
    """The arguments of a call for its event (``instrument.set``)."""
    return {name: f"{value:g}" if isinstance(value, float) else str(value) for name, value in arguments.items()}


def from_words(kind: InstrumentKind, method: str, words: Mapping[str, str]) -> dict[str, Value]:
    """The inverse. Raises ValueError."""
    known = methods(kind)
    if method not in known:
        raise ValueError(f"there is no {method} of a {kind}")
    found: dict[str, Value] = {}
    for name, word in words.items():
        sort = known[method].arguments.get(name, str)
        none = word == "None" and name in known[method].optional_none
        found[name] = None if none else word == "True" if sort is bool else sort(word)
    return found


def _plain(hint: object) -> type:
    """``float | None`` -> float."""
    options = [one for one in typing.get_args(hint) if one is not type(None)]
    plain = options[0] if options else hint
    assert isinstance(plain, type), hint
    return plain
