"""Models and profiles by name: ``models/NAME.yaml`` and ``profiles/NAME.yaml`` in a catalogue folder."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from harness.errors import BadInput
from harness.lab.documents import Problem, read_document
from harness.protocol.profile import Profile
from harness.terminal.model import Model

T = TypeVar("T", Model, Profile)

_FOLDERS: dict[type[Model] | type[Profile], str] = {Model: "models", Profile: "profiles"}


def load_model(path: Path) -> Model:
    """A model file. Raises :class:`BadInput` with file, line, column."""
    document = read_document(path, Model)
    model = document.value
    problems = _same_name(path, model.name)
    repeated = [index for index, name in enumerate(model.menu) if name in model.menu[:index]]
    problems += [Problem(("menu", index), f"`{model.menu[index]}` is in the menu twice") for index in repeated]
    screen = model.screen
    cell = 8 * screen.scale
    if screen.width - screen.origin[0] < 20 * cell or screen.height - screen.origin[1] < 8 * cell:
        problems.append(Problem(("screen",), "this screen has no room for 20 columns and 4 rows of characters"))
    if problems:
        document.refuse(problems)
    return model


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
        raise BadInput(f"there is no {kind.__name__.lower()} {name}; known: {known}", where=str(folder))
    if kind is Model:
        return load_model(path)  # type: ignore[return-value]
    return load_profile(path)  # type: ignore[return-value]


def _same_name(path: Path, name: str) -> list[Problem]:
    if name == path.stem:
        return []
    return [Problem(("name",), f"the name {name} and the file name {path.name} must be the same")]
