"""The faults that the wire knows: one a file. ``catalogue()`` finds them, ``read`` makes one of plain values."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from harness.errors import BadInput
from harness.wire.faults.base import Fault, Match, MessageFault

__all__ = ["Fault", "Match", "MessageFault", "catalogue", "named", "read"]

_BASES = {Fault, MessageFault}


@functools.cache
def catalogue() -> Mapping[str, type[Fault]]:
    """Every fault by its name, in alphabetical order."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    found: dict[str, type[Fault]] = {}
    waiting = [Fault]
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        if kind not in _BASES:
            found[kind.called()] = kind
    return MappingProxyType(dict(sorted(found.items())))


def read(values: Mapping[str, Any]) -> Fault:
    """A fault from plain values (JSON, YAML). Raises :class:`BadInput` that names the parameter."""
    name = values.get("fault")
    kind = named(str(name))
    if kind is None:
        raise BadInput(f"there is no fault {name!r}", where="fault", remedy=f"Known: {', '.join(catalogue())}.")
    try:
        return kind.model_validate(dict(values) | {"fault": kind.called()})
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "match"
        known = ", ".join(kind.model_fields)
        raise BadInput(f"{first['msg']}", where=f"{kind.called()}: {place}", remedy=f"It takes: {known}.") from error


def named(name: str) -> type[Fault] | None:
    """The kind of fault of that name, or of which that is another name."""
    return catalogue().get(name) or next((kind for kind in catalogue().values() if name in kind.known_as), None)
