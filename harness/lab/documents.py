"""YAML files checked against a pydantic model, with errors that point at the place: file, line, column and a caret.

Values are checked strictly, as YAML typed them: ``97`` is a number and no response code, ``"97"`` is one.
"""

from __future__ import annotations

import contextlib
import difflib
import json
import re
import types
import typing
import unicodedata
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.composer import Composer
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError

from harness.errors import BadInput
from harness.given_file import head

M = TypeVar("M", bound=BaseModel)
Place = tuple[str | int, ...]
"""Where in a document: keys and indices from the top, e.g. ``("benches", 1, "model")``."""

_SHOWN = 10
_LARGEST = 1 << 20
_WIDEST = 500
_DEEPEST = 32  # lists and mappings in each other; an inventory has 6
_TOKEN = re.compile(r"\"(?:\\.|[^\"\\])*\"?|'[^']*'?|[\[{][^\]}]*[\]}]?|[^,\]}#\s](?:[^,\]}#\n]*[^,\]}#\s])?")


@dataclass(frozen=True)
class Problem:
    """Something wrong at a place. ``on_key``: it is about the key itself rather than the value.

    ``secret``: what stands there must not be repeated in a message.
    """

    place: Place
    text: str
    on_key: bool = False
    secret: bool = False


@dataclass(frozen=True)
class Document(Generic[M]):
    """A file that was read and checked: ``value``, and what is needed to point into the file later."""

    path: Path
    value: M
    source: tuple[str, ...]
    tree: Any

    def refuse(self, problems: Sequence[Problem], *, remedy: str = "") -> typing.NoReturn:
        """Raises :class:`BadInput` with all ``problems``, each with its source line and a caret."""
        raise _bad_input(self.path, self.source, self.tree, problems, remedy)


def read_document(
    path: Path, kind: type[M], *, also: Callable[[Any], list[Problem]] | None = None
) -> Document[M]:
    """Reads ``path`` as a ``kind``. ``also`` looks at the raw tree first. Raises :class:`BadInput`."""
    text = _text(path)
    source = tuple(text.splitlines())
    tree = _tree(path, text, source)
    if not isinstance(tree, CommentedMap):
        raise BadInput("a mapping was expected (key: value)", where=f"{path}:1:1")
    try:
        problems = also(tree) if also is not None else []
        plain = json.dumps(tree, default=str)
    except (TypeError, ValueError, RecursionError) as error:
        raise BadInput("keys must be plain words, and nothing may refer to itself", where=f"{path}:1:1") from error
    if problems:
        raise _bad_input(path, source, tree, problems, "")
    try:
        value = kind.model_validate_json(plain, strict=True)
    except ValidationError as error:
        problems = [_told(kind, tree, dict(one)) for one in error.errors()]
        raise _bad_input(path, source, tree, problems, "") from error
    return Document(path, value, source, tree)


def _text(path: Path) -> str:
    try:
        data = head(path, _LARGEST + 1)
    except OSError as error:
        raise BadInput(f"can't be read: {error.strerror}", where=str(path)) from error
    if len(data) > _LARGEST:
        size = max(len(data), path.stat().st_size)
        raise BadInput(f"has {size} bytes, more than a configuration file may have ({_LARGEST})", where=str(path))
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line, column = before.count(b"\n") + 1, error.start - (before.rfind(b"\n") + 1) + 1
        raise BadInput(f"is not UTF-8: byte 0x{data[error.start]:02X}", where=f"{path}:{line}:{column}") from error


class _TooDeep(MarkedYAMLError):
    pass


class _Shallow(Composer):
    """Refuses what is nested deeper than any of our files, while it is read: to the end it would take minutes."""

    _depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self._depth > _DEEPEST:
            what = f"lists and mappings are nested more than {_DEEPEST} deep"
            raise _TooDeep(problem=what, problem_mark=self.parser.peek_event().start_mark)
        self._depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1


def _tree(path: Path, text: str, source: Sequence[str]) -> Any:
    yaml = YAML(typ="rt", pure=True)
    yaml.Composer = _Shallow
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an anchor used twice is legal, and the message would lack the file
            return yaml.load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line, mark.column) if mark is not None else (0, 0)
        what = error.problem or error.context or "no valid YAML"
        if isinstance(error, DuplicateKeyError):
            match = re.search(r'found duplicate key "?([^"\s]+)"?', what)
            what = f"the key `{match[1]}` is here for the second time" if match else what
        elif not isinstance(error, _TooDeep):
            what = f"no valid YAML: {what}"
        raise BadInput(what + _pointed(source, line, column, 1), where=f"{path}:{line + 1}:{column + 1}") from error
    except Exception as error:  # beside YAMLError whatever its constructors stumble over, e.g. AttributeError for !!set
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise BadInput(f"no valid YAML: {first}", where=f"{path}:1:1") from error


