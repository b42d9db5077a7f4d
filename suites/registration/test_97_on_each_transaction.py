"""De-registered while signed in: 97 arrives on whatever the shop does next."""

import pytest

from harness.bench.bench import Bench
from harness.terminal.cards import CHIP, MAGNETIC, Card
from harness.terminal.contracts import Order

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


@pytest.mark.declares("MON-06", "MON-11")
def test_batch_end(bench: Bench) -> None:
    """Totals agree, nothing is to be uploaded, and 97 comes on the last message: the batch is still the terminal's."""
    assert bench.terminal.sale(10_00, card=MAGNETIC).ok
    bench.host.answer("0320", "97")

    assert bench.terminal.settle().code == "97"
    assert bench.terminal.settle().ok


@pytest.mark.needs(transactions="capk_update")
@pytest.mark.needs(transactions="ic_parameter_update")
@pytest.mark.needs(transactions="blacklist_update")
@pytest.mark.parametrize(("name", "message"), [
    ("capk_update", "370"), ("capk_update", "371"), ("ic_parameter_update", "380"), ("ic_parameter_update", "381"),
    ("blacklist_update", "391"),
])  # fmt: skip
def test_in_the_middle_of_a_download(bench: Bench, name: str, message: str) -> None:
    """The list came, and one of its entries, or the word that it is whole, is answered 97."""
    bench.host.answer("0800", "97", network_code=message)
    assert bench.terminal.perform(Order(name)).code == "97"
    assert bench.terminal.perform(Order(name)).ok
    assert bench.terminal.sale(1_00, card=CHIP).ok


@pytest.mark.declares("MON-03")
def test_reversal(bench: Bench) -> None:
    bench.host.misbehave("0200", "never")
    assert not bench.terminal.sale(10_00, card=MAGNETIC).ok
    bench.host.deregister()

    assert bench.terminal.sale(11_00, card=MAGNETIC).code == "97"  # the reversal goes first, and is answered 97

    bench.host.register()
    assert bench.terminal.sign_in().ok
    assert bench.terminal.sale(12_00, card=MAGNETIC).ok
