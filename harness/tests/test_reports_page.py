"""The page: complete in itself, true to the run, readable in both languages, small enough."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from harness import i18n
from harness.history.events import WireFrame
from harness.protocol.frames import decode
from harness.reports import page, run
from harness.terminal.cards import CARDS
from harness.tests.golden import MID, TID, World, says
from harness.tests.reports_runs import bad_day, node, quiet_day, two_groups, write_run

VOID = {"meta", "input", "br", "link", "img", "hr", "path", "circle", "rect", "use", "image"}


class Page(HTMLParser):
    """Checks nesting; collects ids, links, texts by language."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.used: list[str] = []
        self.text: dict[str, str] = {"": "", "en": "", "zh": ""}
        self._open: list[tuple[str, str]] = []
        self.feed(text)
        self.close()
        assert not self._open, f"never closed: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if "id" in values:
            self.ids.append(values["id"])
        if tag == "a":
            self.links.append(values["href"])
        elif tag == "use":
            self.used.append(values["href"])
        else:
            assert "href" not in values or values["href"].startswith("data:"), (tag, values)
        assert "src" not in values, (tag, values)
        if tag not in VOID:
            self._open.append((tag, values.get("data-lang", self._open[-1][1] if self._open else "")))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self._open and self._open[-1][0] == tag, f"</{tag}> closes {self._open[-1:]} at {self.getpos()}"
            self._open.pop()

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1][0] not in ("style", "script"):
            self.text[self._open[-1][1]] += data + " "


def write(folder: Path) -> tuple[str, Page]:
    text = page.write(folder).read_text(encoding="utf-8")
    return text, Page(text)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return two_groups(tmp_path / "run")


def test_it_needs_nothing_else(folder: Path) -> None:
    text, parsed = write(folder)
    assert not re.search(r"(?:https?:)?//[a-z]", re.sub(r"data:image/png;base64,[A-Za-z0-9+/=]+", "", text))
    assert "@import" not in text
    assert "url(" not in text
    assert {link.partition("#")[0] for link in parsed.links if not link.startswith("#")} >= {
        "benches/bench-2/history.jsonl", "benches/bench-2/wire.pcapng",
    }  # fmt: skip


def test_every_link_leads_somewhere(folder: Path) -> None:
    _text, parsed = write(folder)
    assert len(parsed.ids) == len(set(parsed.ids))
    inside = [link[1:] for link in parsed.links + parsed.used if link.startswith("#")]
    assert inside
    assert set(inside) <= set(parsed.ids)
    outside = [link for link in parsed.links if not link.startswith("#")]
    for link in outside:
        assert (folder / link).exists() or link.endswith("acquirer.sqlite"), link


def test_it_says_what_ran_and_what_came_of_it(folder: Path) -> None:
    _text, parsed = write(folder)
    english, chinese = parsed.text["en"], parsed.text["zh"]
    assert "At least one requirement is broken." in english
    assert "5 tests on 3 benches (HT-100, golden 1.0.0; HT-200, golden 1.0.0)" in english
    assert "no answer to sale" in english + parsed.text[""]
    for title in ("97 or its text is shown only on a definite 97", "F11 is never used for two originals"):
        assert title in english
    assert "仅当本笔交易收到确定的 97 时" in chinese


def test_failing_tests_are_told_and_passing_ones_are_short(folder: Path) -> None:
    text, _parsed = write(folder)
    articles = re.findall(r'<article class="test.*?</article>', text, re.DOTALL)
    failing = next(article for article in articles if "test_no_answer_is_not_97" in article)
    assert "class=\"timeline\"" in failing
    assert "class=\"ladder\"" in failing
    assert re.search(r"<th scope=\"row\">F11</th>", failing)
    assert re.search(r"<use href=\"#i\d+\"", failing)
    assert "hil97 run --lab lab_config/emulated.yaml &#39;suites/registration/test_never_registered.py::" in failing
    assert not any("test_sale_after_97" in article for article in articles)
    short = re.search(r'<details class="test".*?</details>', text, re.DOTALL)
    assert short
    assert "class=\"ladder\"" not in short[0]
    assert "0200" in short[0]


