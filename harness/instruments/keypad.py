"""A finger for an emulated keypad."""

from __future__ import annotations

from harness.instruments.panel import Panel

_LETTERS = {letter: (digit, turns) for digit, letters in (("2", "ABC"), ("3", "DEF"))
            for turns, letter in enumerate(letters, 1)}


class Keypad:
    """Presses keys by name: 0..9, ENTER, CANCEL, CLEAR, FUNC, ALPHA, UP, DOWN."""

    def __init__(self, panel: Panel) -> None:
        self._panel = panel

    def press(self, *keys: str) -> None:
        """Presses them one after another."""
        for key in keys:
            self._panel.request("key", key=key)

    def type(self, text: str) -> None:
        """Digits, and A to F by ALPHA: 2 and ALPHA once gives A, twice B, three times C; 3 likewise D, E, F."""
        for character in text:
            if character in _LETTERS:
                digit, turns = _LETTERS[character]
                self.press(digit, *["ALPHA"] * turns)
            elif character.isascii() and character.isdigit():
                self.press(character)
            else:
                raise ValueError(f"{character!r} can't be typed on a keypad of digits")
