"""What may stand in an inventory file, key by key. What the keys mean: docs/lab.md."""

from __future__ import annotations

import re
from ipaddress import IPv4Address
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from harness.lab.documents import Place, Problem
from harness.lab.instrument_entry import EMULATED, FULL_SET, Limit, Option

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$")]
Suite = Annotated[str, Field(pattern=r"^(robot/)?[A-Za-z0-9][A-Za-z0-9._-]{0,39}$")]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(gt=0)]

_STRICT = ConfigDict(extra="forbid", frozen=True)
_SECRET_KEY = re.compile(r"(?i)(^|_|-)(tmk|tpk|tak|tdk|key|keys|pin|password|passwd|passphrase|secret|token)($|_|-)")
_SECRET_VALUE = re.compile(r"^(?:[0-9A-Fa-f]{32}|[0-9A-Fa-f]{48})$|://[^/\s@]*:[^/\s@]+@|-----BEGIN ")


class Identity(BaseModel):
    """Terminal number (F41) and merchant number (F42)."""

    model_config = _STRICT
    tid: Annotated[str, Field(pattern=r"^[0-9A-Z]{8}$")]
    mid: Annotated[str, Field(pattern=r"^[0-9A-Z]{15}$")]


class Interfaces(BaseModel):
    """Network cards of the lab host: the one the terminal is plugged into, and the one towards the acquirer.

    ``addresses``: IPv4 addresses that the cards may have; with any other the bench refuses to touch them.
    """

    model_config = _STRICT
    terminal: Annotated[str, Field(pattern=r"^[^\s/:]{1,15}$")]
    acquirer: Annotated[str, Field(pattern=r"^[^\s/:]{1,15}$")]
    addresses: list[IPv4Address] = []


class Host(BaseModel):
    """Where the terminal finds its acquirer."""

    model_config = _STRICT
    address: IPv4Address
    port: Annotated[int, Field(ge=1, le=65535)]
    tpdu: Annotated[str, Field(pattern=r"^[0-9]{10}$")] = "6000030000"


class LimitsDocument(BaseModel):
    """Limits that this bench has other than its profile: the fields of the profile's ``limits``, and the time-out."""

    model_config = _STRICT
    show_s: Positive | None = None
    idle_s: Positive | None = None
    unattended_first_minute: Count | None = None
    unattended_per_hour: Count | None = None
    recovery_s: Positive | None = None
    repeated_97: Count | None = None
    repeated_97_physical: Count | None = None
    heartbeat_lag_ms: Positive | None = None
    receive_timeout_s: Positive | None = None


class InstrumentDocument(BaseModel):
    """An instrument of a bench; docs/instruments.md."""

    model_config = _STRICT
    driver: str
    address: Annotated[str, Field(min_length=1)] = EMULATED
    identity: str = ""
    limits: dict[str, Limit] = {}
    options: dict[str, Option] = {}


def _full_set(value: Any) -> Any:
    """``emulated`` in the place of the names."""
    if value == EMULATED:
        return {name: {"driver": driver} for name, driver in FULL_SET.items()}
    if isinstance(value, str):
        raise ValueError(f"names of instruments, each with its driver, or `{EMULATED}`")
    return value


class BenchDocument(BaseModel):
    """One bench as written."""

    model_config = _STRICT
    name: Name
    kind: Literal["emulated", "physical"]
    model: str
    profile: str
    firmware: Annotated[str, Field(min_length=1)] = "reference"
    images: Annotated[str, Field(min_length=1)] | None = None
    time_scale: Annotated[float, Field(ge=0.1, le=100, allow_inf_nan=False)] | None = None
    physical_like: bool = False
    link: Literal["tcp", "tcp_standing", "tls", "http"] | None = None
    network: Literal["static", "dhcp"] | None = None
    resolve: Literal["address", "name"] = "address"
    suites: list[Suite] = []
    without: list[Name] = []
    limits: LimitsDocument = LimitsDocument()
    identity: Identity | None = None
    serial_number: Annotated[str, Field(pattern=r"^[0-9A-Za-z]{1,20}$")] | None = None
    cashier: str | None = None
    service: str | None = None
    interfaces: Interfaces | None = None
    host: Host | None = None
    address: IPv4Address | None = None
    instruments: Annotated[dict[Name, InstrumentDocument], BeforeValidator(_full_set)] = {}

    def contradictions(self) -> list[tuple[Place, str]]:
        """What does not go together, with the place below the bench."""
        found: list[tuple[Place, str]] = []
        if self.kind == "physical":
            missing = [key for key in ("interfaces", "host", "identity", "address") if getattr(self, key) is None]
            found += [((), f"`{key}` is missing: a physical bench needs it") for key in missing]
            if self.time_scale not in (None, 1.0):
                found.append((("time_scale",), "the time of a physical bench can't be scaled: leave it out"))
            if self.network is not None:
                found.append((("network",), "`network` is for emulated benches: a physical one has its own"))
            if self.resolve != "address":
                found.append((("resolve",), "`resolve` is for emulated benches: a physical one has its own"))
            if self.physical_like:
                found.append((("physical_like",), "a physical bench is not like one: leave it out"))
            return found
        theirs = ("cashier", "service", "interfaces", "host", "address")
        wrong = [key for key in theirs if getattr(self, key) is not None]
        found += [((key,), f"`{key}` is for physical benches: an emulated one finds its own") for key in wrong]
        if self.physical_like and self.time_scale not in (None, 1.0):
            found.append((("time_scale",), "a physical-like bench has time scale 1: leave it out"))
        return found


class LabDocument(BaseModel):
    """The whole file."""

    model_config = _STRICT
    title: str = ""
    catalogue: str = "."
    benches: Annotated[list[BenchDocument], Field(min_length=1)]


def find_secrets(tree: Any, place: Place = ()) -> list[Problem]:
    """Whatever looks like a key, a PIN or a password. An inventory is shared; those come from elsewhere."""
    problems: list[Problem] = []
    if isinstance(tree, dict):
        for key, value in tree.items():
            here = (*place, str(key))
            is_name = bool(place) and place[-1] == "instruments"  # of an instrument, such as key_pusher
            if _SECRET_KEY.search(str(key)) and not is_name:
                text = f"`{key}`: secrets don't belong into an inventory; they come from the environment or a key file"
                problems.append(Problem(here, text, on_key=True, secret=True))
            else:
                problems += find_secrets(value, here)
    elif isinstance(tree, list):
        for index, value in enumerate(tree):
            problems += find_secrets(value, (*place, index))
    elif isinstance(tree, str) and _SECRET_VALUE.search(tree):
        text = "this looks like a key or a password; secrets come from the environment or a key file"
        problems.append(Problem(place, text, secret=True))
    return problems
