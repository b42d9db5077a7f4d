"""Firmware source directories: the reference (``firmware.yaml`` and ``app/``), versions of it (``version.yaml``) and
defects (``defect.yaml``).

firmware.yaml: ``name``, ``models`` (list), ``data_format`` (number of the layout of stored data), ``version`` (what it
is when nobody says otherwise), ``security_counter`` (anti-rollback; without: made from the version), ``resets`` (by
design it begins with nothing stored).
version.yaml: another release of its base. ``name``, ``version``, ``title``, ``security_counter``, ``data_format``,
``resets`` (by design it begins with nothing stored), ``base``, ``edits`` as below, ``files`` (list of files below
``app/`` beside version.yaml that the base has not).
defect.yaml: ``name``, ``title``, ``base`` (directory of the source it changes, relative to itself), ``breaks`` (the
rule), ``consequences`` (other rule -> why it must fail as well), ``elsewhere`` (consequence -> why it also fails at
events where the broken rule has no occasion), ``needs`` (``long``: only the suites' long tests show it;
``instruments``: only on a bench that has them), ``cases`` (the
transactions whose cases show it; without: the cases that declare the rule), ``model`` (only one of that model shows
it), ``edits`` (list of ``file``, ``old``, ``new``: in ``file`` of the base, ``old`` stands exactly once and is replaced
by ``new``).
Described in docs/defects.md.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedBase
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from harness.errors import BadInput

_Text = Field(min_length=1)
_NAME = r"^[a-z0-9][a-z0-9._-]*$"
_VERSION = r"^[0-9]+\.[0-9]+\.[0-9]+$"
_COUNTER = Field(default=None, ge=0, le=0xFFFFFFFF)
_T = TypeVar("_T", bound=BaseModel)


class _Firmware(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    name: str = Field(pattern=_NAME)
    models: list[str] = Field(min_length=1)
    data_format: int = Field(ge=1, le=0xFFFFFFFF)
    version: str = Field(default="", pattern=f"{_VERSION}|^$")
    security_counter: int | None = _COUNTER
    resets: bool = False


class _Edit(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    file: str = _Text
    old: str = _Text
    new: str


class _Version(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    name: str = Field(pattern=_NAME)
    version: str = Field(pattern=_VERSION)
    title: str = _Text
    security_counter: int | None = _COUNTER
    data_format: int = Field(ge=1, le=0xFFFFFFFF)
    resets: bool = False
    base: str = "../.."
    edits: list[_Edit] = []
    files: list[str] = []


class _Defect(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    name: str = Field(pattern=_NAME)
    title: str = _Text
    base: str = "../.."
    breaks: str = Field(pattern=r"^[A-Z]{3}-[0-9]{2}$")
    consequences: dict[str, str] = {}
    elsewhere: dict[str, str] = {}
    needs: list[Literal["long", "instruments"]] = []
    cases: list[str] = []
    model: str = ""
    edits: list[_Edit] = Field(min_length=1)


@dataclass(frozen=True)
class Source:
    """Sources ready to be compiled. ``files``: path in the image (``app/main.py``) -> (text, the file it comes from).

    ``version``: "" leaves it to who builds. ``counter``: the security counter, None: made from the
    version. ``resets``: it begins with nothing
    stored.
    ``breaks``, ``consequences``, ``elsewhere``, ``needs``, ``cases`` and ``model`` are empty but for a defect.
    """

    name: str
    title: str
    models: tuple[str, ...]
    data_format: int
    files: dict[str, tuple[str, Path]]
    breaks: str = ""
    consequences: dict[str, str] = field(default_factory=dict)
    elsewhere: dict[str, str] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    cases: tuple[str, ...] = ()
    model: str = ""
    version: str = ""
    counter: int | None = None
    resets: bool = False


def load_source(directory: Path) -> Source:
    """Reads a source directory of any kind. Raises :class:`BadInput` with file and line."""
    return _load(directory, ())


def _load(directory: Path, above: tuple[Path, ...]) -> Source:
    """``above``: the sources whose base this is, directly or not."""
    directory = directory.resolve()
    if directory in above:
        raise BadInput("is its own base, directly or not", where=str(directory))
    if (directory / "defect.yaml").is_file():
        return _load_defect(directory / "defect.yaml", (*above, directory))
    if (directory / "version.yaml").is_file():
        return _load_version(directory / "version.yaml", (*above, directory))
    if (directory / "firmware.yaml").is_file():
        return _load_reference(directory / "firmware.yaml")
    raise BadInput("none of firmware.yaml, version.yaml and defect.yaml is here", where=str(directory),
                   remedy="Give the directory that holds one of them.")


def _load_reference(path: Path) -> Source:
    firmware, _ = _read_yaml(path, _Firmware)
    root = path.parent
    files = {}
    for source in sorted((root / "app").rglob("*.py")):
        try:
            files[source.relative_to(root).as_posix()] = (source.read_text("utf-8"), source)
        except UnicodeDecodeError as error:
            raise BadInput(f"is not UTF-8: {error}", where=str(source)) from error
    if "app/main.py" not in files or "app/__init__.py" not in files:
        raise BadInput("app/__init__.py and app/main.py are needed", where=str(root / "app"))
    return Source(firmware.name, firmware.name, tuple(firmware.models), firmware.data_format, files,
                  version=firmware.version, counter=firmware.security_counter, resets=firmware.resets)


def _load_version(path: Path, above: tuple[Path, ...]) -> Source:
    version, raw = _read_yaml(path, _Version)
    base = _load(path.parent / version.base, above)
    files = _edited(base, version.edits, raw, path)
    for index, name in enumerate(version.files):
        where = f"{path}:{raw['files'].lc.item(index)[0] + 1}"
        added = path.parent / name
        if name in files or not (name.startswith("app/") and name.endswith(".py") and ".." not in name):
            raise BadInput(f"{name} can't be added: it is no new module below app/", where=where,
                           remedy="Name a module below app/ that the base has not; change others by edits.")
        try:
            files[name] = (added.read_text("utf-8"), added)
        except (OSError, UnicodeDecodeError) as error:
            raise BadInput(f"can't be read: {error}", where=str(added)) from error
    return replace(base, name=version.name, title=version.title, data_format=version.data_format, files=files,
                   version=version.version, counter=version.security_counter, resets=version.resets)


def _load_defect(path: Path, above: tuple[Path, ...]) -> Source:
    defect, raw = _read_yaml(path, _Defect)
    base = _load(path.parent / defect.base, above)
    if defect.model and defect.model not in base.models:
        where = f"{path}:{_line(raw, ('model',))}"
        raise BadInput(f"model {defect.model!r} is none that the base runs on", where=where,
                       remedy=f"It runs on {', '.join(base.models)}.")
    files = _edited(base, defect.edits, raw, path)
    return Source(
        defect.name, defect.title, base.models, base.data_format, files, defect.breaks, defect.consequences,
        defect.elsewhere, tuple(defect.needs), tuple(defect.cases), defect.model, base.version, base.counter,
        base.resets,
    )


def _edited(base: Source, edits: list[_Edit], raw: Any, path: Path) -> dict[str, tuple[str, Path]]:
    """The base's files after the edits; ``raw`` knows their lines in ``path``."""
    files = dict(base.files)
    for index, edit in enumerate(edits):
        where = f"{path}:{raw['edits'].lc.item(index)[0] + 1}"
        if edit.file not in files:
            raise BadInput(f"{edit.file} is no file of the base", where=where,
                           remedy=f"It has {', '.join(sorted(files))}.")
        text, origin = files[edit.file]
        count = text.count(edit.old)
        if count != 1:
            raise BadInput(f"'old' stands {count} times in {edit.file}, not once", where=where,
                           remedy=f"Compare with {origin}: it may have changed since this was written.")
        files[edit.file] = (text.replace(edit.old, edit.new), origin)
    return files


