"""Whether a magnetic head reads a stripe that is drawn past it at a speed."""

from __future__ import annotations

from random import Random

SLOWEST, FASTEST = 10.0, 120.0  # cm/s; beyond, nothing is read
_SURE_FROM, _SURE_TO = 15.0, 100.0  # between, all is


def readable_share(speed_cm_s: float) -> float:
    """How many swipes of that speed are read, 0 to 1."""
    if not SLOWEST <= speed_cm_s <= FASTEST:
        return 0.0
    if speed_cm_s < _SURE_FROM:
        return (speed_cm_s - SLOWEST) / (_SURE_FROM - SLOWEST)
    if speed_cm_s > _SURE_TO:
        return (FASTEST - speed_cm_s) / (FASTEST - _SURE_TO)
    return 1.0


def is_read(speed_cm_s: float, chance: Random) -> bool:
    """One swipe. Takes one number from ``chance`` whatever the speed, so that later swipes stay the same."""
    return chance.random() < readable_share(speed_cm_s)
