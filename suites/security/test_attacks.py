"""Answers that the acquirer never gave: forged, replayed, stripped of their MAC, changed on the way.

Which cases there are: ``harness/campaigns/troubles.py``; which of them run: docs/suites.md.
"""

from fixtures.rough_line import RoughLine
from harness.bench.bench import Bench
from harness.campaigns.troubles import Trouble


def test_an_answer_that_nobody_gave(bench: Bench, attack: Trouble) -> None:
    """It is no answer to the terminal; the next honest one is."""
    line = RoughLine(bench, attack)
    line.prepare()

    line.meet()

    line.come_back()