def test_evidence_leads_to_its_frame_and_its_picture(folder: Path) -> None:
    text, parsed = write(folder)
    article = next(a for a in re.findall(r"<article.*?</article>", text, re.DOTALL) if "MSG-02" in a)
    chips = re.findall(r'<a class="chip" href="#([^"]+)">(.*?)</a>', article, re.DOTALL)
    assert any("frame" in label and "packet" in label for _target, label in chips)
    assert any("screen" in label for _target, label in chips)
    assert {target for target, _label in chips} <= set(parsed.ids)
    assert re.search(r'class="item k-screen[^"]* cited"', article)


def test_equal_pictures_are_embedded_once(folder: Path) -> None:
    text, parsed = write(folder)
    uris = re.findall(r"data:image/png;base64,[A-Za-z0-9+/=]+", text)
    assert len(uris) == len(set(uris))
    assert len(parsed.used) > len(uris)


def test_secrets_of_the_run_do_not_stand_in_the_page(tmp_path: Path) -> None:
    world = bad_day()
    with world.test(node("keys", world), declares=["MON-03"]):
        world.armed(mti="0800", action="answer", code="97", f62="0123456789ABCDEF" * 2, count=1)
        world.sign_in()
        world.sale(100, entry="chip")
        world.void(world.terminal.log[-1].trace, says("97"))
        world.settle(unbalanced=True)
        world.display("卡号", CARDS["chip"].pan)
        world.service("from_terminal", f"OK PAN={CARDS['chip'].pan}")
    text, _parsed = write(write_run(tmp_path / "run", {"bench-2": world}))
    tmk = world.host.keys.tmk.hex().upper()
    secrets = [tmk, tmk[:16], "0123456789ABCDEF0123"]
    keys = [frame.get(62) for event in world.events if isinstance(event, WireFrame)
            and (frame := decode(bytes.fromhex(event.hex))).is_response and 62 in frame]  # fmt: skip
    assert keys
    secrets += [f62[start : start + 16] for f62 in keys for start in (0, 16, 40) if f62[start : start + 16] != "0" * 16]
    for card in CARDS.values():
        secrets += [card.pan, card.track2, card.track2[17:], card.code]
    for secret in filter(None, secrets):
        assert secret not in text
    assert "picture not shown" in text
    assert "KCV" in text
    assert TID in text
    assert MID in text


def test_what_others_wrote_is_escaped(tmp_path: Path) -> None:
    world = World(bench="bench-1")
    with world.test(node("<script>alert(1)</script>", world), declares=["MON-03"]):
        world.service("from_terminal", "<img src=x onerror=alert(2)>")
        world.sale(100, says("97"))
    text, _parsed = write(write_run(tmp_path / "run", {"bench-1": world}, lab="</style><b>", arguments=["<i>"]))
    assert "<script>alert" not in text
    assert "<img" not in text
    assert "</style><b>" not in text
    assert "<i>" not in re.sub(r"<i><span[^>]*>no answer seen", "", text)


def test_a_killed_run_says_so_and_how_to_judge_it(tmp_path: Path) -> None:
    world = quiet_day()
    folder = write_run(tmp_path / "run", {"bench-1": world}, judged=False, torn=["bench-1"], tests=[{"test": "a::b"}])
    _text, parsed = write(folder)
    assert "This run did not come to its end" in parsed.text["en"]
    assert "这次运行没有正常结束" in parsed.text["zh"]
    assert "hil97 judge" in parsed.text[""]
    assert "Tests that never ran" in parsed.text["en"]


def test_a_run_that_saw_nothing_is_a_page_too(tmp_path: Path) -> None:
    _text, parsed = write(write_run(tmp_path / "run", {}, judged=False))
    assert "No test ran." in parsed.text["en"]


