"""How the tests of checkers ask: what is the verdict on a rule, and does a PASS rest on what it names?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from harness.checkers.finding import Finding, checkers
from harness.checkers.reading import Reading
from harness.history.events import AnyEvent


def findings(events: Sequence[AnyEvent], rule: str) -> list[Finding]:
    """What the checkers of one rule say of a history."""
    reading = Reading.of(events)
    return [finding for function in checkers()[rule] for finding in function(reading)]


def verdict(events: Sequence[AnyEvent], rule: str) -> str:
    """All occasions merged: FAIL before INCONCLUSIVE before PASS; "" where the rule had no occasion."""
    said = {finding.verdict for finding in findings(events, rule)}
    return next((v for v in ("FAIL", "ERROR", "INCONCLUSIVE", "PASS") if v in said), "")


def why(events: Sequence[AnyEvent], rule: str) -> str:
    """All reasons, for messages of failed assertions."""
    return "\n".join(f"{f.verdict}: {f.reason} {f.evidence}" for f in findings(events, rule)) or "no occasion"


def assert_verdict(events: Sequence[AnyEvent], rule: str, expected: str) -> None:
    assert verdict(events, rule) == expected, why(events, rule)


def assert_rests_on_evidence(events: Sequence[AnyEvent], rule: str) -> None:
    """Each event that a PASS names is needed: without it the rule is not PASS any more."""
    assert_verdict(events, rule, "PASS")
    named = {seq for finding in findings(events, rule) for seq in finding.evidence}
    assert named, f"{rule} passes on no evidence at all"
    for seq in sorted(named):
        rest = [event for event in events if event.seq != seq]
        gone = next(event for event in events if event.seq == seq)
        assert verdict(rest, rule) != "PASS", f"{rule} still passes without seq {seq} ({gone.kind}):\n{why(rest, rule)}"


def changed(
    events: Sequence[AnyEvent], which: Callable[[Any], bool], **values: Any
) -> list[AnyEvent]:
    """A copy in which the events that ``which`` picks have other values; at least one must be picked."""
    assert any(which(event) for event in events), "nothing was picked to be changed"
    return [event.model_copy(update=values) if which(event) else event for event in events]


def is_screen(text: str) -> Callable[[Any], bool]:
    """Picks the screens with ``text`` on one of their lines."""
    return lambda event: event.kind == "screen" and any(text in line for line in event.lines)
