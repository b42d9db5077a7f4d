"""Parts of the terminal broken one by one: each is said to be what it is, and a 97 that comes meanwhile is shown."""

import pytest

from fixtures.disturbed import noticed, read
from fixtures.installing import Installation
from harness.bench.bench import Bench
from harness.history.instrument_events import Part
from harness.terminal.cards import CHIP, CONTACTLESS, MAGNETIC, WECHAT, Card
from harness.terminal.contracts import Via

pytestmark = [pytest.mark.needs(instruments=True), pytest.mark.declares("ENV-03", "MSG-02")]


def refused_97(bench: Bench, card: Card, via: Via = "keypad") -> None:
    """The acquirer has forgotten the terminal; a customer comes."""
    bench.host.deregister()
    assert bench.terminal.sale(97_00, card=card, via=via).code == bench.profile.not_registered[0]
    bench.host.register()


def back_to_work(bench: Bench, card: Card = MAGNETIC) -> None:
    """All of it is whole: one sign-in, one sale."""
    bench.hardware.mend()
    assert bench.terminal.sign_in().ok
    sold = bench.terminal.sale(12_00, card=card)
    assert sold.ok, sold.text


@pytest.mark.parametrize(
    ("part", "card", "another"),
    [
        ("magnetic_reader", MAGNETIC, CHIP),
        ("chip_reader", CHIP, MAGNETIC),
        ("contactless_reader", CONTACTLESS, MAGNETIC),
    ],
    ids=["magnetic", "chip", "contactless"],
)
def test_a_dead_reader(bench: Bench, part: Part, card: Card, another: Card) -> None:
    """No card is read, nothing is sent; other cards work, and meet the 97."""
    bench.hardware.break_part(part, "dead")
    told = bench.terminal.sale(10_00, card=card)
    assert not told.ok and told.code is None, told.text
    read(bench, part)
    refused_97(bench, another)
    back_to_work(bench, card)


def test_a_worn_head(bench: Bench) -> None:
    """Every second swipe is misread: people swipe again."""
    bench.hardware.break_part("magnetic_reader", "worn", seed=97)
    for _ in range(3):
        bench.terminal.sale(10_00, card=MAGNETIC, pin=True)
    refused_97(bench, CHIP)
    back_to_work(bench)


@pytest.mark.parametrize(("part", "state"), [("printer", "hot"), ("printer", "dead"), ("paper", "out")])
def test_nothing_is_printed(bench: Bench, part: Part, state: str) -> None:
    """The sale is approved all the same, and its slip comes out afterwards."""
    bench.hardware.break_part(part, state)
    sold = bench.terminal.sale(10_00, card=MAGNETIC, pin=True)
    assert sold.ok, sold.text
    read(bench, part)
    refused_97(bench, MAGNETIC)
    bench.hardware.mend()
    assert bench.terminal.reprint().ok
    back_to_work(bench)


@pytest.mark.parametrize("state", ["lost", "drifting"])
def test_the_clock(bench: Bench, state: str) -> None:
    """A clock that was lost is set by the next sign-in."""
    bench.hardware.break_part("clock", state)
    if state == "lost":
        noticed(bench, "clock")
    refused_97(bench, MAGNETIC)
    back_to_work(bench)


def test_the_battery_of_the_clock(bench: Bench) -> None:
    """Switched off and on, the terminal no longer knows the date, and says so."""
    bench.hardware.break_part("clock_battery", "dead")
    bench.power.cycle()
    bench.terminal.await_idle(20)
    noticed(bench)
    refused_97(bench, MAGNETIC)
    back_to_work(bench)


@pytest.mark.declares("MON-07")
def test_somebody_opens_the_case(bench: Bench) -> None:
    """Its keys are gone, and nothing else: closed and loaded again it works, with what it had sold."""
    assert bench.terminal.sale(10_00, card=MAGNETIC).ok
    bench.hardware.break_part("tamper", "open")
    noticed(bench, "tamper")
    told = bench.terminal.sale(97_00, card=MAGNETIC)
    assert not told.ok and told.code is None, told.text
    bench.hardware.mend("tamper")
    assert bench.terminal.reset_tamper().ok
    Installation(bench).do("key")
    bench.hardware.seen_to()
    back_to_work(bench)


def test_no_key_gets_through(bench: Bench) -> None:
    """The till sells, for what is paid by a code."""
    bench.hardware.break_part("keypad", "dead")
    sold = bench.terminal.sale(10_00, card=WECHAT, via="cashier")
    assert sold.ok, sold.text
    refused_97(bench, WECHAT, "cashier")
    back_to_work(bench)


def test_nobody_can_read_the_screen(bench: Bench) -> None:
    """The till works on; a 97 is seen when the screen is whole."""
    bench.hardware.break_part("screen", "dead")
    assert bench.terminal.sign_in(via="cashier").ok
    bench.hardware.mend()
    bench.terminal.to_idle()
    refused_97(bench, MAGNETIC)
    back_to_work(bench)


@pytest.mark.needs(modem=True)
@pytest.mark.parametrize("state", ["low", "dead"])
def test_the_battery(bench: Bench, state: str) -> None:
    """A portable terminal says that it wants to be charged, or has none; on its supply it works."""
    bench.hardware.break_part("battery", state)
    noticed(bench, "battery")
    refused_97(bench, MAGNETIC)
    back_to_work(bench)
