"""Every text that the program shows exists in Chinese, and every translation takes the same values."""

from __future__ import annotations

import ast
import importlib
import json
import os
import pkgutil
import re
import string
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import jinja2
import pytest
from jinja2 import nodes

import harness
from harness import i18n
from harness.checkers.finding import Finding
from harness.judge import judge_bench
from harness.protocol.spec import FIELDS
from harness.reports import reasons
from harness.tests import histories
from harness.tests.golden_stories import Stories, findings
from harness.tests.reports_runs import bad_day

ROOT = Path(harness.__file__).parent
SOURCES = sorted(path for path in ROOT.rglob("*.py") if "tests" not in path.relative_to(ROOT).parts)
FAULTS = sorted(
    path for path in (ROOT / "wire" / "faults").glob("*.py") if path.stem not in ("__init__", "base", "spoken", "table")
)
TEMPLATES = sorted((ROOT / "reports" / "templates").glob("*.html"))
CHINESE = re.compile(r"[一-鿿]")
# The same in both languages.
NAMES = {"TPDU", "PIN", "{seconds} s", "en"}


def in_python(text: str) -> Iterator[str]:
    """All literals in ``_("...")``, adjacent strings joined."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute) and node.args:
            name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
            first = node.args[0]
            if name == "_" and isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield first.value


def in_template(text: str) -> Iterator[str]:
    """All literals in ``{{ _("...") }}``."""
    for call in jinja2.Environment().parse(text).find_all(nodes.Call):
        if isinstance(call.node, nodes.Name) and call.node.name == "_" and call.args:
            assert isinstance(call.args[0], nodes.Const), f"line {call.lineno}: a literal is needed"
            yield call.args[0].value


@cache
def used() -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in SOURCES:
        found |= dict.fromkeys(in_python(path.read_text(encoding="utf-8")), path)
    for path in TEMPLATES:
        found |= dict.fromkeys(in_template(path.read_text(encoding="utf-8")), path)
    found |= {(ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").splitlines()[0]: path
              for path in FAULTS}  # fmt: skip
    found |= dict.fromkeys((field.name for field in FIELDS.values()), ROOT / "protocol" / "spec.py")
    return found


def patterns() -> dict[str, str]:
    """Patterns of checkers' reasons: text with ``{}``."""
    return {english: chinese for english, chinese in i18n.catalogue().items() if "{}" in english}


def holes(text: str) -> list[str]:
    return sorted(name for _text, name, _format, _conversion in string.Formatter().parse(text) if name is not None)


def test_the_collector_finds_texts() -> None:
    assert list(in_python('print(_("a" "b"), x._("c"), _(d))')) == ["ab", "c"]
    assert list(in_template('{{ _("a {x}").format(x=1) }}{% if y %}{{ _("b") }}{% endif %}')) == ["a {x}", "b"]
    assert len(used()) > 100


def test_every_text_has_a_translation() -> None:
    missing = {text: str(path.relative_to(ROOT)) for text, path in used().items() if text not in i18n.catalogue()}
    assert not missing, json.dumps(missing, ensure_ascii=False, indent=1)


def test_translations_are_chinese() -> None:
    for english, chinese in i18n.catalogue().items():
        words = re.sub(r"\{\w*\}", "", english)
        assert english in NAMES or CHINESE.search(chinese) or not re.search("[a-zA-Z]", words), (english, chinese)


@pytest.mark.parametrize("text", [text for text in i18n.catalogue() if "{" in text and "{}" not in text])
def test_a_translation_takes_the_same_values(text: str) -> None:
    assert holes(text) == holes(i18n.catalogue()[text])


def test_a_pattern_fills_every_hole() -> None:
    for english, chinese in patterns().items():
        count = english.count("{}")
        numbered = {str(number) for number in range(1, count + 1)}
        assert chinese.count("{}") == count or set(re.findall(r"\{(\d+)\}", chinese)) == numbered, english


def test_nothing_in_the_catalogue_is_left_over() -> None:
    """A text that nobody uses any more is dead weight and misleads translators. Reasons are checked below."""
    known = set(used()) | {text for text in i18n.catalogue() if text in reason_templates()} | {"en"}
    assert not sorted(set(i18n.catalogue()) - known)


def test_the_catalogue_names_each_text_once() -> None:
    pairs = json.loads((ROOT / "locale" / "zh.json").read_text(encoding="utf-8"), object_pairs_hook=list)
    names = [name for name, _value in pairs]
    assert len(names) == len(set(names))


