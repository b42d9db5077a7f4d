"""Where a Robot test finds its bench: given by pytest, or opened here when ``robot`` runs by itself."""

from __future__ import annotations

import atexit
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from harness.bench.bench import Bench
from harness.campaigns.keeper import BenchKeeper
from harness.campaigns.launch import outside_of
from harness.campaigns.plan import RunPlan, open_lab
from harness.campaigns.span import Judged, TestSpan
from harness.errors import BadInput


@dataclass
class Given:
    """What pytest hands to the one Robot test that it runs next, and what comes back."""

    bench: Bench
    test: str
    judged: Judged | None = None


_given: Given | None = None
_keeper: BenchKeeper | None = None
_plan: RunPlan | None = None
_begun: dict[str, str] = {}  # test -> its group, of a plain ``robot`` run


def give(given: Given | None) -> None:
    """pytest sets this around each test."""
    global _given
    _given = given


def given() -> Given | None:
    return _given


def span_for(name: str, title: str, declares: list[str], lab: str, bench: str) -> TestSpan:
    """The span of the Robot test that starts now, on the bench given or on one of our own."""
    if _given is not None:
        return TestSpan(_given.bench, _given.test, title, declares)
    opened = _own_bench(lab, bench)
    _begun[name] = opened.plan.group
    return TestSpan(opened, name, title, declares)


def _own_bench(lab: str, bench: str) -> Bench:
    global _keeper, _plan
    if _keeper is None or _plan is None:
        from harness.lab import rootless

        inventory = open_lab(Path(lab))
        if not rootless.already_inside():
            rootless.probe()
            os.environ.update(outside_of(inventory))
            rootless.enter_in_place()
        _plan = RunPlan.make(inventory, Path("results"))
        _plan.write(["robot"])
        _keeper = BenchKeeper(_plan)
        atexit.register(close)
    label = next((entry.label for entry in _plan.lab.emulated if entry.name == bench or not bench), None)
    if label is None:
        names = ", ".join(entry.name for entry in _plan.lab.emulated)
        raise BadInput(f"there is no bench {bench} in {lab}", remedy=f"it has {names}")
    return _keeper.bench(label)


def close() -> None:
    """The end of a plain ``robot`` run: benches closed, the run judged, its page written."""
    global _keeper, _plan
    if _keeper is None or _plan is None:
        return
    keeper, plan, _keeper, _plan = _keeper, _plan, None, None
    keeper.close_all()
    plan.declare({}, [{"test": test, "group": group} for test, group in _begun.items()])  # Robot counts what is missing
    from harness.judge_run import judge_run
    from harness.reports import junit, page

    verdict = judge_run(plan.folder)
    verdict.write(plan.folder)
    plan.close(verdict.status)
    page.write(plan.folder)
    junit.write(plan.folder)
    print(f"hil97: {plan.folder / 'index.html'}", flush=True)
    if verdict.status != 0:
        print("\n".join(["hil97:", *verdict.reasons]), file=sys.stderr, flush=True)
        os._exit(verdict.status)  # Robot counts failed tests only; what the whole log shows must not end in 0
