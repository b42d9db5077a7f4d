"""A terminal that stays unregistered: nobody helps it, or somebody tries again and again."""

import pytest

from harness.bench.bench import Bench


@pytest.mark.long
@pytest.mark.declares("STA-06")
def test_a_thousand_97s(bench: Bench) -> None:
    """Sign-in after sign-in is answered 97 (1,000 times; 30 on a physical terminal): it stays operable all along."""
    limits = bench.profile.limits
    times = limits.repeated_97_physical if bench.plan.physical_like else limits.repeated_97
    bench.host.deregister()
    for _ in range(times):
        assert bench.terminal.sign_in(via="cashier").code == "97"
    bench.terminal.await_idle(limits.idle_s)
    assert bench.terminal.open_menu().ok


@pytest.mark.declares("STA-05", "MSG-07", "STA-04")
def test_left_alone_after_power_on(bench: Bench) -> None:
    """It signs in by itself, is told 97, holds back, and tells the next operator who comes."""
    bench.host.deregister()
    bench.power.cycle()
    bench.await_frame("0810", deadline_s=30)
    bench.observe_terminal_time(65, "unattended requests in the first minute after a 97")
    bench.observe_terminal_time(bench.plan.time_scale, "a second, in which it takes up what came at the minute's end")
    assert bench.terminal.acknowledge().code == "97"
