"""The inventory: which benches a lab has. A YAML file, described in docs/lab.md.

:func:`load_lab` reads, checks and resolves it: every :class:`BenchEntry` holds its model and profile, not their names.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from harness.lab import catalogue, vendor_images
from harness.lab.documents import Document, Problem, read_document
from harness.lab.instrument_entry import InstrumentEntry
from harness.lab.schema import BenchDocument, Host, Interfaces, LabDocument, find_secrets
from harness.protocol.profile import Limits, Profile
from harness.terminal.model import Model

REFERENCE = "reference"
DEFAULT_TIME_SCALE = 20.0
DEFAULT_MID = "104110070119701"


@dataclass(frozen=True)
class BenchEntry:
    """One bench with everything resolved.

    ``firmware``: "reference", "reference-2.0.0", the name of a shipped defect, or the absolute path of an image or of a
    source folder. ``images``: the absolute path of the folder with the vendor's images for firmware tests, "" none.
    ``profile`` has the bench's own limits and link in it. ``identity`` is (TID, MID). ``scope`` goes with ``name`` into
    a lease. ``group`` is what verdicts are about; ``label`` is its short name in test ids. ``suites``: the folders
    below ``suites/`` whose tests run there (``robot/NAME``: that file), () for all, but for those of ``without``.
    ``catalogue``: the folder with its models, profiles and stress profiles.
    """

    name: str
    kind: Literal["emulated", "physical"]
    model: Model
    profile: Profile
    firmware: str
    time_scale: float
    physical_like: bool
    identity: tuple[str, str]
    scope: str
    serial_number: str | None = None
    receive_timeout_s: float | None = None
    cashier: str | None = None
    service: str | None = None
    interfaces: Interfaces | None = None
    host: Host | None = None
    address: str | None = None
    group: str = ""
    label: str = ""
    suites: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    network: Literal["static", "dhcp"] = "static"
    resolve: Literal["address", "name"] = "address"
    images: str = ""
    catalogue: str = ""
    instruments: tuple[InstrumentEntry, ...] = ()

    def runs(self, test: Path) -> bool:
        """Whether the tests of that file are for this bench."""
        folders = {folder.name for folder in test.parents}
        folders |= {f"robot/{test.stem}"} if test.suffix == ".robot" else set()
        names = folders | ({test.stem} if test.suffix == ".py" else set())  # robot/network.robot is not suites/network
        return (not self.suites or bool(folders & set(self.suites))) and not names & set(self.without)

    @property
    def firmware_name(self) -> str:
        """The firmware in a word: "reference", a defect's name, or the file's or folder's name."""
        return Path(self.firmware).stem if "/" in self.firmware else self.firmware

    @property
    def variant(self) -> tuple[Any, ...]:
        """Benches with equal variants are equal: their verdicts are about the same thing."""
        return (
            self.model.name, self.firmware, self.kind, self.physical_like, self.time_scale,
            self.profile.model_dump_json(), self.receive_timeout_s, self.suites, self.without, self.network,
            self.resolve,
            self.images,
            *(one.model_dump_json() for one in self.instruments),
        )


