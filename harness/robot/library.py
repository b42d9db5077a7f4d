"""Keywords about one terminal, its acquirer and its cable. Import it with
``Library  harness.robot.library.TerminalLibrary``.

Requirements that a test must decide are its tags (``MSG-01``). Money is written in yuan (``10.00``).
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from robot.api.deco import keyword, library

from harness.bench.bench import Bench
from harness.campaigns.span import TestSpan
from harness.robot import REQUIREMENT, session
from harness.terminal.cards import CARDS
from harness.terminal.contracts import Completion


@library(scope="GLOBAL", listener="SELF", auto_keywords=False)
class TerminalLibrary:
    """What can be done to a terminal, and what can be asked of the last thing that was done."""

    ROBOT_LISTENER_API_VERSION = 3

    def __init__(self, lab: str = "lab_config/emulated.yaml", bench: str = "") -> None:
        self._lab, self._bench_name = lab, bench
        self._span: TestSpan | None = None
        self._trouble = ""
        self._last = Completion("unknown")
        self._sold: Completion | None = None
        self._just_plugged = False

    # -- listener -----------------------------------------------------------------------------------------------------

    def start_test(self, data: Any, result: Any) -> None:
        declares = sorted(str(tag) for tag in data.tags if REQUIREMENT.match(str(tag)))
        self._trouble, self._sold, self._just_plugged = "", None, False
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
            self._end(None if result.passed else AssertionError(result.message), result)

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

    @keyword("The acquirer suspends the terminal")
    def suspend(self) -> None:
        self.bench.host.suspend()

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


def _cents(yuan: str) -> int:
    try:
        value = Decimal(yuan)
    except InvalidOperation:
        raise AssertionError(f"{yuan!r} is no amount in yuan, such as 10.00") from None
    return int(value * 100)
