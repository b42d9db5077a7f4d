"""The whole installation: from a unit in its box to the first settled batch, by the service port and by a code."""

from dataclasses import replace

import pytest

from fixtures.installing import SETTINGS, Installation, blank
from harness.bench.bench import Bench
from harness.protocol.transactions import KINDS
from harness.terminal.cards import CHIP, MAGNETIC
from harness.terminal.contracts import Order, Via
from harness.terminal.orders import NEEDS


@pytest.mark.declares("INS-02")
def test_by_the_service_port(bench: Bench) -> None:
    blank(bench)
    Installation(bench).whole()


@pytest.mark.declares("INS-02")
@pytest.mark.parametrize("via", ["keypad", "service"])
def test_by_an_activation_code(bench: Bench, via: Via) -> None:
    """Identity and key come from the acquirer, against a code."""
    blank(bench)
    code = bench.host.offer_activation(bench.serial)
    work = Installation(bench)
    work.do("parameters", "network", "host")
    told = bench.once_connected(lambda: bench.terminal.activate(code, via=via))
    assert told.ok, told.text
    work.key_of_the_others()
    work.online()


@pytest.mark.declares("INS-01")
@pytest.mark.parametrize("settings", range(len(SETTINGS)))
def test_out_of_the_box_nothing_is_sold(bench: Bench, settings: int) -> None:
    """However far the installation is: before identity and key are there no financial key leads anywhere."""
    blank(bench)
    work = Installation(bench)
    work.do(*SETTINGS[:settings])
    assert not bench.terminal.sale(10_00, card=MAGNETIC).ok
    bench.terminal.to_idle()
    assert not bench.terminal.sale(10_00, card=MAGNETIC, via="cashier").ok
    assert not bench.terminal.settle().ok
    assert not bench.terminal.sign_in().ok
    work.do(*SETTINGS[settings:])
    work.online()


@pytest.mark.declares("INS-01")
def test_out_of_the_box_no_financial_key_leads_anywhere(bench: Bench) -> None:
    """Whatever the model offers, what is done without the host as well."""
    blank(bench)
    for name in sorted(set(KINDS) & set(bench.model.transactions)):
        known = {
            "amount": 10_00, "card": CHIP if name == "offline_chip_sale" else MAGNETIC, "trace": "000001",
            "reference": "000000000097", "date": "0101", "authorisation": "000097", "tip": 1_00,
        }  # fmt: skip
        order = replace(Order(name), **{need: known[need] for need in NEEDS[name]})
        told = bench.terminal.perform(order)
        assert not told.ok, f"{name}: {told.text}"
        bench.terminal.to_idle()
    Installation(bench).whole()
