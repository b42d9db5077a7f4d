"""A relay's contact in the network cable opens while the shop sells: a line that is out, and no 97."""

import pytest

from fixtures.disturbed import PHASES
from harness.bench.bench import Bench
from harness.instruments.contracts import NETWORK_CONTACT
from harness.terminal.cards import MAGNETIC

pytestmark = [pytest.mark.needs(instruments=True), pytest.mark.declares("MSG-02")]


def test_the_cable_is_out_before_a_sale(bench: Bench) -> None:
    """The terminal says that it can't connect, and sells again once the contact is closed."""
    assert bench.instruments is not None
    relay = bench.instruments.relay
    relay.open_contact(NETWORK_CONTACT)
    refused = bench.terminal.sale(97_00, card=MAGNETIC)
    assert not refused.ok and not refused.connected, refused.text
    relay.close_contact(NETWORK_CONTACT)
    assert bench.once_connected(lambda: bench.terminal.sale(11_00, card=MAGNETIC)).ok


@pytest.mark.parametrize("phase", ["request", "response"])
def test_the_cable_is_pulled_in_a_sale(bench: Bench, phase: str) -> None:
    """In the middle of it: no answer comes, what becomes of the sale is settled once the contact is closed."""
    assert bench.instruments is not None
    relay = bench.instruments.relay
    held = bench.cable.arm(f"hold at {PHASES[phase]}")
    sale = bench.terminal.begin_sale(97_00, card=MAGNETIC)
    held.await_strike()
    relay.open_contact(NETWORK_CONTACT)
    held.heal()
    told = sale.wait()
    assert not told.ok and told.code != bench.profile.not_registered[0], told.text
    relay.close_contact(NETWORK_CONTACT)
    assert bench.once_connected(lambda: bench.terminal.sale(12_00, card=MAGNETIC)).ok
