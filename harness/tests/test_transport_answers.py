"""What instruments answer may be anything: it is understood, or it is an InstrumentError, and nothing else."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.instruments.contracts import InstrumentError
from harness.instruments.transport import answers, troubles

READERS: list[Callable[[str], object]] = [
    lambda text: answers.number("A", "Q?", text),
    lambda text: answers.numbers("A", "Q?", text, 3),
    lambda text: answers.named("A", "Q?", text, ["temperature_c", "door_open"]),
    lambda text: answers.switch("A", "Q?", text),
    lambda text: answers.error_of("A", text),
]
UNTELLABLE = ["\ud800", "a\x1b[2J", "a\u202eb", "a\nb"]  # a lone surrogate can't even be written down


@given(st.text())
def test_any_text_is_understood_or_an_instrument_error(text: str) -> None:
    for read in READERS:
        try:
            read(text)
        except InstrumentError as error:
            assert error.remedy
            assert error.what.isprintable(), "a message must not move a console's cursor"


@given(st.binary())
def test_any_body_is_a_json_object_or_an_instrument_error(body: bytes) -> None:
    try:
        found = answers.json_object("A", "GET /", body)
    except InstrumentError as error:
        assert error.what.isprintable()
    else:
        assert isinstance(found, dict) and body.strip()[:1] == b"{"


@given(st.dictionaries(st.just("key"), st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists)))
def test_any_member_is_understood_or_an_instrument_error(found: dict[str, Any]) -> None:
    for read in (answers.member, answers.flag, answers.text):
        try:
            value = read("A", "GET /", found, "key")
        except InstrumentError as error:
            assert error.what.isprintable()
        else:
            assert not isinstance(value, float) or math.isfinite(value)
            assert not isinstance(value, str) or (value.isprintable() and value.encode() is not None)


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e30, max_value=1e30))
def test_numbers_in_any_notation(value: float) -> None:
    for text in (repr(value), f"{value:E}", f"{value:+.6f}", f" {value!r} "):
        assert answers.number("A", "Q?", text) == pytest.approx(value, rel=1e-6, abs=1e-6)


@given(st.lists(st.floats(-100, 100).map(lambda x: round(x, 3)), min_size=1, max_size=6))
def test_a_list_of_numbers(values: list[float]) -> None:
    text = ",".join(str(value) for value in values)
    assert answers.numbers("A", "Q?", text, len(values)) == values
    with pytest.raises(InstrumentError):
        answers.numbers("A", "Q?", text, len(values) + 1)


@given(st.integers(-999999, 999999), st.text(st.characters(categories=["L", "N", "Zs"]), max_size=40))
def test_errors_in_the_list(code: int, said: str) -> None:
    told = answers.error_of("A", f'{code},"{said}"')
    assert (told == "") == (code == 0)
    if code:
        assert told.startswith(str(code)) and said.strip() in told


@pytest.mark.parametrize("text", ["9.9E37", "9.91E37", "-9.9E37", "9.9E+999"])
def test_what_scpi_says_for_infinite_and_for_no_number(text: str) -> None:
    with pytest.raises(InstrumentError, match=r"has no reading for 'Q\?'"):
        answers.number("A", "Q?", text)


@given(st.text())
def test_what_is_quoted_is_short_and_printable(text: str) -> None:
    told = troubles.shortened(text)
    assert len(told) <= 60 and (told.isprintable() or not told)


@pytest.mark.parametrize("said", UNTELLABLE, ids=ascii)
def test_a_text_that_can_t_be_told(said: str) -> None:
    with pytest.raises(InstrumentError, match="which is no text") as told:
        answers.text("A", "GET /", {"id": said}, "id")
    assert told.value.what.isprintable()


@given(st.text(max_size=300))
def test_an_identity_is_a_line_that_can_be_printed_or_none(said: str) -> None:
    try:
        assert answers.identity("A", "*IDN?", said) == said
    except InstrumentError as error:
        assert error.what.isprintable() and len(error.what) < 150
    else:
        assert said.isprintable() and len(said) <= 200 and said.encode()


@pytest.mark.parametrize(
    "said", [*UNTELLABLE, "", " ", "a\ufffd", "x" * 50_000, None], ids=lambda said: ascii(said)[:20]
)
def test_an_identity_that_is_none(said: object) -> None:
    with pytest.raises(InstrumentError, match="which is no identity"):
        answers.identity("A", "*IDN?", said)


def test_an_identity_that_fits() -> None:
    answers.identity_fits("A", "emu-chamber", "HIL97,EMU-CHAMBER,7,1.0")
    answers.identity_fits("A", "", "anything")
    with pytest.raises(InstrumentError, match="is another instrument than expected"):
        answers.identity_fits("A", "EMU-SUPPLY", "HIL97,EMU-CHAMBER,7,1.0")
