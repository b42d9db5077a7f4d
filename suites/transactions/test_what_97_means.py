"""97 as each network means it: the terminal is not registered, totals are reset, or a code like any other."""

import pytest

from harness.bench.bench import Bench
from harness.terminal.cards import CHIP, MAGNETIC

pytestmark = pytest.mark.declares("MON-07")


def test_97_on_a_sale(bench: Bench) -> None:
    """A decline in each of them, and no reason to sign in again."""
    assert bench.terminal.sale(97_97, card=MAGNETIC).ok
    bench.host.answer("0200", "97")
    assert bench.terminal.sale(97_00, card=CHIP).code == "97"
    assert bench.terminal.sale(97_00, card=CHIP).ok


def test_97_on_a_settlement(bench: Bench) -> None:
    """Totals reset where the network has it so: the batch is closed. Elsewhere it is refused, and stays."""
    assert bench.terminal.sale(97_97, card=MAGNETIC).ok
    bench.host.answer("0500", "97")
    settled = bench.terminal.settle()
    assert settled.ok == ("97" in bench.profile.settlement_success), settled.text
    if bench.profile.auto_sign_off and settled.ok:
        assert bench.terminal.sign_in().ok
    assert bench.terminal.sale(97_00, card=MAGNETIC).ok
