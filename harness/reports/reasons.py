"""Reasons of findings in Chinese. Checkers write them in English, with numbers and codes inside.

The catalogue holds the pattern of each: "97 was shown after {} s" -> "97 在 {} 秒后显示". ``{}`` stands for whatever
the checker put there; in the translation ``{1}``, ``{2}``... may change the order. A reason that no pattern fits stays
English.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping

from harness.i18n import catalogue
from harness.reports import words
from harness.reports.bilingual import Both

_NAMED = re.compile(r"([a-z_]+) (\d{6})")  # a transaction with its trace number


def both(reason: str) -> Both:
    """A reason in both languages."""
    return Both(reason, _translated(reason))


@functools.lru_cache(maxsize=8192)
def _translated(reason: str) -> str:
    whole = catalogue().get(reason)
    if whole is not None:
        return whole
    named = _NAMED.fullmatch(reason)
    if named and named[1] in words.TRANSACTIONS:
        return f"{words.TRANSACTIONS[named[1]].zh} {named[2]}"
    for pattern, translation in _patterns():
        found = pattern.fullmatch(reason)
        if found:
            return filled(translation, [_translated(part) for part in found.groups()])
    return reason


@functools.cache
def _patterns() -> list[tuple[re.Pattern[str], str]]:
    return compiled(catalogue())


def compiled(texts: Mapping[str, str]) -> list[tuple[re.Pattern[str], str]]:
    """The patterns among ``texts``, those with the most text of their own first: the particular before the general."""
    found = [(english, chinese) for english, chinese in texts.items() if "{}" in english]
    found.sort(key=lambda pair: -len(pair[0].replace("{}", "")))
    return [
        (re.compile("(.+?)".join(re.escape(part) for part in english.split("{}")), re.DOTALL), chinese)
        for english, chinese in found
    ]


def filled(translation: str, values: list[str]) -> str:
    """The translation of a pattern with what it stood for."""
    if "{}" in translation:
        for value in values:
            translation = translation.replace("{}", value.replace("{", "{{"), 1)
        return translation.replace("{{", "{")
    return re.sub(r"\{(\d+)\}", lambda found: values[int(found[1]) - 1], translation)
