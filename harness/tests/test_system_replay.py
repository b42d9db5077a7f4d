"""A run, and the same again from its histories: through real processes, as a person would."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from harness.history.events import AnyEvent, FaultArmed, FaultStruck, HostChanged, OperationInvoked, TestPhase
from harness.history.instrument_events import Disturbed, HardwareState, StressStep
from harness.history.reader import read
from harness.tests.system_helpers import ROOT, SystemLab

WHAT = ("suites/registration/test_faults_are_not_97.py", "suites/registration/test_97_on_each_transaction.py")


def done(run: Path) -> dict[str, list[Any]]:
    """Test -> what was done and struck in its body, in order."""
    found: dict[str, list[Any]] = {}
    for log in sorted(run.glob("benches/*/history.jsonl")):
        inside = False
        for event in read(log):
            if isinstance(event, TestPhase):
                inside = event.phase == "body"
            elif inside and (what := _what(event)) is not None:
                found.setdefault(str(event.span), []).append(what)
    return found


def _what(event: AnyEvent) -> Any:
    match event:
        case OperationInvoked():
            return event.name, event.via, event.args.get("amount")
        case HostChanged():
            return event.change
        case FaultArmed():
            return "armed", event.fault
        case FaultStruck():
            return "struck", event.match, event.message[26:30]
        case Disturbed() | StressStep():
            return event.kind, event.instrument, event.state
        case HardwareState():
            return event.part, event.state
        case _:
            return None


def test_a_run_again_does_and_shows_the_same(system_lab: SystemLab) -> None:
    first = system_lab.hil97(*system_lab.arguments(*WHAT, "-k", "reset or void"))
    assert first.status in (0, 4), first.text
    run = system_lab.results / "run"
    again = system_lab.hil97("replay", str(run), "--results", str(system_lab.results), "--run-name", "again")
    assert again.status in (0, 4), again.text
    folder = system_lab.results / "again"
    before, after = done(run), done(folder)
    assert sorted(before.values(), key=str) == sorted(after.values(), key=str) and len(before) >= 4, again.text
    info = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    assert info["replay"]["run"] == "run" and all("hil97 replay" in test["rerun"] for test in info["tests"])
    page = (folder / "index.html").read_text(encoding="utf-8")
    assert "A replay of the run run" in page
    system_lab.assert_nothing_left(system_lab.holdings())


def test_what_instruments_did_is_done_again(system_lab: SystemLab) -> None:
    """A burst at the response to a sale; and no paper. A replay is judged by its own evidence: the pulse is counted."""
    bench = "name: amid, kind: emulated, model: HT-200, profile: unionpay-direct, time_scale: 20, instruments: emulated"
    system_lab.inventory.write_text(f"catalogue: {ROOT / 'lab_config'}\nbenches: [{{{bench}}}]\n", encoding="utf-8")
    first = system_lab.hil97(*system_lab.arguments("suites/environment", "-k", "(burst and response) or paper"))
    assert first.status in (0, 4), first.text
    where = ("--results", str(system_lab.results), "--run-name", "again")
    again = system_lab.hil97("replay", str(system_lab.results / "run"), *where)
    assert again.status in (0, 4), again.text
    before, after = done(system_lab.results / "run"), done(system_lab.results / "again")
    assert sorted(before.values(), key=str) == sorted(after.values(), key=str) and len(before) >= 2, again.text
    assert any(("disturbance", "burst", "ended") in steps for steps in after.values())
    assert any(("paper", "out") in steps for steps in after.values())


def test_one_test_again_and_what_is_none(system_lab: SystemLab) -> None:
    first = system_lab.hil97(*system_lab.arguments(*WHAT, "-k", "reset and HT-100"))
    assert first.status in (0, 4), first.text
    run = str(system_lab.results / "run")
    where = ("--results", str(system_lab.results))
    assert system_lab.hil97("replay", run, "--test", "reset", *where, "--run-name", "one").status in (0, 4)
    for arguments, said in (
        ((run, "--test", "nothing", *where), "no test is called so"),
        (("nowhere", *where), "there is no such run"),
        ((run, "--lab", "lab_config/physical-example.yaml", *where), "no bench of this inventory"),
    ):
        refused = system_lab.hil97("replay", *arguments)
        assert refused.status == 2 and said in refused.text, refused.text
