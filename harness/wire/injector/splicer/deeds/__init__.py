# SPDX-License-Identifier: GPL-2.0-only
"""What each fault on messages does to the plan for a message: one fault a file, named as the fault."""

from __future__ import annotations

import functools
import importlib
from typing import Any, Protocol, cast

from harness.wire.faults import catalogue
from harness.wire.faults.base import Fault
from harness.wire.injector.splicer.plan import Plan
from harness.wire.injector.splicer.session_keys import SessionKeys


class Deed(Protocol):
    """A module of this package."""

    KEEPS: bool
    """Whether it decides when the bytes of the message go, so that they all go when it is healed."""

    def strike(self, fault: Any, plan: Plan, keys: SessionKeys, match: int) -> tuple[str, bytes]:
        """Changes ``plan``. Gives what was done, in words, and what the receiver gets of the message (or of the forged
        answer) where that is something else. ``match``: which match it is, for what is drawn from the seed.
        Raises :class:`harness.errors.BadInput` where it can't be done to this message; then the plan is as it was."""


def deed(fault: Fault) -> Deed:
    """Of a fault on messages."""
    return _module(fault.called())


@functools.cache
def _module(name: str) -> Deed:
    return cast(Deed, importlib.import_module(f"{__name__}.{name}"))


def names() -> frozenset[str]:
    """Of all faults that act on messages."""
    return frozenset(name for name, kind in catalogue().items() if kind.level == "message")
