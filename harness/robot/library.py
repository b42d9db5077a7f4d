"""Keywords about one terminal, its acquirer and its cable. Import it with
``Library  harness.robot.library.TerminalLibrary``.

Requirements that a test must decide are its tags (``MSG-01``). Money is written in yuan (``10.00``).
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

from robot.api.deco import keyword, library

from harness.bench.bench import Bench
from harness.bench.cable import Armed
from harness.bench.content import ArmedAtHost
from harness.campaigns.span import TestSpan
from harness.errors import BadInput
from harness.protocol.frames import decode
from harness.robot import REQUIREMENT, session
from harness.terminal.cards import CARDS, Card
from harness.terminal.contracts import Completion, Order, Via
from harness.terminal.orders import NEEDS, TAKES_PIN
from harness.wire.faults import Fault, spoken

_MESSAGE = "[a-z ]*0[1-8][0-9]0[a-z0-9.= ]*"  # a moment in words, as Robot Framework lets it be said


@library(scope="GLOBAL", listener="SELF", auto_keywords=False)
class TerminalLibrary:
    """What can be done to a terminal, and what can be asked of the last thing that was done."""

    ROBOT_LISTENER_API_VERSION = 3

    def __init__(self, lab: str = "lab_config/emulated.yaml", bench: str = "") -> None:
        self._lab, self._bench_name = lab, bench
        self._span: TestSpan | None = None
        self._trouble = ""
        self._forget()

    def _forget(self) -> None:
        self._last = Completion("unknown")
        self._sold: Completion | None = None
        self._done: dict[str, tuple[Completion, Card | None, int]] = {}  # by transaction: how the last of it ended
        self._date = ""
        self._just_plugged = False
        self._armed: Armed | ArmedAtHost | None = None

    # -- listener -----------------------------------------------------------------------------------------------------

    def start_test(self, data: Any, result: Any) -> None:
        declares = sorted(str(tag) for tag in data.tags if REQUIREMENT.match(str(tag)))
        self._trouble = ""
        self._forget()
        try:
            self._span = session.span_for(result.full_name, data.name, declares, self._lab, self._bench_name)
            self._span.begin()
        except Exception as error:
            self._trouble = f"the bench could not be made ready: {error}"
            if self._span is not None:
                self._end(error, result)
            result.status, result.message = "FAIL", self._trouble

    def end_test(self, data: Any, result: Any) -> None:
        if self._span is not None:
            self._end(None if result.passed else _raised(result.message), result)

    def _end(self, error: BaseException | None, result: Any) -> None:
        assert self._span is not None
        judged = self._span.end(error)
        self._span = None
        if (given := session.given()) is not None:
            given.judged = judged
        if judged.outcome != "passed":
            result.status, result.message = "FAIL", judged.message

    @property
    def bench(self) -> Bench:
        if self._span is None:
            raise AssertionError(self._trouble or "keywords of this library work inside a test only")
        return self._span.bench

    def take(self, told: Completion) -> None:
        """What another library let the terminal do: the next keyword asks for it."""
        self._last = told
        if told.ok and told.trace:
            self._sold = told

    # -- the acquirer -------------------------------------------------------------------------------------------------

    @keyword("The acquirer forgets the terminal")
    def deregister(self) -> None:
        """The terminal's row is deleted at the acquirer: from now on it is answered 97."""
        self.bench.host.deregister()

    @keyword("The acquirer registers the terminal")
    def register(self) -> None:
        """The row is there again."""
        self.bench.host.register()

    @keyword("The application is ${state:pending|rejected}")
    def application(self, state: str) -> None:
        """The merchant applied, the acquirer has not agreed."""
        self.bench.host.set_state(state)

    # -- installation (docs/installation.md) --------------------------------------------------------------------------

    @keyword("A unit from its box is on the bench")
    def blank_unit(self) -> None:
        """Nothing is set in it; the acquirer has the terminal in its books."""
        from fixtures.installing import Installation, blank

        blank(self.bench)
        self._work = Installation(self.bench)

    @keyword("The engineer sets ${what:the way|identity and key|everything}")
    def set_up(self, what: str) -> None:
        """By the service port: dialect, network and host; what the terminal is; or all of it."""
        steps = {"the way": ("parameters", "network", "host"), "identity and key": ("identity", "key")}
        self._work.do(*(steps[what] if what in steps else [step for part in steps.values() for step in part]))

    @keyword("The engineer activates it by ${via:keypad|service}")
    def activate_by_code(self, via: Via) -> None:
        """With a code of the acquirer's."""
        code = self.bench.host.offer_activation(self.bench.serial)
        told = self.bench.once_connected(lambda: self.bench.terminal.activate(code, via=via))
        assert told.ok, told.text
        self._work.key_of_the_others()

    @keyword("The first batch is sold and settled")
    def first_batch(self) -> None:
        """Sign-in, downloads, echo, sale, void, settlement."""
        self._work.online()

    @keyword("The acquirer suspends the terminal")
    def suspend(self) -> None:
        self.bench.host.suspend()

    @keyword("The acquirer activates the terminal")
    def restore(self) -> None:
        """It is no longer suspended."""
        self.bench.host.restore()

    @keyword("The acquirer removes the merchant")
    def remove_merchant(self) -> None:
        """The merchant's row is deleted, the terminal's stays: 03."""
        self.bench.host.remove_merchant()

    @keyword("The acquirer registers the merchant")
    def register_merchant(self) -> None:
        self.bench.host.register_merchant()

    @keyword("The acquirer signs the terminal off")
    def sign_out(self) -> None:
        """The centre considers it signed off: 77 on its next request."""
        self.bench.host.sign_out()

    @keyword("The answer to the next sale is lost")
    def lose_answer(self) -> None:
        """The acquirer books the sale, its answer never arrives."""
        self.bench.host.misbehave("0200", "never")

    # -- the cable and the supply -------------------------------------------------------------------------------------

    @keyword("The cable is pulled out")
    def unplug(self) -> None:
        self.bench.cable.unplug()

    @keyword("The cable is put back")
    def plug(self) -> None:
        """And a sale that could not connect at once is tried again, as a shop does."""
        self.bench.cable.plug()
        self._just_plugged = True

    # -- faults of the wire -------------------------------------------------------------------------------------------

    @keyword("The wire does ${fault}")
    def arm(self, fault: str) -> None:
        """Any fault of docs/wire.md in its words, from now on: ``The wire does swallow at response to 0200``,
        ``The wire does drop percent=30``, ``The wire does rst after 0200``."""
        self._arm(lambda: spoken.parse(fault))

    @keyword("The ${message:" + _MESSAGE + "} is ${what}")
    def strike_message(self, message: str, what: str) -> None:
        """What happens to that message on its way, from now on: ``The response to 0200 is cut after 20 bytes``, ``The
        second 0800 is swallowed``. What can be said is in docs/suites.md."""
        self._arm(lambda: spoken.sentence(message, what))

    @keyword("The wire has struck")
    def await_strike(self) -> None:
        """What was armed last has happened by now, or does so within ten seconds."""
        if self._armed is None:
            raise AssertionError("no fault was armed in this test")
        self._armed.await_strike()

    @keyword("The wire is healed")
    def heal(self) -> None:
        """No fault any more, the cable plugged; a sale that could not connect at once is tried again."""
        self.bench.cable.heal()
        self.bench.host.behave()
        self._just_plugged = True

    def _arm(self, read: Callable[[], Fault]) -> None:
        try:
            self._armed = self.bench.arm(read())
        except BadInput as error:
            raise AssertionError(str(error)) from None

    @keyword("The terminal is switched off and on")
    def cycle(self) -> None:
        self.bench.power.cycle()
        self.bench.terminal.await_idle(20)

    # -- the terminal -------------------------------------------------------------------------------------------------

    @keyword("The terminal signs in")
    def sign_in(self) -> None:
        self._last = self.bench.once_connected(self.bench.terminal.sign_in)

    @keyword("The shop sells for ${yuan} yuan by ${card:magnetic|chip} card")
    def sell(self, yuan: str, card: str) -> None:
        bench, amount = self.bench, _cents(yuan)
        if self._just_plugged:
            self._last = bench.once_connected(lambda: bench.terminal.sale(amount, card=CARDS[card]))
            self._just_plugged = False
        else:
            self._last = bench.terminal.sale(amount, card=CARDS[card])
        if self._last.ok:
            self._sold = self._last

    @keyword("The till sells for ${yuan} yuan by ${card:magnetic|chip} card")
    def till_sells(self, yuan: str, card: str) -> None:
        self._last = self.bench.terminal.sale(_cents(yuan), card=CARDS[card], via="cashier")
        if self._last.ok:
            self._sold = self._last

    @keyword("The shop voids the last sale")
    def void(self) -> None:
        if self._sold is None:
            raise AssertionError("no sale was approved in this test: there is nothing to void")
        self._last = self.bench.terminal.void(self._sold.trace)

    @keyword("The shop does ${a:an?} ${transaction} of ${yuan} yuan by ${card}")
    def do(self, a: str, transaction: str, yuan: str, card: str) -> None:
        """Any transaction with an amount, of which the original, where it has one, is the last that fits: ``refund``
        (of the sale), ``pre authorisation``, ``completion`` and ``completion advice`` (of the pre-authorisation),
        ``offline sale``, ``offline adjust``. ``card`` is a name of ``harness.terminal.cards``: magnetic, chip,
        contactless, manual, wechat, alipay; ``with PIN`` after it types the PIN."""
        name, pin = transaction.replace(" ", "_"), card.endswith(" with PIN")
        self._order(name, _cents(yuan), _card(card.removesuffix(" with PIN")), pin)

    @keyword("The shop does a ${transaction:[a-z ]+}")
    def do_again(self, transaction: str) -> None:
        """A transaction that has neither amount nor card of its own: ``void``, ``completion void``, ``pre authorisation
        void``, ``balance`` (by magnetic card), ``status upload`` and the other network functions."""
        name = transaction.replace(" ", "_")
        held = self._done.get("pre_authorisation")
        card = held[1] if name == "pre_authorisation_void" and held else CARDS["magnetic"]
        self._order(name, held[2] if name == "pre_authorisation_void" and held else 0, card, False)

    @keyword("The shop adds a tip of ${yuan} yuan")
    def tip(self, yuan: str) -> None:
        """To the last sale, offline or not."""
        self._order("offline_tip", 0, None, False, tip=_cents(yuan))

    @keyword("The till does ${a:an?} ${transaction} of ${yuan} yuan by ${card}")
    def till_does(self, a: str, transaction: str, yuan: str, card: str) -> None:
        """As by the keypad; the card is presented at the terminal."""
        name, pin = transaction.replace(" ", "_"), card.endswith(" with PIN")
        self._order(name, _cents(yuan), _card(card.removesuffix(" with PIN")), pin, till=True)

    def _order(
        self, name: str, amount: int, card: Card | None, pin: bool, *, tip: int | None = None, till: bool = False
    ) -> None:
        if name not in NEEDS:
            raise AssertionError(f"there is no transaction {name!r}; known: {', '.join(NEEDS)}")
        original = next((self._done[one] for one in _ORIGINALS.get(name, ()) if one in self._done), None)
        if name in _ORIGINALS and original is None:
            raise AssertionError(f"nothing was done in this test that a {name} could be about")
        ended = original[0] if original else Completion("unknown")
        known: dict[str, Any] = {
            "amount": amount, "card": card, "trace": ended.trace, "reference": ended.reference, "date": self._date,
            "authorisation": ended.authorisation, "tip": tip,
        }
        order = Order(
            name, pin=pin and name in TAKES_PIN, via="cashier" if till else "keypad",
            **{need: known[need] for need in NEEDS[name]},
        )
        self._last = self.bench.terminal.perform(order)
        if not self._last.ok:
            return
        self._done[name] = (self._last, card, amount)
        if name in ("sale", "pre_authorisation"):
            frame = self.bench.await_frame("0110" if name == "pre_authorisation" else "0210")
            self._date = decode(bytes.fromhex(frame.hex)).get(13)
        if name == "sale":
            self._sold = self._last

    @keyword("The shop settles")
    def settle(self) -> None:
        self._last = self.bench.terminal.settle()

    @keyword("It is approved")
    def approved(self) -> None:
        """The last thing done was approved."""
        if not self._last.ok:
            raise AssertionError(f"not approved: code {self._last.code}, the terminal said: {self._last.text}")

    @keyword("It is refused with code ${code}")
    def refused_with(self, code: str) -> None:
        """The last thing done was answered with that response code, and the terminal told so."""
        if self._last.ok or self._last.code != code:
            raise AssertionError(
                f"expected a refusal with {code}; got {self._last.outcome}, code {self._last.code}: {self._last.text}"
            )

    @keyword("It is refused without a code")
    def refused(self) -> None:
        """Not approved, and the terminal showed no response code: nothing was answered."""
        if self._last.ok or self._last.code is not None:
            raise AssertionError(f"expected a refusal without a code; got {self._last.outcome}, code {self._last.code}")


_ORIGINALS = {
    "void": ("sale",), "refund": ("sale",), "pre_authorisation_void": ("pre_authorisation",),
    "completion": ("pre_authorisation",), "completion_advice": ("pre_authorisation",),
    "completion_void": ("completion", "completion_advice"), "offline_adjust": ("offline_adjust", "offline_sale"),
    "offline_tip": ("offline_sale", "sale"),
}


def _raised(message: str) -> Exception:
    """What ended a test of which Robot Framework tells the message alone."""
    name, _, told = message.partition(": ")
    return BadInput(told) if name == BadInput.__name__ else AssertionError(message)


def _card(name: str) -> Card:
    if name not in CARDS:
        raise AssertionError(f"there is no card {name!r}; known: {', '.join(CARDS)}")
    return CARDS[name]


def _cents(yuan: str) -> int:
    try:
        value = Decimal(yuan)
    except InvalidOperation:
        raise AssertionError(f"{yuan!r} is no amount in yuan, such as 10.00") from None
    return int(value * 100)
