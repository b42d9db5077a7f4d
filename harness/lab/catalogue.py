"""Models and profiles by name: ``models/NAME.yaml`` and ``profiles/NAME.yaml`` in a catalogue folder."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from harness.errors import BadInput
from harness.lab.documents import Problem, read_document
from harness.protocol.profile import REST, Profile
from harness.terminal.model import Model

T = TypeVar("T", Model, Profile)

_FOLDERS: dict[type[Model] | type[Profile], str] = {Model: "models", Profile: "profiles"}


def load_model(path: Path) -> Model:
    """A model file. Raises :class:`BadInput` with file, line, column."""
    document = read_document(path, Model)
    model = document.value
    problems = _same_name(path, model.name)
    problems += _of_menu(model)
    if model.surroundings is not None:
        problems += [Problem(("surroundings", *place), text) for place, text in model.surroundings.problems()]
    screen = model.screen
    cell = 8 * screen.scale
    if screen.width - screen.origin[0] < 20 * cell or screen.height - screen.origin[1] < 8 * cell:
        problems.append(Problem(("screen",), "this screen has no room for 20 columns and 4 rows of characters"))
    if problems:
        document.refuse(problems)
    return model


def _of_menu(model: Model) -> list[Problem]:
    """Each function once, by a digit, and every transaction that the model declares among them."""
    problems: list[Problem] = []
    seen: set[str] = set()
    for index, entry in enumerate(model.menu):
        items = [(("menu", index), entry)] if isinstance(entry, str) else [
            (("menu", index, "items", place), name) for place, name in enumerate(entry.items)
        ]
        for place, name in items:
            if name in seen:
                problems.append(Problem(place, f"`{name}` is in the menu twice"))
            seen.add(name)
        if not isinstance(entry, str) and len(entry.items) > 10:
            problems.append(Problem(("menu", index, "items"), "a menu has 10 entries at most, one a digit"))
    if len(model.menu) > 10:
        problems.append(Problem(("menu",), "a menu has 10 entries at most, one a digit"))
    return problems + [
        Problem(("transactions", index), f"`{name}` is not in the menu")
        for index, name in enumerate(model.transactions) if name not in seen
    ]


def load_profile(path: Path) -> Profile:
    """A profile file. Raises :class:`BadInput` with file, line, column."""
    document = read_document(path, Profile)
    profile = document.value
    problems = _same_name(path, profile.name)
    overlap = sorted(set(profile.not_registered) & set(profile.success))
    problems += [
        Problem(("success", profile.success.index(code)), f"{code} can't mean both success and not registered")
        for code in overlap
    ]
    problems += [
        Problem(("assumed", name), f"{name} is no parameter of a profile, so nothing about it can be assumed")
        for name in profile.assumed
        if name not in Profile.model_fields and name != REST
    ]
    if profile.decline_mac == "required" and not profile.declines_carry_mac:
        problems.append(Problem(("decline_mac",), "a decline must have a MAC, and this host's declines have none"))
    if problems:
        document.refuse(problems)
    return profile


def names(catalogue: Path, kind: type[Model] | type[Profile]) -> list[str]:
    """The names of what the catalogue folder has of a kind."""
    return sorted(path.stem for path in (catalogue / _FOLDERS[kind]).glob("*.yaml"))


def path_of(catalogue: Path, kind: type[Model] | type[Profile], name: str) -> Path | None:
    """The file of a name, None when there is none (or the name would leave the folder)."""
    path = catalogue / _FOLDERS[kind] / f"{name}.yaml"
    return path if name and Path(name).name == name and path.is_file() else None


def load_named(catalogue: Path, kind: type[T], name: str) -> T:
    """Model or profile ``name`` of the catalogue. Raises :class:`BadInput`, also when there is none."""
    path = path_of(catalogue, kind, name)
    if path is None:
        known = ", ".join(names(catalogue, kind)) or "none"
        folder = catalogue / _FOLDERS[kind]
        remedy = "" if folder.is_dir() else "There is no such folder. Start it in the project's folder, or give a path."
        raise BadInput(f"there is no {kind.__name__.lower()} {name}; known: {known}", where=str(folder), remedy=remedy)
    if kind is Model:
        return load_model(path)  # type: ignore[return-value]
    return load_profile(path)  # type: ignore[return-value]


def _same_name(path: Path, name: str) -> list[Problem]:
    if name == path.stem:
        return []
    return [Problem(("name",), f"the name {name} and the file name {path.name} must be the same")]
