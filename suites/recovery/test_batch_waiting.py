"""Money in the batch when 97 comes: it is still there afterwards, under its own batch number, once."""

import pytest

from harness.bench.bench import Bench
from harness.terminal.cards import CHIP, MAGNETIC

pytestmark = pytest.mark.declares("MON-07", "REC-04")


@pytest.mark.declares("REC-06", "MON-05")
def test_host_starts_the_batch_again_at_000001(bench: Bench) -> None:
    """Re-registration resets the host's batch number; what the terminal holds is delivered under the old one first."""
    bench.host.set_batch("000042")
    assert bench.terminal.sign_in().ok
    assert bench.terminal.sale(10_00, card=MAGNETIC).ok
    assert bench.terminal.sale(11_00, card=MAGNETIC).ok
    bench.host.deregister()
    assert bench.terminal.settle().code == "97"

    bench.host.register()
    assert bench.terminal.sign_in().ok
    assert bench.terminal.settle().ok
    assert bench.terminal.sale(12_00, card=MAGNETIC).ok


@pytest.mark.declares("STA-07")
@pytest.mark.parametrize("via", ["service", "keypad"])
def test_identity_is_locked_while_transactions_are_stored(bench: Bench, via: str) -> None:
    """An operator who tries another terminal number against 97 must settle first."""
    assert bench.terminal.sale(10_00, card=MAGNETIC).ok
    bench.host.deregister()
    assert bench.terminal.sign_in().code == "97"

    assert not bench.terminal.set_identity("97009999", bench.host.mid, via=via).ok

    bench.host.register()
    assert bench.terminal.sign_in().ok
    assert bench.terminal.sale(11_00, card=MAGNETIC).ok


@pytest.mark.declares("MON-08")
def test_trace_numbers_go_on_after_reboot(bench: Bench) -> None:
    assert bench.terminal.sale(10_00, card=MAGNETIC).ok
    bench.host.deregister()
    assert bench.terminal.sale(11_00, card=MAGNETIC).code == "97"
    bench.power.cycle()
    bench.terminal.await_idle(20)
    bench.host.register()
    assert bench.terminal.sign_in().ok
    assert bench.terminal.sale(12_00, card=MAGNETIC).ok
    assert bench.terminal.sale(13_00, card=MAGNETIC).ok


def test_settled_after_recovery(bench: Bench) -> None:
    assert bench.terminal.sale(10_00, card=MAGNETIC).ok
    bench.host.deregister()
    assert bench.terminal.sign_in().code == "97"
    bench.host.register()
    assert bench.terminal.sign_in().ok
    sale = bench.terminal.sale(20_00, card=CHIP)
    assert sale.ok
    assert bench.terminal.void(sale.trace).ok
    assert bench.terminal.settle().ok
