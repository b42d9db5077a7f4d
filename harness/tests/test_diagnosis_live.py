"""A technician's look around on real emulated benches: troubles set up, and what is said of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from harness.bench.bench import Bench
from harness.bench.ready import make_ready
from harness.campaigns.diagnose import both, look_around
from harness.campaigns.plan import RunPlan
from harness.campaigns.practice import TROUBLES, honest
from harness.cli import main
from harness.diagnosis.diagnosing import of_looking
from harness.history.events import AnyEvent, FaultArmed, HostChanged, OperationInvoked, RunOpened
from harness.lab.inventory import load_lab
from harness.protocol.transactions import KINDS
from harness.tests.golden import World
from harness.tests.reports_runs import write_run
from harness.tests.system_helpers import SystemLab

ROOT = Path(__file__).resolve().parents[2]
INVENTORY = """
catalogue: {catalogue}
benches:
  - {{name: plain, kind: emulated, model: HT-100, profile: unionpay-direct, firmware: reference, time_scale: 20}}
  - {{name: radio, kind: emulated, model: HT-300, profile: unionpay-direct, firmware: reference, time_scale: 20}}
  - {{name: amid, kind: emulated, model: HT-100, profile: unionpay-direct, firmware: reference, time_scale: 20,
      instruments: {{supply: {{driver: scpi-supply, address: emulated}}, esd: {{driver: scpi-esd, address: emulated}},
                    field: {{driver: scpi-field, address: emulated}}}}}}
  - {{name: keys, kind: emulated, model: HT-100, profile: unionpay-direct, firmware: reference, physical_like: true,
      limits: {{receive_timeout_s: 10}}}}
