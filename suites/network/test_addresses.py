"""DHCP and name server fail: at start, during a sale, during recovery. A communication error, and back by itself."""

from collections.abc import Callable

import pytest

from harness.bench.bench import Bench
from harness.history.events import WireFrame
from harness.terminal.cards import CHIP, MAGNETIC
from harness.terminal.contracts import NOT_CONNECTED, Completion

LEASE = pytest.mark.needs(network="dhcp")
NAMES = pytest.mark.needs(resolve="name")
pytestmark = pytest.mark.declares("NET-04", "MSG-02")
SERVER_GONE = ["dhcp answer=silent", "dhcp answer=no_offer", "dhcp answer=nak"]
NAME_GONE = ["dns answer=nxdomain", "dns answer=servfail", "dns answer=wrong", "dns answer=drop"]


def restart(bench: Bench) -> None:
    """Off and on: an address is no memory."""
    bench.power.cycle()
    bench.terminal.await_idle(20)


def trouble(told: Completion) -> None:
    """The terminal says that it is not connected, and no code."""
    assert not told.ok and not told.connected, told.text
    assert told.code in (None, "Z1") and "97" not in told.text
    assert any(reason in told.text for reason in NOT_CONNECTED)


def frames(bench: Bench) -> int:
    """So many messages were on the wire so far."""
    bench.sync()
    return sum(isinstance(event, WireFrame) for event in bench.history.events)


def again(bench: Bench, action: Callable[[], Completion]) -> Completion:
    """With everything healed and nobody to visit it."""
    bench.cable.heal()
    return bench.once_connected(action)


# -- at start ----------------------------------------------------------------------------------------------------------


@LEASE
@pytest.mark.declares("NET-01")
@pytest.mark.parametrize("words", SERVER_GONE)
def test_no_address_at_start(bench: Bench, words: str) -> None:
    """Nothing leaves, nothing is shown that somebody could take for 97; with the server back it works."""
    armed = bench.cable.arm(f"{words} count=none")
    restart(bench)
    armed.await_strike()
    before = frames(bench)
    trouble(bench.terminal.sign_in())
    assert frames(bench) == before
    assert again(bench, bench.terminal.sign_in).ok
    assert bench.terminal.sale(10_00, card=MAGNETIC).ok


@LEASE
@pytest.mark.declares("NET-01")
def test_an_address_that_comes_late(bench: Bench) -> None:
    """The server takes its time: the terminal waits, asks again, and takes the late offer."""
    armed = bench.cable.arm("dhcp answer=slow delay_s=2 count=none")
    restart(bench)
    armed.await_strike()
    assert bench.once_connected(bench.terminal.sign_in).ok
    assert bench.terminal.sale(10_00, card=MAGNETIC).ok


@LEASE
@pytest.mark.declares("NET-01")
def test_a_router_that_leads_nowhere(bench: Bench) -> None:
    """An address, and no way to the acquirer. The next lease is right."""
    armed = bench.cable.arm("dhcp answer=wrong_router count=none")
    restart(bench)
    armed.await_strike()
    trouble(bench.terminal.sign_in())
    bench.cable.heal()
    restart(bench)
    assert bench.once_connected(bench.terminal.sign_in).ok
    assert bench.terminal.sale(10_00, card=MAGNETIC).ok


@NAMES
@pytest.mark.declares("NET-01")
@pytest.mark.parametrize("words", NAME_GONE)
def test_no_name_at_start(bench: Bench, words: str) -> None:
    armed = bench.cable.arm(f"{words} count=none")
    restart(bench)
    trouble(bench.terminal.sign_in())
    armed.await_strike()
    assert again(bench, bench.terminal.sign_in).ok
    assert bench.terminal.sale(10_00, card=MAGNETIC).ok


# -- during a sale -----------------------------------------------------------------------------------------------------


@NAMES
@pytest.mark.declares("NET-01")
@pytest.mark.parametrize("words", NAME_GONE)
def test_the_name_is_lost_before_a_sale(bench: Bench, words: str) -> None:
    """What the terminal remembered of it is over; nothing was sent, so nothing is to be reversed."""
    armed = bench.cable.arm(f"{words} count=none")  # before: what the terminal does by itself asks for the name too
    restart(bench)
    trouble(bench.terminal.sale(10_00, card=CHIP))
    armed.await_strike()
    sold = again(bench, lambda: bench.terminal.sale(11_00, card=CHIP))
    assert sold.ok
    assert bench.terminal.void(sold.trace).ok


@LEASE
@pytest.mark.declares("NET-01")
def test_the_address_is_taken_away_while_a_sale_is_answered(bench: Bench) -> None:
    """The cable is out when the request has left. Back at a server that grants nothing any more the address is given
    up; no answer comes; the outcome is unknown, and is reversed once there is an address."""
    bench.host.misbehave("0200", "never")
    operation = bench.terminal.begin_sale(10_00, card=MAGNETIC)
    bench.await_frame("0200")
    bench.cable.unplug()
    bench.observe_terminal_time(25, "that the cable is out is noticed")
    refused = bench.cable.arm("dhcp answer=nak count=none")
    bench.cable.plug()
    refused.await_strike()
    told = operation.wait()
    assert not told.ok and told.code in (None, "Z2") and "97" not in told.text
    bench.host.behave()
    assert again(bench, bench.terminal.sign_in).ok
    assert bench.terminal.sale(11_00, card=MAGNETIC).ok


# -- during recovery ---------------------------------------------------------------------------------------------------


@NAMES
@pytest.mark.declares("NET-05")
@pytest.mark.parametrize("words", NAME_GONE)
def test_the_name_is_lost_during_recovery(bench: Bench, words: str) -> None:
    """97, then this; registered meanwhile: the recovery is late, and nothing else."""
    code = bench.profile.not_registered[0]
    bench.host.deregister()
    assert bench.terminal.sale(10_00, card=MAGNETIC).code == code
    bench.cable.arm(f"{words} count=none")
    restart(bench)
    bench.host.register()
    trouble(bench.terminal.sign_in())
    assert again(bench, bench.terminal.sign_in).ok
    assert bench.terminal.sale(11_00, card=MAGNETIC).ok


@LEASE
@pytest.mark.declares("NET-05")
@pytest.mark.parametrize("words", SERVER_GONE)
def test_the_address_is_lost_during_recovery(bench: Bench, words: str) -> None:
    code = bench.profile.not_registered[0]
    bench.host.deregister()
    assert bench.terminal.sign_in().code == code
    bench.cable.arm(f"{words} count=none")
    restart(bench)
    bench.host.register()
    trouble(bench.terminal.sign_in())
    assert again(bench, bench.terminal.sign_in).ok
    assert bench.terminal.sale(11_00, card=MAGNETIC).ok
