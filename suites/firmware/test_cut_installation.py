"""The power goes while the bench's firmware installs its successor: one of them comes up, with all that was stored.

What it does with what an older version stored: test_power_cuts.py.
"""

from collections.abc import Iterable

import pytest

from fixtures.update import MOST_OPERATIONS, cut_in_installation, fill, look, sells_on, wanted
from harness.bench.bench import Bench
from harness.bench.updating import ask_version, give
from harness.errors import TerminalTimeout
from harness.lab.image_set import ImageFile, ImageSet

FEW = (1, 3, 4, 6)  # of an installation: its note, the request, the boot loader's mark, the first start


@pytest.mark.declares("FWU-03")
@pytest.mark.needs_image("successor")
def test_in_the_transfer_and_in_the_installation(bench: Bench, images: ImageSet) -> None:
    fill(bench, reversal=False)
    software = wanted(images.successor())
    bench.power.cut_at(90, torn=True)
    with pytest.raises(TerminalTimeout):
        give(bench, software)
    back(bench)
    install_cut_at(bench, software, FEW)
    sells_on(bench)


@pytest.mark.nightly
@pytest.mark.parametrize("torn", [False, True], ids=["before", "torn"])
@pytest.mark.declares("FWU-03")
@pytest.mark.needs_image("successor")
def test_at_every_step_of_the_installation(bench: Bench, images: ImageSet, torn: bool) -> None:
    fill(bench)
    install_cut_at(bench, wanted(images.successor()), range(1, MOST_OPERATIONS), torn=torn)
    sells_on(bench)


def install_cut_at(
    bench: Bench, software: ImageFile, operations: Iterable[int], *, torn: bool = False
) -> None:
    """Loaded, and installed with a cut at each of these operations, as long as the old version is what comes up."""
    for operation in operations:
        assert give(bench, software, install=False).ok
        cut = cut_in_installation(bench, operation, torn=torn)
        if cut:
            back(bench)
        else:
            ask_version(bench)
        if not cut or bench.runs[1] == software.firmware.version:
            return


def back(bench: Bench) -> None:
    """The power comes back, and the terminal says what it runs and holds."""
    bench.power.on()
    bench.terminal.await_idle(30)
    ask_version(bench)
    look(bench)
