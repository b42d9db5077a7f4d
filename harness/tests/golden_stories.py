"""Golden histories by rule: good ones, bad ones, and ones that leave it open; and the checks that every rule shares.

A module of ``harness.tests.histories`` makes one :class:`Stories` and tells its histories with its decorators::

    stories = Stories("MON-")

    @stories.good("MON-02")
    def the_next_sale_follows_without_a_reversal(world: World) -> None:
        ...

    @stories.bad("MON-02", "a reversal of it followed")
    def ...
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from harness.checkers.finding import Finding, checkers
from harness.checkers.reading import Reading
from harness.history.events import AnyEvent
from harness.tests.golden import World

Telling = Callable[[World], None]
T = TypeVar("T", bound=Telling)


@dataclass(frozen=True)
class Story:
    """One history about one rule. ``reason`` stands in the reason of the finding that it is about."""

    rule: str
    telling: Telling
    reason: str
    options: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.rule}-{self.telling.__name__}"

    def events(self) -> list[AnyEvent]:
        world = World(**self.options)
        with world.test(self.telling.__name__, declares=[self.rule]):
            self.telling(world)
        world.close()
        return world.checked()


class Stories:
    """All stories about the rules that begin with ``prefix``."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.kept: list[Story] = []
        self.broken: list[Story] = []
        self.open: list[Story] = []
        self.silent: list[Story] = []

    def good(self, rule: str, reason: str = "", **options: Any) -> Callable[[T], T]:
        """The rule is kept, and the history shows it."""
        return self._into(self.kept, rule, reason, options)

    def bad(self, rule: str, reason: str, **options: Any) -> Callable[[T], T]:
        """The rule is broken."""
        return self._into(self.broken, rule, reason, options)

    def undecided(self, rule: str, reason: str, **options: Any) -> Callable[[T], T]:
        """The rule had an occasion which the history does not decide."""
        return self._into(self.open, rule, reason, options)

    def no_occasion(self, rule: str, **options: Any) -> Callable[[T], T]:
        """Nothing that the rule speaks of happened."""
        return self._into(self.silent, rule, "", options)

    @classmethod
    def joined(cls, *parts: Stories) -> Stories:
        """The stories of several modules about one family of rules."""
        whole = cls(parts[0].prefix)
        for part in parts:
            whole.kept += part.kept
            whole.broken += part.broken
            whole.open += part.open
            whole.silent += part.silent
        return whole

    @staticmethod
    def _into(stories: list[Story], rule: str, reason: str, options: dict[str, Any]) -> Callable[[T], T]:
        def keep(telling: T) -> T:
            stories.append(Story(rule, telling, reason, options))
            return telling

        return keep

    @property
    def rules(self) -> list[str]:
        """The rules with this prefix that have a checker."""
        return [rule for rule in checkers() if rule.startswith(self.prefix)]

    # -- what every story is put to --------------------------------------------------------------------------------

    def passes(self, story: Story) -> None:
        """PASS, and nothing in the whole history breaks another rule of the family."""
        events = story.events()
        found = findings(story.rule, events)
        assert found, "no occasion"
        assert [f.verdict for f in found] == ["PASS"] * len(found), found
        assert any(story.reason in f.reason for f in found), found
        broken = [f for rule in self.rules for f in findings(rule, events) if f.verdict == "FAIL"]
        assert not broken

    def rests_on_its_evidence(self, story: Story) -> None:
        """Without any one of the events that a PASS names there is one PASS less."""
        events = story.events()
        passed = findings(story.rule, events)
        for finding in passed:
            assert finding.evidence
            for seq in finding.evidence:
                left = findings(story.rule, [e for e in events if e.seq != seq])
                passes = [f for f in left if f.verdict == "PASS"]
                gone = next(e for e in events if e.seq == seq)
                assert len(passes) < len(passed) or len(passes) < len(left), (gone, finding)

    def fails(self, story: Story) -> None:
        found = findings(story.rule, story.events())
        assert any(f.verdict == "FAIL" and story.reason in f.reason for f in found), found
        for finding in found:
            assert finding.verdict != "FAIL" or finding.evidence

    def stays_open(self, story: Story) -> None:
        found = findings(story.rule, story.events())
        assert any(f.verdict == "INCONCLUSIVE" and story.reason in f.reason for f in found), found
        assert not [f for f in found if f.verdict == "FAIL"], found

    def stays_silent(self, story: Story) -> None:
        assert not findings(story.rule, story.events())


def findings(rule: str, events: Sequence[AnyEvent]) -> list[Finding]:
    """What the checkers of one rule say of a history."""
    reading = Reading.of(events)
    return [finding for check in checkers()[rule] for finding in check(reading)]