@dataclass(frozen=True)
class Lab:
    """All benches of an inventory, in its order, with groups and labels assigned."""

    path: Path
    benches: tuple[BenchEntry, ...]

    @cached_property
    def emulated(self) -> list[BenchEntry]:
        return [entry for entry in self.benches if entry.kind == "emulated"]

    @cached_property
    def physical(self) -> list[BenchEntry]:
        return [entry for entry in self.benches if entry.kind == "physical"]

    @cached_property
    def real_instruments(self) -> bool:
        """Whether some bench has an instrument that is no server of ours."""
        return any(not one.emulated for entry in self.benches for one in entry.instruments)

    @cached_property
    def groups(self) -> dict[str, list[BenchEntry]]:
        """group -> its benches."""
        found: dict[str, list[BenchEntry]] = {}
        for entry in self.benches:
            found.setdefault(entry.group, []).append(entry)
        return found

    def with_firmware(self, firmware: str) -> Lab:
        """The same lab, every emulated bench with another firmware (a path counts from the working folder)."""
        from harness.emulator.shipped import firmware_sources

        path = Path(firmware)
        is_path = "/" in firmware or (path.suffix and firmware not in firmware_sources())
        resolved = str(path.resolve()) if is_path else firmware
        changed = [replace(one, firmware=resolved) if one.kind == "emulated" else one for one in self.benches]
        return Lab(self.path, _grouped(changed))

    def packed(self) -> dict[str, Any]:
        """As plain values that travel to another process."""
        return {"path": str(self.path), "benches": [_packed(entry) for entry in self.benches]}

    @classmethod
    def unpacked(cls, packed: Mapping[str, Any]) -> Lab:
        """The inverse of :meth:`packed`."""
        return cls(Path(packed["path"]), tuple(_unpacked(values) for values in packed["benches"]))


def load_lab(path: Path) -> Lab:
    """Reads an inventory. Raises :class:`BadInput` that points at every problem."""
    document = read_document(path, LabDocument, also=find_secrets)
    folder = path.resolve().parent
    library = folder / document.value.catalogue
    problems = _names(document) + _references(document, library, folder)
    if problems:
        document.refuse(problems)
    models = {one.model: catalogue.load_named(library, Model, one.model) for one in document.value.benches}
    problems = [
        Problem(("benches", index, "link"), f"the model {one.model} has no link {one.link}")
        for index, one in enumerate(document.value.benches)
        if one.link is not None and one.link not in models[one.model].links
    ]
    problems += [
        Problem(("benches", index, place), text)
        for index, one in enumerate(document.value.benches) for place, text in _network_problems(one, models[one.model])
    ]
    problems += [
        Problem(("benches", index, "model"), text)
        for index, one in enumerate(document.value.benches) if (text := _supply_problem(one, models[one.model]))
    ]
    problems += _instrument_problems(document.value, models)
    if problems:
        document.refuse(problems)
    for one in document.value.benches:
        if one.images is not None:
            vendor_images.load_images(folder / one.images)
    profiles = {one.profile: catalogue.load_named(library, Profile, one.profile) for one in document.value.benches}
    entries = [
        _entry(
            number, bench, models[bench.model], profiles[bench.profile], path.resolve(), str(library.resolve())
        )
        for number, bench in enumerate(document.value.benches, 1)
    ]
    return Lab(path, _grouped(entries))


def _network_problems(bench: BenchDocument, model: Model) -> list[tuple[str, str]]:
    """(key, what is wrong with it)."""
    found = []
    if bench.network is not None and bench.network not in model.networks:
        known = ", ".join(model.networks)
        found.append(("network", f"the model {model.name} has no network {bench.network}; it has {known}"))
    if bench.resolve == "name" and not model.names:
        found.append(("resolve", f"the model {model.name} does not resolve names"))
    return found


def _supply_problem(bench: BenchDocument, model: Model) -> str:
    """Why an emulated unit of that model would never run; "": it would."""
    around = model.surroundings
    if bench.kind != "emulated" or around is None or not around.stays_dark:
        return ""
    return (
        f"the emulated {model.name} resets below {around.emulated.brown_out_v:g} V, and its supply may have"
        f" {around.voltage_v.low:g} V: give `brown_out_v` in the model"
    )


def _instrument_problems(lab: LabDocument, models: Mapping[str, Model]) -> list[Problem]:
    """Of every bench that has instruments; only then anything of them is loaded."""
    if not any(one.instruments for one in lab.benches):
        return []
    from harness.instruments.described import problems, shared

    entries = [_instruments(bench) for bench in lab.benches]
    found = [
        Problem(("benches", index, "instruments", *place), text)
        for index, bench in enumerate(lab.benches)
        for place, text in problems(
            entries[index], models[bench.model].surroundings, emulated_bench=bench.kind == "emulated"
        )
    ]
    if found:
        return found
    return [
        Problem(("benches", index, "instruments", name, "address"), text)
        for index, name, text in shared(entries, [bench.name for bench in lab.benches])
    ]


