"""What is stored and is changed by somebody else is found out at the start: nothing leaves under a foreign number."""

import pytest

from fixtures.update import change_stored, fill, sells_on
from harness.bench.bench import Bench
from harness.checkers.security_files import FAULTS
from harness.checkers.shown import contains_any
from harness.history.events import Screen

FAULT_S = 30.0  # a start, and what it shows
FOREIGN = "97979797"


@pytest.mark.declares("SEC-04")
def test_a_foreign_terminal_number(bench: Bench) -> None:
    """Another number in the place of its own, on the flash: it does not work. Put back it works on, and the batch is
    there."""
    fill(bench, reversal=False)
    own = bench.host.tid
    bench.power.off()
    change_stored(bench, "tid", own, FOREIGN)
    starts_not(bench)
    change_stored(bench, "tid", FOREIGN, own)
    bench.power.on()
    bench.terminal.await_idle(20)
    sells_on(bench)


def starts_not(bench: Bench) -> None:
    """It is switched on, says that it can't work, and is switched off again."""
    since = bench.history.seq
    bench.power.on()
    bench.history.wait_for(
        lambda e: isinstance(e, Screen) and bool(contains_any(e.lines, FAULTS)), FAULT_S,
        "the terminal's word that what it has stored is damaged", since=since,
    )
    bench.power.off()
