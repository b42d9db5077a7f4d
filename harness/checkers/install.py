"""INS-01, INS-02, INS-07: nothing is sold out of the box; the whole installation; what cuts it only delays it."""

from __future__ import annotations

from collections.abc import Iterator

from harness.checkers.finding import Finding, checker
from harness.checkers.identities import merchant_of, several
from harness.checkers.installing import (
    IDENTITY,
    KEY,
    ONLINE,
    SETTINGS,
    Life,
    could_not_ask,
    in_vain,
    interruption,
    lives,
    network_set,
    own,
    told,
    undisturbed,
)
from harness.checkers.reading import Operation, Reading
from harness.checkers.tables import KINDS
from harness.history.events import Event, HostChanged, OperationCompleted

_MONEY = frozenset(KINDS) | {"settle"}
_MALFORMED_OR_STORED = frozenset({"03", "85", "86", "90"})  # a setting that a terminal may refuse
_LOADED = frozenset({"load_tmk", "activate"})


# -- INS-01 ------------------------------------------------------------------------------------------------------------


@checker("INS-01")
def nothing_is_sold_out_of_the_box(reading: Reading) -> Iterator[Finding]:
    """Occasion: a financial key, or settlement, at a unit that has no master key or no identity yet."""
    for life in lives(reading):
        key, identity = life.first(KEY, life.end), life.first(IDENTITY, life.end)
        blank_until = min(life.end, max(key.t, identity.t)) if key and identity else life.end
        for operation in life.operations:
            if operation.name in _MONEY and operation.done < blank_until and operation.completed is not None:
                yield from _refused(reading, life, operation)


def _refused(reading: Reading, life: Life, operation: Operation) -> Iterator[Finding]:
    evidence: list[Event | None] = [life.unit, *told(operation)]
    sent = reading.exchanges_of(operation)
    if sent:
        reason = f"a unit without key or identity sent {sent[0].name}"
        yield Finding.failed("INS-01", reason, [*evidence, sent[0].request], at=operation.invoked)
    elif operation.outcome == "ok":
        yield Finding.failed("INS-01", f"a unit without key or identity did a {operation.name}", evidence,
                             at=operation.invoked)  # fmt: skip
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
    """Occasion: the first settled batch of a unit whose parameters and CA keys were downloaded; nothing had cut it."""
    for life in lives(reading):
        if life.settled is not None and interruption(reading, life, life.until) is None:
            yield from _complete(reading, life, "INS-02", [])


@checker("INS-07")
def a_cut_installation_is_completed(reading: Reading) -> Iterator[Finding]:
    """Occasion: as INS-02, and something had cut it."""
    for life in lives(reading):
        cut = interruption(reading, life, life.until)
        if life.settled is not None and cut is not None:
            yield from _complete(reading, life, "INS-07", [cut])


def _complete(reading: Reading, life: Life, rule: str, cut: list[Event]) -> Iterator[Finding]:
    assert life.settled is not None
    end = life.settled.t
    steps = {name: life.first({name}, end) for name in ONLINE[:-1]}
    if steps["parameter_download"] is None or steps["capk_update"] is None:
        return  # a unit that was made ready for something else
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
    evidence: list[Event | None] = [life.unit, *network, *told(*done), *cut]
    if missing:
        reason = f"the first batch of a unit was settled; not seen before it: {', '.join(missing)}"
        yield Finding.undecided(rule, reason, evidence, at=life.settled.invoked)
        return
    how = "after it had been cut " if cut else ""
    what = "by activation" if any(o.name == "activate" for o in done) else "by hand"
    reason = f"a blank unit came into service {what} {how}and settled its first batch"
    yield Finding.passed(rule, reason, evidence, at=life.settled.invoked)


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
        return "" if operation.code in _MALFORMED_OR_STORED or not detail else f"the terminal said {detail}"
    if operation.name not in (*ONLINE, "activate", "ic_parameter_update") or in_vain(operation):
        return ""
    sent = own(reading, operation)
    if sent:
        granted = all(e.approved(reading.profile) for e in sent)
        if not granted or (operation.name == "sign_in" and not _key_fits(reading, life, operation)):
            return ""
        return f"the acquirer approved it, and the terminal said {detail}"
    if reading.exchanges_of(operation) or could_not_ask(reading, operation) or not _ready_for(reading, life, operation):
        return ""
    return f"everything for it was set, and the terminal sent nothing: {detail}"


def _ready_for(reading: Reading, life: Life, operation: Operation) -> bool:
    """Whether all that it needs was there: for a sign-in key, identity and host, for everything else a sign-in since
    those were last set, and no other refusal in between. Key, identity and sign-in are those of one merchant."""
    before = operation.t
    if operation.name == "activate":
        return life.first({"set_host"}, before) is not None
    mine = [o for o in life.operations if o.done < before and _as_the_same(reading, o, operation)]
    set_up = {o.name for o in mine if o.outcome == "ok"}
    if not (set_up & KEY and set_up & IDENTITY and "set_host" in set_up):
        return False
    if operation.name in ("sign_in", "echo", "parameter_download", "capk_update", "ic_parameter_update"):
        return True
    earlier = [o for o in mine if o.name in SETTINGS or o.name == "sign_in"]
    since = [o for o in life.operations if earlier[-1].done < o.t < before]
    return earlier[-1].name == "sign_in" and earlier[-1].outcome == "ok" and all(o.outcome == "ok" for o in since)


def _as_the_same(reading: Reading, one: Operation, other: Operation) -> bool:
    """Both are about one merchant; the host's address is for all of them."""
    if not several(reading) or one.name == "set_host":
        return True
    return merchant_of(reading, one) == merchant_of(reading, other)


def _key_fits(reading: Reading, life: Life, operation: Operation) -> bool:
    """The key that was loaded last is the one that the host gave last; where that can't be seen, it is not said."""
    loaded = [o for o in life.operations if o.name in _LOADED and o.outcome == "ok" and o.done < operation.t]
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
