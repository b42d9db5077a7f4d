"""From an answer to the frame that leaves, honest or as a rule of misbehaviour wants it."""

from __future__ import annotations

from typing import cast

from harness.acquirer import answers
from harness.acquirer.answers import Answer, Stamp
from harness.acquirer.misbehaviour import FRESH_KEYS, SIGN_IN_ACTIONS, Rule
from harness.acquirer.registry import Registry, new_key
from harness.acquirer.sign_in import new_working_keys
from harness.protocol import altered, keys
from harness.protocol.codes import carries_mac
from harness.protocol.frames import Frame
from harness.protocol.profile import Profile

_SINGLE_SLOT, _SLOT = 12, 20  # bytes of a key and its check value in F62: of 001, and of all other sign-ins


class Dressing:
    """Composes and seals."""

    def __init__(self, registry: Registry, profile: Profile) -> None:
        self._registry, self._profile = registry, profile
        self.algorithm = keys.algorithm_of(profile.sign_in_network_code)
        self._asked: tuple[Frame | None, bytes | None] = None, None

    def mak(self, frame: Frame) -> bytes | None:
        """The MAC key of the terminal that a request names; None: the host has none."""
        if self._asked[0] is not frame:  # a request is asked about twice: to verify it, and to seal its answer
            known = self._registry.keys(frame.get(42), frame.get(41))
            self._asked = frame, None if known is None else known.mak
        return self._asked[1]

    def told(self, frame: Frame, rule: Rule) -> Answer:
        """The answer that a rule with a code gives instead of a decision."""
        assert rule.code is not None
        extra: dict[int, str] = {}
        if rule.f62 == FRESH_KEYS:
            known = self._registry.keys(frame.get(42), frame.get(41), even_removed=True)
            tmk = new_key(16) if known is None else known.tmk
            fresh = new_working_keys(self._profile)
            extra[62] = keys.make_f62(tmk, self._profile.sign_in_network_code, *fresh).hex().upper()
        elif rule.f62 is not None:
            extra[62] = rule.f62
        if rule.f55 is not None:
            extra[55] = rule.f55
        if rule.f63 is not None:
            extra[63] = bytes.fromhex(rule.f63).decode("latin-1")
        return Answer(rule.code, "not decided, told to answer so", extra)

    def compose(self, frame: Frame, answer: Answer, stamp: Stamp) -> Frame:
        """The honest frame."""
        mac = answers.sealing(frame, self.mak(frame), self.algorithm, wanted=self._wanted(answer))
        return answers.compose(frame, answer, stamp, mac=mac)

    def dress(self, frame: Frame, answer: Answer, stamp: Stamp, rule: Rule | None) -> tuple[Frame, str]:
        """The answer's frame, changed as the rule says, and what was changed in words."""
        if rule is None:
            return self.compose(frame, answer, stamp), ""
        mak, twist = self.mak(frame), ""
        if rule.action in SIGN_IN_ACTIONS and 62 in answer.extra:
            answer, twist = _spoil_keys(answer, rule)
        if rule.action == "unbalanced" and 48 in answer.extra:
            answer, twist = _unbalance(answer)
        if rule.action == "script":
            answer, twist = _add_script(answer, rule)
        sent = answers.compose(frame, answer, stamp, rule.header_request)
        if rule.header_request is not None:
            twist += f"; header asks for {rule.header_request}"
        if rule.action == "foreign_trace":
            twist += "; F11 is another's" if 11 in sent else "; has no F11 to change"
            sent = answers.foreign_trace(sent)
        if rule.action == "bad_mac":
            return answers.spoil_mac(sent, mak, self.algorithm), f"{twist}; F64 is wrong"
        if rule.action == "no_mac" or rule.with_mac is False:
            return sent, f"{twist}; without F64"
        wanted = bool(rule.with_mac) or self._wanted(answer)
        if mak is None or not wanted or not carries_mac(sent):
            return sent, twist
        return keys.seal(sent, mak, self.algorithm), twist

    def content(self, request: Frame, answer: Frame, rule: Rule) -> list[tuple[bytes, str, bool]]:
        """What a content rule makes of an honest answer: (bytes, in words, whether they are sent), in this order.

        Raises :class:`BadInput` where the answer can't be changed so.
        """
        true, other = (answer.raw, "the true answer"), bytes.fromhex(rule.hex or "")
        match rule.action:
            case "rewrite":
                fields, mac = rule.fields or {}, cast(altered.Mac, rule.mac or "keep")
                changed = altered.rewritten(answer, fields, mac, self.mak(request), self.algorithm)
                named = [f"F{number}" for number in fields] + {"keep": []}.get(mac, [f"F64 {mac}"])
                return [(*true, False), (changed.raw, f"rewritten: {', '.join(named)}", True)]
            case "replace":
                return [(*true, False), (other, "sent in the answer's place", True)]
            case "replay":
                replayed = (other, "an earlier message, replayed", True)
                if rule.when == "before":
                    return [replayed, (*true, True)]
                return [(*true, True), replayed] if rule.when == "after" else [(*true, False), replayed]
            case _:
                mac_of_it = cast(altered.ForgedMac, rule.mac or "wrong")
                made = altered.forged(
                    request, rule.code or "", rule.fields or {}, mac_of_it, self.mak(request), self.algorithm
                )
                return [(made.raw, "forged", True), (*true, rule.then == "deliver")]

    def _wanted(self, answer: Answer) -> bool:
        return answer.approved or self._profile.declines_carry_mac


def _spoil_keys(answer: Answer, rule: Rule) -> tuple[Answer, str]:
    fields = dict(answer.extra)
    f62 = bytes.fromhex(fields.pop(62))
    if rule.action == "no_keys":
        return answer._replace(extra=fields), "; without F62"
    size = _SINGLE_SLOT if len(f62) == 2 * _SINGLE_SLOT else _SLOT
    slots = (f62[at : at + size] for at in range(0, len(f62), size))  # each ends in its check value
    spoilt = b"".join(slot[:-4] + bytes(byte ^ 0xFF for byte in slot[-4:]) for slot in slots)
    twist = "; all check values in F62 are wrong"
    return answer._replace(extra={**fields, 62: spoilt.hex().upper()}), twist


def _unbalance(answer: Answer) -> tuple[Answer, str]:
    """The result for cards of our own currency (the last digit of F48's first half) says 2, not balanced."""
    half = len(answer.extra[48]) // 2
    first, second = answer.extra[48][:half], answer.extra[48][half:]
    fields = {**answer.extra, 48: f"{first[:-1]}2{second}"}
    return answer._replace(extra=fields), "; told to say: not balanced"


def _add_script(answer: Answer, rule: Rule) -> tuple[Answer, str]:
    """The rule's elements behind those of F55; a decline stays as it is."""
    if not answer.approved:
        return answer, "; no script, it is a decline"
    fields = {**answer.extra, 55: answer.extra.get(55, "") + (rule.f55 or "")}
    return answer._replace(extra=fields), "; told to send a script"
