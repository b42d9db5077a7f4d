"""Who the terminal is, its keys, and a 97 after an update or a disturbance: of each merchant that shares it."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Iterator

from harness.checkers.attribution import refused_by_itself
from harness.checkers.fate import Fate, after, by_merchant, lost, sent_before
from harness.checkers.faults import forged_answer
from harness.checkers.harmed import harmed, in_its_way
from harness.checkers.identities import Identity, several
from harness.checkers.observing import noticed
from harness.checkers.reading import Exchange, Operation, Reading
from harness.checkers.recoveries import operation_of, sound, stale_key
from harness.checkers.state import made_new
from harness.checkers.updates import Episode, identities_before
from harness.history.events import Event, Key


def identity(reading: Reading, update: Episode) -> Iterator[Fate]:
    """By which numbers it speaks, or that it no longer does."""
    known = identities_before(reading, update)
    sent = (e for e in after(reading, update) if not _of_another_merchant(reading, update, e, known))
    firsts = [first for of_one in by_merchant(reading, update, sent) if (first := next(of_one, None)) is not None]
    if not known:
        return
    if not firsts or made_new(reading, update.t, firsts[0].t):
        silent = _sends_nothing(reading, update)
        if silent is not None:
            known_by = [told[-1] for told in known.values()]
            reason = "asked to sign in it sends nothing any more"
            yield Fate("identity", False, reason, [*known_by, silent.invoked, *_end(silent)])
        return
    for first in firsts:
        if not made_new(reading, update.t, first.t):
            yield _who(update, known, first)


def _who(update: Episode, known: dict[Identity, list[Event]], following: Exchange) -> Fate:
    told = known.get((following.mid, following.tid), [])
    if not told:
        mid, tid = next(reversed(known))
        now = f"TID {following.tid.strip() or 'blank'}, MID {following.mid.strip() or 'blank'}"
        reason = f"before it the terminal was TID {tid}, MID {mid}; {following.name} after it is from {now}"
        return lost("identity", reason, [known[mid, tid][-1], following.request], update, following.t)
    only = told if len(told) == 1 else []  # of many any one would do
    reason = f"{following.name} is from TID {following.tid}, as before"
    return Fate("identity", True, reason, [*only, following.request])


def _of_another_merchant(
    reading: Reading, update: Episode, exchange: Exchange, known: Collection[tuple[str, str]]
) -> bool:
    """Merchants share the terminal, and this one had sent nothing before: the back office knows it, or somebody chose
    one since of whom the log knows no more."""
    who = (exchange.mid, exchange.tid)
    if reading.model.identities < 2 or who in known or not exchange.tid.strip():
        return False
    named = {(e.mid, e.tid) for e in reading.all(Key) if e.t < exchange.t}
    named |= {(e.mid, e.tid) for e in reading.host_changes if e.t < exchange.t and e.tid}
    chosen = any(update.t < t < exchange.t for t in reading.invoked_by_name.get("select_merchant", ()))
    return who in named or (chosen and len({*named, *known}) < reading.model.identities)


def _sends_nothing(reading: Reading, update: Episode) -> Operation | None:
    """The first sign-in asked for after it, where nothing left although nothing was in the way. One that was refused
    for another reason, or that something else may have spoiled, is none."""
    for asked in reading.operations_after(update.settled):
        if asked.t >= update.until or made_new(reading, update.t, asked.t):
            return None
        if asked.name == "sign_in" and not in_its_way(reading, asked) and not refused_by_itself(reading, asked)():
            return asked if _silent(reading, asked) else None
    return None


def _silent(reading: Reading, asked: Operation) -> bool:
    """It failed, and nothing was sent for it though the terminal had its power."""
    if asked.completed is None or asked.outcome != "fail" or reading.exchanges_of(asked):
        return False
    lost = reading.power_lost_within(asked.t, asked.done + 1)
    return not lost and not reading.connections_during(asked.t, asked.done + 1)


def _end(operation: Operation) -> list[Event]:
    return [operation.completed] if operation.completed else []


def keys(reading: Reading, update: Episode) -> Iterator[Fate]:
    """By the first request with a MAC; and by a sign-in that the host grants and the terminal can't use: not while it
    was disturbed, or still coming back."""
    for sent in by_merchant(reading, update, after(reading, update)):
        yield from _keys_of(reading, update, sent)


def _keys_of(reading: Reading, update: Episode, sent: Iterable[Exchange]) -> Iterator[Fate]:
    sign_in: Exchange | None = None
    refused = spoiled = False
    for exchange in sent:
        refused = refused or exchange.definite_97
        if made_new(reading, update.t, exchange.t) or stale_key(reading, exchange.mid, exchange.tid, exchange.t):
            return
        if exchange.request_mac != "absent":
            fate = _signed(reading, update, exchange, sign_in)
            if fate is not None:
                yield dataclasses.replace(fate, ok=None) if spoiled and fate.ok is False else fate
            return
        if exchange.is_sign_in(reading.profile) and exchange.approved(reading.profile) and sound(reading, exchange):
            sign_in = exchange
            asked = operation_of(reading, exchange)
            lost_power = asked and reading.power_lost_within(exchange.t, asked.done + 1)
            spoiled = False
            if asked and asked.completed and asked.outcome == "fail" and not lost_power:
                if refused or _without_keys(reading, update, exchange):
                    return  # what it can't do since a 97 is not the update's: STA-03 and REC-01 tell
                if harmed(reading, asked.t, asked.done + 1):
                    spoiled = True
                    continue
                reason = "the host grants the sign-in, and the terminal can't use its keys"
                yield lost("keys", reason, [*exchange.events, asked.completed], update, exchange.t)
                return
    if spoiled and sign_in is not None:
        reason = "a sign-in was granted and failed, while something else may have spoiled it"
        yield Fate("keys", None, reason, list(sign_in.events))


def _without_keys(reading: Reading, update: Episode, sign_in: Exchange) -> bool:
    """A sign-in that was granted it could not use before either."""
    for exchange in reversed(sent_before(reading, update)):
        if (exchange.mid, exchange.tid) != (sign_in.mid, sign_in.tid):
            continue
        if exchange.request_mac == "ok":
            return False
        if exchange.is_sign_in(reading.profile) and exchange.approved(reading.profile) and sound(reading, exchange):
            asked = operation_of(reading, exchange)
            return asked is not None and asked.done < update.t and asked.outcome == "fail"
    return False


def _signed(reading: Reading, update: Episode, exchange: Exchange, sign_in: Exchange | None) -> Fate | None:
    key = reading.keyring.key(exchange.mac_key)
    if exchange.request_mac == "ok" and key is not None:
        by = "working keys" if key.t < update.t else "master key"
        resting = [reading.by_seq[seq] for seq in key.rests_on if seq in reading.by_seq]
        return Fate("keys", True, f"{exchange.name} is signed under the {by} of before", [exchange.request, *resting])
    if exchange.request_mac == "unverifiable":
        return Fate("keys", None, f"the MAC of {exchange.name} can't be verified here", [exchange.request])
    if sign_in is not None and not noticed(reading, sign_in):
        return None
    under = "the sign-in after it" if sign_in else "the keys of before"
    events = [*(sign_in.events if sign_in else ()), exchange.request]
    return lost("keys", f"{exchange.name} is signed with other keys than those of {under}", events, update, exchange.t)


def a_97(reading: Reading, update: Episode) -> Iterator[Fate]:
    """A 97 to a terminal that the host has registered, from the request to its answer, of the host's own mind, where
    there was none before."""
    answered = (e for e in sent_before(reading, update) if e.outcome == "answered")
    words = {(e.mid, e.tid) if several(reading) else None: e for e in answered}
    for word in words.values():
        if not word.definite_97:
            yield from _a_97_after(reading, update, word)


def _a_97_after(reading: Reading, update: Episode, word: Exchange) -> Iterator[Fate]:
    for exchange in after(reading, update):
        if exchange.t >= update.until:
            return
        if (exchange.mid, exchange.tid) != (word.mid, word.tid):  # of another merchant of the terminal it says nothing
            continue
        answered = exchange.answered_at or exchange.t
        state, change = reading.registration.throughout(exchange.t, answered, word.mid, word.tid)
        if not exchange.definite_97 or state != "registered" or change is None or change.t > update.t:
            continue
        line = reading.journal_of(exchange.response) if exchange.response else None
        if (line is None or line.rule_id is None) and forged_answer(reading, exchange) is None:
            reason = f"registered as before, the terminal is answered 97 to {exchange.name}"
            yield Fate("97", False, reason, [*word.events, change, *exchange.events])
            return
