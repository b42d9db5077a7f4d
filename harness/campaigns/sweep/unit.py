"""What a unit is asked after a power cut, and what its answers say it holds. The same for a replay and for a board."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from types import ModuleType
from typing import Any

from harness.protocol.keys import Algorithm, kcv
from harness.terminal.dialect import OUT_OF_THE_BOX

PARAMETERS = ("timeout", "auto_sign_in", *OUT_OF_THE_BOX)
_COUNTED = ("batch", "trace", "sales", "voids", "signed_in", "reversal")


@dataclass(frozen=True)
class Unit:
    """``version``: of what runs, "" nothing does. ``held``: name -> value, as in event ``update.cut``. ``resets``: how
    often the terminal started before it stood idle, beyond the once. ``trouble``: why there is no more of it.
    ``unknown``: questions about parameters that it does not have."""

    version: str
    held: dict[str, str]
    resets: int = 0
    trouble: str = ""
    unknown: frozenset[str] = frozenset()


def questions(identities: int) -> list[str]:
    """The service port's commands, for a model with so many merchants."""
    lines = ["VERSION"]
    for number in range(1, identities + 1):
        lines += [f"MERCHANT {number}", "IDENTITY", "COUNTERS"]
    return [*lines, *(f"PARAM {name}?" for name in PARAMETERS), "MERCHANT 1"]


def understood(asked: Sequence[str], answers: Sequence[str]) -> Unit:
    """``answers`` in the order of the questions. Whatever is not as it should be stands in ``held`` as it came."""
    version, held, prefix, parameters = "", {}, "", []
    for question, answer in zip(asked, answers, strict=True):
        word, _, rest = question.partition(" ")
        match word:
            case "VERSION":
                version = answer.removeprefix("OK ").rpartition(" ")[2] if answer.startswith("OK ") else ""
            case "MERCHANT":
                prefix = "" if rest == "1" else f"{rest}."
            case "PARAM":
                parameters.append(answer)
            case "IDENTITY":
                values = _values(answer)
                held[f"{prefix}tid"], held[f"{prefix}mid"] = values.get("TID", answer), values.get("MID", answer)
            case _:
                values = _values(answer)
                held.update((f"{prefix}{name}", values.get(name, answer)) for name in _COUNTED)
    unknown = frozenset(
        question for question, answer in zip(asked, answers, strict=True)
        if question.startswith("PARAM ") and not answer.startswith("OK ")
    )
    held["parameters"] = f"{len(parameters)} {sha256(repr(parameters).encode()).hexdigest()[:16]}"
    return Unit(version, held, unknown=unknown)


def stored(stores: Sequence[Any], tables: ModuleType) -> dict[str, str]:
    """What lies in the flash and no port tells: check values of the keys (``state.tmk`` ...), how many transactions are
    booked and how many of them have still to be sent, of each merchant; how long the terminal's tables are. ``stores``
    and ``tables`` are the application's own."""
    found: dict[str, str] = {}
    for number, store in enumerate(stores, 1):
        prefix, state = "" if number == 1 else f"{number}.", store.state
        algorithm: Algorithm = "sm4" if state.dialect.sm else "des"
        keys = [_check_value(key, algorithm) for key in (state.pik, state.mak, state.tdk)]
        found |= {
            f"{prefix}tmk_kcv": _check_value(state.tmk, algorithm), f"{prefix}keys_kcv": ",".join(keys),
            f"{prefix}booked": f"{len(store.log)}/{sum(record.amount for record in store.log)}",
            f"{prefix}undelivered": str(len(state.undelivered)),
        }
    lists = (tables.ca_keys, tables.applications, tables.blacklist)
    return found | {"tables": ",".join(str(len(one(stores[0]))) for one in lists)}


def _check_value(key: str, algorithm: Algorithm) -> str:
    return kcv(bytes.fromhex(key), algorithm).hex().upper()[:8] if key else ""


def _values(answer: str) -> dict[str, str]:
    words = answer.split() if answer.startswith("OK ") else []
    return {name: value for name, found, value in (word.partition("=") for word in words) if found}
