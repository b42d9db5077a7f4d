"""The drivers of instruments, by name: one a file here, and those of other packages (entry points
``hil97.instruments``).

A driver is a class with the methods of a kind of :mod:`harness.instruments.contracts`, its ``name``, and
``Driver(address, **options)``, which opens the instrument or raises :class:`InstrumentError`.
"""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import inspect
import pkgutil
from collections.abc import Mapping
from typing import Any, TypeGuard

GROUP = "hil97.instruments"
_MEMBERS = ("kind", "name", "tried", "quantities", "safe", "identity", "read", "make_safe", "is_safe", "close")


@functools.cache
def known() -> Mapping[str, type[Any]]:
    """Name -> class of every driver that this installation has; an entry point's comes before one of ours."""
    found: dict[str, type[Any]] = {}
    for module in pkgutil.iter_modules(__path__):
        if not module.name.startswith("_"):
            for one in vars(importlib.import_module(f"{__name__}.{module.name}")).values():
                if inspect.isclass(one) and one.__module__ == f"{__name__}.{module.name}" and is_driver(one):
                    found[one.name] = one
    for point in importlib.metadata.entry_points(group=GROUP):
        one = point.load()
        if is_driver(one):
            found[one.name] = one
    return found


def is_driver(one: Any) -> TypeGuard[type[Any]]:
    """Whether it has what every driver has."""
    return inspect.isclass(one) and all(hasattr(one, member) for member in _MEMBERS)
