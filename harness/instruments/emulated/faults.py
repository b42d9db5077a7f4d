"""What can be wrong with the conversation with an instrument, for tests of whoever talks to it. Physics goes on."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from harness.errors import BadInput

WHATS = ("refuse", "slow", "errors", "identity", "drop", "impossible", "heal")
NOT_A_NUMBER = 9.91e37  # SCPI-99, 7.2.1.5
SLOW_S = 5.0
OTHER_DEVICE = ("OTHER", "DEVICE", "0", "0")  # manufacturer, model, serial number, version
_LONGEST_S = 3600.0


@dataclass(frozen=True)
class Faults:
    """Those of one. ``slow_s``: how late each answer comes; ``impossible``: what it reads (None: the truth)."""

    refuse: bool = False
    slow_s: float = 0.0
    errors: bool = False
    identity: bool = False
    drop: bool = False
    impossible: float | None = None

    def with_(self, what: object, seconds: object = None, value: object = None) -> Faults:
        """And this one too (``heal``: none). Raises :class:`BadInput`."""
        if what == "heal":
            return Faults()
        if what == "slow":
            return replace(self, slow_s=_number(seconds, SLOW_S, "seconds", 0.001, _LONGEST_S))
        if what == "impossible":
            return replace(self, impossible=_number(value, NOT_A_NUMBER, "value", -1e38, 1e38))
        if what in ("refuse", "errors", "identity", "drop"):
            return replace(self, **{str(what): True})
        raise BadInput(f"a fault is {', '.join(WHATS)}, not {str(what)[:60]!r}")

    def named(self) -> list[str]:
        """Those that there are."""
        present = {"refuse": self.refuse, "slow": self.slow_s > 0, "errors": self.errors, "identity": self.identity,
                   "drop": self.drop, "impossible": self.impossible is not None}
        return [name for name, there in present.items() if there]

    def reading(self, value: float) -> float:
        """What is told where ``value`` was measured."""
        return value if self.impossible is None else self.impossible


def _number(given: object, default: float, name: str, low: float, high: float) -> float:
    if given is None:
        return default
    if isinstance(given, bool) or not isinstance(given, int | float) or not math.isfinite(given) \
            or not low <= given <= high:
        raise BadInput(f"{name} is a number from {low:g} to {high:g}, not {str(given)[:60]!r}")
    return float(given)
