"""The reference application and the real acquirer in one process, through random operations, answers that are lost,
requests that never arrive, 97s, power cuts and registrations that come and go; at the end books, batch and slips must
agree, and each reading of the money on its way must too.
"""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from harness.acquirer.misbehaviour import Rule
from harness.checkers.money_books import read_slip
from harness.history.events import Slip
from harness.protocol.frames import Frame
from harness.protocol.transactions import KINDS
from harness.terminal.cards import CHIP, MAGNETIC, Card
from harness.terminal.cashier import TYPES
from harness.tests.acquirer_terminal import profile
from harness.tests.firmware_acquirer import MIDS, TIDS, AcquirerBench
from harness.tests.firmware_bench import Answer

APPROVED, NOT_REGISTERED = "00", "97"
LOST, DROPPED, OFF_BEFORE, OFF_AFTER = "lost", "dropped", "off before", "off after"  # fates of a request, and 97
FATES = st.sampled_from([LOST, LOST, OFF_AFTER, DROPPED, OFF_BEFORE, NOT_REGISTERED])
TROUBLE = st.dictionaries(st.sampled_from([0, 0, 0, 1, 2, 3]), FATES, max_size=2)  # how many requests later -> fate
AMOUNTS = st.integers(1, 30).map(lambda tens: tens * 10)
CARDS = st.sampled_from([MAGNETIC, CHIP])
KEYS = (("提示", "ENTER"), ("请输入密码", "ENTER"), ("请签名", "ENTER"))  # a 97 of before; no PIN; on paper
Record = tuple[str, str, int]  # batch, trace, amount


