"""Reasons of findings in Chinese. Checkers write them in English, with numbers and codes inside.

The catalogue holds the pattern of each: "97 was shown after {} s" -> "97 在 {} 秒后显示". ``{}`` stands for whatever
the checker put there; in the translation ``{1}``, ``{2}``... may change the order. A reason that no pattern fits stays
English.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Mapping, Sequence
from importlib import resources

from harness import i18n_errors
from harness.i18n import catalogue
from harness.lab.image_set import FLAWS
from harness.reports import words
from harness.reports.bilingual import Both
from harness.wire import faults

_NAMED = re.compile(r"([a-z_]+) (\d{6})")  # a transaction with its trace number
_HIT = re.compile(r"([a-z]+)(?: of (\d\S* \S+))?")  # a disturbance, and how strong
_VERSIONS = re.compile(r"(\d+\.\d+\.\d+) to (\d+\.\d+\.\d+)")
_FAILED = re.compile(r"the bench failed \((.*)\)(, and its evidence is lacking: |: would be FAIL: )(.*)", re.DOTALL)
_QUOTED = re.compile(r"“[^”]*”|[a-z][a-z-]* (?=\d+\.\d+\.\d+)")  # and the name of a firmware before its version
_ENGLISH = re.compile(r"(?<![A-Za-z0-9_./])[A-Za-z]?[a-z]{2,}(?![A-Za-z0-9_])")
_NAMES = frozenset({"ms", "tid", "mid", "replayed"})  # units, and what logs call things


def both(reason: str) -> Both:
    """A reason in both languages."""
    return Both(reason, _translated(reason))


@functools.lru_cache(maxsize=8192)
def _translated(reason: str) -> str:
    """By the pattern that leaves the least in English, and tears no clause apart; of equal ones by the one with the
    most text of its own."""
    whole = catalogue().get(reason) or strikes().get(reason) or _word(reason) or _list(reason)
    if whole is not None:
        return whole
    failed = _FAILED.fullmatch(reason)
    if failed:  # what is told there is an error, in the words of that catalogue
        translation = catalogue().get(f"the bench failed ({{}}){failed[2]}{{}}", reason)
        return filled(translation, [i18n_errors.chinese(failed[1]), _translated(failed[3])])
    best, least = reason, (english(reason), 0)
    if not least[0]:
        return reason
    for pattern, translation in _patterns():
        found = pattern.fullmatch(reason)
        if not found:
            continue
        candidate = filled(translation, [_translated(part) for part in found.groups()])
        left = english(candidate), _torn(found.groups())
        if left < least:
            best, least = candidate, left
        if least == (0, 0):
            break
    return best


def _torn(parts: Sequence[str]) -> int:
    """How many clauses end inside of what a pattern has taken for one thing; one that ends in the first of them should
    have been told apart before."""
    ends = [part.count(": ") + part.count("; ") for part in parts]
    return sum(ends) + (ends[0] if ends else 0)


def _word(text: str) -> str | None:
    """A transaction or an operation, alone or with a trace number; a part of a terminal, alone or with what is wrong
    with it; a disturbance; from one version to another."""
    text = text.removeprefix("the ")
    named = _NAMED.fullmatch(text)
    if named and named[1] in words.TRANSACTIONS:
        return f"{words.TRANSACTIONS[named[1]].zh} {named[2]}"
    hit = _HIT.fullmatch(text)
    if hit and hit[1] in words.DISTURBANCES:
        return f"{words.DISTURBANCES[hit[1]].zh} {hit[2] or ''}".strip()
    versions = _VERSIONS.fullmatch(text)
    if versions:
        return f"{versions[1]} → {versions[2]}"
    known = words.TRANSACTIONS.get(text) or words.OPERATIONS.get(text) or words.OPERATIONS.get(text.replace(" ", "_"))
    return known.zh if known else _parts().get(text)


@functools.cache
def _parts() -> dict[str, str]:
    return {
        f"{part.en} {name}": f"{part.zh}{state.zh}"
        for part in words.PARTS.values() for name, state in words.PART_STATES.items()
    }  # fmt: skip


def _list(text: str) -> str | None:
    """Several words that each are known."""
    for separator, chinese in ((", ", "、"), (" and ", "和"), (" or ", "或")):
        parts = text.split(separator)
        if len(parts) < 2:
            continue
        known = [catalogue().get(part) or _word(part) or _list(part) or part for part in parts]
        if not any(map(english, known)):
            return chinese.join(known)
    return None


def english(text: str) -> int:
    """How many English words stand in it, outside of what a screen said; names of firmware, of faults of the wire and
    of flaws of images are none."""
    return sum(word not in _names() for word in _ENGLISH.findall(_QUOTED.sub("", text)))


@functools.cache
def _names() -> frozenset[str]:
    return frozenset({*faults.catalogue(), *FLAWS, *_NAMES})


@functools.cache
def _patterns() -> list[tuple[re.Pattern[str], str]]:
    return compiled({**catalogue(), **strikes()})


@functools.cache
def strikes() -> dict[str, str]:
    """What a fault of the wire did: the injector says it in English; it is another program."""
    text = resources.files("harness").joinpath("locale/zh_strikes.json").read_text(encoding="utf-8")
    loaded: dict[str, str] = json.loads(text)
    return loaded


def compiled(texts: Mapping[str, str]) -> list[tuple[re.Pattern[str], str]]:
    """The patterns among ``texts``, those with the most text of their own first: the particular before the general."""
    found = [(english, chinese) for english, chinese in texts.items() if "{}" in english]
    found.sort(key=lambda pair: -len(pair[0].replace("{}", "")))
    return [(_pattern(english), chinese) for english, chinese in found]


def _pattern(text: str) -> re.Pattern[str]:
    """Each hole stands for something; only a last one may be empty."""
    body = "(.+?)".join(map(re.escape, text.split("{}")))
    return re.compile(f"{body.removesuffix('(.+?)')}(.*)" if text.endswith("{}") else body, re.DOTALL)


def filled(translation: str, values: list[str]) -> str:
    """The translation of a pattern with what it stood for."""
    if "{}" in translation:
        for value in values:
            translation = translation.replace("{}", value.replace("{", "{{"), 1)
        return translation.replace("{{", "{")
    return re.sub(r"\{(\d+)\}", lambda found: values[int(found[1]) - 1], translation)