@pytest.mark.parametrize(("language", "checked"), [("en", "lang-en"), ("zh", "lang-zh")])
def test_it_opens_in_the_language_in_force(folder: Path, language: str, checked: str) -> None:
    before = i18n._("en")
    i18n.set_language(language)
    try:
        text, parsed = write(folder)
    finally:
        i18n.set_language(before)
    radios = re.findall(r'<input class="lang-switch"[^>]*>', text)
    assert [re.search(r'id="([^"]+)"', radio)[1] for radio in radios if "checked" in radio] == [checked]  # type: ignore[index]
    assert "Requirements" in parsed.text["en"]
    assert "要求" in parsed.text["zh"]


def test_the_same_run_gives_the_same_page(folder: Path) -> None:
    assert write(folder)[0] == write(folder)[0]


def test_why_an_image_was_refused_is_told_though_the_test_passed(tmp_path: Path) -> None:
    """Of no other rule the occasions that passed are listed."""
    folder = write_run(tmp_path / "run", {"bench-1": quiet_day()})
    path = folder / "verdicts.json"
    judged = json.loads(path.read_text(encoding="utf-8"))
    requirements = judged["groups"][0]["requirements"]
    passed = next(one["findings"][0] for one in requirements if one["findings"] and one["verdict"] == "PASS")
    reason = "an image that must be refused (corrupt) was given by service: refused (70 <hash>), and old 1.0.0 runs on"
    refused = next(one for one in requirements if one["id"] == "FWU-04")
    refused["findings"] = [{**passed, "reason": reason}]
    path.write_text(json.dumps(judged), encoding="utf-8")
    text, _parsed = write(folder)
    (told,) = re.findall(r'<ul class="refusals">.*?</ul>', text, re.DOTALL)
    assert "refused (70 &lt;hash&gt;), and old 1.0.0 runs on" in told and told.count("<li>") == 1
    assert "被拒绝（70 &lt;hash&gt;），old 1.0.0 继续运行" in told


def test_findings_between_tests_are_told(tmp_path: Path) -> None:
    world = World(bench="bench-1")
    with world.test(node("sell", world), declares=["MON-01"]):
        world.sign_in()
        world.sale(1200)
    world.sale(900, says("97"))
    world.display("交易成功")
    loaded = run.load(write_run(tmp_path / "run", {"bench-1": world}))
    assert loaded.loose, "the world saw a false approval outside of tests"
    text, parsed = write(loaded.folder)
    assert "Between tests" in parsed.text["en"]
    assert 'id="b1"' in text


def test_two_hundred_bad_tests_of_twenty_thousand_events_stay_small(tmp_path: Path) -> None:
    benches = {}
    for number in range(1, 5):
        world = World(bench=f"bench-{number}")
        world.sign_in()
        for index in range(50):
            with world.test(node(f"case_{number}_{index}", world), declares=["FLT-01"]):
                for _sale in range(7):
                    world.sale(100 + index, says("97"))
                world.display("交易成功", f"{number} {index}")
        world.close()
        benches[f"bench-{number}"] = world
    assert sum(len(world.events) for world in benches.values()) > 18_000
    folder = write_run(tmp_path / "run", benches)
    text, parsed = write(folder)
    assert len(text.encode("utf-8")) < 10_000_000
    assert text.count('<article class="test') >= 200
    assert "told in short" in parsed.text["en"]


def test_a_long_test_keeps_what_is_around_its_evidence(tmp_path: Path) -> None:
    world = World(bench="bench-1")
    with world.test(node("many", world), declares=["MSG-02"]):
        world.sign_in()
        for _sale in range(150):
            world.sale(100, says("97"))
        world.sale(100)
        world.display("交易失败", "应答码:97", "终端未登记")
        for _sale in range(150):
            world.sale(100, says("97"))
    text, parsed = write(write_run(tmp_path / "run", {"bench-1": world}))
    assert "events left out here" in parsed.text["en"]
    assert re.search(r'class="item k-screen[^"]* cited"', text)
    assert text.count('<div class="row ') < 400
