"""What `benchmarks/wire.py` measures about faults, a module a subject.

Each has ``measure(options) -> list[bool]``: it prints its lines, and says of each limit whether it held.
:data:`SUBJECTS` is the order in which they run.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Options:
    """``rounds``: of everything, interleaved; medians are taken. ``diverts``: the ways that this machine has.
    ``folder``: for logs. ``benches``: in the crowd. ``trips``: requests and answers in one measurement of latency."""

    rounds: int
    diverts: tuple[str, ...]
    folder: Path
    benches: int
    trips: int


SUBJECTS = ("paths", "arming", "crash", "timing", "splices", "crowd")
