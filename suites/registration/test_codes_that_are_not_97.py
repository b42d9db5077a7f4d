"""Other refusals, by their real cause where one can be made: each has its own text, none that of 97."""

import pytest

from harness.bench.bench import Bench
from harness.terminal.cards import MAGNETIC

pytestmark = pytest.mark.declares("MSG-03", "MSG-02")


@pytest.mark.physical
def test_merchant_not_registered_03(bench: Bench) -> None:
    bench.host.remove_merchant()
    assert bench.terminal.sale(1_00, card=MAGNETIC).code == "03"
    assert bench.terminal.sign_in().code == "03"


@pytest.mark.physical
def test_terminal_suspended_58(bench: Bench) -> None:
    bench.host.suspend()
    assert bench.terminal.sale(1_00, card=MAGNETIC).code == "58"
    assert bench.terminal.sign_in().code == "58"


def test_not_signed_in_at_the_centre_77(bench: Bench) -> None:
    bench.host.sign_out()
    assert bench.terminal.sale(1_00, card=MAGNETIC).code == "77"
    assert bench.terminal.sign_in().ok
    assert bench.terminal.sale(1_00, card=MAGNETIC).ok


@pytest.mark.parametrize("code", ["99", "A0", "91", "96", "98", "05", "Q7"])
def test_code(bench: Bench, code: str) -> None:
    """99 PIN format, A0 MAC, 91 issuer down, 96 switch fault, 98 no issuer answer, 05 refused, Q7 unknown to
    everybody."""
    bench.host.answer("0200", code)
    assert bench.terminal.sale(97_00, card=MAGNETIC).code == code
