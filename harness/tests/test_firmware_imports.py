"""The application shares no code with the harness: a mistake must not agree with itself at both ends of the wire."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

from harness.emulator.firmware import app

FOLDER = Path(app.__file__).parent
MODULES = sorted(FOLDER.rglob("*.py"))
ALLOWED = {"cryptography", "littlefs"}  # beside the standard library
PRIMITIVES = ("cryptography.hazmat.primitives", "cryptography.hazmat.decrepit")


def foreign_imports(source: str, name: str = "x.py") -> list[str]:
    """What ``source`` imports that the application may not."""
    found = []
    for node in ast.walk(ast.parse(source, name)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            if node.level > 1:
                found.append("." * node.level + (node.module or ""))
            names = [node.module or ""] if node.level == 0 else []
        elif isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in ("__import__", "import_module"):
            found.append(ast.unparse(node))
            continue
        else:
            continue
        for imported in names:
            top = imported.partition(".")[0]
            own = top in sys.stdlib_module_names or top == "littlefs" or imported.startswith(PRIMITIVES)
            if not own:
                found.append(imported)
    return found


def test_there_is_an_application() -> None:
    assert {"main.py", "__init__.py", "codec.py", "crypto.py"} <= {path.name for path in MODULES}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_a_module_imports_only_its_own_package_and_what_is_allowed(path: Path) -> None:
    assert foreign_imports(path.read_text("utf-8"), path.name) == []


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_a_module_fits_the_house_size(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) <= 400


@pytest.mark.parametrize("source", [
    "import harness.protocol", "from harness import errors", "from ...emulator import flash", "import app.codec",
    "__import__('harness')", "import importlib\nimportlib.import_module('harness')", "import iso8583",
    "def f():\n    from harness.protocol import keys", "from cryptography import x509",
])
def test_the_check_finds_what_is_forbidden(source: str) -> None:
    assert foreign_imports(source)
