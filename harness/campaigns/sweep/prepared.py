"""A unit in the middle of its day, made without a host: identity, keys, parameters, a batch, what is pending.

Whatever the service port sets is set there; the rest is committed with the store of the image that runs, in its own
data format.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

from harness.campaigns.sweep.starting import Starter
from harness.emulator.in_process import format_file_system
from harness.emulator.journal import JournalledNor
from harness.emulator.nor import LARGEST_IMAGE, SLOT_A
from harness.emulator.slots import factory_slot
from harness.errors import BadInput

_TMK = ("0123456789ABCDEFFEDCBA9876543210", "89ABCDEF0123456776543210FEDCBA98")
_PIK, _MAK = "706185D32C528C64B01361324A85B579", "7A131F01F458BCDC"
_PAN = "6225760000000097"


def factory_new(image: bytes) -> JournalledNor:
    """The chip of a unit as the factory leaves it, with ``image`` in slot A. Raises :class:`BadInput`."""
    if len(image) > LARGEST_IMAGE:
        raise BadInput(f"{len(image)} bytes do not fit into the {LARGEST_IMAGE} of the slot")
    chip = JournalledNor()
    chip.write_in_factory(SLOT_A, factory_slot(image))
    format_file_system(chip)
    return chip


def in_use(starter: Starter, image: bytes, *, stored: bool = True) -> bytes:
    """The chip of a unit that runs ``image`` and has been used. ``stored``: with a batch and what is pending; without,
    its batch is settled. Raises :class:`BadInput` where the image does not start, or keeps things in a way of its own.
    """
    chip = factory_new(image)
    started = starter.to_idle(chip)
    if started.trouble:
        raise BadInput(f"the old version does not start: {started.trouble}")
    starter.ask(chip, [
        *(line for number in range(1, starter.identities + 1) for line in (
            f"MERCHANT {number}", f"KEY TMK {_TMK[number % 2]}", f"SET TID=9700000{number} MID=89897000000000{number}",
        )), "PARAM timeout=45",
    ])
    quieted(starter, chip)
    try:
        _fill(starter, chip, stored=stored)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise BadInput(f"the old version can't be given a batch: {error!r}",
                       remedy="Give the flash of a unit that has one.") from error
    return chip.content


def quieted(starter: Starter, chip: JournalledNor) -> JournalledNor:
    """``chip``, whose unit reaches nobody from here on (the discard port of this machine) and signs in only when it is
    told to: a sweep starts it thousands of times. Raises :class:`BadInput`."""
    try:
        if not starter.computer.enter_chosen(chip):
            raise BadInput("the boot loader finds nothing to start on this flash")
        for store in starter.computer.stores(chip, starter.identities):
            store.commit(host="127.0.0.1", port=9, host2="", auto_sign_in=False)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise BadInput(f"what the unit has stored can't be changed: {error!r}") from error
    chip.journal.clear()
    return chip


def _fill(starter: Starter, chip: JournalledNor, *, stored: bool) -> None:
    app = starter.computer.modules
    stores = starter.computer.stores(chip, starter.identities)
    for number, store in enumerate(stores, 1):
        store.commit(pik=_PIK, mak=_MAK, signed_in=True, trace=100 * number, batch=number)
        if stored:
            _trade(app["app.records"], store, 100 * number, number)
    first = stores[0]
    first.put_table("blacklist", ["622599", "6258"])
    first.put_table("capk", [{"rid": "A000000333", "index": "97", "expiry": "20301231", "modulus": "97" * 128,
                              "exponent": "03"}])


def _trade(records: ModuleType, store: Any, trace: int, batch: int) -> None:
    """Two sales, one of them voided, one stored until it can be sent, and a reversal that is due."""

    def booked(kind: str, at: int, amount: int, original: int = 0) -> Any:
        return records.Record(
            kind=kind, amount=amount, pan=_PAN, batch=batch, trace=at, reference=f"97{at:010d}", authorisation="970970",
            date="1123", time="203005", year=2026, original=original, entry="012",
            sent={2: _PAN, 4: f"{amount:012d}", 11: f"{at:06d}", 22: "012"},
        )

    store.commit(book=booked("sale", trace, 1234))
    store.commit(book=booked("sale", trace + 1, 9700))
    store.commit(book=booked("void", trace + 2, 9700, trace + 1))
    store.commit(book=booked("offline_sale", trace + 3, 500), undelivered=(trace + 3,))
    fields = {2: _PAN, 3: "000000", 4: "000000004711", 11: f"{trace + 4:06d}", 22: "012", 25: "00", 49: "156",
              60: f"22{batch:06d}000"}
    store.commit(reversal=records.Reversal(fields=fields, reason="98"), trace=trace + 5, last=store.log[1])
