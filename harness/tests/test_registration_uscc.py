"""The unified social credit code, against vectors that were computed elsewhere and an arithmetic of our own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.acquirer.registration.uscc import ALPHABET, problem_with

_bodies = st.builds(
    lambda head, region, rest: head + region + rest,
    st.text(ALPHABET, min_size=2, max_size=2), st.text("0123456789", min_size=6, max_size=6),
    st.text(ALPHABET, min_size=9, max_size=9),
)  # fmt: skip


def check_character(body: str) -> str:
    """GB 32100-2015: weights are powers of 3 modulo 31; written from the standard's formula."""
    total = sum(ALPHABET.index(character) * 3**position for position, character in enumerate(body))
    return ALPHABET[-total % 31]


@pytest.mark.parametrize(
    "code",
    [
        "91350100M000100Y43",  # the standard's own example
        "91110108551385082Q", "91110000600037341L",
        "91350100M000000000",  # the sum is a multiple of 31: check character 0, where several libraries break
    ],
)  # fmt: skip
def test_codes_that_are_right(code: str) -> None:
    assert problem_with(code) == ""


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("91350100M000100Y4Z", "character 18 is 'Z'"), ("91350100M000100Y44", "is 4, expected 3"),
        ("91350100M00000000", "it has 17 characters"), ("", "it has 0 characters"),
        ("91350100M000100y43", "character 16 is 'y'"), ("9135010AM000100Y43", "characters 3 to 8"),
        ("91350100M000100Y4３", "character 18"), ("91350100 M000100Y4", "character 9"),
        ("O1350100M000100Y43", "character 1 is 'O'"), ("91350100M00000000W", "expected 0"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(code: str, says: str) -> None:
    assert says in problem_with(code)


def test_the_registering_authority_may_be_a_letter() -> None:
    for authority in "ANY":
        body = f"{authority}1350100M000100Y4"
        assert problem_with(body + check_character(body)) == ""


@given(_bodies)
def test_one_check_character_fits_and_no_other(body: str) -> None:
    right = check_character(body)
    assert [one for one in ALPHABET if not problem_with(body + one)] == [right]


@given(_bodies, st.integers(0, 16), st.sampled_from("0123456789"))
def test_one_wrong_digit_is_found(body: str, position: int, digit: str) -> None:
    code = body + check_character(body)
    wrong = code[:position] + digit + code[position + 1 :]
    assert (problem_with(wrong) == "") == (wrong == code)


@given(st.text(max_size=30))
def test_no_text_breaks_it(text: str) -> None:
    problem_with(text)
