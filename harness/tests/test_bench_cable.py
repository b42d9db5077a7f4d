"""The cable of a bench: what is armed, strikes and ends is in the history; refusals and deaths are told as such."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from harness.bench.cable import Cable, FaultEvent, Master
from harness.bench.content import rule_for
from harness.errors import BadInput, BenchError, TerminalTimeout
from harness.history.events import BenchFailed, FaultArmed, FaultHealed, FaultStruck, WireLink
from harness.history.recorder import Recorder
from harness.wire.faults import Fault
from harness.wire.faults.spoken import parse
from harness.wire.topology import Topology


class Injector:
    """What the cable needs of one; it strikes when it is told to."""

    def __init__(self, on_event: Callable[[FaultEvent], object]) -> None:
        self._on_event = on_event
        self.armed: dict[int, Fault] = {}
        self.told: list[Sequence[Master]] = []
        self.closed = False

    def arm(self, fault: Fault) -> int:
        if fault.fault == "dhcp":
            raise BadInput("nobody asks for an address here")
        number = len(self.told) * 100 + len(self.armed) + 1
        self.armed[number] = fault
        self._on_event(FaultArmed(t=time.monotonic_ns(), fault_id=number, fault=fault.model_dump(mode="json")))
        return number

    def strike(self, number: int, match: int = 1) -> None:
        self._on_event(FaultStruck(t=time.monotonic_ns(), fault_id=number, match=match, what="lost"))

    def heal(self, fault_id: int | None = None) -> None:
        for number in [one for one in self.armed if fault_id in (None, one)]:
            del self.armed[number]
            self._on_event(FaultHealed(t=time.monotonic_ns(), fault_id=number, why="asked"))

    def die(self) -> None:
        for number in [*self.armed]:
            self._on_event(FaultHealed(t=time.monotonic_ns(), fault_id=number, why="died"))

    def keys(self, masters: Sequence[Master]) -> None:
        self.told.append(masters)

    def check(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True


class Link(Topology):
    """A wire of which only the plug is used."""

    def __init__(self) -> None:
        self.up = True

    def link(self, up: bool) -> None:
        self.up = up


@pytest.fixture
def history(tmp_path: Path) -> Iterator[Recorder]:
    with Recorder(tmp_path / "history.jsonl", bench="one") as recorder:
        yield recorder


class Rig:
    """A cable, its injector once it runs, and the keys of the moment."""

    def __init__(self, history: Recorder) -> None:
        self.started: list[Injector] = []
        self.masters = [{"tid": "97979797", "mid": "1" * 15, "tmk": "00" * 16}]
        self.history = history
        self.cable = Cable(
            Link(), history, start=self._start, masters=lambda: list(self.masters),
            on_death=lambda what: history.append(BenchFailed(t=time.monotonic_ns(), what=what)),
        )

    def _start(self, on_event: Callable[[FaultEvent], object]) -> Injector:
        self.started.append(Injector(on_event))
        return self.started[-1]

    @property
    def injector(self) -> Injector:
        return self.started[0]


@pytest.fixture
def rig(history: Recorder) -> Rig:
    return Rig(history)


def test_nothing_runs_before_a_fault_is_armed(rig: Rig) -> None:
    rig.cable.heal()
    rig.cable.check()
    rig.cable.close()
    assert rig.started == [] and rig.history.events == ()


def test_armed_struck_and_healed_are_in_the_history(rig: Rig) -> None:
    fault = parse("swallow at response to 0200")
    armed = rig.cable.arm(fault)
    assert not armed.strikes
    rig.injector.strike(armed.fault_id)
    strike = armed.await_strike(1)
    assert strike.match == 1 and list(armed.strikes) == [strike]
    armed.heal()
    armed.heal()
    kinds = [event.kind for event in rig.history.events]
    assert kinds == ["fault.armed", "fault.struck", "fault.healed"]
    assert rig.history.events[0].fault == fault.model_dump(mode="json")  # type: ignore[union-attr]


def test_each_wait_is_for_the_next_strike_of_that_fault(rig: Rig) -> None:
    first, second = rig.cable.arm(parse("drop")), rig.cable.arm(parse("duplicate"))
    rig.injector.strike(second.fault_id, 1)
    rig.injector.strike(first.fault_id, 1)
    rig.injector.strike(first.fault_id, 2)
    assert [first.await_strike(1).match, first.await_strike(1).match] == [1, 2]
    with pytest.raises(TerminalTimeout, match="the wire to strike: drop"):
        first.await_strike(0.01)
    later = threading.Timer(0.05, rig.injector.strike, (first.fault_id, 3))
    later.start()
    assert first.await_strike(10).match == 3
    later.join()


def test_heal_ends_all_and_plugs(rig: Rig) -> None:
    rig.cable.arm(parse("drop"))
    rig.cable.arm(parse("partition"))
    rig.cable.unplug()
    rig.cable.heal()
    healed = [event.fault_id for event in rig.history.events if isinstance(event, FaultHealed)]
    assert len(healed) == 2 and rig.injector.armed == {} and rig.cable.plugged
    assert [event.state for event in rig.history.events if isinstance(event, WireLink)] == ["down", "up"]


def test_what_the_wire_refuses_is_the_callers_mistake(rig: Rig) -> None:
    with pytest.raises(BadInput, match="nobody asks for an address"):
        rig.cable.arm(parse("dhcp"))
    assert rig.history.events == ()


def test_keys_are_told_when_they_are_others(rig: Rig) -> None:
    rig.cable.arm(parse("drop"))
    rig.cable.arm(parse("drop"))
    rig.masters = [{**rig.masters[0], "tmk": "97" * 16}]
    rig.cable.arm(parse("drop"))
    assert [told[0]["tmk"] for told in rig.injector.told] == ["00" * 16, "97" * 16]


def test_a_death_fails_the_bench_at_once(rig: Rig) -> None:
    armed = rig.cable.arm("swallow")
    later = threading.Timer(0.05, rig.injector.die)
    later.start()
    with pytest.raises(BenchError, match=r"injector\.log"):
        armed.await_strike(10)
    later.join()
    assert [event.why for event in rig.history.events if isinstance(event, FaultHealed)] == ["died"]


def test_what_somebody_arms_by_hand_is_in_the_history_too(rig: Rig) -> None:
    rig.cable.injector().arm(parse("delay delay_ms=50"))
    assert [event.kind for event in rig.history.events] == ["fault.armed"]
    assert len(rig.started) == 1 and rig.cable.injector() is rig.injector


# -- content, where the wire can't open the link ----------------------------------------------------------------------


@pytest.mark.parametrize(("words", "rule"), [
    ("rewrite F39=97 F63= mac=recompute at response to 0200 of 60.1=22",
     {"mti": "0200", "action": "rewrite", "count": 1, "message_type": "22", "fields": {"39": "97", "63": None},
      "mac": "recompute"}),
    ("rewrite mac=strip count=none at second response to 0800",
     {"mti": "0800", "action": "rewrite", "count": None, "skip": 1, "fields": {}, "mac": "strip"}),
    ("replay hex=0001AA when=before at 0320",
     None),
    ("replay hex=0001AA when=before at response to 0320 of 60.3=201",
     {"mti": "0320", "action": "replay", "count": 1, "network_code": "201", "hex": "0001AA", "when": "before"}),
    ("replace hex=0001AA at 0410", {"mti": "0400", "action": "replace", "count": 1, "hex": "0001AA"}),
    ("forge code=00 mac=none then=deliver at 0200",
     {"mti": "0200", "action": "forge", "count": 1, "code": "00", "fields": {}, "mac": "none", "then": "deliver"}),
    ("forge at response to 0200", None), ("rewrite F39=00 at 0210 with F39=97", None), ("replace hex=00", None),
    ("rewrite F39=00 percent=50 at 0210", None), ("corrupt fix_checksum=yes at 0210", None),
])  # fmt: skip
def test_done_at_the_acquirer_or_refused_with_the_reason(words: str, rule: dict[str, object] | None) -> None:
    if rule is None:
        with pytest.raises(BadInput, match="can't be done on a link"):
            rule_for(parse(words))
    else:
        assert rule_for(parse(words)) == rule
