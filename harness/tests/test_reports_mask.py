"""No card number, track, PIN block or key in anything readable."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.protocol import describe
from harness.protocol.frames import build
from harness.protocol.nested import BatchRecord, make_batch_records
from harness.reports import mask, messages

PAN = "6225880123456788"
VISA = "4111111111111111"


def luhn(body: str) -> str:
    """``body`` with its check digit."""
    total = 0
    for position, digit in enumerate(reversed(body)):
        value = int(digit) * (1 if position % 2 else 2)
        total += value - 9 if value > 9 else value
    return body + str(-total % 10)


def shown(mti: str, fields: dict[int, str]) -> str:
    """All that the page says of a frame."""
    return repr(messages.message(build(mti, fields), {}))


@given(st.text("0123456789", min_size=15, max_size=18).map(luhn), st.text(), st.text())
def test_a_card_number_in_a_text_is_masked(pan: str, before: str, after: str) -> None:
    said = mask.text(f"{before} {pan}, {after}")
    assert pan not in said
    assert pan[-4:] in said


@given(st.text("0123456789", min_size=12, max_size=19))
def test_masked_numbers_keep_their_length_and_show_ten_digits_at_most(digits: str) -> None:
    masked = mask.pan(digits)
    assert len(masked) == len(digits)
    assert sum(character.isdigit() for character in masked) <= 10


@pytest.mark.parametrize(
    "text",
    ["商户号:898340148160001", "终端号:97979797", "参考号:250601120001", "000012", "金额:RMB 12.00",
     "2025/06/01 12:00:00", "0102030405060708", "sha256 " + "ab" * 32],
)  # fmt: skip
def test_other_numbers_stay(text: str) -> None:
    assert mask.text(text) == text


def test_keys_and_tracks_in_a_text_are_masked() -> None:
    said = mask.text(f"KEY TMK 0123456789ABCDEFFEDCBA9876543210 and {VISA}D2512101123456")
    assert "0123456789ABCDEF" not in said
    assert VISA not in said
    assert "2512101" not in said


@pytest.mark.parametrize("text", ["Card(pin='123456', psn='001')", "PIN=1234", '{"pin": "123456789012"}'])
def test_a_pin_in_a_text_is_masked(text: str) -> None:
    said = mask.text(text)
    assert "1234" not in said
    assert mask.HIDDEN in said
    assert ("psn='001'" in said) == ("psn" in text)


def test_a_wrapped_card_number_makes_a_picture_secret() -> None:
    assert mask.shows_secret(["卡号:", PAN[:9], PAN[9:]])
    assert not mask.shows_secret(["欢迎使用", "请按确认键消费"])


def test_secret_arguments_are_hidden_by_their_name() -> None:
    assert mask.values({"tmk": "00" * 16, "amount": "1200", "pin": "yes"}) == {
        "tmk": mask.HIDDEN, "amount": "1200", "pin": "yes",
    }  # fmt: skip


def test_card_fields_of_a_frame() -> None:
    said = shown(
        "0200",
        {2: PAN, 4: "000000001200", 35: f"{PAN}D25121011234567", 36: f"99{PAN}D1561560000", 52: "1122334455667788"},
    )
    assert PAN not in said
    assert "D2512101" not in said
    assert "1122334455667788" not in said
    assert "622588******6788" in said
    assert "12.00" in said


def test_chip_data_shows_its_elements_but_no_card() -> None:
    f55 = "5A08" + PAN + "57" + "11" + f"{PAN}D2512101123456780" + "F" + "9F3602001C"
    said = shown("0200", {55: f55})
    assert "001C" in said
    assert PAN not in said
    assert "2512101" not in said


def test_sign_in_keys_are_shown_as_check_values_only() -> None:
    pik, mak = "0123456789ABCDEF" * 2, "89ABCDEF01234567" + "00" * 8
    said = shown("0810", {39: "00", 60: "00000001003", 62: pik + "AABBCCDD" + mak + "11223344"})
    assert "AABBCCDD" in said
    assert "11223344" in said
    assert pik[:16] not in said
    assert mak[:16] not in said


def test_keys_of_an_unknown_shape_are_hidden_whole() -> None:
    said = shown("0810", {39: "97", 60: "00000001003", 62: "0123456789ABCDEF01"})
    assert "0123456789" not in said
    assert "9 B" in said


def test_a_batch_upload_shows_its_records_without_card_numbers() -> None:
    f48 = make_batch_records([BatchRecord("00", "000012", PAN, 1200)])
    said = shown("0320", {48: f48, 60: "00000001201"})
    assert PAN not in said
    assert "000012" in said


def test_a_payment_code_and_the_random_factor_are_hidden() -> None:
    code = "628888888888888888"
    a2 = "0206SN123403006456788"
    said = shown("0200", {59: f"A2{len(a2):03d}{a2}A3{len(code):03d}{code}"})
    assert code not in said
    assert "456788" not in said


def test_every_part_that_is_taken_apart_goes_through_the_mask() -> None:
    """A reader that protocol adds later shows nothing in the clear by accident: its values are masked as text."""
    assert set(describe._READERS) == {22, 39, 48, 53, 55, 59, 60, 61, 62, 63}, "look at mask.nested for the new field"
