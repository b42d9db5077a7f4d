"""What a history says was done, and when: steps and signs; a test chosen by its id; chance named by matches."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.campaigns.recorded import Recorded, recorded
from harness.campaigns.replay import KEY, WRONG_KEY, Replay
from harness.errors import BadInput, TerminalTimeout
from harness.history.events import (
    AnyEvent,
    FaultArmed,
    FaultHealed,
    FaultStruck,
    Firmware,
    Heartbeat,
    HostChanged,
    Key,
    OperationCompleted,
    OperationInvoked,
    Power,
    RunOpened,
    Screen,
    Service,
    TestClosed,
    TestOpened,
    TestPhase,
    UnitReplaced,
    WireFrame,
    WireLink,
)
from harness.history.instrument_events import (
    Disturbed,
    HardwareState,
    InstrumentSet,
    InstrumentsSafe,
    Readings,
    StressStep,
)
from harness.history.recorder import Recorder
from harness.protocol.frames import build
from harness.tests.golden import World

TEST = "suites/x.py::test_y[a-@HT-100]"
SALE = {"amount": "1000", "entry": "magnetic", "pin": "no"}
MS = 1_000_000


def frame(mti: str, trace: str, t: int, **more: str) -> WireFrame:
    fields = {11: trace, 41: "97979797", 42: "104110070119701"} | {int(k[1:]): v for k, v in more.items()}
    raw = build(mti, fields, tpdu="6000030000", header="602100000000").raw
    direction: Any = "to_terminal" if mti[2] == "1" else "to_acquirer"
    return WireFrame(t=t, frame=1, stream=1, direction=direction, hex=raw.hex().upper(), packets=[], t_first=t)


def run_with(tmp_path: Path, *bodies: Sequence[AnyEvent], tests: Sequence[str] = (TEST,)) -> Path:
    """A stored run of one bench: a test for each body."""
    opened = next(event for event in World().events if isinstance(event, RunOpened))
    with Recorder(tmp_path / "benches" / "one" / "history.jsonl") as log:
        log.append(opened)
        log.append(Key(t=1, mid="104110070119701", tid="97979797", value="00" * 16))
        for test, body in zip(tests, bodies, strict=True):
            log.append(TestOpened(t=2, test=test, title="a title", declares=["MSG-02"]))
            for phase, events in (("setup", []), ("body", body), ("conclude", [])):
                t = max([e.t for e in body], default=9) + 1 if phase == "conclude" else 3
                log.append(TestPhase(t=t, phase=phase))  # type: ignore[arg-type]
                for event in events:
                    log.append(event)
            log.append(TestClosed(t=10**12, test=test, outcome="passed", duration_s=1, waiting_s=0))
    return tmp_path


def only(tmp_path: Path, *body: AnyEvent) -> Recorded:
    (found,) = recorded(run_with(tmp_path, body))
    return found


def test_what_is_done_by_itself_is_no_step(tmp_path: Path) -> None:
    found = only(
        tmp_path,
        Power(t=10, state="off", reason="watchdog"), Power(t=11, state="on", reason="watchdog"),
        Heartbeat(t=12, lag_ms=1), FaultHealed(t=13, fault_id=1, why="used_up"),
        Service(t=14, direction="to_terminal", text="COUNTERS"), Service(t=15, direction="from_terminal", text="OK"),
        OperationInvoked(t=16, op=1, name="set_host", via="service", args={"address": "10.97.0.1", "port": "1"}),
        Service(t=17, direction="to_terminal", text="HOST 10.97.0.1 1 6000030000"),
        OperationCompleted(t=18, op=1, outcome="ok"), WireLink(t=19, state="down"),
        Service(t=20, direction="to_terminal", text="PARAM timeout=20"),
    )
    assert [step.event.kind for step in found.steps if step.event] == [
        "operation.invoked", "wire.link", "service",
    ]
    assert (found.title, found.declares, found.label) == ("a title", ("MSG-02",), "HT-100")
    assert found.merchants == (("97979797", "104110070119701"),)


def test_what_instruments_did_by_hand_are_steps(tmp_path: Path) -> None:
    found = only(
        tmp_path,
        HardwareState(t=10, part="paper", state="out"),
        StressStep(t=11, profile="burst", step=1, instrument="burst", quantity="burst", value=1, criterion="B",
                   during="", state="begun"),
        InstrumentSet(t=12, instrument="burst", method="arm", args={"level_kv": "1"}),
        Readings(t=13, instrument="burst", values={"pulses": 0}),
        Disturbed(t=14, instrument="burst", sort="burst", state="begun", values={"level_kv": 1, "duration_ms": 300}),
        OperationInvoked(t=15, op=1, name="sale", via="keypad", args=SALE),
        OperationCompleted(t=16, op=1, outcome="unknown"),
        InstrumentsSafe(t=17, why="asked", instruments=[]), InstrumentsSafe(t=18, why="test_ended", instruments=[]),
    )
    assert [step.event.kind for step in found.steps if step.event] == [
        "hardware", "stress", "instrument.set", "disturbance", "operation.invoked", "instruments.safe",
    ]
    assert [step.told for step in found.steps if isinstance(step.event, OperationInvoked)] == [False]


def test_a_step_comes_after_what_had_been_seen(tmp_path: Path) -> None:
    found = only(
        tmp_path,
        OperationInvoked(t=10, op=7, name="sale", via="keypad", args=SALE), frame("0200", "000001", 11),
        WireLink(t=12, state="down"), OperationCompleted(t=13 + 3000 * MS, op=7, outcome="fail", detail="通讯超时"),
        HostChanged(t=14 + 3000 * MS, change="terminal_removed", mid="1", tid="2"),
    )
    sale, cable, row, end = found.steps
    assert sale.after == ()
    assert cable.after == ((("frame", "0200", "to_acquirer"), 1),) and cable.pause_s == 0
    assert row.after == ((("done", "7"), 1),) and row.pause_s == 0
    assert end.event is None and end.after == ()


def test_a_pause_is_part_of_the_test(tmp_path: Path) -> None:
    found = only(
        tmp_path, HostChanged(t=10, change="terminal_removed", mid="1", tid="2"), Heartbeat(t=1500 * MS, lag_ms=0),
        HostChanged(t=2000 * MS + 10, change="terminal_registered", mid="1", tid="2"),
    )
    assert [step.pause_s for step in found.steps] == [0, 2.0, 0]


def test_what_comes_after_the_last_step_is_waited_for(tmp_path: Path) -> None:
    found = only(
        tmp_path, OperationInvoked(t=10, op=1, name="sale", via="keypad", args=SALE),
        OperationCompleted(t=11, op=1, outcome="fail", detail="通讯超时"), frame("0210", "000001", 12, F39="97"),
    )
    assert found.steps[-1].after == ((("done", "1"), 1), (("frame", "0210", "to_terminal"), 1))


def test_how_often_it_could_not_connect_is_chance(tmp_path: Path) -> None:
    body: list[AnyEvent] = []
    for op, (outcome, text) in enumerate([("fail", "连接失败"), ("fail", "连接失败"), ("ok", "签到成功")], 1):
        body += [OperationInvoked(t=op * 10, op=op, name="sign_in", via="keypad"),
                 OperationCompleted(t=op * 10 + 1, op=op, outcome=outcome, detail=text)]  # type: ignore[arg-type]
    body += [OperationInvoked(t=50, op=4, name="echo", via="keypad"),
             OperationCompleted(t=51, op=4, outcome="fail", detail="连接失败")]
    found = only(tmp_path, *body)
    assert [(step.event.name, step.connected) for step in found.steps  # type: ignore[union-attr]
            if step.event] == [("sign_in", True), ("echo", False)]  # fmt: skip


@pytest.mark.parametrize(("percent", "expected"), [(100.0, None), (50.0, (1, 3))])
def test_where_chance_decided_the_matches_are_named(
    tmp_path: Path, percent: float, expected: tuple[int, ...] | None
) -> None:
    value = {"fault": "drop", "percent": percent, "seed": "tuesday"}
    found = only(
        tmp_path, FaultArmed(t=10, fault_id=5, fault=value),
        *(FaultStruck(t=11 + match, fault_id=5, match=match, what="lost") for match in (1, 3)),
        FaultHealed(t=20, fault_id=5, why="asked"),
    )
    armed, healed, _end = found.steps
    assert healed.after == ((("struck", "5"), 2),)
    replay = Replay.__new__(Replay)
    replay._recorded = found
    assert isinstance(armed.event, FaultArmed)
    again = replay._fault(armed.event)
    assert (again.only, again.seed, again.percent) == (expected, "tuesday", percent)


def test_originals_are_those_of_now(tmp_path: Path) -> None:
    found = only(
        tmp_path, frame("0200", "000001", 10), frame("0210", "000001", 11, F37="112912000001", F13="1129"),
        OperationInvoked(t=12, op=2, name="void", via="keypad", args={"trace": "000001"}),
    )
    replay = Replay.__new__(Replay)
    replay._recorded = found
    now = [("0200", "000042", {}), ("0210", "000042", {"F37": "112914000077", "F13": "1130"})]
    replay._pairs = lambda: [  # type: ignore[method-assign]
        (then.hex, frame(mti, trace, 1, **more).hex)
        for then, (mti, trace, more) in zip(found.frames, now, strict=True)
    ]

    class Bench:
        def sync(self) -> None:
            pass

    replay._bench = Bench()  # type: ignore[assignment]
    (void,) = [step.event for step in found.steps if isinstance(step.event, OperationInvoked)]
    assert replay._order(void).trace == "000042"


def test_one_test_is_chosen_by_its_id_or_a_part_of_it(tmp_path: Path) -> None:
    names = [f"suites/x.py::test_{name}[@HT-100]" for name in ("one", "two", "another_one")]
    run = run_with(tmp_path, [], [], [], tests=names)
    assert [one.test for one in recorded(run)] == names
    assert [one.test for one in recorded(run, names[0])] == names[:1]
    assert [one.test for one in recorded(run, "two")] == [names[1]]
    with pytest.raises(BadInput, match="2 tests are called so") as caught:
        recorded(run, "one")
    assert "another_one" in caught.value.remedy
    with pytest.raises(BadInput, match="no test is called so"):
        recorded(run, "three")


def test_a_folder_without_tests(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(json.dumps({}))
    with pytest.raises(BadInput, match="no test that could be done again"):
        recorded(tmp_path)


def operation(t: int, op: int, name: str, *, ok: bool = True) -> list[AnyEvent]:
    return [OperationInvoked(t=t, op=op, name=name, via="service"),
            OperationCompleted(t=t + 1, op=op, outcome="ok" if ok else "fail")]  # fmt: skip


def unit(t: int, serial: str, *, kept: bool = False) -> UnitReplaced:
    return UnitReplaced(t=t, serial=serial, why="why", firmware=Firmware(name="r", version="1", sha256=""), kept=kept)


class Now:
    """A bench of today on which a swap is done again: notes what is asked of it."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.serial = "NEW-1"
        self.plan, self.units = SimpleNamespace(serial_number="NEW-1"), SimpleNamespace(second="NEW-1B")
        self.history = SimpleNamespace(seq=0, since=lambda _seq: [])
        self.front = SimpleNamespace(powered=True)
        for part in ("terminal", "power"):
            setattr(self, part, _Notes(part, self.calls))
        self.host = _Notes("host", self.calls)
        self.host.merchants = [self.host, SimpleNamespace(tmk="BB")]

    def put_unit(self, serial: str, why: str, *, new: bool = False) -> None:
        self.calls.append(("put_unit", serial, new))
        self.serial = serial

    def replace_unit(self, why: str) -> None:
        self.calls.append(("replace_unit",))

    def once_connected(self, action: Callable[[], object]) -> object:
        return action()


