"""A shop in the middle of its day: what was sold before is still there after the supply was gone, and is settled."""

import pytest

from fixtures.disturbed import Work
from harness.bench.bench import Bench
from harness.terminal.cards import CHIP, MAGNETIC

pytestmark = [pytest.mark.needs(instruments=True), pytest.mark.declares("ENV-02")]
INTERRUPTED = 4  # of the profile: for 5 s


def test_the_supply_goes_over_a_batch(bench: Bench) -> None:
    """Two sales, and no power for a while; the settlement after the test says what is left of them."""
    for amount, card in ((10_00, MAGNETIC), (11_00, CHIP)):
        assert bench.terminal.sale(amount, card=card).ok
    work = Work(bench, "before")
    with bench.stress("dips", during="", only=[INTERRUPTED]) as stress:
        for struck in stress:
            struck.meet(work.begin)
            struck.come_back()
    work.come_back()
