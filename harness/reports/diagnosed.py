"""What was the matter, on the page and in the summary: a stored diagnosis in words, in both languages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from harness.diagnosis import telling
from harness.diagnosis.causes import TOLD
from harness.diagnosis.records import CauseRecord, DiagnosisRecord, SignRecord
from harness.diagnosis.signs import SIGNS
from harness.reports import mask
from harness.reports.bilingual import Both, _, joined, same

MOST = 5  # causes told with words and cure; the rest by name
LEAST = 0.01  # of the likelihood: what is less likely is only named
CHIPS = 8


@dataclass(frozen=True)
class SignView:
    """What was seen, and the places of its events: (label, href)."""

    words: Both
    chips: tuple[tuple[Both, str], ...]


@dataclass(frozen=True)
class CauseView:
    name: Both
    sure: Both
    share: str
    words: Both
    cure: Both
    signs: tuple[SignView, ...]


@dataclass(frozen=True)
class DiagnosisView:
    """``level``: what was looked at. ``not_known``: why nothing is named, or None. ``rest``: names of what is not ruled
    out either."""

    level: Both
    not_known: Both | None
    causes: tuple[CauseView, ...]
    rest: Both | None


LEVELS = {
    "outside": _("from what is seen at the terminal and on the wire"), "host": _("with the acquirer's view as well"),
}


def name_of(cause: str) -> Both:
    return _both(TOLD[cause].name)  # type: ignore[index]


def sure(record: DiagnosisRecord, cause: CauseRecord) -> Both:
    return _both(telling.in_a_word(record.certain, cause.likelihood))


def first(records: Sequence[DiagnosisRecord]) -> Both | None:
    """In a line, with all evidence that there is: the likeliest causes by name. None where there is no diagnosis."""
    if not records:
        return None
    record = records[-1]
    if not record.known:
        return _both(telling.NOT_KNOWN)
    named = [one for one in record.causes if one.likelihood >= telling.HARDLY][:3]
    parts = [_("{cause} ({sure})").format(cause=name_of(one.cause), sure=sure(record, one)) for one in named]
    return joined(", ", parts, "、")


def views(
    records: Sequence[DiagnosisRecord], label: Callable[[int], tuple[Both, str]]
) -> tuple[DiagnosisView, ...]:
    """``label`` gives name and link of an event. What the acquirer's view adds nothing to is told once."""
    told = [record for record in records if record.level == "host" or not _same(record, records)]
    return tuple(_view(record, label) for record in told)


def _same(record: DiagnosisRecord, records: Sequence[DiagnosisRecord]) -> bool:
    return any(other.level != record.level and other.causes == record.causes for other in records)


def _view(record: DiagnosisRecord, label: Callable[[int], tuple[Both, str]]) -> DiagnosisView:
    seen = {one.sign: one for one in record.signs}
    likely = [one for one in record.causes if one.likelihood >= LEAST][:MOST]
    causes = tuple(
        CauseView(
            name_of(one.cause), sure(record, one), f"{one.likelihood:.0%}", _both(TOLD[one.cause].words),
            _both(TOLD[one.cause].cure), tuple(_sign(seen[name], label) for name in one.signs if name in seen),
        )
        for one in likely
    )
    rest = [name_of(one.cause) for one in record.causes if one not in likely]
    why = None if record.known else _both(telling.why(record.contradictory))
    return DiagnosisView(LEVELS[record.level], why, causes, joined(", ", rest, "、") if rest else None)


def _sign(one: SignRecord, label: Callable[[int], tuple[Both, str]]) -> SignView:
    words = _both(SIGNS[one.sign].words).format(about=same(mask.text(one.about)))
    return SignView(words, tuple(label(seq) for seq in one.events[:CHIPS]))


def _both(text: str) -> Both:
    return _(text)
