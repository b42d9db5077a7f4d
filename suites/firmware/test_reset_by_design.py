"""A version that begins with nothing stored is refused while there is something; afterwards the terminal is set up."""

from pathlib import Path

import pytest

from fixtures.update import fill, resetting, sells_on
from harness.bench.bench import Bench
from harness.bench.ready import provision
from harness.bench.updating import update
from harness.lab.image_set import ImageSet


@pytest.mark.declares("FWU-02")
@pytest.mark.needs_image("resets")
def test_not_over_what_is_stored(bench: Bench, images: ImageSet, tmp_path: Path) -> None:
    software = resetting(bench, images, tmp_path)
    fill(bench)
    assert not update(bench, software).ok
    sells_on(bench)
    assert not update(bench, software).ok
    assert bench.terminal.settle().ok

    assert update(bench, software).ok
    assert not bench.terminal.sign_in().ok
    provision(bench)
    assert bench.terminal.sign_in().ok
    sells_on(bench)
