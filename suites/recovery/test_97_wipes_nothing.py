"""What the terminal had before 97, it has after it: seen by what it prints and by how it signs."""

import pytest

from harness.bench.bench import Bench
from harness.terminal.cards import MAGNETIC

pytestmark = pytest.mark.declares("STA-03")


@pytest.mark.parametrize("reboot", [False, True], ids=["as-it-is", "rebooted"])
def test_the_last_slip_is_still_there(bench: Bench, reboot: bool) -> None:
    """A customer comes back for a copy while the terminal is not registered, and after it was registered again."""
    assert bench.terminal.sale(10_00, card=MAGNETIC).ok
    bench.host.deregister()
    assert bench.terminal.sign_in().code == "97"
    if reboot:
        bench.power.cycle()
        bench.terminal.await_idle(20)
    assert bench.terminal.reprint().ok

    bench.host.register()
    assert bench.terminal.sign_in().ok
    assert bench.terminal.reprint().ok
    assert bench.terminal.sale(11_00, card=MAGNETIC).ok


def test_nothing_is_fetched_anew(bench: Bench) -> None:
    """Registered again and left alone for a while: what it had, it still has, and asks for none of it."""
    bench.host.deregister()
    assert bench.terminal.sign_in().code == "97"
    bench.host.register()
    assert bench.terminal.sign_in().ok
    bench.terminal.to_idle()
    bench.observe_terminal_time(70, "whether it asks for what it had before the 97, a minute after it last did")
    assert bench.terminal.sale(12_00, card=MAGNETIC).ok
