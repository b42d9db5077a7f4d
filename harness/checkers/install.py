"""INS-01, INS-02, INS-07: nothing is sold out of the box; the whole installation; what cuts it only delays it."""

from __future__ import annotations

from collections.abc import Iterator

from harness.checkers.finding import Finding, checker
from harness.checkers.identities import same_merchant
from harness.checkers.installing import (
    IDENTITY,
    KEY,
    ONLINE,
    SETTINGS,
    SETTLE_FIRST,
    SIGN_IN_FIRST,
    Life,
    begun_at,
    could_not_ask,
    granted_and_denied,
    in_vain,
    interruption,
    lives,
    mistyped,
    network_set,
    own,
    told,
    told_to,
    undisturbed,
)
from harness.checkers.reading import Exchange, Operation, Reading
from harness.checkers.tables import KINDS
from harness.checkers.updates import own_resets
from harness.history.events import Event, HostChanged, OperationCompleted

_MONEY = frozenset(KINDS) | {"settle"}
_MALFORMED_OR_STORED = frozenset({"03", "85", "86", "90"})  # a setting that a terminal may refuse
_LOADED = frozenset({"load_tmk", "activate"})
_BACKUP = frozenset({"restore"})
_AT_THE_KEYPAD = (SETTLE_FIRST, "有未完成的冲正", "终端忙")  # the same there, in words
_NOT_SET_UP = ("先设置",)


# -- INS-01 ------------------------------------------------------------------------------------------------------------


@checker("INS-01")
def nothing_is_sold_out_of_the_box(reading: Reading) -> Iterator[Finding]:
    """Occasion: a financial key, or settlement, at a unit that has no master key or no identity yet."""
    for life in lives(reading):
        blank_until = _blank_until(reading, life)
        for operation in life.operations:
            if operation.name in _MONEY and operation.done < blank_until and operation.completed is not None:
                yield from _refused(reading, life, operation)


def _blank_until(reading: Reading, life: Life) -> int:
    """When both may have been there: by an order that was carried out, or whose end was not seen. Who is signed in has
    an identity, and so has one into which a backup was put."""
    def since(names: frozenset[str]) -> int:
        orders = (o for o in life.operations if o.name in names and o.outcome != "fail")
        return min((o.t for o in orders), default=life.end)

    signed_in = (e.t for e in reading.approved_sign_ins if life.start < e.t < life.end)
    identity = min(since(IDENTITY), since(_BACKUP), *signed_in)
    return min(life.end, max(since(KEY), identity))


def _refused(reading: Reading, life: Life, operation: Operation) -> Iterator[Finding]:
    evidence: list[Event | None] = [life.unit, *told(operation)]
    sent = reading.exchanges_of(operation)
    if sent:
        reason = f"a unit without key or identity sent {sent[0].name}"
        yield Finding.failed("INS-01", reason, [*evidence, sent[0].request], at=operation.invoked)
    elif operation.outcome == "ok":
        yield Finding.failed("INS-01", f"a unit without key or identity did a {operation.name}", evidence,
                             at=operation.invoked)  # fmt: skip
    elif in_vain(operation) or reading.connections_between(operation.t, operation.done + 1):
        reason = f"{operation.name} came to nothing at a unit without key or identity, which tried to connect"
        yield Finding.undecided("INS-01", reason, evidence, at=operation.invoked)
    elif operation.outcome == "fail":
        yield Finding.passed("INS-01", f"{operation.name} was refused at a unit without key or identity", evidence,
                             at=operation.invoked)  # fmt: skip


@checker("INS-01")
def no_blank_number_leaves(reading: Reading) -> Iterator[Finding]:
    """Each frame without a terminal or merchant number; an activation names neither, but has no blank field."""
    for e in reading.exchanges:
        values = [e.sent.fields.get(number) for number in (41, 42)]
        wanting = [(value is None and e.transaction != "activation") or (value is not None and not value.strip(" 0\0"))
                   for value in values]  # fmt: skip
        if any(wanting):
            number = "terminal" if wanting[0] else "merchant"
            yield Finding.failed("INS-01", f"{e.name} left with no {number} number", [e.request])


