"""English and Chinese: ``_("English text")`` gives the text in the language in force.

The catalogue is ``harness/locale/zh.json`` (English -> Chinese). A text without a translation stays English; a test
finds every one that is used and missing.
"""

from __future__ import annotations

import functools
import json
import os
from importlib import resources

_language = "en"


def set_language(language: str | None) -> str:
    """Choose "en" or "zh"; None asks HIL97_LANG, then the locale. Returns the one in force."""
    global _language
    if language not in ("en", "zh"):
        wanted = os.environ.get("HIL97_LANG") or os.environ.get("LC_ALL") or os.environ.get("LANG") or "en"
        language = "zh" if wanted.lower().startswith("zh") else "en"
    _language = language
    return _language


def language() -> str:
    """The language in force, "en" or "zh"."""
    return _language


@functools.cache
def catalogue() -> dict[str, str]:
    """English -> Chinese, as shipped."""
    text = resources.files("harness").joinpath("locale/zh.json").read_text(encoding="utf-8")
    loaded: dict[str, str] = json.loads(text)
    return loaded


def translate(text: str, language: str) -> str:
    """``text`` in ``language``, whatever language is in force."""
    return catalogue().get(text, text) if language == "zh" else text


def _(text: str) -> str:
    return translate(text, _language)
