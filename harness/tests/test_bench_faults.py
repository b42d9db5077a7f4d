"""Faults on a whole bench with its real injector: in the history, at the acquirer under TLS, by hand, and its death."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.bench.bench import Bench
from harness.bench.cable import Armed
from harness.bench.content import ArmedAtHost
from harness.bench.door import knock, open_benches
from harness.bench.ready import conclude, make_ready
from harness.campaigns.plan import RunPlan
from harness.campaigns.span import TestSpan
from harness.errors import BadInput, BenchError
from harness.history.events import FaultArmed, FaultHealed, FaultStruck, HostJournal
from harness.lab.inventory import load_lab
from harness.terminal.cards import MAGNETIC

INVENTORY = """
catalogue: {catalogue}
benches:
  - {{name: plain, kind: emulated, model: HT-100, profile: unionpay-direct, firmware: reference, time_scale: 20}}
  - {{name: secret, kind: emulated, model: HT-100, profile: unionpay-direct, link: tls, time_scale: 20}}
  - {{name: doomed, kind: emulated, model: HT-100, profile: unionpay-direct, firmware: reference, time_scale: 20}}
"""


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> RunPlan:
    folder = tmp_path_factory.mktemp("lab")
    path = folder / "lab.yaml"
    path.write_text(INVENTORY.format(catalogue=Path(__file__).resolve().parents[2] / "lab_config"), encoding="utf-8")
    made = RunPlan.make(load_lab(path), folder / "results")
    made.write([])
    return made


@pytest.fixture(scope="module")
def plain(plan: RunPlan) -> Iterator[Bench]:
    with Bench(plan.bench_plan("plain")).opened() as opened:
        yield opened


@pytest.fixture
def ready(plain: Bench) -> Iterator[Bench]:
    make_ready(plain)
    yield plain
    conclude(plain)


def test_a_cut_answer_and_its_packets(ready: Bench) -> None:
    """Armed, struck and ended by itself: all of it in the history, and what it took and sent in faults.pcapng."""
    armed = ready.arm("cut after_bytes=20 at response to 0200")
    assert isinstance(armed, Armed)
    assert not ready.terminal.sale(10_00, card=MAGNETIC).ok
    strike = armed.await_strike()
    assert bytes.fromhex(strike.message)[13:15] == b"\x02\x10" and strike.direction == "to_terminal"
    assert len(strike.delivered) == 40 and strike.packets
    assert (ready.plan.folder / "faults.pcapng").stat().st_size > 200
    events = ready.history.events
    healed = [e for e in events if isinstance(e, FaultHealed) and e.fault_id == armed.fault_id]
    assert [e.why for e in healed] == ["used_up"]
    told = next(e for e in events if isinstance(e, FaultArmed) and e.fault_id == armed.fault_id)
    assert told.fault["match"]["moment"] == "0210"
    assert ready.terminal.sale(11_00, card=MAGNETIC).ok


def test_a_test_that_ends_heals_what_it_left(ready: Bench) -> None:
    armed = ready.arm("partition")
    conclude(ready)
    assert isinstance(armed, Armed)
    healed = [e for e in ready.history.events if isinstance(e, FaultHealed) and e.fault_id == armed.fault_id]
    assert [e.why for e in healed] == ["asked"]
    assert ready.terminal.echo().ok


def test_under_tls_the_acquirer_changes_the_answer(plan: RunPlan) -> None:
    """The same words; what the wire can't do there it refuses with the reason."""
    with Bench(plan.bench_plan("secret")).opened() as bench:
        make_ready(bench)
        armed = bench.arm("rewrite mac=break at response to 0200")
        assert isinstance(armed, ArmedAtHost)
        assert not bench.terminal.sale(10_00, card=MAGNETIC).ok
        assert isinstance(armed.await_strike(), HostJournal)
        assert bench.once_connected(bench.terminal.sign_in).ok
        bench.arm("rewrite mac=break count=none at response to 0200").heal()
        assert bench.terminal.sale(11_00, card=MAGNETIC).ok
        with pytest.raises(BadInput, match="what the terminal sends"):
            bench.arm("rewrite F4=000000000001 at 0200")
        with pytest.raises(BadInput, match=r"(?i)tls"):
            bench.cable.arm("rewrite mac=break at response to 0200")
        held = bench.arm("hold release_s=0.3 at response to 0200")
        assert isinstance(held, Armed)
        assert bench.terminal.sale(12_00, card=MAGNETIC).ok
        held.await_strike()
        conclude(bench)


