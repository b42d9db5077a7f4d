"""What faults did is told in Chinese too: every phrase that the injector's source has."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import harness
from harness.reports import strikes

INJECTOR = Path(harness.__file__).parent / "wire" / "injector"
CHINESE = re.compile(r"[一-鿿]")
SOURCES = sorted([*(INJECTOR / "acts").glob("*.py"), *(INJECTOR / "splicer" / "deeds").glob("*.py")])
SAID = [
    "lost", "lost: 140 bytes; its sender is told", "lost: no way through", "lost: the queue is full",
    "lost: the connection is silent", "ARP lost", "10.97.0.2 is said to be at 02:97:97:97:97:97, not aa:bb",
    "passed within the burst", "the question comes 5 s late", "the offer is lost", "acquirer.hil97.test: no such name",
    "late by 100.0 ms", "came 3 times", "1 bits turned in byte 20, checksum false", "refused: ICMP port unreachable",
    "refused (closing already)", "kept back until 1 more have passed, or 50 ms", "reset at terminal and acquirer",
    "FIN late by 0.5 s", "the SYN is lost", "the offer comes 3 s late", "the question is lost",
    "the ACK comes as a NAK",
    "the offer names the router 10.97.0.97", "acquirer.hil97.test: a wrong address, 10.97.0.97",
    "cut after 20 of 150 bytes, then a FIN", "cut after 20 of 150 bytes of its record, the rest later",
    "delivered in 150 pieces, 1 ms apart", "held for 0.5 s", "held until healed", "replaced by 8 bytes",
    "an earlier message was delivered before it", "an earlier message was delivered in its place",
    "0210 with F39=97 forged, the true one will be swallowed",
    "swallowed, and acknowledged to its sender", "F39, F63 rewritten, F64 kept", "F64 stripped", "F64 recomputed",
    "both ends reset after it", "the terminal reset before it",
    "swallowed with all behind it (its session can't lack a record), and acknowledged to its sender",
    "the true answer was swallowed, and acknowledged to its sender",
]  # fmt: skip


@pytest.mark.parametrize("what", SAID)
def test_what_was_done_is_told_in_both_languages(what: str) -> None:
    told = strikes.both(what)
    assert told.en == what
    rest = re.sub(r"F\d+(=\d+)?|ICMP|FIN|SYN|ARP|OFFER|ACK|NAK|[\d.:a-f]{4,}|acquirer\.hil97\.test", "", told.zh)
    assert CHINESE.search(told.zh) and not re.search("[a-zA-Z]{3}", rest), told.zh


def test_numbers_stand_where_they_belong() -> None:
    assert strikes.both("cut after 20 of 150 bytes, then a FIN").zh == "在 150 字节中的第 20 字节后中断，随后为 FIN"
    assert strikes.both("something that nobody knows").zh == "something that nobody knows"


def phrases(path: Path) -> Iterator[str]:
    """Texts of a fault's file that are returned or put together for people: f-strings, and strings with a blank."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    plain = {id(value) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for value in node.values}
    for function in [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]:
        for node in ast.walk(function):
            if isinstance(node, ast.Return) and node.value is not None:
                for part in ast.walk(node.value):
                    if isinstance(part, ast.JoinedStr):
                        yield "".join(str(v.value) if isinstance(v, ast.Constant) else "{}" for v in part.values)
                    elif isinstance(part, ast.Constant) and isinstance(part.value, str) and id(part) not in plain:
                        yield part.value


def test_every_phrase_of_the_injector_has_an_example_here() -> None:
    found = {text for path in SOURCES for text in phrases(path) if " " in text.strip() or text == "lost"}
    assert len(found) > 20
    for text in found:
        form = re.compile(".*".join(re.escape(part) for part in text.split("{}")))
        assert any(form.search(said) for said in SAID), text