# -- INS-02, INS-07 ----------------------------------------------------------------------------------------------------


@checker("INS-02")
def the_whole_installation(reading: Reading) -> Iterator[Finding]:
    """Occasion: the first settled batch of a unit whose parameters and CA keys were downloaded; nothing had cut it, and
    it did not reset itself."""
    for life in filter(_installed, lives(reading)):
        own_reset = next(iter(own_resets(reading, begun_at(life, life.until), life.until)), None)
        if own_reset is not None:
            reason = "the unit reset itself in the installation"
            yield Finding.failed("INS-02", reason, [life.unit, own_reset, *told(life.settled)], at=own_reset)
        elif interruption(reading, life, life.until) is None:
            yield from _complete(reading, life, "INS-02", [])


def _installed(life: Life) -> bool:
    """Its first batch was settled, and it had not been made ready for something else than an installation."""
    loaded = life.first({"parameter_download"}, life.until) and life.first({"capk_update"}, life.until)
    return life.settled is not None and loaded is not None


@checker("INS-07")
def a_cut_installation_is_completed(reading: Reading) -> Iterator[Finding]:
    """Occasion: as INS-02, and something had cut it."""
    for life in filter(_installed, lives(reading)):
        cut = interruption(reading, life, life.until)
        if cut is not None:
            yield from _complete(reading, life, "INS-07", [cut])


def _complete(reading: Reading, life: Life, rule: str, cut: list[Event]) -> Iterator[Finding]:
    assert life.settled is not None
    end = life.settled.t
    asked = {name: _asked(reading, life, name) for name in ONLINE[:-1]}
    steps = {name: found[0] if found else None for name, found in asked.items()}
    steps |= {"master key": life.first(KEY, end), "identity": life.first(IDENTITY, end)}
    steps["host"] = life.first({"set_host"}, end)
    network = network_set(reading, life, end)
    missing = [name.replace("_", " ") for name, done in steps.items() if done is None]
    if not (network or reading.model.modem):
        missing.append("network")
    exchanges = [e for e in own(reading, life.settled) if e.approved(reading.profile)]
    if not exchanges:
        missing.append("a settlement on the wire")
    done = list({o.op: o for o in (*steps.values(), life.settled) if o is not None}.values())
    answers = [found[1].response for found in asked.values() if found]
    evidence: list[Event | None] = [life.unit, *network, *told(*done), *answers, *cut]
    if missing:
        reason = f"the first batch of a unit was settled; not seen before it: {', '.join(missing)}"
        yield Finding.undecided(rule, reason, evidence, at=life.settled.invoked)
        return
    how = "after it had been cut " if cut else ""
    what = "by activation" if any(o.name == "activate" for o in done) else "by hand"
    reason = f"a blank unit came into service {what} {how}and settled its first batch"
    yield Finding.passed(rule, reason, evidence, at=life.settled.invoked)


def _asked(reading: Reading, life: Life, name: str) -> tuple[Operation, Exchange] | None:
    """The first time that this step was done, and what the acquirer granted last for it. A sign-in may have been
    granted to the terminal just before it was asked for."""
    for operation in life.operations:
        if operation.name != name or operation.outcome != "ok" or operation.done >= life.until:
            continue
        sent = own(reading, operation)
        if not sent and name == "sign_in":
            sent = [e for e in reading.approved_sign_ins if life.start < e.t < operation.t]
        if sent and sent[-1].approved(reading.profile):
            return operation, sent[-1]
    return None


@checker("INS-02")
def no_step_fails(reading: Reading) -> Iterator[Finding]:
    """Each step of an installation that nothing had cut: a setting refused, an approval denied, nothing sent."""
    yield from _failures(reading, "INS-02")


@checker("INS-07")
def no_step_fails_after_a_cut(reading: Reading) -> Iterator[Finding]:
    """The same after a cut: it could go on or be begun anew, and did neither."""
    yield from _failures(reading, "INS-07")


