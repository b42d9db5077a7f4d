"""De-registered while signed in: 97 arrives on whatever the shop does next."""

import pytest

from harness.bench.bench import Bench
from harness.terminal.cards import CHIP, MAGNETIC, Card

pytestmark = pytest.mark.declares("MSG-01", "MSG-05", "MON-01", "MON-02", "MON-07")


@pytest.mark.physical
@pytest.mark.parametrize("card", [MAGNETIC, CHIP], ids=["magnetic", "chip"])
def test_sale_by_keypad(bench: Bench, card: Card) -> None:
    assert bench.terminal.sale(10_00, card=card, pin=True).ok
    bench.host.deregister()

    assert bench.terminal.sale(97_00, card=card, pin=True).code == "97"

    bench.host.register()
    assert bench.terminal.sign_in().ok
    assert bench.terminal.sale(11_00, card=card).ok


@pytest.mark.declares("MSG-04")
def test_sale_by_cashier_link(bench: Bench) -> None:
    """The till learns 97 as a decline, and a silent host as something else."""
    assert bench.terminal.sale(10_00, card=MAGNETIC, via="cashier").ok
    bench.host.deregister()
    declined = bench.terminal.sale(12_00, card=MAGNETIC, via="cashier")
    assert declined.code == "97"

    bench.host.register()
    assert bench.terminal.sign_in(via="cashier").ok
    bench.host.misbehave("0200", "drop")
    unanswered = bench.terminal.sale(13_00, card=CHIP, via="cashier")
    assert not unanswered.ok
    assert unanswered.code != declined.code


def test_void(bench: Bench) -> None:
    sale = bench.terminal.sale(10_00, card=MAGNETIC)
    assert sale.ok
    bench.host.deregister()

    assert bench.terminal.void(sale.trace).code == "97"

    bench.host.register()
    assert bench.terminal.sign_in().ok
    assert bench.terminal.void(sale.trace).ok


def test_echo(bench: Bench) -> None:
    bench.host.answer("0820", "97")
    assert bench.terminal.echo().code == "97"
    assert bench.terminal.sale(1_00, card=MAGNETIC).ok


@pytest.mark.declares("MON-05")
def test_settlement(bench: Bench) -> None:
    assert bench.terminal.sale(10_00, card=MAGNETIC).ok
    bench.host.deregister()

    assert bench.terminal.settle().code == "97"


@pytest.mark.declares("MON-06", "MON-11")
def test_batch_upload(bench: Bench) -> None:
    """Totals differ, the terminal uploads its batch, and 97 comes in the middle: nothing twice, nothing missing."""
    for cents in range(10_00, 10_00 + 10):  # more than one block of eight records
        assert bench.terminal.sale(cents, card=MAGNETIC, via="cashier").ok
    bench.host.misbehave("0500", "unbalanced")
    bench.host.answer("0320", "97", skip=1)

    assert bench.terminal.settle().code == "97"


@pytest.mark.declares("MON-03")
def test_reversal(bench: Bench) -> None:
    bench.host.misbehave("0200", "never")
    assert not bench.terminal.sale(10_00, card=MAGNETIC).ok
    bench.host.deregister()

    assert bench.terminal.sale(11_00, card=MAGNETIC).code == "97"  # the reversal goes first, and is answered 97

    bench.host.register()
    assert bench.terminal.sign_in().ok
    assert bench.terminal.sale(12_00, card=MAGNETIC).ok
