"""The console: a line for each message, nothing in the clear, the report at a batch end, both languages."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console as RichConsole

from harness import i18n
from harness.acquirer.console import Console, Paper
from harness.acquirer.fees import Fees
from harness.acquirer.masking import masked, masked_in
from harness.protocol.nested import Totals
from harness.tests.acquirer_terminal import MID, PAN, TRACK2, InProcess, Pos


class Watched(InProcess):
    """A host whose journal a console shows."""

    def __init__(self) -> None:
        super().__init__()
        self.text = io.StringIO()
        out = RichConsole(file=self.text, width=160, highlight=False, markup=False, emoji=False)
        self._console = Console(out, Fees(self.host.store, {}), self.host.clock.now)

    def exchange(self, raw: bytes) -> bytes | None:
        async def pushed() -> bytes | None:
            outcome = self.host.receive(1, raw)
            for row in outcome.rows:
                self._console.row(row)
            await asyncio.sleep(0)
            return outcome.send

        return asyncio.run(pushed())

    def lines(self) -> list[str]:
        return self.text.getvalue().splitlines()


@pytest.fixture
def language() -> Iterator[None]:
    before = i18n.language()
    i18n.set_language("en")
    yield
    i18n.set_language(before)


def day(host: Watched) -> Pos:
    pos = host.terminal()
    sale = pos.sale(9_797)
    pos.void(sale)
    pos.sale(100)
    pos.reverse(f"{pos.trace:06d}", 100)
    pos.settle(Totals(9_797, 1, 9_797, 1))
    pos.end_batch("207", 2)
    return pos


@pytest.mark.usefixtures("language")
def test_each_message_is_one_line_that_says_what_and_why() -> None:
    host = Watched()
    pos = day(host)
    told = [line for line in host.lines() if pos.tid in line and not line.startswith("Batch")]
    shown = [(line[18:42].strip(), line[43:53].strip(), line[54:56]) for line in told]
    assert shown == [
        ("sign-in", "", "00"), ("sale", "97.97", "00"), ("void", "97.97", "00"), ("sale", "1.00", "00"),
        ("reversal: sale", "1.00", "00"), ("settlement", "", "00"), ("batch end", "", "00"),
    ]  # fmt: skip
    assert "booked, F37" in told[1] and "card 622588******0097" in told[1]
    assert any(line.startswith(f"Batch 000001 of {pos.tid} ({MID})") for line in host.lines())
    assert PAN not in host.text.getvalue() and TRACK2 not in host.text.getvalue()


@pytest.mark.usefixtures("language")
def test_what_is_not_answered_is_told_too() -> None:
    host = Watched()
    pos = host.terminal()
    host.do("misbehave", rule={"action": "never"})
    assert pos.send("0200", pos.sale_fields(100), sealed=True) is None
    host.do("misbehave", rule={"action": "drop"})
    assert pos.send("0200", pos.sale_fields(100), sealed=True) is None
    assert host.exchange(b"\x00\x05hello") is None
    never, dropped, wild = host.lines()[-3:]
    assert "00 NOT SENT: " in never
    assert f"{pos.tid} sale" in dropped and " -- " in dropped and "dropped" in dropped
    assert "no message" in wild and "connection closed" in wild


@pytest.mark.usefixtures("language")
def test_f39_of_what_came_is_not_shown_as_an_answer() -> None:
    """The reason of a reversal that is dropped, and a 97 that somebody sends to us."""
    host = Watched()
    pos = host.terminal()
    sale = pos.sale(100)
    host.do("misbehave", rule={"action": "drop"})
    with pytest.raises(AssertionError, match="no answer"):
        pos.reverse(sale.get(11), 100)
    assert host.exchange(pos.request("0810", {11: "000009", 39: "97"}).raw) is None
    dropped, backwards = host.lines()[-2:]
    assert "reversal: sale" in dropped and [dropped[54:56], backwards[54:56]] == ["--", "--"]
    assert "0810 is no request" in backwards


@pytest.mark.usefixtures("language")
def test_a_full_disk_behind_it_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    with Path("/dev/full").open("w", encoding="ascii") as full:
        paper = Paper(file=full)
        for _ in range(3):
            paper.print("a message")
    told = "hil97: messages can't be shown any more (No space left on device); the acquirer goes on without\n"
    assert capsys.readouterr().err == told


@pytest.mark.usefixtures("language")
def test_in_chinese_where_chinese_is_asked_for() -> None:
    i18n.set_language("zh")
    host = Watched()
    pos = day(host)
    assert any(f"{pos.tid} 消费 " in line for line in host.lines())
    assert any("手续费" in line for line in host.lines())


def test_numbers_are_masked_and_merchant_codes_are_not() -> None:
    assert masked(PAN) == "622588******0097" and masked("12345") == "12345"
    assert masked_in(f"card {PAN}, code 289797979797979797, merchant {MID}, F37 112421000002") == (
        f"card 622588******0097, code 289797********9797, merchant {MID}, F37 112421000002"
    )
