"""Faults on messages at a whole emulated bench: what a terminal makes of answers that were changed on the way."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.bench.bench import Bench
from harness.bench.ready import conclude, make_ready
from harness.campaigns.plan import RunPlan
from harness.history.events import WireFrame
from harness.lab.inventory import load_lab
from harness.protocol.frames import decode
from harness.terminal.cards import MAGNETIC
from harness.wire import faults

INVENTORY = """
catalogue: {catalogue}
benches:
  - {{name: one, kind: emulated, model: HT-100, profile: unionpay-direct, firmware: reference, time_scale: 20}}
"""


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("lab")
    path = folder / "lab.yaml"
    path.write_text(INVENTORY.format(catalogue=Path(__file__).resolve().parents[2] / "lab_config"), encoding="utf-8")
    plan = RunPlan.make(load_lab(path), folder / "results")
    plan.write([])
    with Bench(plan.bench_plan("one")).opened() as opened:
        yield opened


@pytest.fixture
def ready(shared: Bench) -> Iterator[Bench]:
    make_ready(shared)
    yield shared
    shared.cable.heal()
    conclude(shared)


def ledger(bench: Bench) -> list[int]:
    return [entry.amount for entry in bench.host.read_ledger() if entry.state == "approved"]


def test_a_rewritten_answer_whose_mac_was_recomputed_is_believed(ready: Bench) -> None:
    """The MAC is right: so the terminal shows the code that the host never gave."""
    armed = ready.cable.arm(faults.read({
        "fault": "rewrite", "fields": {39: "51"}, "mac": "recompute", "match": {"moment": "response to 0200"},
    }))
    declined = ready.terminal.sale(10_00, card=MAGNETIC)
    struck = armed.await_strike()
    assert struck.what == "F39 rewritten, F64 recomputed"
    assert (declined.ok, declined.code) == (False, "51")
    assert decode(bytes.fromhex(struck.message)).get(39) == "00"
    assert decode(bytes.fromhex(struck.delivered)).get(39) == "51"


def test_a_rewritten_answer_with_its_old_mac_is_not_believed(ready: Bench) -> None:
    ready.cable.arm(faults.read({
        "fault": "rewrite", "fields": {39: "97"}, "match": {"moment": "0210"},
    }))
    outcome = ready.terminal.sale(10_00, card=MAGNETIC)
    assert not outcome.ok and outcome.code != "97"


def test_a_forged_97_whose_mac_is_right_is_shown(ready: Bench) -> None:
    armed = ready.cable.arm(faults.read({
        "fault": "forge", "code": "97", "mac": "recompute", "match": {"moment": "0200"},
    }))
    declined = ready.terminal.sale(10_00, card=MAGNETIC)
    struck = armed.await_strike()
    assert "forged" in struck.what, struck.what
    assert (declined.ok, declined.code) == (False, "97")


def test_a_forged_97_without_its_mac_is_no_answer(ready: Bench) -> None:
    ready.cable.arm(faults.read({"fault": "forge", "code": "97", "mac": "wrong", "match": {"moment": "0200"}}))
    outcome = ready.terminal.sale(10_00, card=MAGNETIC)
    assert not outcome.ok and outcome.code != "97"


def test_a_replayed_approval_is_no_answer(ready: Bench) -> None:
    assert ready.terminal.sale(7_00, card=MAGNETIC).ok
    earlier = next(
        event.hex for event in reversed(ready.history.events)
        if isinstance(event, WireFrame) and event.hex[26:30] == "0210"
    )
    armed = ready.cable.arm(faults.read({
        "fault": "replay", "hex": earlier, "when": "instead", "match": {"moment": "0210"},
    }))
    outcome = ready.terminal.sale(8_00, card=MAGNETIC)
    assert armed.await_strike().delivered == earlier
    assert not outcome.ok


def test_a_cut_answer_is_reversed(ready: Bench) -> None:
    ready.cable.arm(faults.read({"fault": "cut", "after_bytes": 20, "then": "close", "match": {"moment": "0210"}}))
    outcome = ready.terminal.sale(9_00, card=MAGNETIC)
    assert not outcome.ok
    ready.cable.heal()
    assert ready.terminal.sale(6_00, card=MAGNETIC).ok
    assert ledger(ready)[-1:] == [6_00] and 9_00 not in ledger(ready)
