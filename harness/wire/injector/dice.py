# SPDX-License-Identifier: GPL-2.0-only
"""Whether a match is struck: decided by the fault's numbers and its seed alone, so the same packets meet the same fate.

A draw is made for every match, struck or not, and none elsewhere. Faults that need more chance (how much jitter, which
bit) have a generator of their own, :func:`chance`, used only when they strike: so the matches of a recorded run, given
back as ``only``, meet the same values too.
"""

from __future__ import annotations

import random

from harness.wire.faults.base import Fault
from harness.wire.faults.drop import Drop
from harness.wire.injector.contract import Dice


def dice(fault: Fault) -> Dice:
    """The dice that the fault asks for."""
    if fault.only is not None:
        return _Only(fault.only)
    if isinstance(fault, Drop) and fault.every_nth is not None:
        return _Counted(fault, _Every(fault.every_nth))
    if isinstance(fault, Drop) and fault.first_n is not None:
        return _Counted(fault, _Percent(fault), last=fault.first_n)
    if isinstance(fault, Drop) and fault.burst_enter is not None and fault.burst_leave is not None:
        return _Counted(fault, _Bursts(fault, fault.burst_enter, fault.burst_leave))
    return _Counted(fault, _Percent(fault))


def chance(fault: Fault) -> random.Random:
    """The generator for what a strike does, apart from that for whether it happens."""
    return random.Random(f"{fault.seed}/how")


class _Only:
    def __init__(self, only: tuple[int, ...]) -> None:
        self._only, self._last, self._matches = frozenset(only), max(only, default=0), 0

    def thrown(self) -> int | None:
        self._matches += 1
        return self._matches if self._matches in self._only else None

    @property
    def used_up(self) -> bool:
        return self._matches >= self._last


class _Counted:
    """``fate`` decides about match 1, 2, ...; at most ``count`` strikes, and none after match ``last``."""

    def __init__(self, fault: Fault, fate: _Fate, last: int | None = None) -> None:
        self._fate, self._left, self._last, self._matches = fate, fault.count, last, 0

    def thrown(self) -> int | None:
        self._matches += 1
        strikes = self._fate(self._matches)
        if not strikes or self._left == 0 or (self._last is not None and self._matches > self._last):
            return None
        if self._left is not None:
            self._left -= 1
        return self._matches

    @property
    def used_up(self) -> bool:
        return self._left == 0 or (self._last is not None and self._matches >= self._last)


class _Fate:
    def __call__(self, match: int) -> bool:
        raise NotImplementedError


class _Percent(_Fate):
    def __init__(self, fault: Fault) -> None:
        self._percent, self._random = fault.percent, random.Random(fault.seed).random

    def __call__(self, match: int) -> bool:
        return self._random() * 100.0 < self._percent


class _Every(_Fate):
    def __init__(self, nth: int) -> None:
        self._nth = nth

    def __call__(self, match: int) -> bool:
        return match % self._nth == 0


class _Bursts(_Fate):
    """Gilbert's model: all is lost while in a burst. ``percent`` of what is in one, where it is given."""

    def __init__(self, fault: Fault, enter: float, leave: float) -> None:
        self._random = random.Random(fault.seed).random
        self._enter, self._leave, self._percent, self._inside = enter, leave, fault.percent, False

    def __call__(self, match: int) -> bool:
        turn = self._random() * 100.0
        self._inside = turn >= self._leave if self._inside else turn < self._enter
        return self._inside and self._random() * 100.0 < self._percent
