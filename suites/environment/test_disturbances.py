"""Bursts, discharges, surges, a field and a bad supply, at each phase of a sale: never a 97, never a cent lost.

Every disturbance at every phase is for the night; each run has each disturbance and each phase, and some with a 97.
They come after the corners (files are taken by their names): for a minute after a disturbance the judge asks for no
more than that the terminal comes back.
"""

import itertools

import pytest

from fixtures.disturbed import PHASES, Work
from harness.bench.bench import Bench

pytestmark = pytest.mark.needs(instruments=True)
DISTURBANCES = ["burst", "esd", "surge", "field", "dips"]
ANSWERED_97 = ["request", "response", "printing"]  # phases in which the answer to the sale can be a 97
STEP = {"burst": 2, "esd": 2, "surge": 2, "field": 1}  # the strongest of each profile
DIP = {"response": 4, "recovery": 4, "before": 1, "reversal": 3}  # the interruption of 5 s; others; else a cycle: 2
IN_EVERY_RUN = {
    ("burst", "before", "approved"), ("burst", "response", "approved"), ("burst", "printing", "97"),
    ("esd", "request", "approved"), ("esd", "response", "97"), ("esd", "recovery", "approved"),
    ("surge", "printing", "approved"), ("surge", "reversal", "approved"), ("surge", "request", "97"),
    ("field", "response", "97"), ("field", "recovery", "approved"), ("field", "request", "approved"),
    ("dips", "before", "approved"), ("dips", "response", "approved"), ("dips", "reversal", "approved"),
    ("dips", "recovery", "approved"),
}  # fmt: skip


def _cases() -> list[object]:
    cases = [(sort, phase, "approved") for sort, phase in itertools.product(DISTURBANCES, PHASES)]
    cases += [(sort, phase, "97") for sort, phase in itertools.product(DISTURBANCES, ANSWERED_97)]
    return [
        pytest.param(*case, id="-".join(case), marks=[] if case in IN_EVERY_RUN else pytest.mark.nightly)
        for case in cases
    ]


@pytest.mark.declares("ENV-02", "MSG-02")
@pytest.mark.parametrize(("sort", "phase", "answer"), _cases())
def test_disturbed_in_a_sale(bench: Bench, sort: str, phase: str, answer: str) -> None:
    """Struck once there; back as its criterion has it; and the shop works again."""
    work = Work(bench, phase, unregistered=answer == "97")
    work.prepare()
    step = STEP.get(sort) or DIP.get(phase, 2)
    with bench.stress(sort, during=work.moment, only=[step]) as stress:
        for struck in stress:
            struck.meet(work.begin)
            struck.come_back()
    work.come_back()


@pytest.mark.declares("ENV-02", "MSG-02")
@pytest.mark.parametrize("sort", DISTURBANCES)
def test_disturbed_at_rest(bench: Bench, sort: str) -> None:
    """All levels of the profile, as often as this bench does them; after each a sale."""
    work = Work(bench, "before")
    with bench.stress(sort, during="") as stress:
        for step in stress:
            step.meet(work.begin)
            step.come_back()
            work.come_back()
