"""Which cases there are: what a shop does, how the customer pays, why the acquirer says no, and at which bench.

A case is data; ``fixtures/shop.py`` plays it. What a (model, profile) can't have is left out here, by tables.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields

from harness.campaigns.coverage import Block, Whole, pairwise
from harness.lab.inventory import BenchEntry
from harness.protocol.profile import Profile
from harness.protocol.transactions import KINDS, REVERSIBLE, STORED
from harness.terminal.model import Model
from harness.terminal.orders import NEEDS, TAKES_PIN

REVERSAL_OF = "reversal_of_"
UPLOADS = ("batch_upload", "batch_upload_chip", "batch_upload_unbalanced")
FOLLOW_UPS = ("script_notice", "signature_upload")
ORIGINAL_CARD = frozenset({"void", "completion_void", "offline_adjust", "offline_tip"})  # the card is the original's
SCANNED = frozenset({"sale", "void"})  # what there is of a payment by a wallet's code
WALLETS = ("wechat", "alipay")

UNREGISTERED = ("removed", "pending", "rejected")
CAUSES = (*UNREGISTERED, "merchant_missing", "suspended", "signed_out")
_FIRST_MESSAGE = {  # of what is made of several, or is called otherwise on the wire: on which a refusal comes
    "settle": "settlement", "batch_upload_unbalanced": "batch_upload_chip", "capk_update": "capk_query",
    "ic_parameter_update": "ic_parameter_query", "blacklist_update": "blacklist_download",
    "software_update": "software_query",
}
_BEFORE_SIGN_IN = frozenset(  # what a host does for a terminal that is not signed in
    {
        "sign_in", "echo", "parameter_download", "status_upload", "capk_update", "ic_parameter_update",
        "blacklist_update", "software_update",
    }
)


@dataclass(frozen=True)
class Case:
    """One combination. ``transaction``: an operation's name, or the message that follows one; ``entry``: a card of
    ``harness.terminal.cards``, "" where none is presented; ``cause``: why the acquirer refuses; ``label``: the group of
    benches; ``model`` and ``profile`` are that group's.
    """

    transaction: str
    entry: str
    pin: str  # yes, no
    cause: str
    via: str  # keypad, cashier
    reboot: str  # yes, no
    label: str
    model: str
    profile: str

    def __str__(self) -> str:
        parts = [self.transaction, self.entry, "pin" if self.pin == "yes" else "", self.cause, self.via]
        parts.append("rebooted" if self.reboot == "yes" else "")
        return "-".join(part.replace("_", ".") for part in parts if part)

    @property
    def order(self) -> str:
        """The operation under test: for what follows another one, that other one."""
        if self.transaction.startswith(REVERSAL_OF):
            return self.transaction.removeprefix(REVERSAL_OF)
        if self.transaction in UPLOADS:
            return "settle"
        return "sale" if self.transaction in FOLLOW_UPS else self.transaction

    @property
    def message(self) -> str:
        """On which the refusal comes, as :func:`harness.protocol.codes.transaction_name` has it."""
        if self.transaction.startswith(REVERSAL_OF):
            return "reversal"
        return _FIRST_MESSAGE.get(self.transaction, self.transaction)

    @property
    def stored(self) -> bool:
        """It is kept and sent before the next online transaction."""
        return self.transaction in STORED

    def code(self, profile: Profile) -> str:
        """The code that the cause leads to, in the order in which a host checks."""
        if self.cause == "merchant_missing":
            return "03"
        if self.cause == "suspended":
            return "58"
        if self.cause == "signed_out":
            return profile.not_signed_in
        if self.order == "sign_in":
            return profile.not_registered[0]
        if self._carries_mac and not profile.keys_outlive_registration:
            return "A0"
        return profile.not_registered[0] if profile.terminal_unknown_on == "all" else profile.not_signed_in

    @property
    def _carries_mac(self) -> bool:
        if self.transaction == "signature_upload":
            return True
        return self.order in KINDS and self.transaction not in UPLOADS

    def unregistered(self, profile: Profile) -> bool:
        """The terminal is to be told the profile's not-registered code, and nothing else."""
        return self.cause in UNREGISTERED and self.code(profile) in profile.not_registered

    def declares(self, profile: Profile) -> list[str]:
        """The rules that this case decides where it is played to its end."""
        if self.cause not in UNREGISTERED:
            return ["MSG-03"] if self.transaction in NEEDS and not self.stored else []
        rules = ["REC-01", "REC-08"]
        if self.unregistered(profile):
            rules += ["MSG-01"] + (["MSG-04"] if self.via == "cashier" and self.transaction in NEEDS else [])
            online = self.transaction in KINDS and not self.stored and self.transaction != "balance"
            rules += ["MON-01", "MON-02", "MSG-05"] if online else []
            rules += ["MON-12"] if self.entry == "chip" and self.transaction in ("sale", "pre_authorisation") else []
            rules += {"settle": ["MON-05"], "sign_in": ["STA-01", "STA-03"]}.get(self.transaction, [])
            rules += ["MON-04", "MON-07"] if self.stored else []
            rules += ["MON-06", "MON-11"] if self.transaction in UPLOADS else []
            rules += ["MON-11"] if self.transaction in FOLLOW_UPS else []
            rules += ["MON-03", "REC-03", "MON-07"] if self.transaction.startswith(REVERSAL_OF) else []
        return rules


