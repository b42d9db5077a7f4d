"""All faults as a table in Markdown: ``python -m harness.wire.faults.table`` prints the one of docs/wire.md."""

from __future__ import annotations

import importlib
import inspect
import json

from pydantic_core import PydanticUndefined

from harness.wire.faults import Fault, catalogue
from harness.wire.faults.base import MessageFault

_COMMON = set(MessageFault.model_fields)


def parameters(kind: type[Fault]) -> dict[str, str]:
    """Those that are the fault's own, with their defaults as JSON has them; "" where one must be given."""
    found = {}
    for name, field in kind.model_fields.items():
        if name in _COMMON:
            continue
        default = field.default
        found[name] = "" if default is PydanticUndefined else _as_json(default)
    return found


def _as_json(value: object) -> str:
    return json.dumps(value) if not isinstance(value, str) else value


def markdown() -> str:
    """A row a fault: what it acts on, parameters, and what they mean, as its file says."""
    rows = ["| fault | acts on | its own parameters | |", "| --- | --- | --- | --- |"]
    for name, kind in catalogue().items():
        also = f" ({', '.join(f'`{other}`' for other in kind.known_as)})" if kind.known_as else ""
        own = ", ".join(f"`{one}={value}`" if value else f"`{one}`" for one, value in parameters(kind).items())
        told = f"{importlib.import_module(kind.__module__).__doc__} {inspect.getdoc(kind)}"
        rows.append(f"| `{name}`{also} | {kind.level} | {own or '-'} | {_in_a_row(told)} |")
    return "\n".join(rows) + "\n"


def _in_a_row(text: str) -> str:
    return " ".join(text.split()).replace("``", "`").replace(":class:", "").replace("|", "/")


if __name__ == "__main__":
    print(markdown(), end="")
