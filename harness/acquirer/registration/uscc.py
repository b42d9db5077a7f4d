"""The unified social credit code of a Chinese company (GB 32100-2015): 18 characters, the last one a check character.

The arithmetic is python-stdnum's, which takes the remainder once more at the end; libraries that do not break where the
sum is a multiple of 31 and the check character is 0. Its format check is not used: it wants 8 leading digits, but the
registering authority (first character) may be a letter: A, N and Y are assigned.
"""

from __future__ import annotations

import re

ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
SHAPE = f"[{ALPHABET}]{{2}}[0-9]{{6}}[{ALPHABET}]{{10}}"


def problem_with(code: str) -> str:
    """What is wrong with it, in words; "" : nothing."""
    if len(code) != 18:
        return f"it has {len(code)} characters, a unified social credit code has 18"
    for position, character in enumerate(code, 1):
        if character not in ALPHABET:
            return f"character {position} is {character!r}; only digits and capitals but I, O, S, V, Z may stand there"
    if not re.fullmatch(SHAPE, code):
        return "characters 3 to 8, the registering region, are not six digits"
    from stdnum.cn import uscc as stdnum_uscc  # only who reviews applications pays for it

    expected = stdnum_uscc.calc_check_digit(code[:17])
    return "" if code[17] == expected else f"the check character is {code[17]}, expected {expected}"
