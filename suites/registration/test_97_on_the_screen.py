"""The operator stands there and reads: code and text of 97 must come while nobody touches the terminal."""

import pytest

from harness.bench.bench import Bench
from harness.terminal.cards import MAGNETIC

pytestmark = pytest.mark.declares("MSG-01")


@pytest.mark.parametrize("on", ["sign_in", "sale"])
def test_read_from_the_screen(bench: Bench, on: str) -> None:
    """Nothing is done for as long as the profile allows for showing it: what is not there then, never comes."""
    bench.host.deregister()
    refused = bench.terminal.sign_in() if on == "sign_in" else bench.terminal.sale(10_00, card=MAGNETIC)
    assert not refused.ok

    if refused.code != "97":
        bench.observe_terminal_time(
            (bench.profile.limits.show_s + 0.5) * bench.plan.time_scale, "code and text of 97 on the screen"
        )
