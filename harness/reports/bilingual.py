"""Texts that carry both languages at once, for a page that its reader can switch.

``_("English")`` is a :class:`Both`; a template writes it as two spans, of which CSS shows one. The catalogue is the one
that the command line uses (:mod:`harness.i18n`), so the test that finds missing translations finds these too.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup, escape

from harness import i18n


@dataclass(frozen=True, slots=True)
class Both:
    """One text, English and Chinese. ``str()`` of it is the one in the language in force."""

    en: str
    zh: str

    def __str__(self) -> str:
        return self.zh if language() == "zh" else self.en

    def format(self, **values: Any) -> Both:
        """``str.format`` in both languages; a value that is itself :class:`Both` is put in by language."""
        return Both(
            self.en.format(**{k: v.en if isinstance(v, Both) else v for k, v in values.items()}),
            self.zh.format(**{k: v.zh if isinstance(v, Both) else v for k, v in values.items()}),
        )

    def tagged(self, element: str, **attributes: Any) -> Markup:
        """As markup: one ``element`` a language (one without language where both are the same)."""
        attrs = Markup("").join(
            Markup(' {}="{}"').format(name.rstrip("_").replace("_", "-"), value) for name, value in attributes.items()
        )
        tag = Markup(element)
        if self.en == self.zh:
            return Markup("<{0}{1}>{2}</{0}>").format(tag, attrs, self.en) if attributes else escape(self.en)
        return Markup('<{0} data-lang="en" lang="en"{1}>{2}</{0}><{0} data-lang="zh" lang="zh-CN"{1}>{3}</{0}>').format(
            tag, attrs, self.en, self.zh
        )

    def __html__(self) -> Markup:
        return _spans(self)


@functools.lru_cache(maxsize=4096)
def _spans(text: Both) -> Markup:
    """A page says the same words thousands of times."""
    return text.tagged("span")


def language() -> str:
    """"en" or "zh": the language in force. The catalogue translates the text "en" as "zh"."""
    return i18n._("en")


def _(text: str) -> Both:
    """``text`` in both languages."""
    return Both(text, i18n.translate(text, "zh"))


def same(text: object) -> Both:
    """Something that reads the same in both: a name, a number, or what the terminal itself said."""
    return Both(str(text), str(text))


def joined(separator: str, parts: list[Both], separator_zh: str | None = None) -> Both:
    """``str.join`` in both languages."""
    zh = separator if separator_zh is None else separator_zh
    return Both(separator.join(p.en for p in parts), zh.join(p.zh for p in parts))
