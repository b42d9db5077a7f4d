"""Faults in words: what is written is read as the same; what is said in Robot means what it says; else BadInput."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import BadInput
from harness.wire.faults import Fault, Match, catalogue, read
from harness.wire.faults.cut import Cut
from harness.wire.faults.drop import Drop
from harness.wire.faults.forge import Forge
from harness.wire.faults.hold import Hold
from harness.wire.faults.rewrite import Rewrite
from harness.wire.faults.spoken import PHRASES, example, names, parse, sentence, words
from harness.wire.moments import parse_moment

MESSAGES = ["0200", "response to 0200", "second 0800", "7th 0410", "0210 with F39=97 and F4=000000001000",
            "0200 of 60.1=22", "0320 of 60.3=201"]  # fmt: skip
FIELDS = {2: "6225", 39: "00", 37: "112912000001", 63: None}
NUMBERS = st.integers(1, 60)
MORE: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "replace": {"hex": st.just("0001AA")}, "replay": {"hex": st.just("0001AA")},
    "rewrite": {"fields": st.just(FIELDS)}, "forge": {"fields": st.just(FIELDS)},
    "drop": {"first_n": NUMBERS}, "delay": {"jitter_ms": NUMBERS}, "hold": {"release_s": st.none() | NUMBERS},
    "cut": {"then": st.sampled_from(["heal", "reset", "close"]), "after_bytes": st.integers(-9, 9)},
    "mtu_black_hole": {"silent": st.booleans()}, "corrupt": {"fix_checksum": st.booleans()},
}


@st.composite
def faults(draw: st.DrawFn) -> Fault:
    """Any fault there is, with any of what all have and some of its own."""
    kind = draw(st.sampled_from(list(catalogue().values())))
    moments = MESSAGES + ([] if kind.level == "message" and kind.called() != "rst" else ["connecting", "after 0200"])
    match = {
        "direction": draw(st.sampled_from(["both", *["to_acquirer", "to_terminal"] * (kind.level != "service")])),
        "address": draw(st.none() | st.just("10.97.0.1")), "port": draw(st.none() | st.integers(1, 65535)),
        "moment": draw(st.none() | st.sampled_from(moments)),
    }
    values: dict[str, Any] = {"fault": kind.called(), "match": match}
    common = {
        "count": st.none() | NUMBERS, "percent": st.floats(0, 100), "for_s": st.none() | st.floats(0, 3600),
        "seed": st.text(min_size=1, max_size=9) | st.just("none"),
        "only": st.none() | st.lists(NUMBERS, min_size=1, max_size=3),
    }
    own = MORE.get(kind.called(), {})
    for name, strategy in (common | own).items():
        if name in ("hex", "fields") or draw(st.booleans()):
            values[name] = draw(strategy)
    return read(values)


@given(faults())
def test_what_is_written_is_read_as_the_same(fault: Fault) -> None:
    assert parse(words(fault)) == fault


@given(st.text(max_size=60) | st.lists(st.sampled_from(
    [*names(), "at", "0200", "response", "to", "percent=3", "F39=97", "F=", "=", "count=none", "'", "match=x", "after"]
), max_size=6).map(" ".join))  # fmt: skip
def test_anything_else_is_bad_input(text: str) -> None:
    try:
        fault = parse(text)
    except BadInput as error:
        assert str(error)
    else:
        assert parse(words(fault)) == fault


@pytest.mark.parametrize(("text", "fault"), [
    ("hold at response to 0200", Hold(match=Match(moment=parse_moment("0210")))),
    ("loss percent=30 direction=to_terminal port=8583",
     Drop(percent=30, match=Match(direction="to_terminal", port=8583))),
    ("truncate after_bytes=20 then=reset at second response to 0800",
     Cut(after_bytes=20, then="reset", match=Match(moment=parse_moment("second 0810")))),
    ("forge mac=none seed=none at 0200", Forge(mac="none", seed="none", match=Match(moment=parse_moment("0200")))),
    ("rewrite F39=00 F63= at 0210 with F39=97",
     Rewrite(fields={39: "00", 63: None}, match=Match(moment=parse_moment("0210 with F39=97")))),
])  # fmt: skip
def test_examples(text: str, fault: Fault) -> None:
    assert parse(text) == fault and parse(words(fault)) == fault


@pytest.mark.parametrize(("text", "said"), [
    ("", "no fault"), ("explode", "there is no fault 'explode'"), ("hold 3", "no key=value"), ("hold 'at", "quotation"),
    ("hold colour=red", "hold: colour"), ("drop percent=300", "drop: percent"),
    ("hold at connecting", "acts on a message"), ("hold at response to second 0200", "no protocol moment"),
    ("drop match=x", "not written so"),
])  # fmt: skip
def test_what_is_wrong_is_said(text: str, said: str) -> None:
    with pytest.raises(BadInput, match=said) as caught:
        parse(text)
    assert caught.value.remedy


@pytest.mark.parametrize("form", PHRASES)
def test_every_phrase_of_a_robot_test_can_be_said(form: str) -> None:
    said = example(form)
    assert all(character not in said for character in "(?\\<")
    fault = sentence("the response to 0200", said)
    assert str(fault.match.moment) == "0210"


def test_what_is_said_is_meant() -> None:
    assert sentence("response to 0200", "cut after 20 bytes") == Cut(
        after_bytes=20, match=Match(moment=parse_moment("0210"))
    )
    cut = sentence("the second 0800", "cut after 2 bytes and reset")
    assert isinstance(cut, Cut) and (cut.then, str(cut.match.moment)) == ("reset", "second 0800")
    held = sentence("0210", "held for 1.5 seconds")
    assert isinstance(held, Hold) and held.release_s == 1.5
    with pytest.raises(BadInput, match="eaten") as caught:
        sentence("0210", "eaten")
    assert "cut after 3 bytes" in caught.value.remedy