def _read_yaml(path: Path, kind: type[_T]) -> tuple[_T, Any]:
    """The validated content and the raw nodes, which know their lines."""
    try:
        raw = YAML(typ="rt").load(path.read_text("utf-8"))
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise BadInput(str(error.problem or error), where=f"{path}:{line}") from error
    except (YAMLError, UnicodeDecodeError) as error:
        raise BadInput(str(error), where=str(path)) from error
    try:
        return kind.model_validate(_plain(raw)), raw
    except ValidationError as error:
        first = min(error.errors(), key=lambda found: found["type"] == "missing")  # a mistyped key before its absence
        name = ".".join(str(part) for part in first["loc"])
        raise BadInput(f"{name}: {first['msg']}" if name else first["msg"],
                       where=f"{path}:{_line(raw, first['loc'])}") from error


def _line(raw: Any, location: tuple[int | str, ...]) -> int:
    """The line (from 1) of the deepest node of ``location`` that exists."""
    line = 1
    for part in location:
        if not isinstance(raw, CommentedBase):
            break
        try:
            line = (raw.lc.item(part) if isinstance(part, int) else raw.lc.key(part))[0] + 1
            raw = raw[part]  # type: ignore[index]
        except (KeyError, IndexError, TypeError):
            break
    return int(line)


def _plain(node: Any) -> Any:
    """Ordinary dicts, lists and strings: strict validation takes no subclasses."""
    if isinstance(node, dict):
        return {str(key): _plain(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_plain(value) for value in node]
    return str(node) if isinstance(node, str) else node
