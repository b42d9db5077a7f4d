"""How the acquirer is told to be a bad host: rules that fit some of the next requests and change the outcome.

A rule is used up after ``count`` requests. The first armed rule that fits is used; one request uses one rule.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from harness.errors import BadInput

Action = Literal[
    "answer",  # ``code`` instead of deciding; nothing is booked, signed in or closed
    "late",  # decided and booked, sent ``delay_s`` later
    "never",  # decided and booked, never sent
    "drop",  # not even decided
    "bad_mac",  # F64 is wrong
    "foreign_trace",  # F11 is another's, F64 right for it
    "no_mac",  # F64 is missing
    "close",  # the connection is closed instead of an answer; not decided
    "no_keys",  # sign-in approved without F62; the working keys that there are stay in force
    "bad_kcv",  # sign-in approved, both check values wrong
    "unbalanced",  # settlement decided, but its result says "not balanced": the terminal must upload its batch
    "script",  # decided and booked; F55 of an approval ends in ``f55``, for instance 72 with commands to the chip
    "processing_request",  # decided and booked; header nibble 5 of the answer is ``header_request``
]
ACTIONS: tuple[str, ...] = get_args(Action)
SIGN_IN_ACTIONS = ("no_keys", "bad_kcv")
_ONLY_ON = {"no_keys": "0800", "bad_kcv": "0800", "unbalanced": "0500"}
MAX_DELAY_S = 3600.0
SIGN_IN_AGAIN = "3"  # header nibble 5 where a processing_request names none
FRESH_KEYS = "keys"  # value of ``f62``: working keys that are right under the TMK but that the host will not use

_TAKES_CODE = ("answer", "late", "never", "bad_mac", "foreign_trace", "no_mac")
_ONLY_FOR = {
    "f55": ("answer", "script"), "f62": ("answer",), "f63": ("answer",), "with_mac": ("answer",),
    "header_request": ("answer", "processing_request"), "delay_s": ("late",), "code": _TAKES_CODE,
}
_PATTERNS = {
    "mti": r"\d{4}", "network_code": r"\d{3}", "message_type": r"\d{2}", "tid": r"[ -~]{8}",
    "code": r"[0-9A-Z]{2}", "header_request": r"\d", "f62": rf"([0-9A-Fa-f]{{2}})*|{FRESH_KEYS}",
    "f55": r"([0-9A-Fa-f]{2})+", "f63": r"([0-9A-Fa-f]{2})*",
}


@dataclass(frozen=True)
class Rule:
    """What to do with which requests. None in ``mti``, ``network_code``, ``message_type``, ``tid`` fits all.

    The first ``skip`` requests that fit are left alone. ``count`` None: until cleared. A ``code`` answers without
    deciding, then the action is applied to that answer.
    ``f55``, ``f62`` and ``f63`` are hex (or "keys", see :data:`FRESH_KEYS`), ``header_request`` is header nibble 5.
    ``with_mac`` None: as the profile has it; it changes nothing on messages that carry no MAC.
    """

    action: Action
    mti: str | None = None
    network_code: str | None = None
    message_type: str | None = None
    tid: str | None = None
    skip: int = 0
    count: int | None = 1
    code: str | None = None
    delay_s: float = 0.0
    f55: str | None = None
    f62: str | None = None
    f63: str | None = None
    header_request: str | None = None
    with_mac: bool | None = None

    def fits(self, mti: str, network_code: str, message_type: str, tid: str) -> bool:
        """Whether a request with these values is meant. Actions on sign-ins and settlements fit nothing else."""
        if _ONLY_ON.get(self.action, mti) != mti:
            return False
        wanted = (self.mti, self.network_code, self.message_type, self.tid)
        given = (mti, network_code, message_type, tid)
        return all(want is None or want == have for want, have in zip(wanted, given, strict=True))


def parse_rule(data: Mapping[str, Any]) -> Rule:
    """A rule from JSON. Raises :class:`BadInput` that names the key."""
    action = data.get("action")
    if action not in ACTIONS:
        raise BadInput(f"action is {action!r}", where="rule", remedy=f"Known actions: {', '.join(ACTIONS)}")
    values = {key: value for key, value in data.items() if key != "action"}
    for key, value in values.items():
        _check(str(action), key, value)
    if action == "answer" and values.get("code") is None:
        raise BadInput("answer needs a code", where="rule", remedy='for instance "code": "97"')
    if action == "late" and values.get("delay_s") is None:
        raise BadInput("late needs delay_s", where="rule", remedy="seconds, for instance 3.5")
    if action == "processing_request" and values.get("header_request") is None:
        values["header_request"] = SIGN_IN_AGAIN
    if action == "script" and values.get("f55") is None:
        raise BadInput("script needs f55", where="rule", remedy="BER-TLV in hex, for instance 7206860484240000")
    for key in ("f55", "f62", "f63"):
        if values.get(key) not in (None, FRESH_KEYS):
            values[key] = values[key].upper()
    for key in ("delay_s", "skip"):
        if values.get(key) is None:
            values.pop(key, None)
    if values.get("count", 1) == 0:
        values["count"] = None
    return Rule(action=action, **values)


def _check(action: str, key: str, value: Any) -> None:
    if key in _ONLY_FOR and value is not None and action not in _ONLY_FOR[key]:
        if key == "with_mac" and value is True:  # the ordinary case, harmless with every action
            return
        goes_with = ", ".join(_ONLY_FOR[key])
        raise BadInput(f"{key} means nothing with action {action}", where="rule", remedy=f"It goes with {goes_with}.")
    if value is None:
        return
    if key in _PATTERNS:
        if not isinstance(value, str) or not re.fullmatch(_PATTERNS[key], value, re.ASCII):
            raise BadInput(f"{key} is {value!r}, expected text that fits {_PATTERNS[key]}", where="rule")
        if key in ("f55", "f62", "f63") and len(value) > 2 * 999:
            raise BadInput(f"{key} has {len(value) // 2} bytes, at most 999 fit", where="rule")
    elif key in ("count", "skip"):
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            note = " (0 or null: until cleared)" if key == "count" else ""
            raise BadInput(f"{key} is {value!r}, expected a whole number{note}", where="rule")
    elif key == "delay_s":
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= MAX_DELAY_S:
            raise BadInput(f"delay_s is {value!r}, expected seconds from 0 to {MAX_DELAY_S:.0f}", where="rule")
    elif key == "with_mac":
        if not isinstance(value, bool):
            raise BadInput(f"with_mac is {value!r}, expected true or false", where="rule")
    else:
        known = ", ".join(sorted({*_PATTERNS, *_ONLY_FOR, "count", "skip", "action"}))
        raise BadInput(f"there is no key {key!r}", where="rule", remedy=f"Known keys: {known}")


@dataclass
class _Armed:
    """A rule, and how many requests it still lets pass and still has (None: no limit)."""

    rule: Rule
    skip: int
    left: int | None


class Misbehaviour:
    """The armed rules, oldest first. Not stored: a restarted acquirer is honest."""

    def __init__(self, last_rule_id: int = 0) -> None:
        self._last = last_rule_id
        self._armed: dict[int, _Armed] = {}

    def arm(self, rule: Rule) -> int:
        """Returns the rule's number, unique over restarts as far as rules were used."""
        self._last += 1
        self._armed[self._last] = _Armed(rule, rule.skip, rule.count)
        return self._last

    def clear(self) -> None:
        self._armed.clear()

    @property
    def honest(self) -> bool:
        """No rule is armed."""
        return not self._armed

    def armed(self) -> dict[int, int | None]:
        """Rule number -> how many requests it still has (None: no limit)."""
        return {rule_id: armed.left for rule_id, armed in self._armed.items()}

    def take(self, mti: str, network_code: str, message_type: str, tid: str) -> tuple[int, Rule] | None:
        """The rule to use on this request, counted down; None: be honest."""
        for rule_id, armed in self._armed.items():
            if not armed.rule.fits(mti, network_code, message_type, tid):
                continue
            if armed.skip:
                armed.skip -= 1
                continue
            if armed.left is not None:
                armed.left -= 1
                if not armed.left:
                    del self._armed[rule_id]
            return rule_id, armed.rule
        return None
