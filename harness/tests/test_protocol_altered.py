"""Changed and forged messages: what is asked for is changed, nothing else is, and a MAC is right or certainly wrong."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import BadInput
from harness.protocol import keys
from harness.protocol.altered import Mac, forged, rewritten
from harness.protocol.codes import answers
from harness.protocol.frames import Frame, build, decode

KEY = bytes.fromhex("0123456789ABCDEF")
REQUEST = keys.seal(
    build(
        "0200",
        {2: "6225970000000097", 3: "000000", 4: "000000009700", 11: "000123", 22: "022", 25: "00", 41: "97979797",
         42: "104110070119701", 49: "156", 60: "22000001000501"},
        tpdu="6000030000", header="602100000000",
    ),
    KEY,
)  # fmt: skip
ANSWER = keys.seal(forged(REQUEST, "00", {37: "112912000001"}, "none", None), KEY)


def test_a_forged_answer_answers_its_request() -> None:
    answer = forged(REQUEST, "97", {}, "recompute", KEY)
    assert answers(REQUEST, answer) == [] and answer.get(39) == "97" and keys.verify(answer, KEY) == "ok"
    assert answer.tpdu == "6000000003" and answer.get(60) == "22000001000" and decode(answer.raw) == answer


@pytest.mark.parametrize(("mac", "said"), [("none", "absent"), ("wrong", "bad"), ("recompute", "ok")])
def test_the_mac_of_a_forged_answer(mac: str, said: str) -> None:
    assert keys.verify(forged(REQUEST, "00", {}, mac, KEY), KEY) == said  # type: ignore[arg-type]


def test_a_wrong_mac_needs_no_key() -> None:
    assert keys.verify(forged(REQUEST, "00", {}, "wrong", None), KEY) == "bad"


@given(code=st.from_regex(r"[0-9A-Z]{2}", fullmatch=True), mac=st.sampled_from(["keep", "break", "recompute", "strip"]))
def test_only_what_is_named_is_rewritten(code: str, mac: Mac) -> None:
    changed = rewritten(ANSWER, {39: code, 37: None}, mac, KEY)
    expected = {number: value for number, value in ANSWER.fields.items() if number not in (37, 39, 64)} | {39: code}
    assert {number: value for number, value in changed.fields.items() if number != 64} == expected
    assert keys.verify(changed, KEY) == {"keep": "bad", "break": "bad", "recompute": "ok", "strip": "absent"}[mac]
    assert mac != "keep" or changed.get(64) == ANSWER.get(64)


def test_broken_alone() -> None:
    changed = rewritten(ANSWER, {}, "break", None)
    assert changed.but({64: ANSWER.get(64)}) == ANSWER and keys.verify(changed, KEY) == "bad"


def test_what_can_not_be_made() -> None:
    with pytest.raises(BadInput, match="key of this session"):
        rewritten(ANSWER, {39: "00"}, "recompute", None)
    with pytest.raises(BadInput):
        rewritten(ANSWER, {39: "too long"}, "keep", KEY)


def test_a_frame_without_mac_gets_one_that_is_wrong() -> None:
    bare: Frame = ANSWER.but({64: None})
    assert keys.verify(rewritten(bare, {}, "break", KEY), KEY) == "bad"
    assert keys.verify(rewritten(bare, {}, "break", None), KEY) == "bad"
