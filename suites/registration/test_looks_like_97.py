"""Numbers and texts that look like a 97 and are none: amount, trace number, terminal number, F63 under another code."""

import pytest

from harness.bench.bench import Bench
from harness.bench.ready import fresh_unit
from harness.terminal.cards import MAGNETIC

pytestmark = pytest.mark.declares("MSG-02")

LOOKS_LIKE = "终端未登记,请联系收单行 97"  # what F63 of another code says


@pytest.mark.parametrize("cents", [97, 97_00, 97_97], ids=["0.97", "97.00", "97.97"])
def test_amount(bench: Bench, cents: int) -> None:
    """Approved, declined for another reason, and unanswered: none of them is a 97, whatever the amount says."""
    assert bench.terminal.sale(cents, card=MAGNETIC).ok
    bench.host.answer("0200", "05")
    assert bench.terminal.sale(cents, card=MAGNETIC).code == "05"
    bench.cable.unplug()
    assert not bench.terminal.sale(cents, card=MAGNETIC).ok


def test_trace_000097(bench: Bench) -> None:
    """The sale with trace number 000097 is declined for another reason, the next is approved."""
    if int(bench.terminal.read_counters()["trace"]) > 97:
        fresh_unit(bench)
    terminal = bench.terminal
    while int(terminal.read_counters()["trace"]) < 97:  # a sign-in uses one up
        assert terminal.sign_in(via="cashier").ok
    bench.host.answer("0200", "51")
    assert terminal.sale(10_00, card=MAGNETIC).code == "51"
    assert terminal.sale(11_00, card=MAGNETIC).ok


@pytest.mark.declares("MSG-03")
@pytest.mark.parametrize("code", ["05", "91", "96"])
def test_text_of_97_under_another_code(bench: Bench, code: str) -> None:
    """F63 says the words of 97; F39 says something else, and F39 counts."""
    bench.host.answer("0200", code, f63=LOOKS_LIKE.encode("gbk").hex())
    assert bench.terminal.sale(10_00, card=MAGNETIC).code == code
    assert bench.terminal.sale(11_00, card=MAGNETIC).ok
