"""Two merchants share a terminal: 97 for one of them is nothing to the other."""

import pytest

from harness.bench.bench import Bench
from harness.terminal.cards import CHIP, MAGNETIC

pytestmark = [pytest.mark.declares("STA-08"), pytest.mark.needs(identities=2)]


@pytest.mark.parametrize("state", ["removed", "pending"])
@pytest.mark.parametrize("blocked", [1, 2])
def test_97_for_one_of_them(bench: Bench, blocked: int, state: str) -> None:
    """One is forgotten and told 97 on its sign-in; the other sells, voids and settles; then both work again."""
    terminal, other = bench.terminal, 3 - blocked
    mine = bench.host.for_merchant(blocked)
    assert terminal.select_merchant(blocked).ok
    assert terminal.sale(10_00, card=MAGNETIC).ok
    if state == "removed":
        mine.deregister()
    else:
        mine.set_state(state)
    assert terminal.sign_in().code == "97"
    assert not terminal.sale(11_00, card=CHIP).ok

    assert terminal.select_merchant(other).ok
    sold = terminal.sale(12_00, card=CHIP)
    assert sold.ok
    assert terminal.void(sold.trace).ok
    assert terminal.sale(13_00, card=MAGNETIC).ok
    assert terminal.settle().ok

    mine.register()
    assert terminal.select_merchant(blocked).ok
    assert terminal.sign_in().ok
    assert terminal.sale(14_00, card=MAGNETIC).ok


def test_97_on_a_sale_of_one_of_them(bench: Bench) -> None:
    """Forgotten while signed in, and switched off and on in between."""
    terminal = bench.terminal
    bench.host.for_merchant(2).deregister()
    assert terminal.select_merchant(2).ok
    assert terminal.sale(10_00, card=CHIP).code == "97"
    bench.power.cycle()
    terminal.await_idle(20)
    assert terminal.select_merchant(1).ok
    assert terminal.sign_in().ok
    assert terminal.sale(11_00, card=MAGNETIC).ok
    bench.host.for_merchant(2).register()
    assert terminal.select_merchant(2).ok
    assert terminal.sign_in().ok
    assert terminal.sale(12_00, card=CHIP).ok
