"""docs/wire.md names every fault with its parameters, and every request and report of the injector."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import harness
from harness.wire.faults import Fault, catalogue
from harness.wire.faults.table import markdown, parameters

ROOT = Path(harness.__file__).parents[1]
PAGE = (ROOT / "docs" / "wire.md").read_text(encoding="utf-8")
INJECTOR = ROOT / "harness" / "wire" / "injector"


def test_the_table_of_faults_is_the_one_that_the_code_makes() -> None:
    found = re.search(r"<!-- made by `python -m harness.wire.faults.table` -->\n(.*?)<!-- end -->", PAGE, re.DOTALL)
    assert found is not None
    assert found[1] == markdown(), "print it anew: python -m harness.wire.faults.table"


@pytest.mark.parametrize("name", catalogue())
def test_every_parameter_is_explained(name: str) -> None:
    row = next(line for line in markdown().splitlines() if line.startswith(f"| `{name}`"))
    told = row.rsplit(" | ", 1)[1]
    for parameter in parameters(catalogue()[name]):
        stem = parameter.split("_")[0]
        assert f"`{parameter}`" in told or stem in told, f"{name}: nothing is said of {parameter}"


def test_every_common_parameter_is_on_the_page() -> None:
    for parameter in set(Fault.model_fields) - {"fault", "match"}:
        assert f"| `{parameter}`" in PAGE
    for one in ("match.direction", "match.address", "match.port", "match.moment"):
        assert f"`{one}`" in PAGE


def constants(path: Path, key: str) -> set[str]:
    """The values that a file gives to a key in its dict displays."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Dict):
            for name, value in zip(node.keys, node.values, strict=True):
                if isinstance(name, ast.Constant) and name.value == key and isinstance(value, ast.Constant):
                    found.add(str(value.value))
    return found


def test_every_report_and_request_is_on_the_page() -> None:
    reports = {one for path in INJECTOR.glob("*.py") for one in constants(path, "ev")}
    assert {"ready", "armed", "struck", "healed", "lost"} <= reports
    assert [one for one in sorted(reports) if f'"ev":"{one}"' not in PAGE] == []
    service = (INJECTOR / "service.py").read_text(encoding="utf-8")
    requests = set(re.findall(r'operation == "(\w+)"', service))
    assert {"arm", "heal", "armed", "keys", "sync"} == requests
    assert [one for one in sorted(requests) if f'"op":"{one}"' not in PAGE] == []


def test_every_option_is_on_the_page() -> None:
    options = re.findall(r'add_argument\("(--[a-z-]+)"', (INJECTOR / "__main__.py").read_text(encoding="utf-8"))
    assert len(options) > 8
    injector = PAGE[PAGE.index("## The injector") :]
    assert [one for one in options if one not in injector] == []
