"""Errors in the language in force. They are raised in English, with names and numbers inside.

The catalogue ``harness/locale/zh_errors.json`` holds the pattern of each line: "the key {} is missing" ->
"缺少键 {}". ``{}`` stands for whatever was put there and may itself be a text that the catalogue knows; in the
translation ``{1}``, ``{2}``... may change the order. What no pattern fits (a file's name, a quoted line of the file,
what another program said) stays as it is. It is a catalogue of its own so that a pattern of an error never fits the
reason of a finding.
"""

from __future__ import annotations

import functools
import json
import re
from importlib import resources

from harness import i18n
from harness.errors import BadInput, BenchError, TerminalTimeout

_QUOTED = re.compile(r"\s*\d*\s*\|.*|[\s^~]*")  # a line of the file in question, the caret below it, a log's line
_GIVEN = re.compile(r"(.* should .*?)(, not .*)")  # what pydantic says, and what was given
_NEXT = "next: "
_OFFSET = re.compile(r"(.*: )?offset (\d+)")


def translated(error: BaseException) -> str:
    """``str(error)`` in the language in force."""
    if i18n.language() != "zh":
        return str(error)
    if isinstance(error, BadInput):
        where = _OFFSET.sub(r"\1偏移 \2", error.where)
        return _joined(f"{where}: " if where else "", error.message, [("", error.remedy)])
    if isinstance(error, BenchError):
        parts = [("证据：", error.evidence), ("下一步：", error.remedy)]
        return _joined(_bench(error.bench), error.message, parts)
    if isinstance(error, TerminalTimeout):
        head = f"{_bench(error.bench)}等待 {error.seconds:.1f} 秒仍未出现："
        return _joined(head, error.waited_for, [("最后看到：", error.seen), ("证据：", error.evidence)])
    return chinese(str(error))


def chinese(text: str) -> str:
    """``text`` in Chinese as far as the catalogue knows it, line by line."""
    return "\n".join(_line(line) for line in text.split("\n"))


def _bench(name: str) -> str:
    return f"测试台 {name}：" if name else ""


def _joined(head: str, message: str, parts: list[tuple[str, str]]) -> str:
    told = [f"\n  {label}{chinese(text)}" for label, text in parts if text]
    return head + chinese(message) + "".join(told)


def _line(line: str) -> str:
    if _QUOTED.fullmatch(line):
        return line
    text = line.strip()
    if text.startswith(_NEXT):  # the remedy of an instrument that an error names among others
        return line.replace(text, f"下一步：{_text(text.removeprefix(_NEXT))}", 1)
    return line.replace(text, _text(text), 1)


@functools.lru_cache(maxsize=4096)  # its parts are asked for again and again
def _text(text: str) -> str:
    whole = catalogue().get(text)
    if whole is not None:
        return whole
    given = _GIVEN.fullmatch(text)
    if given and _text(given[1]) != given[1]:
        return _text(given[1]) + _text(given[2])
    for pattern, translation in _patterns():
        found = pattern.fullmatch(text)
        if found:
            return _filled(translation, [_text(part) for part in found.groups()])
    for between, inserted in ((": ", ": "), ("; ", "；")):  # a place before its problem; two remarks
        head, separator, tail = text.partition(between)
        if separator and (_text(head), _text(tail)) != (head, tail):
            return _text(head) + inserted + _text(tail)
    lowered = text[:1].lower() + text[1:]  # pydantic's, as they came
    return text if lowered == text or _text(lowered) == lowered else _text(lowered)


@functools.cache
def catalogue() -> dict[str, str]:
    """English -> Chinese, as shipped."""
    text = resources.files("harness").joinpath("locale/zh_errors.json").read_text(encoding="utf-8")
    loaded: dict[str, str] = json.loads(text)
    return loaded


@functools.cache
def _patterns() -> list[tuple[re.Pattern[str], str]]:
    """Those with the most text of their own first: the particular before the general."""
    found = [(english, chinese) for english, chinese in catalogue().items() if "{}" in english]
    found.sort(key=lambda pair: -len(pair[0].replace("{}", "")))
    return [
        (re.compile("(.*?)".join(map(re.escape, english.split("{}")))), chinese) for english, chinese in found
    ]


def _filled(translation: str, values: list[str]) -> str:
    if "{}" in translation:
        pieces = translation.split("{}")
        return pieces[0] + "".join(value + piece for value, piece in zip(values, pieces[1:], strict=True))
    return re.sub(r"\{(\d+)\}", lambda found: values[int(found[1]) - 1], translation)
