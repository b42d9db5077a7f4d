"""What a screen, a slip or a message to the cashier says, in one spelling; and where a response code is shown.

Pure functions of text lines. Lines are joined because terminals wrap: nothing here depends on where a line breaks.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterable, Sequence

from harness.protocol.profile import Profile

_SPACE = r"[ \t\r\n　]*"
_BETWEEN = r"[ \t\r\n　:;=,.·\-\[\](){}<>#]*"  # what may stand between "应答码" and its code


def plain(lines: str | Iterable[str]) -> str:
    """One spelling: full width made half width (NFKC), upper case, no spaces, no punctuation, lines joined."""
    return _plain(lines if isinstance(lines, str) else "\n".join(lines))


@functools.lru_cache(maxsize=8192)
def _plain(text: str) -> str:
    kept = (c for c in unicodedata.normalize("NFKC", text).upper() if unicodedata.category(c)[0] not in "PZSC")
    return "".join(kept)


def contains(lines: str | Iterable[str], text: str) -> bool:
    """``text`` stands in ``lines``, whatever the width, punctuation, spaces and line breaks."""
    wanted = plain(text)
    return bool(wanted) and wanted in plain(lines)


def contains_any(lines: str | Iterable[str], texts: Iterable[str]) -> str | None:
    """The first of ``texts`` that stands in ``lines``."""
    here = plain(lines)
    return next((text for text in texts if plain(text) and plain(text) in here), None)


@functools.lru_cache(maxsize=64)
def _code_pattern(labels: tuple[str, ...]) -> re.Pattern[str]:
    spelled = [_SPACE.join(map(re.escape, unicodedata.normalize("NFKC", label).upper())) for label in labels if label]
    # Two characters, perhaps broken by the line's end; then nothing on the same line that would make them part of a
    # longer number or word (97.00, 970012, 97979797).
    return re.compile(
        rf"(?:{'|'.join(spelled) or '(?!)'}){_BETWEEN}(?P<code>[0-9A-Z]{_SPACE}[0-9A-Z])(?![0-9A-Z]|[.,][0-9])"
    )


def codes_shown(lines: str | Iterable[str], labels: Sequence[str]) -> list[str]:
    """The response codes shown, in order: only where one of ``labels`` (profile: texts.code_labels) introduces them."""
    return list(_codes_shown(lines if isinstance(lines, str) else "\n".join(lines), tuple(labels)))


@functools.lru_cache(maxsize=8192)
def _codes_shown(text: str, labels: tuple[str, ...]) -> tuple[str, ...]:
    text = "\n".join(line.rstrip() for line in text.split("\n"))
    found = _code_pattern(labels).finditer(unicodedata.normalize("NFKC", text).upper())
    return tuple(re.sub(r"\s", "", match["code"]) for match in found)


def shows_code(lines: str | Iterable[str], code: str, labels: Sequence[str]) -> bool:
    """``code`` is shown as a response code. 97.00 yuan, trace 000097 and terminal 97979797 show none."""
    return code.upper() in codes_shown(lines, labels)


def texts_of(profile: Profile, code: str) -> list[str]:
    """The accepted texts for ``code``; a code that the profile does not list has those of ``unknown``."""
    return profile.texts.codes.get(code, profile.texts.unknown)


def not_registered_texts(profile: Profile, *, only: bool = False) -> list[str]:
    """The accepted texts of the not-registered codes. ``only``: without those which another code has too."""
    texts = [text for code in profile.not_registered for text in texts_of(profile, code)]
    if not only:
        return texts
    others = {plain(text) for text in profile.texts.unknown}
    for code, accepted in profile.texts.codes.items():
        if code not in profile.not_registered:
            others.update(map(plain, accepted))
    return [text for text in texts if plain(text) not in others]


def says_not_registered(lines: Sequence[str], profile: Profile) -> str | None:
    """What in ``lines`` says 97: its code where a code is shown, or a text that only it has. None if nothing does."""
    for code in codes_shown(lines, profile.texts.code_labels):
        if code in profile.not_registered:
            return code
    return contains_any(lines, not_registered_texts(profile, only=True))
