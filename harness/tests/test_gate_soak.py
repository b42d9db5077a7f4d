"""The soak of the gate: what it gates, when it ends, what its tally says."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from harness.campaigns.gate_soak import One, Pair, Tally, busy_core, soak
from harness.gate import OF_STATUS, Decision, GateRecord
from harness.tests.test_gate_files import record

PAIRS = [Pair("a.img", "1.0.0"), Pair("b.img", "1.0.0,1.1.0")]


class Gates:
    """Gates that end as they are told, each after an hour."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.asked: list[tuple[str, str, str]] = []

    def __call__(self, pair: Pair, name: str, seed: str) -> GateRecord | None:
        self.asked.append((pair.image, name, seed))
        if not self.statuses:
            return None
        status = self.statuses.pop(0)
        return record(status=status, decision=OF_STATUS[status], run=name)

    def clock(self) -> float:
        return 3600.0 * len(self.asked)


def run(gates: Gates, folder: Path, count: int | None = None, hours: float | None = None) -> Tally:
    return soak(PAIRS, folder, seed="base", gate=gates, clock=gates.clock, count=count, hours=hours,
                told=lambda _one: None)


def test_the_images_in_turn_each_with_a_seed_of_its_own(tmp_path: Path) -> None:
    gates = Gates(0, 0, 0)
    tally = run(gates, tmp_path, count=3)
    assert [one[0] for one in gates.asked] == ["a.img", "b.img", "a.img"]
    assert [one[2] for one in gates.asked] == ["base-1", "base-2", "base-3"]
    assert json.loads((tmp_path / "soak.json").read_text(encoding="utf-8"))["seed"] == "base", "how to repeat it"
    assert (tally.why, tally.status, tally.count("released")) == ("count", 0, 3)


@pytest.mark.parametrize(
    ("statuses", "expected"), [((0, 0), 0), ((0, 1), 1), ((1, 3, 4), 1), ((0, 3, 4), 3), ((4,), 4)]
)
def test_a_false_block_is_the_worst_that_it_can_find(statuses: tuple[int, ...], expected: int, tmp_path: Path) -> None:
    tally = run(Gates(*statuses), tmp_path, count=len(statuses))
    assert tally.status == expected
    stored = json.loads((tmp_path / "soak.json").read_text(encoding="utf-8"))
    assert stored["false_blocks"] == statuses.count(1) and stored["gates"] == len(statuses)
    assert stored["undecided"] == statuses.count(4) and stored["errors"] == statuses.count(3)


def test_it_ends_with_its_time_or_where_it_is_interrupted(tmp_path: Path) -> None:
    tally = run(Gates(0, 0, 0, 0), tmp_path, hours=2)
    assert (tally.why, len(tally.gates), tally.hours) == ("hours", 2, 2.0)
    tally = run(Gates(0), tmp_path, count=5)
    assert (tally.why, len(tally.gates)) == ("interrupted", 1)
    assert run(Gates(), tmp_path, count=1).status == 4, "nothing gated proves nothing"


def test_the_load_is_a_process_of_ours_that_ends_with_us() -> None:
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    before = set(children.read_text().split())
    with busy_core():
        assert len(set(children.read_text().split()) - before) == 1
    assert set(children.read_text().split()) == before


def test_decisions_have_their_tally() -> None:
    decisions: tuple[Decision, ...] = ("released", "blocked", "undecided", "error")
    tally = Tally(gates=[One("r", "i", "s", decision, 1.0, ()) for decision in decisions])
    assert [tally.count(decision) for decision in decisions] == [1, 1, 1, 1]