"""
ON_THE_CABLE = (
    "nothing", "row-removed", "merchant-removed", "pending", "wrong-tid", "merchant-suspended", "signed-out",
    "new-key-at-host", "wrong-port", "wrong-host", "unplugged", "line-swallows", "host-closes", "key-lost",
    "paper-out", "stripe-reader-dead", "keypad-dead", "case-opened",
)  # fmt: skip


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> RunPlan:
    folder = tmp_path_factory.mktemp("lab")
    path = folder / "lab.yaml"
    path.write_text(INVENTORY.format(catalogue=ROOT / "lab_config"), encoding="utf-8")
    return RunPlan.make(load_lab(path), folder / "results")


@pytest.fixture(scope="module")
def plain(plan: RunPlan) -> Iterator[Bench]:
    with Bench(plan.bench_plan("plain")).opened() as bench:
        make_ready(bench)
        yield bench


@pytest.fixture(scope="module")
def radio(plan: RunPlan) -> Iterator[Bench]:
    with Bench(plan.bench_plan("radio")).opened() as bench:
        make_ready(bench)
        yield bench


def looked_at(bench: Bench, name: str) -> list[AnyEvent]:
    trouble = TROUBLES[name]
    assert trouble.fits(bench)
    try:
        trouble.arrange(bench, Random("test"))
        return look_around(bench)
    finally:
        honest(bench)


def assert_found(name: str, events: list[AnyEvent]) -> None:
    cause = TROUBLES[name].cause
    outside, host = both(events)
    for found in (outside, host):
        assert found.known and cause in found.causes, found
        assert not found.certain or found.causes == (cause,)
    assert cause in outside.alike() and cause in host.alike(), (outside, host)


@pytest.mark.parametrize("name", ON_THE_CABLE)
def test_a_trouble_is_found(plain: Bench, name: str) -> None:
    events = looked_at(plain, name)
    assert_found(name, events)
    asked = {event.name for event in events if isinstance(event, OperationInvoked)}
    assert asked & set(KINDS) <= {"balance"}, "no probe moves money"
    assert not asked & {"settle", "load_tmk", "set_identity", "set_host", "load_firmware"}
    assert not plain.host.read_ledger()


@pytest.mark.parametrize("name", ["no-sim", "no-signal", "not-let-in"])
def test_a_radios_trouble_is_found(radio: Bench, name: str) -> None:
    assert_found(name, looked_at(radio, name))


def test_disturbances_are_found_and_are_over_afterwards(plan: RunPlan) -> None:
    with Bench(plan.bench_plan("amid")).opened() as bench:
        make_ready(bench)
        for name in ("dips", "discharges", "field"):
            events = looked_at(bench, name)
            assert_found(name, events)
            assert not any(one.certain for one in both(events)), "a worn part would look like it"
        assert not TROUBLES["surges"].fits(bench) and not TROUBLES["too-hot"].fits(bench)
        assert of_looking(look_around(bench), "host").healthy


def test_it_is_as_it_was_after_practice(plain: Bench) -> None:
    for name in ("wrong-mid", "line-cut", "host-drops"):
        looked_at(plain, name)
    assert of_looking(look_around(plain), "host").healthy


def test_a_look_holds_nothing_of_how_it_was_set_up_but_what_counts_for_nothing(plain: Bench) -> None:
    events = looked_at(plain, "pending")
    assert isinstance(events[0], RunOpened)
    kept = [event for event in events if not isinstance(event, HostChanged | FaultArmed)]
    assert both(kept) == both(events)


def test_events_taken_away_from_a_real_look_rule_nothing_out(plain: Bench) -> None:
    for name in ("wrong-nii", "signed-off", "nothing"):
        events = looked_at(plain, name)
        whole = both(events)
        chance = Random(name)
        for _ in range(40):
            share = chance.random()
            kept = [e for e in events if isinstance(e, RunOpened) or chance.random() < share]
            for few, many in zip(both(kept), whole, strict=True):
                assert set(many.causes) <= set(few.causes)
                assert not few.certain or many.causes in ((), few.causes)


def test_a_bench_whose_service_port_nobody_reads(plan: RunPlan) -> None:
    """As a physical terminal: only keys, screen and wire."""
    with Bench(plan.bench_plan("keys")).opened() as bench:
        make_ready(bench)
        bench.host.deregister()
        outside, host = both(look_around(bench))
        assert "not_registered" in outside.alike() and host.causes == ("not_registered",) and host.certain


# -- the command line --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["bench-1", "--live", "--run", "x"], "name one of them"), (["bench-1", "--with", "pending"], "takes --live"),
        (["nobody", "--live"], "no bench nobody"), (["bench-1", "--live", "--with", "magic"], "no trouble magic"),
        (["bench-1", "--run", "nowhere"], "no such run"), (["../x", "--live"], "no bench ../x"),
    ],
)  # fmt: skip
def test_bad_input(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    assert main(["--lang", "en", "diagnose", *words]) == 2
    assert said in capsys.readouterr().err


def a_run(folder: Path) -> Path:
    world = World()
    with world.test("t::a sale"):
        world.sign_in()
        world.remove_terminal()
        world.sale(500)
    closed = len(world.events) - 1
    world.events[closed] = world.events[closed].model_copy(update={"outcome": "failed", "message": "it was declined"})
    world.close()
    return write_run(folder, {"bench-1": world})


def test_a_stored_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = a_run(tmp_path / "run")
    assert main(["--lang", "en", "diagnose", "bench-1", "--run", str(run), "--json", "--outside"]) == 0
    told = json.loads(capsys.readouterr().out)
    (one,) = told["diagnoses"]
    assert one["of"] == "t::a sale" and one["causes"][0]["cause"] == "not_registered" and not one["certain"]
    assert main(["--lang", "zh", "diagnose", "bench-1", "--run", str(run), "--test", "a sale"]) == 0
    assert "未登记" in capsys.readouterr().out
    assert main(["--lang", "en", "diagnose", "bench-9", "--run", str(run)]) == 2
    assert "bench-1" in capsys.readouterr().err
    assert main(["--lang", "en", "diagnose", "bench-1", "--run", str(run), "--test", "nosuch"]) == 2


def test_a_bench_that_was_opened_again_has_all_its_logs_and_those_of_no_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The failed test is in the tenth of eleven logs: the bench was opened anew after each that it failed in itself."""
    failed = World()
    with failed.test("t::a sale"):
        failed.sign_in()
        failed.remove_terminal()
        failed.sale(500)
    closed = len(failed.events) - 1
    failed.events[closed] = failed.events[closed].model_copy(update={"outcome": "failed"})
    failed.close()

    def well(number: int, bench: str = "bench-1") -> World:
        world = World(bench=bench)
        with world.test(f"t::well {number}"):
            world.sign_in()
            world.sale(500)
        world.close()
        return world

    logs = {f"bench-1.{number}": well(number) for number in range(2, 12)} | {"bench-1": well(1), "bench-1.10": failed}
    other = {"bench-1.12": well(12, "bench-1.12")}
    run = write_run(tmp_path / "run", logs | other)
    words = ["--lang", "en", "diagnose", "bench-1", "--run", str(run), "--json"]
    assert main(words) == 0
    assert [one["of"] for one in json.loads(capsys.readouterr().out)["diagnoses"]] == ["t::a sale"]
    assert main([*words, "--test", "well 11"]) != 2 and main([*words, "--test", "well 12"]) == 2
    capsys.readouterr()
    run = write_run(tmp_path / "other", {name: one for name, one in logs.items() if name != "bench-1.10"})
    assert main([*words[:4], "--run", str(run), "--json"]) == 0
    (one,) = json.loads(capsys.readouterr().out)["diagnoses"]
    assert one["of"] == ""


def test_a_log_that_says_nothing_is_not_known(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    world = World()
    world.close()
    run = write_run(tmp_path / "run", {"bench-1": world})
    assert main(["--lang", "en", "diagnose", "bench-1", "--run", str(run)]) == 4
    assert "not known" in capsys.readouterr().out


def test_live_from_the_command_line(system_lab: SystemLab) -> None:
    """In a lab of its own; what it saw stays, and no run of tests is pushed aside by it."""
    done = system_lab.hil97(
        "--lang", "en", "diagnose", "left", "--live", "--with", "rejected", "--json",
        "--lab", str(system_lab.inventory), "--results", str(system_lab.results),
    )
    assert done.status == 0, done.text
    (one,) = json.loads(done.text)["diagnoses"]
    assert one["certain"] and one["causes"][0]["cause"] == "under_review"
    assert list(system_lab.results.glob("diagnoses/*/benches/left/history.jsonl"))
    assert not (system_lab.results / "latest").exists()