def _instruments(bench: BenchDocument) -> tuple[InstrumentEntry, ...]:
    return tuple(
        InstrumentEntry(
            name=name, driver=one.driver, address=one.address, identity=one.identity, limits=one.limits,
            options=one.options,
        )
        for name, one in bench.instruments.items()
    )


def _names(document: Document[LabDocument]) -> list[Problem]:
    problems: list[Problem] = []
    first: dict[str, int] = {}
    for index, bench in enumerate(document.value.benches):
        if bench.name in first:
            text = f"there is a bench {bench.name} already: the {_ordinal(first[bench.name] + 1)} of the list"
            problems.append(Problem(("benches", index, "name"), text))
        first.setdefault(bench.name, index)
    return problems


def _references(document: Document[LabDocument], library: Path, folder: Path) -> list[Problem]:
    problems: list[Problem] = []
    for index, bench in enumerate(document.value.benches):
        for kind, key, name in ((Model, "model", bench.model), (Profile, "profile", bench.profile)):
            if catalogue.path_of(library, kind, name) is None:
                known = ", ".join(catalogue.names(library, kind)) or f"none in {library}"
                problems.append(Problem(("benches", index, key), f"unknown {key} {name}; known: {known}"))
        text = _firmware_problem(bench.firmware, folder)
        if text:
            problems.append(Problem(("benches", index, "firmware"), text))
        if bench.images is not None and not (folder / bench.images / vendor_images.FILE).is_file():
            text = f"there is no {vendor_images.FILE} in {folder / bench.images}"
            problems.append(Problem(("benches", index, "images"), text))
        problems += [Problem(("benches", index, *place), text) for place, text in bench.contradictions()]
    return problems


def _firmware_problem(firmware: str, folder: Path) -> str:
    from harness.emulator.shipped import firmware_sources

    shipped = firmware_sources()
    if firmware in shipped or (folder / firmware).exists():
        return ""
    if "/" in firmware or Path(firmware).suffix:
        return f"there is no firmware image or folder {folder / firmware}"
    return f"unknown firmware {firmware}: a path, or one of {', '.join(shipped)}"


def _entry(
    number: int, bench: BenchDocument, model: Model, profile: Profile, path: Path, library: str
) -> BenchEntry:
    limits = bench.limits.model_dump(exclude_none=True)
    receive_timeout_s = limits.pop("receive_timeout_s", None)
    changed: dict[str, Any] = {"limits": Limits(**(profile.limits.model_dump() | limits))}
    if receive_timeout_s is not None:
        changed["receive_timeout_s"] = receive_timeout_s
    if bench.link is not None:
        changed["link"] = bench.link
    by_itself = 1.0 if bench.kind == "physical" or bench.physical_like else DEFAULT_TIME_SCALE
    on_disk = path.parent / bench.firmware
    tid, mid = (bench.identity.tid, bench.identity.mid) if bench.identity else (f"9700{number:04d}", DEFAULT_MID)
    return BenchEntry(
        name=bench.name, kind=bench.kind, model=model, profile=profile.model_copy(update=changed),
        firmware=str(on_disk) if bench.firmware != REFERENCE and on_disk.exists() else bench.firmware,
        time_scale=bench.time_scale or by_itself, physical_like=bench.physical_like, identity=(tid, mid),
        # a device is the same device in whatever inventory it stands
        scope="physical" if bench.kind == "physical" else str(path),
        serial_number=bench.serial_number, receive_timeout_s=receive_timeout_s, cashier=bench.cashier,
        service=bench.service, interfaces=bench.interfaces, host=bench.host,
        address=str(bench.address) if bench.address else None, suites=tuple(bench.suites), without=tuple(bench.without),
        network=bench.network or model.networks[0], resolve=bench.resolve,
        images=str((path.parent / bench.images).resolve()) if bench.images else "", catalogue=library,
        instruments=_instruments(bench),
    )