def test_language_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    before = i18n._("en")
    try:
        monkeypatch.setenv("HIL97_LANG", "zh_CN.UTF-8")
        assert i18n.set_language(None) == "zh"
        assert i18n._("sale") == "消费"
        assert i18n.set_language("en") == "en"
        assert i18n._("sale") == "sale"
        assert i18n._("no such text") == "no such text"
    finally:
        i18n.set_language(before)


# -- reasons of findings ----------------------------------------------------------------------------------------------


@cache
def reason_templates() -> set[str]:
    """Every string that checkers and judge put together, with ``{}`` for what they fill in."""
    found: set[str] = set()
    for path in [*(ROOT / "checkers").glob("*.py"), ROOT / "judge.py", ROOT / "judge_run.py"]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                found.add("".join(str(p.value) if isinstance(p, ast.Constant) else "{}" for p in node.values))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
    return found | {f"{{}} {text}" for text in found}  # a predicate, put behind what it is about


def test_what_the_output_can_not_encode_is_escaped() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "harness.cli", "--lang", "zh", "acquirer", "--help"], cwd=ROOT.parent, timeout=60,
        env={**os.environ, "PYTHONIOENCODING": "ascii"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (run.returncode, run.stderr) == (0, "") and "serve" in run.stdout and "\\u" in run.stdout


def test_reasons_of_a_bad_day_are_chinese() -> None:
    world = bad_day()
    told = [finding for finding in judge_bench(world.events) if finding.verdict != "PASS"]
    assert told
    for finding in told:
        assert CHINESE.search(reasons.both(finding.reason).zh), finding.reason


# What stands in reasons as somebody else said it: a terminal on its service port, and golden histories of the wire.
AS_SAID = re.compile(
    r"90 busy|75 other 数据格式|transactions stored|unknown command|no slot|network|noise in 5 % of the blocks"
    r"|(the )?sender ?stops after 9 blocks|in pieces of 1 byte|1 bit at byte 60|byte 时的1 bit 60|cut after -?\d+ bytes"
)


def told_by_golden_histories() -> Iterator[Finding]:
    """Every finding that is no PASS of the rule that each golden history is about."""
    known: set[int] = set()
    for module in pkgutil.iter_modules(histories.__path__):
        for one in vars(importlib.import_module(f"{histories.__name__}.{module.name}")).values():
            if isinstance(one, Stories) and id(one) not in known:
                known.add(id(one))
                for story in (*one.kept, *one.broken, *one.open):
                    yield from (f for f in findings(story.rule, story.events()) if f.verdict != "PASS")


def test_reasons_of_all_golden_histories_are_chinese() -> None:
    left = {}
    for finding in told_by_golden_histories():
        chinese = reasons.both(finding.reason).zh
        if reasons.english(AS_SAID.sub("", chinese)):
            left[finding.reason] = chinese
    assert not left, json.dumps(left, ensure_ascii=False, indent=1)


def test_what_a_reason_is_made_of_is_told_apart_at_its_clauses() -> None:
    for reason, chinese in (
        ("after burst of 1 kV: the 1 transactions of batch 000001 were stored; no settlement followed that shows them",
         "电快速瞬变脉冲群 1 kV之后：存有批次 000001 的 1 笔交易；其后没有结算可证"),
        ("esd of 4 kV, criterion B: 60 s later sale was approved by the host, and told as no result (Z3)",
         "静电放电 4 kV，判据 B：60 s 后消费被主机批准，却显示为无结果（Z3）"),
        ("sale: temperature and humidity not measured all the time", "消费：温度和湿度未全程测量"),
        ("printer dead: sale said “欢迎使用”, expected 打印机故障 or 打印机过热",
         "打印机损坏：消费 时显示 “欢迎使用”，应为 打印机故障或打印机过热"),
    ):  # fmt: skip
        assert reasons.both(reason).zh == chinese


def test_a_reason_is_translated_by_its_pattern(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        reasons, "_patterns", lambda: reasons.compiled({"{} was shown after {} s": "{2} 秒后显示 {1}", "sale": "消费"})
    )
    reasons._translated.cache_clear()
    try:
        told = reasons.both("97 was shown after 0.4 s")
        assert (told.en, told.zh) == ("97 was shown after 0.4 s", "0.4 秒后显示 97")
        assert reasons.both("something else {}").zh == "something else {}"
    finally:
        reasons._translated.cache_clear()