def test_armed_by_hand_while_the_bench_is_open(ready: Bench, tmp_path: Path) -> None:
    """``hil97 wire arm`` finds the bench by its name, tells each strike, and heals after its time."""
    assert [card.bench for card, _scratch in open_benches()].count("plain") == 1
    command = [sys.executable, "-m", "harness.cli", "--lang", "en", "wire", "arm", "--bench", "plain"]
    with subprocess.Popen(
        [*command, "--for", "60s", "delay", "delay_ms=1", "at", "0200"], stdout=subprocess.PIPE, text=True
    ) as hand:
        assert hand.stdout is not None
        assert re.search(r"plain .*: fault \d+ armed: delay delay_ms=1.0 at 0200", hand.stdout.readline())
        assert ready.terminal.sale(10_00, card=MAGNETIC).ok
        assert "late by" in hand.stdout.readline()
        hand.send_signal(signal.SIGINT)
        rest = hand.stdout.read()
        assert hand.wait(10) == 0 and "healed" in rest
    by_hand = [e for e in ready.history.events if isinstance(e, FaultArmed) and e.fault["fault"] == "delay"]
    assert len(by_hand) == 1
    ready.history.wait_for(
        lambda e: isinstance(e, FaultHealed) and e.fault_id == by_hand[0].fault_id, 10, "the end of it", since=0
    )
    ended = subprocess.run([*command, "--for", "0s", "drop"], capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0 and "healed" in ended.stdout
    nobody = subprocess.run([*command[:-1], "nobody", "drop"], capture_output=True, text=True, timeout=60)
    assert nobody.returncode == 2 and "no bench named nobody is open" in nobody.stderr and "plain" in nobody.stderr


def test_who_is_killed_leaves_no_fault(ready: Bench) -> None:
    command = [sys.executable, "-m", "harness.cli", "wire", "arm", "--bench", "plain", "partition"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as hand:
        assert hand.stdout is not None and "armed" in hand.stdout.readline()
        hand.kill()
    armed = next(e for e in reversed(ready.history.events) if isinstance(e, FaultArmed))
    ready.history.wait_for(
        lambda e: isinstance(e, FaultHealed) and e.fault_id == armed.fault_id, 10, "the end of it", since=armed.seq
    )
    assert ready.once_connected(ready.terminal.echo).ok


def test_a_dead_injector_is_the_benchs_fault(plan: RunPlan) -> None:
    """ERROR, never the terminal's FAIL; whoever waits for a strike is told at once."""
    bench = Bench(plan.bench_plan("doomed"))
    with bench.opened():
        span = TestSpan(bench, "t", "a test", ["NET-01"])
        span.begin()
        armed = bench.arm("swallow at response to 0200")
        os.kill(bench.cable.injector().pid, signal.SIGKILL)  # type: ignore[attr-defined]
        with pytest.raises(BenchError, match="injector"):
            armed.await_strike(30)
        judged = span.end(BenchError("the injector died"))
        assert judged.outcome == "error" and bench.failed
        assert not [e for e in bench.history.events if isinstance(e, FaultStruck)]


def test_a_bench_that_was_closed_is_not_found(plan: RunPlan, tmp_path: Path) -> None:
    assert "doomed" not in [card.bench for card, _scratch in open_benches()]
    with pytest.raises(BadInput, match="not open any more"):
        knock(tmp_path)
