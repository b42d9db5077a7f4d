"""Every version that units in shops may run is updated to the firmware of this bench, and nothing is lost.

Without ``--from`` these are the released versions below it.
"""

import pytest

from fixtures.update import ends_the_day, fill, image_under_test, look, report, sells_on, unit_with, updated
from harness.bench.bench import Bench
from harness.history.update_events import Route
from harness.lab.firmware_images import Image


@pytest.mark.declares("FWU-01", "FWU-07", "FWU-09", "MON-08")
def test_with_a_day_in_its_memory(bench: Bench, from_version: str, old_image: Image) -> None:
    """Sales, a void, one accepted offline and a reversal that is due: all of it goes out after the update."""
    unit_with(bench, old_image)
    fill(bench)
    updated(bench, image_under_test(bench))
    report(bench)
    ends_the_day(bench)


@pytest.mark.oldest
@pytest.mark.declares("FWU-08", "FWU-09", "REC-01", "MON-07")
def test_in_97(bench: Bench, from_version: str, old_image: Image) -> None:
    """The terminal is not registered any more: the update is done all the same, and so is the recovery. (In 97 nobody
    can end the day, which a version that begins with nothing stored would wait for.)"""
    software = image_under_test(bench)
    unit_with(bench, old_image)
    if not software.resets:
        fill(bench, reversal=False)
    bench.host.deregister()
    assert bench.terminal.sign_in().code == "97"
    look(bench)
    updated(bench, software)
    assert bench.terminal.sign_in().code == "97"
    bench.host.register()
    assert bench.terminal.sign_in().ok
    sells_on(bench)


@pytest.mark.nightly
@pytest.mark.parametrize("in_97", [False, True], ids=["in-service", "in-97"])
@pytest.mark.parametrize("via", ["service", "network"])
@pytest.mark.declares("FWU-01", "FWU-09")
def test_every_way(bench: Bench, from_version: str, old_image: Image, via: Route, in_97: bool) -> None:
    """The whole matrix: by each route, in 97 and out of it. A host has no software for whom it does not know: by the
    network the terminal is registered again, and 97 is the last that it was told before."""
    software = image_under_test(bench)
    unit_with(bench, old_image)
    if not (in_97 and software.resets):
        fill(bench)
    if in_97:
        bench.host.deregister()
        assert bench.terminal.sign_in().code == "97"
        look(bench)
        if via == "network":
            bench.host.register()
    updated(bench, software, via=via)
    if in_97 and via == "service":
        bench.host.register()
    assert bench.terminal.sign_in().ok
    report(bench)
    ends_the_day(bench)
