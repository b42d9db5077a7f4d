"""Every fault of the wire, at every moment, on every transaction that matters, answered with approval or with 97.

Which cases there are: ``harness/campaigns/troubles.py``; which of them run: docs/suites.md.
"""

from fixtures.rough_line import RoughLine
from harness.bench.bench import Bench
from harness.campaigns.troubles import UNREGISTERED, Trouble


def test_trouble_on_the_line(bench: Bench, trouble: Trouble) -> None:
    """Something goes wrong on the way; the line is healed; the terminal works again."""
    line = RoughLine(bench, trouble)
    line.prepare()

    told = line.meet()

    if trouble.effect == "repaired" and trouble.answer == UNREGISTERED:
        assert told.code == bench.profile.not_registered[0]
    line.come_back()