def _told(kind: type[BaseModel], tree: Any, error: Mapping[str, Any]) -> Problem:
    """One of pydantic's errors in our words."""
    place: Place = tuple(error["loc"])
    last = place[-1] if place else ""
    if error["type"] == "extra_forbidden":
        known = _keys_at(kind, place[:-1])
        close = difflib.get_close_matches(str(last), known, n=1)
        hint = f"; did you mean `{close[0]}`?" if close else f"; known: {', '.join(known)}" if known else ""
        return Problem(place, f"unknown key `{last}`{hint}", on_key=True)
    if error["type"] == "missing":
        return Problem(place[:-1], f"`{last}` is missing")
    text = str(error["msg"]).removeprefix("Value error, ")
    text = text[0].lower() + text[1:]
    given = error.get("input")
    if error["type"] == "string_type" and isinstance(given, int | float) and not isinstance(given, bool):
        text += f", not the number {given}: put it in quotes"
    elif isinstance(given, str | int | float) or given is None:
        text += f", not {json.dumps(given, ensure_ascii=False)}"
    return Problem(place, f"{_dotted(place)}: {text}")


def _bad_input(path: Path, source: Sequence[str], tree: Any, problems: Sequence[Problem], remedy: str) -> BadInput:
    texts, first = [], ""
    for problem in problems[:_SHOWN]:
        line, column, width = _locate(tree, source, problem)
        where = f"{path}:{line + 1}:{column + 1}"
        told = problem.text + ("" if problem.secret else _pointed(source, line, column, width))
        texts.append(f"{where}: {told}" if first else told)
        first = first or where
    if len(problems) > _SHOWN:
        texts.append(f"and {len(problems) - _SHOWN} more problems")
    return BadInput("\n".join(texts), where=first, remedy=remedy)


def _locate(tree: Any, source: Sequence[str], problem: Problem) -> tuple[int, int, int]:
    """Line and column (from 0) of a problem and the width of what is there, as exactly as the tree knows."""
    node, line, column = tree, 0, 0
    is_key = False
    for depth, part in enumerate(problem.place):
        on_key = problem.on_key and depth == len(problem.place) - 1
        if isinstance(node, CommentedMap):
            key = next((one for one in node if str(one) == str(part)), None)
            if key is None:
                continue
            with contextlib.suppress(KeyError):  # a key that was merged in (<<) has no place of its own here
                line, column = node.lc.key(key) if on_key else node.lc.value(key)
            node, is_key = node[key], on_key
        elif isinstance(node, CommentedSeq) and isinstance(part, int) and part < len(node):
            line, column = node.lc.item(part)
            node, is_key = node[part], False
        else:
            break
    text = source[line] if line < len(source) else ""
    if is_key:
        return line, column, len(str(problem.place[-1]))
    match = _TOKEN.match(text, column)
    if isinstance(node, CommentedMap | CommentedSeq) and match and text[column] not in "[{":
        match = re.compile(r"[^:\s]+").match(text, column)
    return line, column, len(match[0]) if match else 1


def _pointed(source: Sequence[str], line: int, column: int, width: int) -> str:
    """The source line with a caret below; Chinese characters take two columns. "" where it is beyond any console."""
    if line >= len(source) or len(source[line]) > _WIDEST:
        return ""
    number, text = f"{line + 1:>5} | ", source[line]
    indent = "".join("\t" if c == "\t" else " " * _columns(c) for c in text[:column])
    carets = "^" * max(1, sum(map(_columns, text[column : column + width])))
    return f"\n{number}{text}\n{' ' * (len(number) - 2)}| {indent}{carets}"


def _columns(character: str) -> int:
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _dotted(place: Place) -> str:
    text = "".join(f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in place)
    return text.removeprefix(".") or "the file"


def _keys_at(kind: Any, place: Place) -> list[str]:
    """The keys that ``kind`` knows at a place."""
    for part in place:
        if isinstance(part, str) and isinstance(kind, type) and issubclass(kind, BaseModel):
            field = kind.model_fields.get(part)
            kind = None if field is None else field.annotation
            if typing.get_origin(kind) is dict:
                continue  # what follows is a key of it, which any may be
        kind = _inner(kind)
    return list(kind.model_fields) if isinstance(kind, type) and issubclass(kind, BaseModel) else []


def _inner(kind: Any) -> Any:
    """The model in ``list[Model]``, ``dict[str, Model]``, ``Model | None``; else ``kind`` itself."""
    origin = typing.get_origin(kind)
    if origin in (list, tuple, dict, types.UnionType, typing.Union, typing.Annotated):
        for argument in typing.get_args(kind):
            inner = _inner(argument)
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                return inner
    return kind
