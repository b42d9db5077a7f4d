"""The power is cut at every flash operation of an update: replayed from a copy of the unit's flash; boards confirm it.

Where nobody can copy a flash the supply is switched off behind blocks of the transfer that the seed chooses.
"""

import random

import pytest

from fixtures.update import ends_the_day, fill, image_under_test, look, sells_on, unit_with, wanted
from harness.bench.bench import Bench
from harness.bench.updating import ask_version, give, update
from harness.campaigns.sweep.on_bench import sweep_unit
from harness.errors import TerminalTimeout
from harness.lab.firmware_images import Image
from harness.lab.image_set import ImageSet
from harness.terminal.drivers.panel_firmware import BLOCK

SAMPLED = 2  # blocks of a transfer behind which the supply is really switched off


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


@pytest.mark.oldest
@pytest.mark.declares("FWU-03")
def test_at_every_step_of_the_installation(bench: Bench, from_version: str, old_image: Image, seed: str) -> None:
    """Every flash operation of commit, trial, migration, confirmation and return, plain and torn, and some of the
    transfer, chosen by the seed."""
    sweep(bench, old_image, seed, everything=False, cold=10)


@pytest.mark.nightly
@pytest.mark.declares("FWU-03")
def test_at_every_flash_operation(bench: Bench, from_version: str, old_image: Image, seed: str) -> None:
    """Of the transfer too, from every version."""
    sweep(bench, old_image, seed, everything=True, cold=200)


@pytest.mark.physical
@pytest.mark.declares("FWU-03")
@pytest.mark.needs_image("successor")
def test_behind_some_blocks_of_the_transfer(bench: Bench, images: ImageSet, seed: str) -> None:
    """The version that ran goes on, and takes the image the next time."""
    fill(bench, reversal=False)
    new = wanted(images.successor())
    blocks = range(1, new.path.stat().st_size // BLOCK)
    for last in sorted(random.Random(f"{seed} {bench.name}").sample(blocks, SAMPLED)):

        def switch(block: int, last: int = last) -> None:
            if block == last:
                bench.power.off()

        with pytest.raises(TerminalTimeout):
            give(bench, new, on_block=switch)
        bench.power.on()
        bench.terminal.await_idle(60.0)
        ask_version(bench)
        look(bench)
    taken = update(bench, new)
    assert taken.ok, taken.text
    sells_on(bench)