def _grouped(entries: Iterable[BenchEntry]) -> tuple[BenchEntry, ...]:
    """Group and label assigned: as short as they can be and still differ where the variants do."""
    listed = list(entries)
    groups = _told_apart(listed, [_group_names(entry) for entry in listed])
    labels = _told_apart(listed, [_label_names(entry, group) for entry, group in zip(listed, groups, strict=True)])
    return tuple(
        replace(entry, group=group, label=label) for entry, group, label in zip(listed, groups, labels, strict=True)
    )


def _nature(entry: BenchEntry) -> list[str]:
    """What makes it another sort of bench, in words for its names."""
    sort = ["physical"] if entry.kind == "physical" else ["physical-like"] if entry.physical_like else []
    network: list[str] = [entry.network] if entry.network != entry.model.networks[0] else []
    network += ["name"] if entry.resolve == "name" else []
    sort += ["instruments"] if entry.instruments else []
    return [*sort, "-".join(network)] if network else sort


def _group_names(entry: BenchEntry) -> list[str]:
    nature = "".join(f"/{word}" for word in _nature(entry))
    short = f"{entry.model.name}/{entry.firmware_name}/{entry.profile.name}{nature}"
    return [short, f"{short}/{entry.profile.link}", f"{short}/x{entry.time_scale:g}"]


def _label_names(entry: BenchEntry, group: str) -> list[str]:
    nature = "".join(f"-{word}" for word in _nature(entry))
    model, profile = entry.model.name, entry.profile.name
    short = [f"{model}{nature}", f"{model}-{profile}{nature}", f"{model}-{entry.firmware_name}{nature}"]
    return [*short, group.replace("/", "-")]


def _told_apart(entries: list[BenchEntry], candidates: list[list[str]]) -> list[str]:
    """For each entry its first candidate that no other variant has too; numbered where all of them are shared."""
    variants = list(dict.fromkeys(entry.variant for entry in entries))
    named: dict[tuple[Any, ...], str] = {}
    options = {entry.variant: names for entry, names in zip(entries, candidates, strict=True)}
    for level in range(max((len(names) for names in candidates), default=0)):
        open_ones = [variant for variant in variants if variant not in named]
        count = Counter(options[variant][level] for variant in open_ones)
        for variant in open_ones:
            name = options[variant][level]
            if count[name] == 1 and name not in named.values():
                named[variant] = name
    for variant in variants:
        if variant not in named:
            last, number = options[variant][-1], 1
            while f"{last}.{number}" in named.values():
                number += 1
            named[variant] = f"{last}.{number}"
    return [named[entry.variant] for entry in entries]


def _packed(entry: BenchEntry) -> dict[str, Any]:
    values = dict(vars(entry))
    for key in ("model", "profile", "interfaces", "host"):
        values[key] = values[key].model_dump(mode="json") if values[key] is not None else None
    return values | {
        "identity": list(entry.identity), "suites": list(entry.suites), "without": list(entry.without),
        "instruments": [one.model_dump(mode="json") for one in entry.instruments],
    }


def _unpacked(values: Mapping[str, Any]) -> BenchEntry:
    resolved = dict(values)
    for key, kind in (("model", Model), ("profile", Profile), ("interfaces", Interfaces), ("host", Host)):
        resolved[key] = kind.model_validate(values[key]) if values[key] is not None else None
    lists = {key: tuple(values[key]) for key in ("identity", "suites", "without")}
    instruments = tuple(InstrumentEntry.model_validate(one) for one in values["instruments"])
    return BenchEntry(**(resolved | lists | {"instruments": instruments}))


def _ordinal(number: int) -> str:
    suffix = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{suffix}"
