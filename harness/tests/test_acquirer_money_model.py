"""The acquirer's book-keeping against a model of the money that knows no states: what counts is worked out anew, at
each question, from what was booked and what was reversed. Random orders of everything that names an original; repeats,
reversals of reversible and other kinds, settlements, another registration.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from harness.protocol.frames import Frame, decode
from harness.protocol.nested import Totals, settlement_totals
from harness.tests.acquirer_terminal import InProcess, Pos, profile

VOID_OF = {"sale": "void", "completion": "completion_void", "completion_advice": "completion_void",
           "pre_authorisation": "pre_authorisation_void"}
CREDITS = ("void", "refund", "completion_void")
NO_MONEY = ("pre_authorisation", "pre_authorisation_void")
ADVICES = ("refund", "completion_advice", "offline_sale", "offline_adjust", "offline_tip")
ADJUSTABLE = {"offline_adjust": ("offline_sale", "offline_adjust"),
              "offline_tip": ("sale", "offline_sale", "offline_adjust")}
MOSTLY = st.sampled_from([True, True, True, False])
AMOUNTS = st.integers(min_value=1, max_value=3)


@dataclass(eq=False)
class Movement:
    """Something that the host accepted. ``names``: its original."""

    kind: str
    amount: int
    request: Frame = field(repr=False)
    answer: Frame = field(repr=False)
    names: Movement | None = None
    followers: list[Movement] = field(default_factory=list, repr=False)
    reversed: bool = False
    open: bool = True  # its batch is
    registration: int = 1

    def standing(self, *kinds: str) -> list[Movement]:
        """What names it and stands."""
        return [one for one in self.followers if one.kind in kinds and not one.reversed]

    @property
    def undone(self) -> bool:
        """Voided, replaced, or (of a pre-authorisation) completed: something that stands took it away."""
        if self.standing(VOID_OF.get(self.kind, ""), "offline_adjust", "offline_tip"):
            return True
        return any(not one.undone for one in self.standing("completion", "completion_advice"))

    @property
    def free(self) -> bool:
        """It stands, and nothing stands on it."""
        return not self.reversed and not self.undone and not self.refunds

    @property
    def refunds(self) -> int:
        return sum(one.amount for one in self.standing("refund"))


def expected_totals(movements: list[Movement], *, net: bool) -> Totals:
    """Of an open batch."""
    standing = [m for m in movements if m.open and not m.reversed and m.kind not in NO_MONEY
                and not m.standing("offline_adjust", "offline_tip")]
    if net:
        standing = [m for m in standing if m.kind not in ("void", "completion_void")
                    and not m.standing("void", "completion_void")]
    credits = [m.amount for m in standing if m.kind in CREDITS]
    debits = [m.amount for m in standing if m.kind not in CREDITS]
    return Totals(sum(debits), len(debits), sum(credits), len(credits))


class Money(RuleBasedStateMachine):
    """One terminal; its requests are right in form, and in any order."""

    voids = "credit"

    def __init__(self) -> None:
        super().__init__()
        self.acquirer = InProcess(profile(settlement_voids=self.voids))
        self.pos: Pos = self.acquirer.terminal()
        self.pos.exchange = self.send
        self.sent: Frame
        self.all: list[Movement] = []
        self.registrations = 1
        self.declined: list[Movement] = []

    def send(self, raw: bytes) -> bytes | None:
        self.sent = decode(raw)
        return self.acquirer.exchange(raw)

    def ask(self, kind: str, amount: int, names: Movement | None, may: bool, **more: str | None) -> None:
        """Sent; approved or not as the model says. What was declined counts as reversed from the beginning."""
        answer = self.pos.money(kind, amount, None if names is None else names.answer, **more)
        assert (answer.get(39) == "00") == may, f"{kind} {amount}: {answer.get(39)}, {self.acquirer.notes()[-1]}"
        made = Movement(kind, amount, self.sent, answer, names, registration=self.registrations)
        if not may:
            self.declined.append(made)
            made.reversed = True
            return
        self.all.append(made)
        if names is not None:
            names.followers.append(made)

    def pick(self, data: st.DataObject, fits: Callable[[Movement], bool]) -> Movement:
        """Mostly one that fits, where there is one."""
        fitting = [one for one in self.all if fits(one)]
        any_of = self.all + self.declined
        fitted: bool = data.draw(MOSTLY)
        return data.draw(st.sampled_from(fitting if fitting and fitted else any_of))

    @rule(kind=st.sampled_from(["sale", "pre_authorisation", "offline_sale"]), amount=AMOUNTS)
    def begin(self, kind: str, amount: int) -> None:
        self.ask(kind, amount * 100, None, True)

    @precondition(lambda self: self.all)
    @rule(data=st.data(), wrong=st.sampled_from([0, 0, 0, 1]))
    def void(self, data: st.DataObject, wrong: int) -> None:
        def able(one: Movement) -> bool:
            in_reach = one.open or one.kind == "pre_authorisation"
            return one.kind in VOID_OF and one.free and in_reach

        one = self.pick(data, able)
        kind = VOID_OF.get(one.kind, "void")
        more: dict[str, str | None] = {} if one.kind == "pre_authorisation" else {"F38": None}
        self.ask(kind, one.amount + wrong, one, able(one) and not wrong, **more)

    @precondition(lambda self: self.all)
    @rule(data=st.data(), amount=AMOUNTS)
    def refund(self, data: st.DataObject, amount: int) -> None:
        def able(one: Movement) -> bool:
            return one.kind == "sale" and not one.reversed and not one.undone

        one = self.pick(data, able)
        self.ask("refund", amount * 100, one, able(one) and one.refunds + amount * 100 <= one.amount)

    @precondition(lambda self: self.all)
    @rule(data=st.data(), advice=st.booleans(), percent=st.sampled_from([50, 100, 115, 116]))
    def complete(self, data: st.DataObject, advice: bool, percent: int) -> None:
        def able(one: Movement) -> bool:
            return one.kind == "pre_authorisation" and one.free

        one = self.pick(data, able)
        kind = "completion_advice" if advice else "completion"
        self.ask(kind, one.amount * percent // 100, one, able(one) and percent <= 115)

    @precondition(lambda self: self.all)
    @rule(data=st.data(), kind=st.sampled_from(sorted(ADJUSTABLE)), amount=AMOUNTS)
    def adjust(self, data: st.DataObject, kind: str, amount: int) -> None:
        def able(one: Movement) -> bool:
            return one.kind in ADJUSTABLE[kind] and one.free and one.open

        one = self.pick(data, able)
        tip: dict[str, str | None] = {"F54": f"0002156D{amount:012d}"} if kind == "offline_tip" else {}
        total = one.amount + amount if kind == "offline_tip" else amount * 100
        self.ask(kind, total, one, able(one), F38=None, **tip)

    @precondition(lambda self: self.all)
    @rule(data=st.data())
    def reverse(self, data: st.DataObject) -> None:
        """Also of what can't be reversed, was reversed before, was declined."""
        one = self.pick(data, lambda one: one.open and one.kind not in ADVICES and one.names is not None)
        if not one.open:
            return
        sent = one.request
        answer = self.pos.reverse(sent.get(11), one.amount, batch=sent.batch, kind=sent.message_type)
        if one in self.declined:
            assert answer.get(39) in ("00", "25", "12"), self.acquirer.notes()[-1]
            return
        able = one.kind not in ADVICES and (one.reversed or one.free)
        assert (answer.get(39) == "00") == able, f"{one.kind}: {answer.get(39)}, {self.acquirer.notes()[-1]}"
        if able:
            one.reversed = True

    @precondition(lambda self: self.all)
    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        """An advice that was taken is answered as the first time, anything else that was taken is not taken twice."""
        one = data.draw(st.sampled_from(self.all))
        if not one.open or (one.kind not in ADVICES and one.registration != self.registrations):
            return  # a new row begins its trace numbers anew: another unit may stand behind it
        raw = self.pos.exchange(self.resealed(one.request))
        assert raw is not None
        answer = decode(raw)
        if one.kind in ADVICES:
            assert (answer.get(39), answer.get(37)) == ("00", one.answer.get(37)), self.acquirer.notes()[-1]
        else:
            assert answer.get(39) != "00", self.acquirer.notes()[-1]

    def resealed(self, request: Frame) -> bytes:
        """Under the key of the last sign-in."""
        fields = {number: value for number, value in request.fields.items() if number != 64}
        return self.pos.request(request.mti, fields, sealed=True).raw

    @rule()
    def settle_and_close(self) -> None:
        totals = expected_totals(self.all, net=self.voids == "net")
        answer = self.pos.settle(totals)
        assert settlement_totals(answer)[0].result == 1, self.acquirer.notes()[-1]
        assert self.pos.end_batch("207", 0).get(39) == "00"
        self.pos.batch = f"{int(self.pos.batch) + 1:06d}"
        for one in self.all:
            one.open = False

    @precondition(lambda self: self.all and self.pos.batch == "000001")
    @rule()
    def register_again(self) -> None:
        """The same batch and the same trace numbers go on under a new row."""
        self.acquirer.do("remove_terminal", mid=self.pos.mid, tid=self.pos.tid)
        assert self.pos.sale(100).get(39) == "97"
        self.registrations += 1
        self.acquirer.do("register_terminal", mid=self.pos.mid, tid=self.pos.tid, tmk=self.pos.tmk.hex())
        assert self.pos.sign_in().get(39) == "00" and self.pos.batch == "000001"

    @invariant()
    def books_agree(self) -> None:
        entries = self.acquirer.entries(self.pos)
        assert len(entries) == len(self.all)
        for entry, one in zip(entries, self.all, strict=True):
            assert (entry["kind"], entry["amount"]) == (one.kind, one.amount)
            assert (entry["state"] == "reversed") == one.reversed, (entry, one)
            assert one.reversed or (entry["state"] == "approved") == (not one.undone), (entry, one)
        self.check_totals()

    def check_totals(self) -> None:
        """Asked of the books, so that a wrong entry is seen in the step that made it."""
        host = self.acquirer.host
        batch = host.ledger.open_batch(self.pos.mid, self.pos.tid, int(self.pos.batch))
        net = self.voids == "net"
        assert host.ledger.totals(batch, net=net) == expected_totals(self.all, net=net)


class Netted(Money):
    voids = "net"


@pytest.mark.parametrize("machine", [Money, Netted])
def test_books_agree_with_the_model(machine: type[Money]) -> None:
    run_state_machine_as_test(machine, settings=settings(
        max_examples=40, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)))
