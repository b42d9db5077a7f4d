"""suites/quick.txt: each test in it is there, and the choice is made as it says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

import harness
from harness.campaigns.selection import QUICK, Candidate, cover, quick_promises, quick_tests, without_group
from harness.campaigns.selftest import GATED
from harness.tests.gate_runs import ended, run_of
from harness.tests.quick_list import candidates

ROOT = Path(harness.__file__).resolve().parents[1]
RULES = st.sets(st.sampled_from("abcdef")).map(frozenset)


def test_every_listed_test_is_collected_on_one_group_of_benches_where_it_can_be() -> None:
    suites = [f"suites/{name}" for name in GATED if (ROOT / "suites" / name).is_dir()]
    command = [sys.executable, "-m", "pytest", *suites, "--lab", "lab_config/emulated.yaml", "--quick"]
    command += ["--collect-only", "-q", "-n", "0", "-p", "no:schemathesis", "-p", "no:cacheprovider"]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert said.returncode == 0, said.stdout + said.stderr
    collected = [line for line in said.stdout.splitlines() if "::" in line]
    groups = [line.rpartition("@")[2] for line in collected]
    assert max(map(groups.count, groups)) > len(groups) * 0.7
    found = {without_group(line) for line in collected}
    listed = quick_tests((ROOT / QUICK).read_text(encoding="utf-8"))
    short = found | {test.partition("[")[0] for test in found} | {test.partition("::")[0] for test in found}
    missing = [one for one in listed if one not in short]
    assert missing == [], "make the list anew: python -m harness.tests.quick_list RUN"


def test_the_group_is_taken_off() -> None:
    assert without_group("x.py::test_y[a-b-@HT-200-lakala]") == "x.py::test_y[a-b]"
    assert without_group("x.py::test_y[@HT-200]") == "x.py::test_y"
    assert without_group("x.py::test_y[a]") == "x.py::test_y[a]"
    assert quick_promises("# head\nx.py::test_y[a]  # MON-01 NET-05, 1.0 s\n x.py  # slow\nx.py::test_z\n") == {
        "x.py::test_y[a]": {"MON-01", "NET-05"},
    }
    assert quick_tests("# head\nx.py::test_y[a]  # MON-01, 1.0 s\n\n x.py::test_z\n") == [
        "x.py::test_y[a]", "x.py::test_z",
    ]


@given(st.lists(st.builds(Candidate, st.text(max_size=3), RULES, st.floats(0, 9))))
def test_a_cover_decides_what_all_decide_and_nothing_in_it_is_idle(everything: list[Candidate]) -> None:
    chosen = cover(everything)
    decided = frozenset().union(*(one.decides for one in everything)) if everything else frozenset()
    assert frozenset().union(*(one.decides for one in chosen)) == decided if chosen else not decided
    assert len(chosen) <= len(decided)
    assert all(any(one is other for other in everything) for one in chosen)


def test_candidates_are_passed_tests_of_the_gates_suites() -> None:
    run = run_of([
        ended("suites/recovery/x.py::test_a[@HT-100]", MON_03="PASS", MSG_01="INCONCLUSIVE"),
        ended("suites/transactions/x.py::test_b[@HT-100]", MON_03="PASS"),
        ended("suites/recovery/x.py::test_c[@HT-100]", "failed", MON_03="FAIL"),
        ended("suites/firmware/test_from_versions.py::test_d[1.0.0-@HT-100]", FWU_01="PASS"),
    ])
    ((_group, found),) = candidates(run).items()
    assert [(one.test, one.decides) for one in found] == [
        ("suites/recovery/x.py::test_a", frozenset({"MON-03"})),
        ("suites/firmware/test_from_versions.py", frozenset({"FWU-01"})),
    ]
