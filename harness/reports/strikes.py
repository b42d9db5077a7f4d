"""What a fault did, in Chinese. The injector says it in English, with numbers inside; it is another program.

The catalogue ``harness/locale/zh_strikes.json`` holds the pattern of each, as that of reasons does (``reasons.py``).
What no pattern fits stays English.
"""

from __future__ import annotations

import functools
import re

from harness.reports import reasons
from harness.reports.bilingual import Both


def both(what: str) -> Both:
    """In both languages."""
    return Both(what, _translated(what))


@functools.lru_cache(maxsize=4096)
def _translated(what: str) -> str:
    whole = reasons.strikes().get(what)
    if whole is not None:
        return whole
    for pattern, translation in _patterns():
        found = pattern.fullmatch(what)
        if found:
            values = [_translated(part) for part in found.groups()]
            return reasons.filled(translation, values)
    return what


@functools.cache
def _patterns() -> list[tuple[re.Pattern[str], str]]:
    return reasons.compiled(reasons.strikes())
