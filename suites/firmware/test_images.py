"""Images that a terminal must not run: refused with a reason, or turned back from, and the day goes on."""

from dataclasses import replace

import pytest

from fixtures.update import change_on_flash, cut_when_it_is_to_start, fill, look, report, sells_on, wanted
from harness.bench.bench import Bench
from harness.bench.updating import ask_version, give, update
from harness.history.update_events import Route
from harness.lab.image_set import FLAWS, TURNED_BACK, ImageSet
from harness.terminal.cards import MAGNETIC

REFUSED = [flaw for flaw in FLAWS if flaw not in TURNED_BACK]


@pytest.mark.declares("FWU-04", "MON-07")
def test_what_must_be_refused(bench: Bench, images: ImageSet) -> None:
    """One after the other by the service port, with a day in the terminal's memory."""
    fill(bench)
    ask_version(bench)
    for flaw in REFUSED:
        software = images.flawed(flaw)
        if software is not None:
            assert not update(bench, software).ok, flaw
            look(bench)
    report(bench)
    sells_on(bench)


@pytest.mark.nightly
@pytest.mark.parametrize("flaw", [flaw for flaw in REFUSED if flaw not in ("empty", "oversized", "truncated")])
@pytest.mark.declares("FWU-04")
@pytest.mark.needs_image("flaw")
def test_what_must_be_refused_from_the_host(bench: Bench, images: ImageSet, flaw: str) -> None:
    software = wanted(images.flawed(flaw))
    assert bench.terminal.sale(10_00, card=MAGNETIC).ok
    assert not bench.once_connected(lambda: update(bench, software, via="network")).ok
    look(bench)
    sells_on(bench)


@pytest.mark.declares("FWU-06")
def test_what_fails_at_its_first_start(bench: Bench, images: ImageSet) -> None:
    """Its self-test, an error, a hang: the version before comes back by itself, and the host serves it as before."""
    fill(bench, reversal=False)
    for flaw in TURNED_BACK:
        software = images.flawed(flaw)
        if software is None:
            continue
        assert update(bench, software).ok
        assert bench.runs == (bench.plan.firmware.name, bench.plan.firmware.version)
        look(bench)
        sells_on(bench)


@pytest.mark.declares("FWU-04", "SEC-04")
@pytest.mark.needs_image("successor")
def test_changed_between_check_and_start(bench: Bench, images: ImageSet) -> None:
    """A byte of it is changed on the flash: when it was loaded and checked, and when it was to be started."""
    fill(bench, reversal=False)
    software = wanted(images.successor())
    changed = replace(software, flaw="changed_before_install")
    assert give(bench, changed, install=False).ok
    change_on_flash(bench, changed)
    assert not bench.terminal.install_firmware().ok
    ask_version(bench)
    look(bench)

    changed = replace(software, flaw="changed_before_start")
    assert give(bench, changed, install=False).ok
    cut_when_it_is_to_start(bench)
    change_on_flash(bench, changed)
    bench.power.on()
    bench.terminal.await_idle(20)
    ask_version(bench)
    look(bench)
    sells_on(bench)


@pytest.mark.declares("FWU-01", "FWU-07", "FWU-08", "FWU-09")
@pytest.mark.needs_image("successor")
def test_a_successor_in_97(bench: Bench, images: ImageSet) -> None:
    """The terminal is not registered any more; the next version is installed all the same, and then it recovers."""
    fill(bench, reversal=False)
    bench.host.deregister()
    assert bench.terminal.sign_in().code == "97"
    look(bench)
    assert update(bench, wanted(images.successor())).ok
    look(bench)
    bench.host.register()
    assert bench.terminal.sign_in().ok
    report(bench)
    sells_on(bench)


@pytest.mark.nightly
@pytest.mark.parametrize("via", ["service", "network"])
@pytest.mark.declares("FWU-01", "FWU-07", "FWU-09")
@pytest.mark.needs_image("successor")
def test_a_successor(bench: Bench, images: ImageSet, via: Route) -> None:
    fill(bench)
    assert update(bench, wanted(images.successor()), via=via).ok
    look(bench)
    report(bench)
    sells_on(bench)
