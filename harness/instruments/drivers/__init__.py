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

from harness.errors import BadInput

GROUP = "hil97.instruments"
_MEMBERS = ("kind", "name", "tried", "quantities", "safe", "identity", "read", "make_safe", "is_safe", "close")


@functools.cache
def known() -> Mapping[str, type[Any]]:
    """Name -> class of every driver that this installation has; an entry point's comes before one of ours.

    Raises :class:`BadInput` for an entry point that names no driver: left out, one of ours of that name would be taken.
    """
    found: dict[str, type[Any]] = {}
    for module in pkgutil.iter_modules(__path__):
        if not module.name.startswith("_"):
            for one in vars(importlib.import_module(f"{__name__}.{module.name}")).values():
                if inspect.isclass(one) and one.__module__ == f"{__name__}.{module.name}" and is_driver(one):
                    found[one.name] = one
    for point in importlib.metadata.entry_points(group=GROUP):
        one = _of_package(point)
        found[one.name] = one
    return found


def _of_package(point: importlib.metadata.EntryPoint) -> type[Any]:
    where = f"{point.dist.name if point.dist else GROUP}, {point.value}"
    try:
        one = point.load()
    except Exception as error:  # whatever the module of somebody else does when it is imported
        raise BadInput(
            f"the instrument driver {point.name} of this package can't be imported: {type(error).__name__}: {error}",
            where=where, remedy="Mend the package, or uninstall it.",
        ) from None
    if not is_driver(one):
        missing = [member for member in _MEMBERS if not hasattr(one, member)] if inspect.isclass(one) else ["a class"]
        raise BadInput(
            f"the instrument driver {point.name} of this package is none: it lacks {', '.join(missing)}",
            where=where, remedy="See `A driver of your own` in docs/instruments.md.",
        )
    return one


def is_driver(one: Any) -> TypeGuard[type[Any]]:
    """Whether it has what every driver has."""
    return inspect.isclass(one) and all(hasattr(one, member) for member in _MEMBERS)