class _Notes:
    """Whatever it is asked for; what it gives is called after that."""

    tmk = "AA"
    merchants: Sequence[Any] = ()

    def __init__(self, part: str, calls: list[tuple[Any, ...]]) -> None:
        self._part, self._calls = part, calls
        self.service = None if part != "terminal" else SimpleNamespace(ask=lambda text: calls.append(("ask", text)))

    def __getattr__(self, name: str) -> Callable[..., str]:
        def call(*args: Any, **more: Any) -> str:
            self._calls.append((name, *args, *more.values()))
            return f"the {name}"

        return call


def test_a_swap_is_done_again_with_the_units_and_secrets_of_now(tmp_path: Path) -> None:
    run = run_with(tmp_path, [
        *operation(10, 1, "back_up"),
        HostChanged(t=20, change="unit_swapped", mid="104110070119701", tid="97979797", detail={"serial": "OLD-1B"}),
        unit(30, "OLD-1B"), *operation(40, 2, "restore", ok=False), *operation(50, 3, "restore"),
        *operation(60, 4, "activate"),
        HostChanged(t=61, change="terminal_registered", mid="104110070119701", tid="97979797",
                    detail={"by": "activation", "serial": "OLD-1B"}),
        Service(t=70, direction="to_terminal", text="MERCHANT 2"), *operation(80, 5, "load_tmk"),
        unit(90, "OLD-1", kept=True), unit(95, "OLD-1"),
    ])  # fmt: skip
    (found,) = recorded(run)
    assert [step.ok for step in found.steps if isinstance(step.event, OperationInvoked)] == [
        True, False, True, True, True,
    ]  # fmt: skip
    now: Any = Now()
    replay = Replay(now, replace(found, serial="OLD-1"))
    for step in found.steps[:-1]:
        assert step.event is not None
        replay._do(step, step.event)
    assert now.calls == [
        ("back_up", KEY), ("swap_unit", "NEW-1B"), ("put_unit", "NEW-1B", True),
        ("restore", "the back_up", WRONG_KEY), ("restore", "the back_up", KEY),
        ("activate", "the swap_unit", "service"), ("ask", "MERCHANT 2"), ("load_tmk", "BB"),
        ("put_unit", "NEW-1", False), ("replace_unit",),
    ]  # fmt: skip


