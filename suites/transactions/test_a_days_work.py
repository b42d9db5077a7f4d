"""Registered again, the terminal does everything that it could do before, and it balances."""

import pytest

from fixtures.shop import Day
from harness.bench.bench import Bench

pytestmark = pytest.mark.declares("REC-04", "MON-07")


@pytest.mark.parametrize("entry", ["magnetic", "chip", "contactless"])
def test_everything_after_97(bench: Bench, entry: str) -> None:
    """Forgotten, told so, registered, and a whole day's work done: everything the model declares, and settled."""
    bench.host.deregister()
    assert bench.terminal.sign_in().code == bench.profile.not_registered[0]
    bench.host.register()
    assert bench.terminal.sign_in().ok

    Day(bench, entry).work()  # settled by the harness itself, told not to balance: the upload lists it all


def test_everything_in_turn_with_97(bench: Bench) -> None:
    """Forgotten and registered between any two pieces of work."""
    def meanwhile() -> None:
        bench.host.deregister()
        assert bench.terminal.sign_in().code == bench.profile.not_registered[0]
        bench.host.register()
        assert bench.terminal.sign_in().ok

    day = Day(bench, "magnetic")
    day.work(meanwhile)
    day.settle()
