"""The answer to a sale is lost, then 97 comes: the reversal outlives every 97 and takes effect exactly once."""

import pytest

from harness.bench.bench import Bench
from harness.terminal.cards import MAGNETIC

pytestmark = pytest.mark.declares("MON-03", "REC-03", "MON-07")


def lose_the_answer(bench: Bench, cents: int = 10_00) -> None:
    """Unplug the cable while the answer to a sale is under way."""
    bench.host.misbehave("0200", "late", delay_s=0.5)
    operation = bench.terminal.begin_sale(cents, card=MAGNETIC)
    bench.await_frame("0200")
    bench.cable.unplug()
    assert not operation.wait().ok


@pytest.mark.physical
def test_97_on_sign_in_and_on_the_reversal(bench: Bench) -> None:
    lose_the_answer(bench)
    bench.host.deregister()
    bench.cable.plug()
    assert bench.once_connected(bench.terminal.sign_in).code == "97"
    assert not bench.terminal.sale(11_00, card=MAGNETIC).ok
    assert bench.terminal.sign_in().code == "97"

    bench.host.register()
    assert bench.terminal.sign_in().ok
    assert bench.terminal.sale(12_00, card=MAGNETIC).ok


@pytest.mark.declares("STA-04")
def test_with_a_power_cut_between(bench: Bench) -> None:
    lose_the_answer(bench)
    bench.host.deregister()
    bench.cable.plug()
    assert bench.once_connected(bench.terminal.sign_in).code == "97"
    bench.power.cycle()
    bench.terminal.await_idle(20)
    assert not bench.terminal.sale(11_00, card=MAGNETIC).ok

    bench.host.register()
    assert bench.terminal.sign_in().ok
    assert bench.terminal.sale(12_00, card=MAGNETIC).ok


def test_many_97s_on_the_reversal_itself(bench: Bench) -> None:
    """Public terminals count such answers down and then forget the reversal: money lost."""
    lose_the_answer(bench)
    bench.host.deregister()
    bench.cable.plug()
    for _ in range(5):
        assert bench.once_connected(lambda: bench.terminal.sale(11_00, card=MAGNETIC)).code == "97"

    bench.host.register()
    assert bench.terminal.sign_in().ok
    assert bench.terminal.sale(12_00, card=MAGNETIC).ok