def test_the_unit_that_stood_there_and_an_idle_screen_are_known(tmp_path: Path) -> None:
    idle = next(event for event in World().events if isinstance(event, RunOpened)).declaration["idle_texts"][0]
    sale = OperationInvoked(t=13, op=1, name="sale", via="cashier", args=SALE)
    for text, at_rest in ((idle, True), ("请先签到", False)):
        folder = tmp_path / str(at_rest)
        found = only(folder, Screen(t=12, image="", lines=[text], unreadable=0), sale)
        assert found.steps[0].idle is at_rest and found.serial == ""


class Silent:
    """A bench whose terminal sends nothing by itself: every wait is over at once."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.plan = SimpleNamespace(timeout_s=1.0)
        self.history = SimpleNamespace(seq=0, since=lambda _seq: [], wait_for=self._wait_for)
        self.terminal = _Notes("terminal", self.calls)

    def sync(self) -> None:
        pass

    def _wait_for(self, _matches: object, seconds: float, what: str, **_more: object) -> None:
        raise TerminalTimeout(what, seconds)


def ended(op: int, t: int) -> OperationCompleted:
    return OperationCompleted(t=t, op=op, outcome="ok")


def test_what_the_terminal_sent_by_itself_between_operations_is_waited_for_and_may_stay_out(tmp_path: Path) -> None:
    """A notice that was answered 97 and went again in the recorded run goes once today."""
    found = only(
        tmp_path, OperationInvoked(t=10, op=1, name="sign_in", via="keypad", args={}), ended(1, 11),
        frame("0820", "000001", 12), OperationInvoked(t=13, op=2, name="echo", via="keypad", args={}), ended(2, 14),
    )
    bench: Any = Silent()
    replay = Replay(bench, found)
    replay._finish = lambda number: replay._running.pop(number, None)  # type: ignore[method-assign, assignment]
    with pytest.warns(UserWarning, match="frame 0820 to_acquirer; the replay goes on without it"):
        replay.play()
    assert [call[1].name for call in bench.calls] == ["sign_in", "echo"]


def test_a_moment_in_the_middle_of_an_operation_must_come(tmp_path: Path) -> None:
    """A cable that was pulled once the request was on the wire is pulled nowhere else."""
    found = only(
        tmp_path, OperationInvoked(t=10, op=1, name="sign_in", via="keypad", args={}), frame("0800", "000001", 11),
        WireLink(t=12, state="down"), ended(1, 13),
    )
    bench: Any = Silent()
    with pytest.raises(TerminalTimeout, match="frame 0800 to_acquirer"):
        Replay(bench, found).play()
    assert [call[1].name for call in bench.calls] == ["sign_in"]
