"""What goes wrong on the way, at which moment, on which transaction, with which answer: the cases of suites/network and
suites/security, by tables.

A case is data; ``fixtures/rough_line.py`` plays it. A deed is a fault in words (``harness.wire.faults.spoken``) without
its moment. What a link or profile can't have is left out here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Literal

from harness.campaigns import matrix
from harness.campaigns.coverage import Block, Pair, Whole, pairwise
from harness.lab.inventory import BenchEntry
from harness.protocol.profile import Profile
from harness.protocol.transactions import REVERSIBLE
from harness.wire.faults import Fault
from harness.wire.faults.spoken import parse

Effect = Literal[
    "repaired",  # TCP repairs it: the answer arrives, perhaps late
    "broken",  # the terminal notices at once that no answer will come
    "silent",  # the terminal has to wait until its time is over
    "damaged",  # what arrives in time is not what was said, and can't pass for it
]
MOMENTS = ("connecting", "request", "waiting", "response", "between")
"""A connection is being made; the request is under way; the host has it; its answer is under way; nothing is."""

APPROVED, UNREGISTERED = "approved", "97"


@dataclass(frozen=True)
class Deed:
    """``at``: moment -> what comes of it there. ``{code}`` in the words is the profile's not-registered code,
    ``{earlier}`` an earlier answer of the host in hex. ``links``: () for all. ``answers``: those it is done to.
    ``forgets_neighbours``: the cable is out for an instant before, so that ARP has to ask again. ``mismatch``: what
    arrives does not match the request. ``variant``: of a kind with another row, so that an ordinary run need not do it
    on each work. ``strays``: it may strike another packet than the answer's, or none at all.
    """

    words: str
    at: Mapping[str, Effect]
    links: tuple[str, ...] = ()
    answers: tuple[str, ...] = (APPROVED, UNREGISTERED)
    works: tuple[str, ...] = ()
    declares: tuple[str, ...] = ()
    forgets_neighbours: bool = False
    mismatch: bool = False
    variant: bool = False
    strays: bool = False


def _everywhere(effect: Effect) -> dict[str, Effect]:
    return dict.fromkeys(("request", "response", "between"), effect)


_SILENT: dict[str, Effect] = dict.fromkeys(MOMENTS, "silent")
_MESSAGE: dict[str, Effect] = {"request": "repaired", "response": "repaired"}

NETWORK: dict[str, Deed] = {
    # repaired by TCP: the answer counts
    "delay": Deed("delay delay_ms=200", {"connecting": "repaired", "waiting": "repaired", **_everywhere("repaired")}),
    "jitter": Deed("delay delay_ms=40 jitter_ms=40", {"between": "repaired"}, variant=True),
    "reorder": Deed("reorder gap=1 wait_ms=50", _everywhere("repaired")),
    "duplicate": Deed("duplicate copies=2", {"connecting": "repaired", **_everywhere("repaired")}, variant=True),
    "loss-once": Deed("drop first_n=1", {"request": "repaired", "response": "repaired"}),
    "loss-light": Deed("drop percent=10 count=2", {"between": "repaired"}, variant=True, strays=True),
    "corrupt": Deed("corrupt count=1", {"request": "repaired", "response": "repaired"}, variant=True),
    "bandwidth": Deed("bandwidth kbit_s=128", {"between": "repaired"}, variant=True),
    "slow-close": Deed(
        "slow_close delay_s=0.5", {"between": "repaired"}, links=("tcp", "tls", "http"), variant=True, strays=True
    ),
    "dribble": Deed("dribble size=1 gap_ms=0", {"response": "repaired"}, links=("tcp", "tcp_standing")),
    "small-segments": Deed("dribble size=20 variation=8 gap_ms=2", _MESSAGE, variant=True),
    "hold-short": Deed("hold release_s=0.5", _MESSAGE, variant=True),
    "cut-healed": Deed("cut after_bytes=20 then=heal pause_s=0.3", _MESSAGE),
    # noticed at once
    "reset": Deed("rst", dict.fromkeys(("connecting", "request", "waiting", "response"), "broken")),
    "reset-idle": Deed("rst", {"between": "broken"}, links=("tcp_standing",), strays=True),
    "reset-terminal": Deed("rst side=terminal", {"waiting": "broken", "response": "broken"}, variant=True),
    "cut-closed": Deed("cut after_bytes=20 then=close", {"response": "broken"}),
    "cut-early": Deed("cut after_bytes=1 then=close", {"response": "broken"}, variant=True),
    "cut-late": Deed("cut after_bytes=-1 then=close", {"response": "broken"}, variant=True),
    "cut-reset": Deed("cut after_bytes=20 then=reset", {"request": "broken", "response": "broken"}),
    "icmp": Deed("icmp_unreachable code=port direction=to_acquirer", {"connecting": "broken"}),
    # not noticed before the time is over
    "swallow": Deed("swallow", {"request": "silent", "response": "silent"}),
    "hold": Deed("hold", {"request": "silent", "response": "silent"}),
    "loss": Deed("drop", _SILENT),
    "partition": Deed("partition", {"connecting": "silent", "waiting": "silent", "between": "silent"}),
    "partition-out": Deed("partition direction=to_acquirer", {"waiting": "repaired", "between": "silent"}),
    "partition-in": Deed("partition direction=to_terminal", {"waiting": "silent", "between": "silent"}),
    "syn-blackhole": Deed("syn_blackhole", {"between": "silent"}, links=("tcp", "tls", "http")),
    "timeout": Deed("timeout", {"waiting": "silent"}),
    "mtu-hole": Deed("mtu_black_hole mtu=120", {"between": "silent"}),
    "icmp-late": Deed("icmp_unreachable code=host direction=to_acquirer", {"request": "silent"}),
    "arp-loss": Deed("arp_loss", {"between": "silent"}, forgets_neighbours=True),
    "arp-spoof": Deed("arp_spoof", {"between": "silent"}, forgets_neighbours=True),
}

_FINANCIAL = ("sale", "scan", "pre_authorisation", "void", "completion", "refund", "balance")
_EASY = ("sale", "scan", "pre_authorisation", "balance")
_AN_ANSWER: dict[str, Effect] = {"response": "damaged"}
_A_REQUEST: dict[str, Effect] = {"request": "damaged"}
_OPEN = ("tcp", "tcp_standing", "http")

SECURITY: dict[str, Deed] = {
    "forged-97-at-sign-in": Deed(
        "forge code={code} mac=none", _A_REQUEST, answers=(APPROVED,), works=("sign_in",), declares=("SEC-01",)
    ),
    "forged-97": Deed(
        "forge code={code} mac=wrong", _A_REQUEST, answers=(APPROVED,), works=(*_FINANCIAL, "reversal"),
        declares=("MON-10",),
    ),
    "forged-approval": Deed(
        "forge code=00 mac=wrong", _A_REQUEST, works=(*_FINANCIAL, "reversal"), declares=("SEC-03",)
    ),
    "forged-approval-bare": Deed(
        "forge code=00 mac=none", _A_REQUEST, works=(*_FINANCIAL, "reversal"), declares=("SEC-03",), variant=True
    ),
    "mac-stripped": Deed(
        "rewrite mac=strip", _AN_ANSWER, answers=(APPROVED,), works=(*_FINANCIAL, "reversal"), declares=("SEC-03",)
    ),
    "mac-broken": Deed("rewrite mac=break", _AN_ANSWER, works=(*_FINANCIAL, "reversal")),
    "turned-into-approval": Deed(
        "rewrite F39=00 mac=keep", _AN_ANSWER, answers=(UNREGISTERED,), works=_FINANCIAL, declares=("SEC-03",)
    ),
    "turned-into-97": Deed(
        "rewrite F39={code} mac=keep", _AN_ANSWER, answers=(APPROVED,), works=_FINANCIAL, declares=("MON-10",)
    ),
    "another-amount": Deed(
        "rewrite F4=000000000001 mac=keep", _AN_ANSWER, answers=(APPROVED,), works=("sale", "refund"), mismatch=True
    ),
    "foreign-trace": Deed("rewrite F11=979797 mac=keep", _AN_ANSWER, works=_FINANCIAL, mismatch=True, variant=True),
    "replayed": Deed("replay hex={earlier}", _AN_ANSWER, works=_EASY, declares=("SEC-02",), mismatch=True),
    "replayed-first": Deed(
        "replay hex={earlier} when=before", _AN_ANSWER, links=("tcp",), works=_EASY, declares=("SEC-02",),
        mismatch=True, variant=True,
    ),
    "no-message": Deed(
        "replace hex=0006DEADBEEF9797", _AN_ANSWER, works=(*_FINANCIAL, "sign_in", "settle"),
        mismatch=True, variant=True,
    ),
    "bitmap-damaged": Deed(
        "corrupt fix_checksum=yes bits=8 offset=17 count=1", _AN_ANSWER, links=("tcp", "tcp_standing"),
        works=_FINANCIAL, mismatch=True, variant=True,
    ),
}  # fmt: skip

TABLES: Mapping[str, Mapping[str, Deed]] = {"network": NETWORK, "security": SECURITY}


@dataclass(frozen=True)
class Work:
    """What the terminal does: ``message``, its request as a moment names it; ``transaction`` and ``entry`` as in a case
    of ``harness.campaigns.matrix``."""

    message: str
    transaction: str
    entry: str = ""


WORKS: dict[str, Work] = {
    "sale": Work("0200 of 60.1=22", "sale", "magnetic"),
    "scan": Work("0200 of 60.1=22", "sale", "wechat"),
    "void": Work("0200 of 60.1=23", "void", "magnetic"),
    "pre_authorisation": Work("0100 of 60.1=10", "pre_authorisation", "magnetic"),
    "completion": Work("0200 of 60.1=20", "completion", "magnetic"),
    "refund": Work("0220 of 60.1=25", "refund", "magnetic"),
    "balance": Work("0200 of 60.1=01", "balance", "magnetic"),
    "offline_delivery": Work("0220 of 60.1=30", "offline_sale", "magnetic"),
    "reversal": Work("0400", "reversal_of_sale", "magnetic"),
    "settle": Work("0500", "settle"),
    "batch_upload": Work("0320 of 60.3=201", "batch_upload"),
    "sign_in": Work("0800", "sign_in"),
    "recovery": Work("0800", "sign_in"),  # registered again, and now the sign-in that brings the terminal back
}


@dataclass(frozen=True)
class Trouble:
    """One combination. ``table``: network or security; ``deed`` a row of it; ``moment`` one of :data:`MOMENTS`;
    ``work`` of :data:`WORKS`; ``answer``: what the host says to it, 97 (the profile's code) or approved. ``label``,
    ``model``, ``profile`` are the group's of benches, ``link`` the profile's.
    """

    table: str
    deed: str
    moment: str
    work: str
    answer: str
    link: str
    label: str
    model: str
    profile: str

    def __str__(self) -> str:
        return "-".join(part.replace("_", ".").replace("-", ".") for part in self._parts)

    @property
    def _parts(self) -> tuple[str, ...]:
        if self.table == "security":
            return self.deed, self.work, self.answer
        return self.deed, self.moment, self.work, self.answer

    @property
    def transaction(self) -> str:
        """For ``--only``."""
        return self.work

    @property
    def waits(self) -> bool:
        """The terminal has to wait for its time-out."""
        return self.row.at[self.moment] == "silent"

    @property
    def row(self) -> Deed:
        return TABLES[self.table][self.deed]

    @property
    def effect(self) -> Effect:
        return self.row.at[self.moment]

    @property
    def in_the_shop(self) -> matrix.Case:
        """The transaction under test as a case of a shop's."""
        work = WORKS[self.work]
        return matrix.Case(
            work.transaction, work.entry, "no", "removed", "keypad", "no", self.label, self.model, self.profile
        )

    @property
    def response(self) -> str:
        """The answer's MTI."""
        return f"{int(WORKS[self.work].message[:4]) + 10:04d}"

    def fault(self, profile: Profile, earlier: str = "") -> Fault:
        """The fault to be armed. ``earlier``: an earlier answer in hex, where the deed replays one."""
        message = WORKS[self.work].message
        where = {
            "connecting": " at connecting", "request": f" at {message}", "waiting": f" at after {message}",
            "response": f" at response to {message}", "between": "",
        }[self.moment]
        said = self.row.words.replace("{code}", profile.not_registered[0]).replace("{earlier}", earlier)
        return parse(said + where)

    @property
    def replays(self) -> bool:
        return "{earlier}" in self.row.words

    def declares(self, profile: Profile) -> list[str]:
        """The rules that this case decides where it is played to its end."""
        rules = ["NET-01", "NET-04", "MSG-02", *self.row.declares]
        if self.link == "tls":  # the acquirer itself says it there, and then it is no stranger's
            rules = [rule for rule in rules if rule not in ("SEC-01", "SEC-02")]
        if self.work == "recovery" and self.effect != "repaired" and not self.row.strays:
            rules.append("NET-05")  # what TCP repairs delays nothing that anybody sees
        if self.answer == UNREGISTERED:
            if self.effect == "repaired":
                rules.append("MSG-01")
                if not self.row.strays and self.moment != "waiting":
                    rules.append("NET-02")
            elif self.deed.startswith(("cut", "mac-broken", "bitmap")) and self.moment == "response":
                rules.append("NET-03")
            if self.deed == "hold" and self.moment == "response" and self.undone:
                rules.append("MON-09")
            if self.table == "security" and self.effect == "damaged" and self.undone and self.deed == "mac-broken":
                rules.append("MON-10")
        return rules

    @property
    def undone(self) -> bool:
        """Whether an unknown outcome of it is undone by a reversal."""
        return WORKS[self.work].transaction in REVERSIBLE


def blocks(entry: BenchEntry, table: str) -> list[Block]:
    """All cases of a group of benches."""
    profile, home = entry.profile, {
        "table": table, "link": entry.profile.link, "label": entry.label, "model": entry.model.name,
        "profile": entry.profile.name,
    }
    found = []
    for work in works(entry):
        for answer in (APPROVED, UNREGISTERED):
            if answer == UNREGISTERED and not _told_so(entry, work):
                continue
            done = [
                {"deed": name, "moment": moment}
                for name, deed in TABLES[table].items()
                for moment in deed.at
                if _can_be(deed, work, answer, profile)
            ]
            if done:
                found.append(Block((tuple(done), ({"work": work, "answer": answer} | home,))))
    return found


def works(entry: BenchEntry) -> list[str]:
    """What terminals of that group can do of :data:`WORKS`."""
    offered = set(matrix.transactions(entry.model))
    return [
        name
        for name, work in WORKS.items()
        if work.transaction in offered and (work.entry != "wechat" or "scan" in entry.model.entry)
    ]


def _told_so(entry: BenchEntry, work: str) -> bool:
    """Whether a host of that profile tells it the not-registered code on that work. In recovery it is registered."""
    if work == "recovery":
        return False
    case = Trouble("network", "", "", work, "", "", entry.label, entry.model.name, entry.profile.name).in_the_shop
    return case.unregistered(entry.profile)


def _can_be(deed: Deed, work: str, answer: str, profile: Profile) -> bool:
    if deed.works and work not in deed.works:
        return False
    if deed.links and profile.link not in deed.links:
        return False
    if answer == UNREGISTERED and not profile.declines_carry_mac and re.match("rewrite", deed.words):
        return False  # there is no MAC that could tell
    if deed.mismatch and profile.reversal_on_mismatch == "delete" and WORKS[work].transaction in REVERSIBLE:
        return False  # the network itself wants the reversal forgotten then: money is lost by its rule
    return answer in deed.answers


def space(entries: Iterable[BenchEntry], table: str) -> list[Block]:
    """All cases of all groups."""
    return [block for entry in entries for block in blocks(entry, table)]


# Which pairs an ordinary run is to have. What a network is to a fault, its link is: not each by each group of benches.
# Where the terminal has to wait for its time-out, a case costs seconds: of those, fewer pairs.
_WANTED = (
    {"deed", "moment"}, {"deed", "work"}, {"deed", "answer"}, {"deed", "link"}, {"moment", "work"}, {"work", "answer"},
    {"work", "link"}, {"work", "profile"}, {"answer", "label"},
)  # fmt: skip
_WORTH_WAITING_FOR = ({"deed", "moment"}, {"deed", "answer"}, {"deed", "link"}, {"moment", "work"}, {"work", "answer"})


def pairwise_cases(entries: Sequence[BenchEntry], seed: str, table: str) -> list[Trouble]:
    """Few cases, that have every pair of levels of two attributes of :data:`_WANTED` that go together; those that wait
    for a time-out, the pairs that are worth it."""
    everything = space(entries, table)
    quick = _only(everything, lambda row: TABLES[table][row["deed"]].at[row["moment"]] != "silent")
    slow = _only(everything, lambda row: TABLES[table][row["deed"]].at[row["moment"]] == "silent")
    rows = pairwise(quick, seed, _among(table, _WANTED)) + pairwise(slow, seed, _among(table, _WORTH_WAITING_FOR))
    found = [_trouble(values) for values in rows]
    return sorted(found, key=lambda trouble: (trouble.label, str(trouble)))


def _among(table: str, attributes: Sequence[set[str]]) -> Callable[[Pair], bool]:
    def wanted(pair: Pair) -> bool:
        (one, level), (other, _) = pair
        if {one, other} == {"deed", "work"} and TABLES[table][level].variant:
            return False
        return {one, other} in attributes

    return wanted


def _only(whole: Sequence[Block], fits: Callable[[Mapping[str, str]], bool]) -> list[Block]:
    """The part of a space in which the first part of each block fits."""
    found = []
    for block in whole:
        done, *rest = block.parts
        kept = tuple(row for row in done if fits(row))
        if kept:
            found.append(Block((kept, *rest)))
    return found


def whole_cases(entries: Sequence[BenchEntry], seed: str, start: int, count: int, table: str) -> list[Trouble]:
    """A part of all cases, in the seed's order."""
    return [_trouble(values) for values in Whole(space(entries, table), seed).rows(start, count)]


def how_many(entries: Sequence[BenchEntry], table: str) -> int:
    """All cases there are."""
    return sum(block.size for block in space(entries, table))


def _trouble(values: Mapping[str, str]) -> Trouble:
    return Trouble(**{field.name: values[field.name] for field in fields(Trouble)})