class Money(RuleBasedStateMachine):
    """One terminal, one merchant."""

    def __init__(self) -> None:
        super().__init__()
        self.bench = AcquirerBench(time_scale=600, with_profile=profile(reversal_success=[APPROVED, "25"]))
        self.host = self.bench.acquirer.host
        self.host.misbehaviour.arm(Rule("unbalanced", count=None))  # everything is uploaded, always
        self.bench.host.script = self.answered
        self.fates: dict[int, str] = {}
        self.switched_off = False
        self.unanswered: set[Record] = set()  # what the host may have booked and the terminal never reverses
        self.slips: list[list[str]] = []
        self.registered = True
        assert self.bench.sign_in()["DF07"] == APPROVED

    def teardown(self) -> None:
        try:
            self.in_the_end()
        finally:
            self.bench.__exit__()

    # -- the way of a request ------------------------------------------------------------------------------------------

    def answered(self, request: Frame) -> Answer | None:
        fate = self.fates.pop(0, "")
        self.fates = {later - 1: fate for later, fate in self.fates.items()}
        if fate == NOT_REGISTERED:
            self.host.misbehaviour.arm(Rule("answer", code=NOT_REGISTERED, mti=request.mti))
            raw = self.bench.acquirer.exchange(request.raw)
            assert raw is not None
            return Answer(spoil=lambda _: raw, fields={63: "CUP"})
        if fate in (LOST, OFF_AFTER):
            self.bench.acquirer.exchange(request.raw)
            if request.mti == "0220" and request.message_type in ("25", "27", "24"):
                self.unanswered.add((request.batch, request.get(11), int(request.get(4))))
        self.switched_off = self.switched_off or fate in (OFF_BEFORE, OFF_AFTER)
        if not fate:
            return None
        return Answer(act="silence" if fate in (OFF_BEFORE, OFF_AFTER) else "close")

    def order(self, name: str, trouble: dict[int, str] | None = None, card: Card | None = None, **tags: str) -> str:
        """An order of the till: its code, or "" where power went. Who has to sign in first does so, mostly."""
        if name not in ("sign_in", "settle") and self.registered and not self.bench.state.signed_in:
            self.order("sign_in")
        bench, self.fates = self.bench, dict(trouble or {})
        bench.settle_down(2)
        if not self.switched_off:
            bench.send_order(TYPES[name], **tags)
        presented, told = False, ""

        def step() -> bool:
            nonlocal presented, told
            for text, key in KEYS:
                if bench.shows(text)():
                    bench.key(key)
            if not presented and card is not None and bench.shows("请刷卡")():
                presented = True
                bench.present(card)
            told = bench._till_fields().get("DF07", "")
            return bool(told) or self.switched_off

        bench.run(step)
        self.fates = {}
        if self.switched_off:
            self.switched_off = False
            self.slips += bench.board.slips
            bench.reboot()
            told = ""
        elif bench.board.card is not None:
            bench.board.put_event({"remove": True})
            bench.settle_down(2)
        self.agree_on_the_way()
        return told

    # -- operations ----------------------------------------------------------------------------------------------------

    @rule(name=st.sampled_from(["sale", "sale", "pre_authorisation"]), amount=AMOUNTS, card=CARDS, trouble=TROUBLE)
    def begin(self, name: str, amount: int, card: Card, trouble: dict[int, str]) -> None:
        self.order(name, trouble, card, DF03=f"{amount:012d}")

    @rule(amount=AMOUNTS, chip=st.booleans(), voice=st.sampled_from(["", "ABC123"]))
    def offline(self, amount: int, chip: bool, voice: str) -> None:
        if chip:
            self.order("offline_chip_sale", None, CHIP, DF03=f"{amount:012d}")
        else:
            tags = {"DF03": f"{amount:012d}"} | ({"DF17": voice} if voice else {})
            self.order("offline_sale", None, MAGNETIC, **tags)

    @precondition(lambda self: self.bench.log)
    @rule(data=st.data(), amount=AMOUNTS, trouble=TROUBLE)
    def of_the_batch(self, data: st.DataObject, amount: int, trouble: dict[int, str]) -> None:
        """Whatever may name one of the batch by its number; also one that was voided or replaced."""
        record = data.draw(st.sampled_from(self.bench.log))
        fitting = [name for name, kind in KINDS.items() if kind.names == "trace" and record.kind in kind.originals]
        name = data.draw(st.sampled_from(fitting or ["void", "offline_tip"]))
        amounts = {"offline_adjust": {"DF03": f"{amount:012d}"}, "offline_tip": {"DF18": f"{amount // 10:012d}"}}
        self.order(name, trouble, None, DF08=f"{record.trace:06d}", **amounts.get(name, {}))

    @rule(data=st.data(), trouble=TROUBLE, advice=st.booleans(), amount=AMOUNTS)
    def of_the_books(self, data: st.DataObject, trouble: dict[int, str], advice: bool, amount: int) -> None:
        """What names another by its receipt or authorisation."""
        entries = [e for e in self.host.ledger.entries(MIDS[0], TIDS[0]) if e.kind in ("sale", "pre_authorisation")]
        if not entries:
            return
        one = data.draw(st.sampled_from(entries))
        card = CHIP if one.pan == CHIP.pan else MAGNETIC
        tags = {"DF03": f"{amount:012d}", "DF16": one.date}
        if one.kind == "sale":
            self.order("refund", trouble, card, DF15=one.rrn, **tags)
        elif data.draw(st.booleans()):
            self.order("pre_authorisation_void", trouble, card, DF17=one.auth_code, **tags)
        else:
            self.order("completion_advice" if advice else "completion", trouble, card, DF17=one.auth_code, **tags)

    @rule(trouble=TROUBLE)
    def settle(self, trouble: dict[int, str]) -> None:
        self.order("settle", trouble)

    @rule(trouble=TROUBLE)
    def sign_in(self, trouble: dict[int, str]) -> None:
        self.order("sign_in", trouble)

    @precondition(lambda self: self.bench.log or self.bench.state.reversal)
    @rule()
    def boot(self) -> None:
        self.slips += self.bench.board.slips
        self.bench.reboot()
        self.bench.settle_down(40)

    @rule(again=st.booleans())
    def registration(self, again: bool) -> None:
        """Taken away; or given back, with the batch number 000001 whatever there was."""
        if self.registered and not again:
            self.bench.office("remove_terminal")
            self.registered = False
        elif not self.registered and again:
            self.bench.office("register_terminal", tmk=self.bench.state.tmk)
            self.registered = True

    # -- what must be --------------------------------------------------------------------------------------------------

    def agree_on_the_way(self) -> None:
        """Nothing is in the batch that the host never took, but what is stored to be sent."""
        entries = self.host.ledger.entries(MIDS[0], TIDS[0])
        taken = {(e.trace, e.kind, e.amount) for e in entries if e.state != "reversed"}
        waiting = {*self.bench.state.undelivered, *self.bench.state.refused}
        for record in self.bench.log:
            if record.trace not in waiting:
                assert (f"{record.trace:06d}", record.kind, record.amount) in taken, record

    def in_the_end(self) -> None:
        self.registration(again=True)
        for _ in range(3):  # a sign-in may only bring what was left to a settlement first
            assert self.order("sign_in") == APPROVED
            if self.order("settle") == APPROVED and not self.bench.log and self.bench.state.reversal is None:
                break
        state = self.bench.state
        assert not self.bench.log and state.reversal is None and not state.undelivered, self.bench.lines
        assert self.order("sale", None, MAGNETIC, DF03=f"{97:012d}") == APPROVED, self.bench.lines
        assert self.order("settle") == APPROVED
        entries = self.host.ledger.entries(MIDS[0], TIDS[0])
        self.uploads_agree(entries_of=[e.batch_id for e in entries])
        self.slips_agree()

    def uploads_agree(self, entries_of: list[int]) -> None:
        lost = {trace for _, trace, _ in self.unanswered}
        for batch in set(entries_of):
            found = self.host.uploads.reconcile(batch)
            assert not (found.unknown or found.different or set(found.missing) - lost), found
        for row in self.host.journal.since(0):
            if "the books have" in row.note and not lost and row.direction == "out":
                assert ": not balanced, batch" not in row.note, row.note

    def slips_agree(self) -> None:
        self.slips += self.bench.board.slips
        said = [read_slip(Slip(t=0, lines=lines, unreadable=0, image="")) for lines in self.slips]
        printed = {(one.trace, one.amount) for one in said if one is not None}
        entries = self.host.ledger.entries(MIDS[0], TIDS[0])
        booked = {(e.trace, e.amount) for e in entries if e.state != "reversed"}
        lost = {(trace, amount) for _, trace, amount in self.unanswered}
        assert booked - lost <= printed, booked - lost - printed
        strange = printed - booked
        assert strange <= {(t, a) for t, a in strange if self.was_refused(t)}, strange

    def was_refused(self, trace: str) -> bool:
        """A settlement's report names it as not taken by the host."""
        return any(f"上送被拒:{trace}" in line for lines in self.slips for line in lines)


def test_books_batch_and_slips_agree_in_the_end() -> None:
    run_state_machine_as_test(Money, settings=settings(
        max_examples=15, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck),
        derandomize=True, phases=[Phase.generate]))  # to make a failure smaller takes minutes: add Phase.shrink by hand

