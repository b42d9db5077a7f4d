"""A whole emulated bench gets other software: by the service port and from its host."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.bench.bench import Bench
from harness.bench.ready import conclude, make_ready
from harness.campaigns.plan import RunPlan
from harness.emulator.build import build
from harness.emulator.shipped import REFERENCE_SOURCE, TEST_KEY
from harness.history.update_events import Route
from harness.lab.inventory import load_lab
from harness.terminal.cards import MAGNETIC

INVENTORY = """
catalogue: {catalogue}
benches:
  - {{name: one, kind: emulated, model: HT-100, profile: unionpay-direct, firmware: reference, time_scale: 20}}
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
def images(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """version -> image: the reference, built again with a higher version."""
    folder = tmp_path_factory.mktemp("images")
    made = {version: folder / f"{version}.img" for version in ("1.1.0", "1.2.0", "1.3.0")}
    for version, path in made.items():
        build(REFERENCE_SOURCE, version, TEST_KEY, path)
    return made


@pytest.fixture(scope="module")
def shared(plan: RunPlan) -> Iterator[Bench]:
    with Bench(plan.bench_plan("one")).opened() as opened:
        yield opened


@pytest.mark.parametrize(("via", "version"), [("service", "1.1.0"), ("network", "1.2.0")])
def test_it_runs_the_new_version_and_has_lost_nothing(
    shared: Bench, images: dict[str, Path], via: Route, version: str,
) -> None:
    make_ready(shared)
    assert shared.terminal.sale(10_00, card=MAGNETIC).ok
    shared.host.misbehave("0200", "never")
    assert not shared.terminal.sale(11_00, card=MAGNETIC).ok  # its reversal is pending
    before = shared.terminal.read_counters()
    if via == "network":
        shared.host.offer_software(images[version])
    told = shared.terminal.load_firmware(images[version], via=via, version=version)
    assert told.ok, told
    shared.terminal.await_updated()
    assert shared.terminal.read_version() == ("reference", version)
    after = shared.terminal.read_counters()
    assert after["batch"] == before["batch"] and after["sales"] == before["sales"]
    assert shared.terminal.sale(12_00, card=MAGNETIC).ok
    conclude(shared)
    shared.host.offer_software(None)
