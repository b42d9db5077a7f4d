"""What people take for 97, and 97s that are none: the terminal must tell them apart."""

import pytest

from fixtures.shop import shop_for
from harness.bench.bench import Bench
from harness.protocol.transactions import KINDS, REVERSIBLE
from harness.terminal.cards import MAGNETIC

pytestmark = pytest.mark.declares("MSG-02", "MSG-05")


@pytest.mark.physical
def test_cable_out(bench: Bench) -> None:
    bench.cable.unplug()
    assert not bench.terminal.sale(97_00, card=MAGNETIC).ok
    bench.cable.plug()
    assert bench.once_connected(lambda: bench.terminal.sale(1_00, card=MAGNETIC)).ok


@pytest.mark.physical
def test_no_answer(bench: Bench) -> None:
    bench.host.misbehave("0200", "never")
    assert not bench.terminal.sale(97_00, card=MAGNETIC).ok


def test_connection_closed_instead_of_an_answer(bench: Bench) -> None:
    bench.host.misbehave("0200", "close")
    assert not bench.terminal.sale(97_00, card=MAGNETIC).ok


def test_connection_reset_while_waiting(bench: Bench) -> None:
    bench.host.misbehave("0200", "never")
    reset = bench.cable.arm("rst after 0200")
    assert not bench.terminal.sale(97_00, card=MAGNETIC).ok
    reset.await_strike()


def test_sign_in_without_an_answer(bench: Bench) -> None:
    bench.host.misbehave("0800", "drop")
    assert not bench.terminal.sign_in().ok


@pytest.mark.declares("MON-10")
@pytest.mark.parametrize("action", ["bad_mac", "foreign_trace"])
def test_97_that_does_not_answer_the_request(bench: Bench, action: str) -> None:
    """A 97 whose MAC is wrong, or for another trace number, says nothing: the outcome is unknown, the reversal due."""
    bench.host.misbehave("0200", action, code="97")
    refused = bench.terminal.sale(10_00, card=MAGNETIC)
    assert not refused.ok
    assert refused.code != "97"


@pytest.mark.declares("MON-10")
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.needs(transactions=name)) for name in sorted(REVERSIBLE)]
)
def test_97_for_another_trace_number_on_all_that_is_reversed(bench: Bench, name: str) -> None:
    """Where the profile has the terminal keep the reversal then, as this one has; others take the risk."""
    assert bench.profile.reversal_on_mismatch == "keep"
    shop = shop_for(bench, name)
    bench.host.misbehave(KINDS[name].mti, "foreign_trace", code="97")
    told = shop.perform(shop.order())
    assert not told.ok
    assert told.code != "97"
    assert shop.sale().ok
    assert shop.perform(shop.order()).ok


@pytest.mark.declares("MON-09")
def test_97_that_comes_too_late(bench: Bench) -> None:
    """The receive time-out has passed when 97 arrives: the time-out stands, and so does the reversal."""
    bench.host.misbehave("0200", "late", code="97", delay_s=bench.plan.timeout_s + 0.7)
    assert not bench.terminal.sale(10_00, card=MAGNETIC).ok
    bench.await_frame("0210")
