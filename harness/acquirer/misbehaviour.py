"""How the acquirer is told to be a bad host: rules that fit some of the next requests and change the outcome.

A rule is used up after ``count`` requests. The first armed rule that fits is used; one request uses one rule.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from harness.errors import BadInput
from harness.protocol.frames import build

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
    "rewrite",  # decided and booked; ``fields`` of the answer are others, its F64 as ``mac`` says
    "replace",  # decided and booked; the bytes ``hex`` are sent in the answer's place
    "replay",  # decided and booked; the earlier message ``hex`` is sent instead of the answer, before or after it
    "forge",  # decided and booked; another answer, with ``code``, is sent in its place, or before it
]
ACTIONS: tuple[str, ...] = get_args(Action)
SIGN_IN_ACTIONS = ("no_keys", "bad_kcv")
CONTENT_ACTIONS = ("rewrite", "replace", "replay", "forge")  # the wire's faults, for links that it can't open
_ONLY_ON = {"no_keys": "0800", "bad_kcv": "0800", "unbalanced": "0500"}
MAX_DELAY_S = 3600.0
SIGN_IN_AGAIN = "3"  # header nibble 5 where a processing_request names none
FRESH_KEYS = "keys"  # value of ``f62``: working keys that are right under the TMK but that the host will not use

_TAKES_CODE = ("answer", "late", "never", "bad_mac", "foreign_trace", "no_mac", "forge")
_ONLY_FOR = {
    "f55": ("answer", "script"), "f62": ("answer",), "f63": ("answer",), "with_mac": ("answer",),
    "header_request": ("answer", "processing_request"), "delay_s": ("late",), "code": _TAKES_CODE,
    "fields": ("rewrite", "forge"), "mac": ("rewrite", "forge"), "hex": ("replace", "replay"), "when": ("replay",),
    "then": ("forge",),
}
_NEEDS = {  # action -> what it is nothing without, and an example
    "answer": ("code", '"97"'), "late": ("delay_s", "3.5"), "script": ("f55", '"7206860484240000"'),
    "forge": ("code", '"97"'), "replace": ("hex", '"0004600000"'), "replay": ("hex", "a frame of the journal"),
}
_WORDS = {  # key -> what it may be; of ``mac`` also by the action
    "when": ("instead", "before", "after"), "then": ("swallow", "deliver"),
    "rewrite mac": ("keep", "break", "recompute", "strip"), "forge mac": ("none", "wrong", "recompute"),
}
_PATTERNS = {
    "mti": r"\d{4}", "network_code": r"\d{3}", "message_type": r"\d{2}", "tid": r"[ -~]{8}",
    "code": r"[0-9A-Z]{2}", "header_request": r"\d", "f62": rf"([0-9A-Fa-f]{{2}})*|{FRESH_KEYS}",
    "f55": r"([0-9A-Fa-f]{2})+", "f63": r"([0-9A-Fa-f]{2})*", "hex": r"([0-9A-Fa-f]{2})+",
}


@dataclass(frozen=True)
class Rule:
    """What to do with which requests. None in ``mti``, ``network_code``, ``message_type``, ``tid`` fits all.

    The first ``skip`` requests that fit are left alone. ``count`` None: until cleared. A ``code`` answers without
    deciding, then the action is applied to that answer.
    ``f55``, ``f62`` and ``f63`` are hex (or "keys", see :data:`FRESH_KEYS`), ``header_request`` is header nibble 5.
    ``with_mac`` None: as the profile has it; it changes nothing on messages that carry no MAC.
    ``fields``, ``mac``, ``hex``, ``when`` and ``then`` are those of the wire's faults (docs/wire.md).
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
    fields: Mapping[int, str | None] | None = None
    mac: str | None = None
    hex: str | None = None
    when: str | None = None
    then: str | None = None

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
    if action in _NEEDS and values.get(_NEEDS[str(action)][0]) is None:
        key, example = _NEEDS[str(action)]
        raise BadInput(f"{action} needs {key}", where="rule", remedy=f"for instance {example}")
    if action == "processing_request" and values.get("header_request") is None:
        values["header_request"] = SIGN_IN_AGAIN
    if action == "rewrite" and not values.get("fields") and values.get("mac") in (None, "keep", "recompute"):
        raise BadInput("rewrite would change nothing", where="rule", remedy="Give fields, or mac break or strip.")
    if values.get("fields") is not None:
        values["fields"] = {int(number): value for number, value in values["fields"].items()}
    for key in ("f55", "f62", "f63", "hex"):
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
    elif key == "fields":
        _check_fields(value)
    elif (known := _WORDS.get(key) or _WORDS.get(f"{action} {key}")) is not None:
        if value not in known:
            raise BadInput(f"{key} is {value!r}", where="rule", remedy=f"It is one of {', '.join(known)}.")
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
        names = ", ".join(sorted({*_PATTERNS, *_ONLY_FOR, "count", "skip", "action"}))
        raise BadInput(f"there is no key {key!r}", where="rule", remedy=f"Known keys: {names}")


def _check_fields(value: Any) -> None:
    """Numbers of fields (in JSON: as text) -> a value that fits the field, or null."""
    if not isinstance(value, Mapping):
        raise BadInput(f"fields is {value!r}, expected an object such as {{\"39\": \"97\"}}", where="rule")
    for number, content in value.items():
        if not (str(number).isascii() and str(number).isdigit() and 2 <= int(number) <= 63):
            raise BadInput(f"there is no field {number!r}", where="rule", remedy="F2 to F63; F64 is set by mac.")
        if content is not None and not isinstance(content, str):
            raise BadInput(f"field {number} is {content!r}, expected text or null", where="rule")
    given = {int(number): content for number, content in value.items() if content is not None}
    try:
        build("0210", given, tpdu="6000000000", header="000000000000")
    except BadInput as error:
        raise BadInput(str(error), where="rule") from error


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

    def clear(self, rule_id: int | None = None) -> None:
        """Forget that rule, or all of them. One that is used up, or never was, is forgotten already."""
        if rule_id is None:
            self._armed.clear()
        else:
            self._armed.pop(rule_id, None)

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
