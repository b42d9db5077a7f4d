"""The cases of suites/network and suites/security: what can be is there, what can't is not, each fault can be armed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from harness.campaigns import troubles
from harness.campaigns.troubles import APPROVED, MOMENTS, TABLES, UNREGISTERED, WORKS, Trouble
from harness.errors import BadInput
from harness.lab.inventory import BenchEntry, load_lab
from harness.wire.faults import catalogue

CONFIG = Path(__file__).parents[2] / "lab_config"
ELSEWHERE = {"dns", "dhcp"}  # of terminals that use a name and an address service: suites of their own


@pytest.fixture(scope="module")
def entries() -> list[BenchEntry]:
    lab = load_lab(CONFIG / "emulated.yaml")
    return list({one.label: one for one in lab.emulated if not one.physical_like}.values())


@pytest.fixture(scope="module")
def all_cases(entries: list[BenchEntry]) -> list[Trouble]:
    return [
        case
        for table in TABLES
        for case in troubles.whole_cases(entries, "any", 0, troubles.how_many(entries, table), table)
    ]


def test_every_fault_of_the_wire_is_in_some_row(all_cases: list[Trouble], entries: list[BenchEntry]) -> None:
    profiles = {entry.label: entry.profile for entry in entries}
    done = {case.fault(profiles[case.label], earlier="0000").fault for case in all_cases}
    assert done == set(catalogue()) - ELSEWHERE


def test_every_row_has_cases_at_every_moment_that_it_names(all_cases: list[Trouble]) -> None:
    played = {(case.table, case.deed, case.moment) for case in all_cases}
    assert played == {
        (table, name, moment) for table, rows in TABLES.items() for name, row in rows.items() for moment in row.at
    }
    assert {case.work for case in all_cases} == set(WORKS)
    assert {case.moment for case in all_cases} == set(MOMENTS)


def test_a_fault_acts_on_the_message_under_test(all_cases: list[Trouble], entries: list[BenchEntry]) -> None:
    profile = entries[0].profile

    def moment(deed: str, where: str, work: str) -> str:
        case = next(case for case in all_cases if (case.deed, case.moment, case.work) == (deed, where, work))
        return str(case.fault(profile).match.moment)

    assert moment("swallow", "response", "void") == "0210 of 60.1=23"
    assert moment("loss", "waiting", "batch_upload") == "after 0320 of 60.3=201"
    assert moment("partition", "between", "sale") == "None"


def test_97_only_where_the_host_says_it(all_cases: list[Trouble], entries: list[BenchEntry]) -> None:
    told = {(case.profile, case.work) for case in all_cases if case.answer == UNREGISTERED}
    assert ("gicc", "sign_in") in told and ("gicc", "sale") not in told
    assert not {work for _profile, work in told} & {"recovery"}
    assert {("unionpay-direct", work) for work in WORKS if work != "recovery"} <= told


def test_the_ordinary_set_is_small_and_has_the_pairs(entries: list[BenchEntry]) -> None:
    for table, most in (("network", 400), ("security", 130)):
        cases = troubles.pairwise_cases(entries, "hil97", table)
        assert len(cases) < most < troubles.how_many(entries, table)
        assert len({f"{case}@{case.label}" for case in cases}) == len(cases)
        assert cases == troubles.pairwise_cases(entries, "hil97", table) != troubles.pairwise_cases(entries, "x", table)
        assert {case.label for case in cases} == {entry.label for entry in entries}
        quick = [case for case in cases if case.effect != "silent"]
        whole = troubles.whole_cases(entries, "x", 0, troubles.how_many(entries, table), table)
        assert {(case.deed, case.work) for case in quick} >= {
            (case.deed, case.work) for case in whole if case.effect != "silent" and not case.row.variant
        }
        assert {(case.deed, case.link) for case in cases} == {(case.deed, case.link) for case in whole}


def test_a_bench_has_few_cases_that_wait_for_a_time_out(entries: list[BenchEntry]) -> None:
    """Each costs three seconds of it: the main job has a minute for all of this."""
    cases = troubles.pairwise_cases(entries, "hil97", "network")
    waiting = Counter(case.label for case in cases if case.effect == "silent")
    assert sum(waiting.values()) < 100
    assert max(waiting.values()) <= 20
    assert {case.deed for case in cases if case.effect == "silent"} == {
        name for name, row in TABLES["network"].items() if "silent" in row.at.values()
    }


def test_what_is_declared(entries: list[BenchEntry]) -> None:
    profile = entries[0].profile

    def declared(deed: str, moment: str, work: str, answer: str, table: str = "network") -> set[str]:
        return set(Trouble(table, deed, moment, work, answer, "tcp", "l", "m", "p").declares(profile))

    assert {"NET-01", "NET-02", "MSG-01"} <= declared("dribble", "response", "sale", UNREGISTERED)
    assert "NET-03" in declared("cut-closed", "response", "sale", UNREGISTERED)
    assert "NET-02" not in declared("dribble", "response", "sale", APPROVED)
    assert "MON-09" in declared("hold", "response", "sale", UNREGISTERED)
    assert "MON-09" not in declared("hold", "response", "settle", UNREGISTERED)
    assert "NET-05" in declared("partition", "between", "recovery", APPROVED)
    assert "NET-05" not in declared("delay", "between", "recovery", APPROVED)  # nobody sees it
    assert "NET-05" not in declared("partition-out", "waiting", "recovery", APPROVED)  # the answer's way is open
    assert "NET-05" in declared("partition-in", "waiting", "recovery", APPROVED)
    assert "NET-02" in declared("delay", "between", "sale", UNREGISTERED)
    for deed, moment in (("loss-light", "between"), ("slow-close", "between"), ("delay", "waiting")):
        assert "NET-02" not in declared(deed, moment, "sale", UNREGISTERED)  # it need not strike the answer
    assert "SEC-01" in declared("forged-97-at-sign-in", "request", "sign_in", APPROVED, "security")


def test_no_row_says_what_nobody_understands(entries: list[BenchEntry]) -> None:
    for table, rows in TABLES.items():
        for name, row in rows.items():
            for moment in row.at:
                case = Trouble(table, name, moment, "sale", APPROVED, "tcp", "l", "m", "p")
                try:
                    case.fault(entries[0].profile, earlier="0000")
                except BadInput as error:
                    pytest.fail(f"{table} {name} {moment}: {error}")
