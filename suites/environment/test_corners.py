"""At the ends of what the model declares, and inside of them, everything holds: 97 is shown and the way back works."""

import pytest

from fixtures.disturbed import there_and_back
from harness.bench.bench import Bench
from harness.terminal.cards import CHIP, MAGNETIC

pytestmark = pytest.mark.needs(instruments=True)
CORNERS = ["cold", "hot", "damp-heat", "supply-range"]


@pytest.mark.declares("ENV-01", "ENV-04", "MSG-01", "REC-01")
@pytest.mark.parametrize("profile", [*CORNERS, pytest.param("temperature-cycle", marks=pytest.mark.nightly)])
def test_97_and_back_at_the_corner(bench: Bench, profile: str) -> None:
    with bench.stress(profile) as stress:
        for _ in stress:
            there_and_back(bench)


@pytest.mark.declares("MSG-02")
def test_a_line_that_fails_in_the_heat_is_not_97(bench: Bench) -> None:
    """Hot, and nobody takes the call: the terminal says what is wrong with the line."""
    with bench.stress("hot") as stress:
        for _ in stress:
            refusing = bench.cable.arm("rst count=9 at connecting")
            refused = bench.terminal.sale(97_00, card=MAGNETIC)
            assert not refused.ok and not refused.connected, refused.text
            refusing.heal()
            assert bench.once_connected(lambda: bench.terminal.sale(11_00, card=MAGNETIC)).ok


@pytest.mark.declares("MSG-02", "ENV-02")
def test_beyond_what_is_declared(bench: Bench) -> None:
    """Colder, hotter, damper, weaker: nothing is promised there, but no money is lost and nothing is called 97."""
    with bench.stress("beyond") as stress:
        for step in stress:
            told = step.meet(lambda: bench.terminal.begin_sale(97_00, card=CHIP))
            assert told.code != bench.profile.not_registered[0], told.text
    assert bench.terminal.sale(12_00, card=MAGNETIC).ok
