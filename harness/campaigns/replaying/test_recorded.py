"""Tests of a stored run, driven again from their histories (``hil97 replay``)."""

from harness.bench.bench import Bench
from harness.campaigns.recorded import Recorded
from harness.campaigns.replay import Replay


def test_recorded(bench: Bench, recorded: Recorded) -> None:
    """What was recorded, again."""
    Replay(bench, recorded).play()
