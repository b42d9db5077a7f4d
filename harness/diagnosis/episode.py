"""Which part of a history one cause may explain.

A history of hours holds many stories: registered, removed, registered again. What is the matter *now* is told by the
last of them: from its end backwards as long as one cause may explain what is seen, and never from trouble to health or
from health to trouble.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from harness.diagnosis.judging import Seen, weights
from harness.diagnosis.signs import HEALTH, SIGNS

CHANGE = math.log(0.02)  # that something changed meanwhile is as likely as this


def last_story(seen: Sequence[Seen], *, of_trouble: bool = False) -> list[Seen]:
    """The newest of ``seen`` (in order of time) that belong together. ``of_trouble``: of the last trouble, whatever
    health came after it; [] where there was none.

    Where merchants share the terminal, each has its own story: that one works does not end another's trouble."""
    merchants = sorted({one.of for one in seen if one.of})
    if len(merchants) < 2:
        return _story(seen, of_trouble)
    stories = [_story([one for one in seen if one.of in ("", merchant)], of_trouble) for merchant in merchants]
    if of_trouble:
        return max(stories, key=lambda story: story[-1].t if story else -1)
    told = [{id(one) for one in story} for story in stories]
    return [
        one for one in seen
        if (any if one.of else all)(id(one) in story for story in told)  # what is nobody's own belongs to all of them
    ]


def _story(seen: Sequence[Seen], of_trouble: bool) -> list[Seen]:
    signs = list(seen)
    if of_trouble:
        while signs and not SIGNS[signs[-1].sign].says_trouble:
            signs.pop()
    story: list[Seen] = []
    names: set[str] = set()
    well: bool | None = None  # what the newest sign that says either says
    for one in reversed(signs):
        says = True if one.sign in HEALTH else False if SIGNS[one.sign].says_trouble else None
        if well is not None and says is not None and says != well:
            break
        if one.sign not in names and names and _another_matter(names, one.sign):
            break
        well = says if well is None else well
        names.add(one.sign)
        story.append(one)
    return story[::-1]


def _another_matter(names: set[str], sign: str) -> bool:
    """It is likelier that something changed in between than that one cause explains both."""
    before, together = weights(names), weights(names | {sign})
    if not before or not together:
        return bool(before)
    alone = math.log(max(SIGNS[sign].row.values()))
    return max(together.values()) < max(before.values()) + alone + CHANGE