def _failures(reading: Reading, rule: str) -> Iterator[Finding]:
    for life in lives(reading):
        for operation in life.operations:
            if operation.t >= life.until or operation.outcome != "fail" or not undisturbed(reading, operation):
                continue
            cut = interruption(reading, life, operation.t)
            if (rule == "INS-07") != (cut is not None):
                continue
            why = _why_it_failed(reading, life, operation)
            if why:
                reason = f"{operation.name.replace('_', ' ')} failed: {why}"
                reason = f"after the installation was cut, {reason}" if cut else reason
                evidence = [life.unit, cut, *told(operation), *(e.response for e in own(reading, operation))]
                yield Finding.failed(rule, reason, evidence, at=operation.invoked)


def _why_it_failed(reading: Reading, life: Life, operation: Operation) -> str:
    """"": it may fail so."""
    detail = operation.completed.detail if operation.completed else ""
    if operation.name in ("load_tmk", "set_identity", "set_host"):
        words = _AT_THE_KEYPAD if operation.name == "set_identity" else (*_AT_THE_KEYPAD, "设置失败")
        may = operation.code in _MALFORMED_OR_STORED or mistyped(operation) or told_to(reading, operation, *words)
        return "" if may or not detail else f"the terminal said {detail}"
    if operation.name not in (*ONLINE, "activate", "ic_parameter_update") or in_vain(operation):
        return ""
    sent = own(reading, operation)
    if sent:
        if not granted_and_denied(reading, operation):
            return ""
        if operation.name == "sign_in" and not _key_fits(reading, life, operation):
            return ""
        return f"the acquirer approved it, and the terminal said {detail}"
    if reading.exchanges_of(operation) or could_not_ask(reading, operation) or not _ready_for(reading, life, operation):
        return ""
    return f"everything for it was set, and the terminal sent nothing: {detail}"


def _ready_for(reading: Reading, life: Life, operation: Operation) -> bool:
    """Whether all that it needs was there: for a sign-in key, identity and host, for everything else a sign-in since
    those were last set, the power on since, no other refusal in between, and the terminal says that these are what
    is missing: it may refuse for other reasons. Key, identity and sign-in are those of one merchant."""
    before = operation.t
    if operation.name == "activate":
        return life.first({"set_host"}, before) is not None
    mine = [o for o in life.operations if o.done < before and same_merchant(reading, o, operation)]
    set_up = {o.name for o in mine if o.outcome == "ok"}
    if not (set_up & KEY and set_up & IDENTITY and "set_host" in set_up):
        return False
    if operation.name in ("sign_in", "echo", "parameter_download", "capk_update", "ic_parameter_update"):
        return True
    earlier = [o for o in mine if o.name in SETTINGS or o.name == "sign_in"]
    last = earlier[-1]
    since = [o for o in life.operations if last.done < o.t < before]
    if last.name != "sign_in" or last.outcome != "ok" or reading.power_lost_within(last.t, before):
        return False
    missing = operation.code == "Z4" or told_to(reading, operation, SIGN_IN_FIRST, *_NOT_SET_UP)
    return missing and all(o.outcome == "ok" for o in since)


def _key_fits(reading: Reading, life: Life, operation: Operation) -> bool:
    """The key that was loaded last is the one that the host gave last; where that can't be seen, it is not said."""
    loaded = [
        o for o in life.operations
        if o.name in _LOADED and o.outcome == "ok" and o.done < operation.t and same_merchant(reading, o, operation)
    ]
    exchange = own(reading, operation)[-1]
    given = [
        c for c in reading.between(HostChanged, 0, operation.done + 1)
        if (c.mid, c.tid) == (exchange.mid, exchange.tid) and "tmk_kcv" in c.detail
    ]
    if not loaded or not given or given[-1].t > operation.t:
        return False
    if loaded[-1].name == "activate":
        return given[-1].detail.get("by") == "activation"
    return given[-1].detail["tmk_kcv"] in _text(loaded[-1].completed)


def _text(completed: OperationCompleted | None) -> str:
    return completed.detail if completed else ""
