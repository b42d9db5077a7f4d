"""BACKUP and RESTORE on the service port: a text goes over it line by line, each asked for or acknowledged.

The line loses what nobody reads, so nothing long is ever sent at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from . import backup, provisioning
from .provisioning import Refused
from .store import Store


class Carrying:
    """What is on its way, in memory alone: a power cut leaves nothing of it."""

    def __init__(
        self, stores: Sequence[Store], *, model: str, serial_number: str, random: Callable[[int], bytes]
    ) -> None:
        self._stores, self._model, self._serial_number, self._random = stores, model, serial_number, random
        self._given: list[str] = []
        self._taken: list[str] = []
        self._key = b""

    def back_up(self, words: Sequence[str]) -> str:
        """``<key>``, then ``LINE n`` for each line; ``CANCEL``. Raises :class:`Refused`."""
        match words:
            case ["CANCEL"]:
                backup.cancel(self._stores)
                self._given = []
                return "BACKUP CANCELLED"
            case ["LINE", number] if number.isascii() and number.isdigit():
                if not 1 <= int(number) <= len(self._given):
                    raise Refused("03", f"there are {len(self._given)} lines")
                return self._given[int(number) - 1]
            case [key]:
                self._given = backup.take(
                    self._stores, backup.key_of(key), model=self._model, serial_number=self._serial_number,
                    random=self._random,
                )
                return f"BACKUP {len(self._given)}"
            case _:
                raise Refused("01", "unknown command")

    def restore(self, rest: str) -> str:
        """``<key>``, then ``LINE text`` for each line, then ``END``. Raises :class:`Refused`."""
        if rest.startswith("LINE ") and self._key:
            if len(self._taken) >= backup.MOST_LINES:
                raise Refused("76", "more lines than a backup has")
            self._taken.append(rest.removeprefix("LINE "))
            return f"RESTORE {len(self._taken)}"
        if rest == "END" and self._key:
            key, lines, self._key, self._taken = self._key, self._taken, b"", []
            carried = backup.restore(self._stores, lines, key, model=self._model)
            return f"RESTORED merchants={len(carried)} records={sum(len(one.log) for one in carried)}"
        if rest.startswith("LINE ") or rest == "END":
            raise Refused("77", "no restore has begun")
        for store in self._stores:
            provisioning.refuse_identity_change(store)
        self._key, self._taken = backup.key_of(rest), []
        return "RESTORE"
