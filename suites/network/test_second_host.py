"""A terminal that knows a second host turns to it when the first can't be reached - and never over a 97."""

import pytest

from fixtures.rough_line import hang_up
from harness.bench.bench import Bench
from harness.terminal.cards import MAGNETIC
from harness.wire.faults import Fault
from harness.wire.faults.spoken import parse

pytestmark = [pytest.mark.declares("NET-06"), pytest.mark.needs(backup_host=True), pytest.mark.needs(resolve="address")]
UNREACHABLE = ["rst count=none at connecting", "syn_blackhole", "icmp_unreachable code=port at connecting"]


@pytest.fixture
def two_hosts(bench: Bench) -> Bench:
    """The bench with the acquirer's second address set at the terminal."""
    bench.use_second_host()
    hang_up(bench)
    return bench


def first_host(bench: Bench, words: str) -> Fault:
    """The fault, for connections to the first host only."""
    name, *rest = words.split(" ", 1)
    return parse(" ".join([name, f"address={bench.plan.network.address}", *rest]))


@pytest.mark.parametrize("words", UNREACHABLE)
def test_first_host_can_not_be_reached(two_hosts: Bench, words: str) -> None:
    """Sold at the second host; sold at the first again when it is back and the terminal's time is over."""
    armed = two_hosts.cable.arm(first_host(two_hosts, words))
    assert two_hosts.terminal.sale(10_00, card=MAGNETIC).ok
    armed.await_strike()
    two_hosts.cable.heal()
    assert two_hosts.terminal.sale(11_00, card=MAGNETIC).ok


def test_97_is_no_reason_to_ask_elsewhere(two_hosts: Bench) -> None:
    """Neither on a sale nor on a sign-in."""
    two_hosts.host.deregister()
    assert not two_hosts.terminal.sale(10_00, card=MAGNETIC).ok
    assert two_hosts.terminal.sign_in().code == two_hosts.profile.not_registered[0]
    two_hosts.host.register()
    assert two_hosts.terminal.sign_in().ok
    assert two_hosts.terminal.sale(11_00, card=MAGNETIC).ok