def _entries(transaction: str, model: Model, profile: Profile) -> list[Mapping[str, str]]:
    """How the customer may pay, with and without PIN."""
    order = transaction.removeprefix(REVERSAL_OF)
    none: list[Mapping[str, str]] = [{"entry": "", "pin": "no"}]
    if transaction in UPLOADS:
        return none
    if transaction == "script_notice" or order == "offline_chip_sale":
        return [{"entry": "chip", "pin": pin} for pin in ("no",)] if "chip" in model.entry else []
    if order not in ORIGINAL_CARD and transaction not in FOLLOW_UPS and "card" not in NEEDS[order]:
        return none
    cards = [entry for entry in model.entry if entry != "scan"]
    pins = ["no", "yes"] if order in TAKES_PIN and not profile.sm else ["no"]
    found: list[Mapping[str, str]] = [{"entry": card, "pin": pin} for card in cards for pin in pins]
    if order in SCANNED and "scan" in model.entry:
        found += [{"entry": wallet, "pin": "no"} for wallet in WALLETS]
    return found


def _causes(transaction: str, home: Mapping[str, str], profile: Profile) -> list[Mapping[str, str]]:
    """Why it is refused. A host that signed the terminal out still does its network management, and by profile takes
    reversals and settlements. ``told`` is no attribute of a case: pairs with it see to it that every set has the
    not-registered code itself on every transaction, entry and way of asking, and not its causes alone."""
    settles, reverses = transaction == "settle" or transaction in UPLOADS, transaction.startswith(REVERSAL_OF)
    served = transaction in _BEFORE_SIGN_IN or (settles and profile.settlement_before_sign_in)
    served = served or (reverses and profile.reversal_before_sign_in)
    impossible = {"signed_out"} if served else set()
    if transaction in STORED:  # for good: money to be claimed by hand
        impossible |= {"merchant_missing", "suspended"}
    found: list[Mapping[str, str]] = []
    for cause in CAUSES:
        if cause not in impossible:
            case = Case(transaction, "", "no", cause, "keypad", "no", **home)
            found.append({"cause": cause, "told": "97" if case.unregistered(profile) else "another"})
    return found


def transactions(model: Model) -> list[str]:
    """Everything on which a refusal can arrive, at terminals of that model."""
    offered = set(model.transactions)
    found: list[str] = list(model.transactions)
    found += [REVERSAL_OF + name for name in sorted(REVERSIBLE & offered)]
    found += [name for name in UPLOADS if name == "batch_upload" or "chip" in model.entry]
    found += ["script_notice"] if "chip" in model.entry else []
    return found + (["signature_upload"] if model.signature_pad else [])


def blocks(entry: BenchEntry) -> list[Block]:
    """All cases of a group of benches."""
    model, profile = entry.model, entry.profile
    home = {"label": entry.label, "model": model.name, "profile": profile.name}
    vias = ["keypad", "cashier"] if model.cashier_link else ["keypad"]
    found = []
    for transaction in transactions(model):
        parts = (
            ({"transaction": transaction} | home,),
            tuple(_entries(transaction, model, profile)),
            tuple(_causes(transaction, home, profile)),
            tuple({"via": via} for via in vias),
            ({"reboot": "no"}, {"reboot": "yes"}),
        )
        if all(parts):
            found.append(Block(parts))
    return found


def space(entries: Iterable[BenchEntry]) -> list[Block]:
    """All cases of all groups."""
    return [block for entry in entries for block in blocks(entry)]


def pairwise_cases(entries: Sequence[BenchEntry], seed: str) -> list[Case]:
    """Few cases that have every pair of levels of any two attributes that go together."""
    found = [_case(values) for values in pairwise(space(entries), seed)]
    return sorted(found, key=lambda case: (case.label, str(case)))


def whole_cases(entries: Sequence[BenchEntry], seed: str, start: int, count: int) -> list[Case]:
    """A part of all cases, in the seed's order."""
    return [_case(values) for values in Whole(space(entries), seed).rows(start, count)]


def how_many(entries: Sequence[BenchEntry]) -> int:
    """All cases there are."""
    return sum(block.size for block in space(entries))


def _case(values: Mapping[str, str]) -> Case:
    return Case(**{field.name: values[field.name] for field in fields(Case)})
