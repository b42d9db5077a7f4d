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
from harness.errors import TerminalTimeout
from harness.history.events import OperationInvoked, Service
from harness.history.update_events import FirmwareTold, Route
from harness.instruments.serial_noise import Noise, SecondSender, Stops
from harness.lab.inventory import load_lab
from harness.terminal.cards import MAGNETIC
from harness.terminal.contracts import Order
from harness.terminal.drivers.panel_firmware import SenderStopped

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
    loads = [e for e in shared.history.events if isinstance(e, OperationInvoked) and e.name == "load_firmware"]
    assert (loads[-1].args["version"], loads[-1].args["via"]) == (version, via)
    vias = {e.via for e in shared.history.events if isinstance(e, FirmwareTold) and e.version == version}
    assert "service" in vias
    status = shared.terminal.perform(Order("status_upload"))
    assert status.ok and shared.host.terminal_status()["FW"] == f"reference {version}"
    shared.host.sync()
    assert any(e.via == "host" and e.version == version for e in shared.history.events if isinstance(e, FirmwareTold))


def test_a_noisy_line_and_senders_that_fail(shared: Bench, images: dict[str, Path]) -> None:
    """Refused or recovered, and the next transfer works; one line of the history a transfer."""
    make_ready(shared)
    image, since = images["1.3.0"], shared.history.seq
    stops = shared.terminal.load_firmware(image, through=lambda line: Stops(line, blocks=5, gone=SenderStopped))
    assert (stops.ok, stops.code) == (False, "73")
    shared.front.await_screen(lambda seen: "更新失败" in seen.text or shared.terminal.is_idle(seen), 10.0, "the reason")
    two = shared.terminal.load_firmware(image, through=lambda line: SecondSender(line, other=image.read_bytes()))
    assert (two.ok, two.code) == (False, "73")
    assert shared.terminal.read_version()[1] != "1.3.0"
    noisy = shared.terminal.load_firmware(image, through=Noise, install=False)
    assert noisy.ok, noisy.text
    said = [e.text for e in shared.history.events if isinstance(e, Service) and e.seq > since]
    assert len([text for text in said if text.startswith("XMODEM-1K: ")]) == 3
    assert all(text.isascii() and text.isprintable() for text in said)
    conclude(shared)


def test_the_power_goes_in_the_middle_of_a_transfer(shared: Bench, images: dict[str, Path]) -> None:
    make_ready(shared)
    before, image = shared.terminal.read_version(), images["1.3.0"]

    def cut(block: int) -> None:
        if block == 7:
            shared.power.off()

    shared.terminal.to_idle()
    with pytest.raises(TerminalTimeout):
        shared.terminal.load_firmware(image, on_block=cut)
    shared.power.on()
    shared.terminal.await_idle(20)
    assert shared.terminal.read_version() == before
    assert shared.terminal.load_firmware(image, install=False).ok
    make_ready(shared)
    conclude(shared)
