"""The whole installation: from a unit in its box to the first settled batch, by the service port and by a code."""

import pytest

from fixtures.installing import SETTINGS, Installation, blank
from harness.bench.bench import Bench
from harness.terminal.cards import MAGNETIC
from harness.terminal.contracts import Via


@pytest.mark.declares("INS-02")
def test_by_the_service_port(bench: Bench) -> None:
    blank(bench)
    Installation(bench).whole()


@pytest.mark.declares("INS-02")
@pytest.mark.parametrize("via", ["keypad", "service"])
def test_by_an_activation_code(bench: Bench, via: Via) -> None:
    """Identity and key come from the acquirer, against a code."""
    blank(bench)
    code = bench.host.offer_activation(bench.serial)
    work = Installation(bench)
    work.do("parameters", "network", "host")
    told = bench.once_connected(lambda: bench.terminal.activate(code, via=via))
    assert told.ok, told.text
    work.key_of_the_others()
    work.online()


@pytest.mark.declares("INS-01")
@pytest.mark.parametrize("settings", range(len(SETTINGS)))
def test_out_of_the_box_nothing_is_sold(bench: Bench, settings: int) -> None:
    """However far the installation is: before identity and key are there no financial key leads anywhere."""
    blank(bench)
    work = Installation(bench)
    work.do(*SETTINGS[:settings])
    assert not bench.terminal.sale(10_00, card=MAGNETIC).ok
    bench.terminal.to_idle()
    assert not bench.terminal.sale(10_00, card=MAGNETIC, via="cashier").ok
    assert not bench.terminal.settle().ok
    assert not bench.terminal.sign_in().ok
    work.do(*SETTINGS[settings:])
    work.online()
