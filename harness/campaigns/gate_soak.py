"""A soak of the gate: sound images gated again and again, one core kept busy. Does it ever block what is sound?"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from harness.gate import Decision, GateRecord

FILE = "soak.json"
VERSION = 1
Why = Literal["count", "hours", "interrupted"]
_BUSY = """
import os, time
parent = os.getppid()
while os.getppid() == parent:
    end = time.monotonic() + 1
    while time.monotonic() < end:
        pass
"""


@dataclass(frozen=True)
class Pair:
    """An image and the versions that it is updated from, as ``hil97 gate`` takes them."""

    image: str
    from_versions: str


@dataclass(frozen=True)
class One:
    """A gate of the soak. ``reasons``: why it was no release; ``run``: its folder's name."""

    run: str
    image: str
    seed: str
    decision: Decision
    seconds: float
    reasons: tuple[str, ...]


@dataclass
class Tally:
    """What a soak did. Every image in it is sound: ``blocked`` are false blocks. Gate N has the seed ``seed``-N, by
    which it is repeated."""

    seed: str = ""
    why: Why = "count"
    hours: float = 0.0
    gates: list[One] = field(default_factory=list)

    def count(self, decision: Decision) -> int:
        return sum(one.decision == decision for one in self.gates)

    @property
    def status(self) -> int:
        """1 a false block; 3, 4 a gate without decision; 0 all released."""
        if self.count("blocked"):
            return 1
        return 3 if self.count("error") else 4 if self.count("undecided") or not self.gates else 0

    def write(self, folder: Path) -> Path:
        """``soak.json`` (replaced in one step)."""
        folder.mkdir(parents=True, exist_ok=True)
        content = {
            "version": VERSION, "seed": self.seed, "why": self.why, "hours": round(self.hours, 3),
            "gates": len(self.gates),
            "released": self.count("released"), "false_blocks": self.count("blocked"),
            "undecided": self.count("undecided"), "errors": self.count("error"),
            "runs": [asdict(one) for one in self.gates],
        }
        half = folder / f".{FILE}.new"
        half.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        return half.replace(folder / FILE)


@contextlib.contextmanager
def busy_core() -> Iterator[None]:
    """A process of our own that computes all the time, and ends with us."""
    load = subprocess.Popen([sys.executable, "-S", "-c", _BUSY], stdin=subprocess.DEVNULL)
    try:
        yield
    finally:
        load.kill()
        load.wait()


def soak(
    pairs: Sequence[Pair], folder: Path, *, seed: str, gate: Callable[[Pair, str, str], GateRecord | None],
    clock: Callable[[], float], count: int | None, hours: float | None, told: Callable[[One], None],
) -> Tally:
    """Gates the pairs in turn, each with a seed of its own (``seed``-1, -2 ...), until ``count`` gates or ``hours``.
    ``gate(pair, name, seed)``: None where it was interrupted. The tally is in ``folder`` after each gate."""
    began, tally = clock(), Tally(seed)
    while count is None or len(tally.gates) < count:
        tally.hours = (clock() - began) / 3600
        if hours is not None and tally.hours >= hours:
            tally.why = "hours"
            break
        number = len(tally.gates)
        pair, own_seed = pairs[number % len(pairs)], f"{seed}-{number + 1}"
        record = gate(pair, f"gate-{number + 1}", own_seed)
        if record is None:
            tally.why = "interrupted"
            break
        reasons = tuple(record.reasons[:10])
        version = f"{record.image.name} {record.image.version}"
        tally.gates.append(One(record.run, version, own_seed, record.decision, record.times.seconds, reasons))
        tally.hours = (clock() - began) / 3600
        tally.write(folder)
        told(tally.gates[-1])
    tally.write(folder)
    return tally
