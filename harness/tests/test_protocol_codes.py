"""What a message is called, what answers what, and which messages carry a MAC."""

from __future__ import annotations

import pytest
from hypothesis import given

from harness.protocol import codes
from harness.protocol.frames import Frame, build, decode
from harness.tests.protocol_samples import S01, S05, S07, frames


def _frame(mti: str, f60: str = "", f3: str = "", f25: str = "") -> Frame:
    return build(mti, {number: value for number, value in ((3, f3), (25, f25), (60, f60)) if value})


@pytest.mark.parametrize(
    ("mti", "f60", "name"),
    [
        ("0800", "00000001001", "sign_in"),
        ("0800", "00000001003", "sign_in"),
        ("0800", "00000001004", "sign_in"),
        ("0820", "00000001301", "echo"),
        ("0820", "00000001002", "sign_off"),
        ("0800", "00000001360", "parameter_download"),
        ("0800", "00000001370", "capk_download"),
        ("0820", "00000001372", "capk_query"),
        ("0820", "07000001800", "signature_upload"),
        ("0200", "22000001", "sale"),
        ("0200", "22000001000", "sale"),
        ("0200", "2200000100050", "sale"),
        ("0200", "23000001", "void"),
        ("0200", "01000001", "balance"),
        ("0200", "20000001", "completion"),
        ("0220", "25000001", "refund"),
        ("0220", "24000001", "completion_advice"),
        ("0100", "10000001", "pre_authorisation"),
        ("0100", "11000001", "pre_authorisation_void"),
        ("0400", "22000001", "reversal"),
        ("0500", "00000001201", "settlement"),
        ("0320", "00000001201", "batch_upload"),
        ("0320", "00000001207", "batch_end"),
        ("0320", "00000001202", "batch_end"),
        ("0320", "00000001203", "batch_upload_chip"),
        ("0620", "00000001951", "script_notice"),
        ("0200", "99000001", "unknown"),
        ("0900", "22000001", "unknown"),
    ],
)
def test_requests_and_their_responses_have_names(mti: str, f60: str, name: str) -> None:
    assert codes.transaction_name(_frame(mti, f60)) == name
    assert codes.transaction_name(_frame(codes.response_mti(mti), f60)) == name


@pytest.mark.parametrize(
    ("mti", "f3", "f25", "name"),
    [
        ("0210", "000000", "00", "sale"),
        ("0210", "200000", "00", "void"),
        ("0210", "310000", "00", "balance"),
        ("0110", "030000", "06", "pre_authorisation"),
        ("0410", "000000", "00", "reversal"),
        ("0510", "", "", "settlement"),
        ("0810", "", "", "unknown"),
        ("0210", "000000", "", "unknown"),
    ],
)
def test_a_response_without_f60_is_named_by_what_it_has(mti: str, f3: str, f25: str, name: str) -> None:
    assert codes.transaction_name(_frame(mti, "", f3, f25)) == name


def test_a_reversal_knows_what_it_reverses() -> None:
    assert codes.original_name(_frame("0400", "22000001")) == "sale"
    assert codes.original_name(_frame("0410", "23000001")) == "void"
    assert codes.original_name(_frame("0400", "10000001")) == "pre_authorisation"
    assert codes.original_name(_frame("0400", "", "000000", "00")) == "sale"
    assert codes.original_name(_frame("0400", "", "200000", "06")) == "unknown"  # void of either kind
    assert codes.original_name(_frame("0200", "22000001")) == "sale"


def test_public_frames_have_names() -> None:
    assert [codes.transaction_name(decode(data)) for data in (S01, S05, S07)] == ["sign_in"] * 3


REQUEST = build(
    "0200",
    {3: "000000", 4: "000000000100", 11: "000007", 25: "00", 41: "10000001", 42: "898000000000001", 49: "156",
     60: "22000001"},
)  # fmt: skip
RESPONSE = REQUEST.but({39: "97", 37: "000000000001"}, mti="0210")


def test_an_answer_answers() -> None:
    assert codes.answers(REQUEST, RESPONSE) == []


@pytest.mark.parametrize(
    ("number", "value"),
    [(3, "200000"), (4, "000000000101"), (11, "000008"), (25, "06"), (41, "10000002"), (42, "898000000000002"),
     (49, "840")],
)  # fmt: skip
def test_each_field_that_must_match_is_compared_where_both_have_it(number: int, value: str) -> None:
    (mismatch,) = codes.answers(REQUEST, RESPONSE.but({number: value}))
    assert mismatch == f"F{number} is {value}, the request has {REQUEST.get(number)}"
    assert codes.answers(REQUEST, RESPONSE.but({number: None})) == []
    assert codes.answers(REQUEST.but({number: None}), RESPONSE) == []


@pytest.mark.parametrize("mti", ["0200", "0410", "0810", "0230"])
def test_the_mti_must_be_the_request_s_plus_10(mti: str) -> None:
    assert codes.answers(REQUEST, RESPONSE.but(mti=mti)) == [f"MTI is {mti}, the answer to 0200 is 0210"]


def test_every_mismatch_is_named() -> None:
    assert len(codes.answers(REQUEST, RESPONSE.but({11: "000008", 41: "99999999"}, mti="0410"))) == 3


@pytest.mark.parametrize(
    ("mti", "f60", "financial", "mac"),
    [
        ("0200", "22000001", True, True),
        ("0210", "22000001", True, True),
        ("0100", "10000001", True, True),
        ("0220", "25000001", True, True),
        ("0400", "22000001", True, True),
        ("0410", "22000001", True, True),
        ("0500", "00000001201", False, False),
        ("0510", "00000001201", False, False),
        ("0320", "00000001201", False, False),
        ("0330", "00000001202", False, False),
        ("0800", "00000001003", False, False),
        ("0810", "00000001003", False, False),
        ("0820", "00000001301", False, False),
        ("0820", "07000001800", False, True),
        ("0620", "00000001951", False, True),
    ],
)
def test_who_is_financial_and_who_carries_a_mac(mti: str, f60: str, financial: bool, mac: bool) -> None:
    assert codes.is_financial(mti) is financial
    assert codes.carries_mac(_frame(mti, f60)) is mac


def test_mti_names() -> None:
    assert codes.mti_name("0210") == "financial response"
    assert codes.mti_name("0220") == "financial advice request"
    assert codes.mti_name("0800") == "network management request"
    assert codes.mti_name("9900") == "unknown request"


@given(frames())
def test_every_frame_has_a_name_and_answers_or_not(frame: Frame) -> None:
    assert codes.transaction_name(frame)
    assert codes.original_name(frame)
    assert codes.mti_name(frame.mti)
    assert isinstance(codes.carries_mac(frame), bool)
    assert isinstance(codes.answers(frame, frame), list)
