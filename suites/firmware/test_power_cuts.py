"""The power is cut in the middle of an update: the old or the new version comes up, whole, with all that it held."""

import random

import pytest

from fixtures.update import ends_the_day, fill, image_under_test, look, report, sells_on, unit_with, updated
from harness.bench.bench import Bench
from harness.bench.updating import ask_version, give
from harness.campaigns.sweep.on_bench import sweep_unit
from harness.errors import TerminalTimeout
from harness.lab.firmware_images import Image
from harness.terminal.drivers.panel_firmware import BLOCK

SAMPLED = 2  # cuts of a transfer that are done for real


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> str:
    """What names the choices of this run (``--seed``)."""
    return str(request.config.getoption("--seed"))


def sweep(bench: Bench, old: Image, seed: str, *, everything: bool, cold: int) -> None:
    """Of a unit with a day in its memory; of one without where the new version begins with nothing stored."""
    unit_with(bench, old)
    new = image_under_test(bench)
    if new.resets:
        ends_the_day(bench)
    else:
        fill(bench)
    swept = sweep_unit(bench, old, new, seed=seed, everything=everything, cold=cold)
    assert not swept.bad, swept.bad[0].reason


@pytest.mark.declares("FWU-03")
def test_at_every_step_of_the_installation(bench: Bench, from_version: str, old_image: Image, seed: str) -> None:
    """Every flash operation of commit, trial, migration, confirmation and return, plain and torn, and some of the
    transfer, chosen by the seed. Replayed; a real board confirms some."""
    sweep(bench, old_image, seed, everything=False, cold=10)


@pytest.mark.nightly
@pytest.mark.declares("FWU-03")
def test_at_every_flash_operation(bench: Bench, from_version: str, old_image: Image, seed: str) -> None:
    """Of the transfer too."""
    sweep(bench, old_image, seed, everything=True, cold=200)


@pytest.mark.oldest
@pytest.mark.declares("FWU-03")
def test_while_an_image_comes(bench: Bench, from_version: str, old_image: Image, seed: str) -> None:
    """The supply is really switched off behind blocks chosen by the seed: the old version runs on, and takes the image
    the next time."""
    unit_with(bench, old_image)
    new = image_under_test(bench)
    if new.resets:
        ends_the_day(bench)
    else:
        fill(bench)
    blocks = range(1, new.path.stat().st_size // BLOCK)
    for last in sorted(random.Random(f"{seed} {bench.name} {from_version}").sample(blocks, SAMPLED)):

        def switch(block: int, last: int = last) -> None:
            if block == last:
                bench.power.off()

        with pytest.raises(TerminalTimeout):
            give(bench, new, on_block=switch)
        bench.power.on()
        bench.terminal.await_idle(60.0)
        assert ask_version(bench) == old_image.version
        look(bench)
    updated(bench, new)
    report(bench)
    if new.resets:
        return
    sells_on(bench)
