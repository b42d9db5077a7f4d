"""What the command line says of bad input and of benches that fail is Chinese where Chinese is asked for."""

from __future__ import annotations

import ast
import errno
import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pydantic
import pydantic_core
import pytest

import harness
from harness import i18n, i18n_errors
from harness.cli import main
from harness.emulator.image import ImageRefused, read
from harness.errors import BadInput, BenchError, TerminalTimeout
from harness.history.instrument_events import InstrumentTrouble
from harness.instruments.contracts import InstrumentError
from harness.instruments.guard_line import trouble_text
from harness.lab import entering
from harness.lab.inventory import load_lab
from harness.protocol.frames import FrameError, decode
from harness.reports import reasons

ROOT = Path(harness.__file__).parent
CHINESE = re.compile(r"[一-鿿]")
# Raised before a bench works, or read by whoever judges: the rooms whose refusals the command line prints.
ROOMS = (
    "cli", "campaigns", "lab", "protocol", "requirements", "reports", "instruments/transport", "instruments/drivers",
)
FILES = (
    "emulator/build.py", "emulator/source.py", "emulator/image.py", "emulator/shipped.py", "emulator/factory.py",
    "emulator/image_key.py", "emulator/image_set.py",
    "given_file.py",
    "history/reader.py", "history/recorder.py", "checkers/reading.py", "checkers/observed.py", "judge_run.py",
    "verdicts.py", "run_info.py", "stored_json.py", "gate.py",
    "robot/session.py",
    "terminal/serial_line.py", "terminal/alone.py", "terminal/typed.py", "terminal/wires.py", "wire/netns.py",
    "campaigns/recorded.py", "campaigns/replay.py", "wire/faults/__init__.py", "wire/faults/spoken.py",
    "wire/moments.py", "wire/by_hand.py", "bench/door.py",
    "acquirer/service.py", "acquirer/tokens.py", "acquirer/links.py",
    "acquirer/certificates.py", "acquirer/download_data.py", "instruments/desk.py", "instruments/emulated/plan.py",
    "instruments/emulated/board.py", "instruments/emulated/instrument.py", "instruments/emulated/serving.py",
    "instruments/emulated/hands.py", "instruments/emulated/modbus.py",
)  # fmt: skip
# Class -> which of its positional arguments is text for the reader.
RAISED = {
    "BadInput": 0, "BenchError": 0, "FrameError": 0, "TerminalTimeout": 0, "KeyMaterialError": 0, "BenchBusy": 0,
    "ImageRefused": 0, "ValueError": 0, "Problem": 1, "InstrumentError": 0, "InstrumentRefused": 0,
    "parsed": 9,  # its remedy only
}  # fmt: skip


def sources() -> list[Path]:
    found = [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]
    return [*found, *[ROOT / name for name in FILES]]


class Texts:
    """The texts that reach an error's message or remedy in one module, ``{}`` for what is filled in."""

    def __init__(self, module: str) -> None:
        self.tree = ast.parse(module)
        self.functions = {node.name: node for node in ast.walk(self.tree) if isinstance(node, ast.FunctionDef)}

    def all(self) -> Iterator[tuple[int, str]]:
        for function in [self.tree, *self.functions.values()]:
            for node in ast.walk(function):
                if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                    continue
                index = RAISED.get(node.func.id)
                if index is None:
                    continue
                told = [*node.args[index : index + 1], *[word.value for word in node.keywords if word.arg == "remedy"]]
                for expression in told:
                    for text in self.of(expression, function, 0):
                        yield node.lineno, text

    def of(self, node: ast.expr, function: ast.AST, depth: int) -> Iterator[str]:
        """Every text that ``node`` can be: names and calls are followed within the module."""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.JoinedStr):
            yield _template(node)
        elif isinstance(node, ast.IfExp):
            yield from self.of(node.body, function, depth)
            yield from self.of(node.orelse, function, depth)
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            rest = list(self.of(node.right, function, depth)) or ["{}"]
            yield from (left + rest[0] for left in self.of(node.left, function, depth))
        elif isinstance(node, ast.Name) and depth < 4 and not isinstance(function, ast.Module):
            for other in ast.walk(function):
                if isinstance(other, ast.Assign) and any(ast.dump(t) == ast.dump(_stored(node)) for t in other.targets):
                    yield from self.of(other.value, function, depth + 1)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in self.functions:
            called = self.functions[node.func.id]
            for other in ast.walk(called):
                if isinstance(other, ast.Return) and other.value is not None and depth < 4:
                    yield from self.of(other.value, called, depth + 1)


def _template(node: ast.JoinedStr) -> str:
    return "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)


def _stored(node: ast.Name) -> ast.Name:
    return ast.Name(node.id, ast.Store())


def lines(text: str) -> Iterator[str]:
    """The lines of a template that have words of their own."""
    for line in text.splitlines():
        if re.search("[A-Za-z]{2}", line.replace("{}", "")):
            yield line.strip()


@cache
def raised() -> dict[str, str]:
    """Template -> where it is raised."""
    found: dict[str, str] = {}
    for path in sources():
        for number, text in Texts(path.read_text(encoding="utf-8")).all():
            for line in lines(text):
                found.setdefault(line, f"{path.relative_to(ROOT)}:{number}")
    return found


# Functions whose texts go into a message by way of a list or a value of theirs.
TELLING = {
    "lab/schema.py": {"contradictions"}, "lab/ports.py": {"missing", "_serial_problem"}, "lab/lease.py": {"__str__"},
    "lab/documents.py": {"_bad_input"}, "lab/process.py": {"check"},
    "instruments/described.py": {"problems", "_option_problems", "_built_problems", "_left_at_problems", "shared"},
    "instruments/transport/visa.py": {"address_problem"}, "instruments/transport/http.py": {"address_problem"},
    "instruments/transport/modbus.py": {"address_problem"}, "instruments/drivers/operator.py": {"address_problem"},
    "instruments/guard/limits.py": {"problems", "untenable"}, "terminal/surroundings.py": {"problems"},
    "lab/inventory.py": {"_supply_problem"},
    "lab/stress.py": {"problems", "unreachable", "_of_quantity", "_of_disturbance"},
}  # fmt: skip


@cache
def told_by_functions() -> dict[str, str]:
    found: dict[str, str] = {}
    for name, functions in TELLING.items():
        nodes = {
            node.name: node
            for node in ast.walk(ast.parse((ROOT / name).read_text(encoding="utf-8")))
            if isinstance(node, ast.FunctionDef) and node.name in functions
        }
        assert set(nodes) == functions, name
        for function in nodes.values():
            for node in ast.walk(function):
                if isinstance(node, ast.JoinedStr):
                    found |= dict.fromkeys(lines(_template(node)), name)
                elif isinstance(node, ast.Tuple) and node.elts and isinstance(node.elts[-1], ast.Constant):
                    text = node.elts[-1].value
                    if isinstance(text, str) and " " in text:
                        found[text] = name
    return found


@cache
def written() -> set[str]:
    """Every line of every text in the program: what an entry of the catalogue may stand for."""
    found: set[str] = set()
    for path in ROOT.rglob("*.py"):
        if "tests" in path.relative_to(ROOT).parts:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                found |= {line.strip() for line in _template(node).splitlines()}
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found |= {line.strip() for line in node.value.splitlines()}
    return found


# pydantic's errors that models, profiles, inventories and firmware sources can meet, with an example of what they name.
_PYDANTIC: dict[pydantic_core.core_schema.ErrorType, dict[str, object] | None] = {
    "string_type": None, "int_type": None, "int_parsing": None, "float_type": None, "bool_type": None,
    "list_type": None, "tuple_type": None, "dict_type": None, "missing": None, "model_type": {"class_name": "M"},
    "literal_error": {"expected": "'a' or 'b'"}, "greater_than": {"gt": 0}, "greater_than_equal": {"ge": 0},
    "less_than": {"lt": 9}, "less_than_equal": {"le": 9}, "string_pattern_mismatch": {"pattern": "^a$"},
    "string_too_short": {"min_length": 1}, "string_too_long": {"max_length": 9}, "extra_forbidden": None,
    "too_short": {"field_type": "List", "min_length": 1, "actual_length": 0}, "int_from_float": None,
    "finite_number": None,
}  # fmt: skip


class _Model(pydantic.BaseModel):
    names: list[str]


def pydantic_says() -> dict[str, str]:
    """Template -> an example of it, both as the lab writes them: with a small first letter."""
    found: dict[str, str] = {}
    for kind, context in _PYDANTIC.items():
        known = pydantic_core.PydanticKnownError(kind, context)
        for plural in ("", "s"):
            template = re.sub(r"\{\w+\}", "{}", re.sub(r"\{\w+_plural\}", plural, known.message_template))
            if kind == "literal_error":
                template = template.replace("{}", "'{}'")  # each of the words is quoted
            found[template] = known.message()
    for document in ("1", '{"names": 1}'):  # JSON has words of its own
        with pytest.raises(pydantic.ValidationError) as refused:
            _Model.model_validate_json(document)
        told = refused.value.errors()[0]["msg"]
        found[told] = told
    return {template[0].lower() + template[1:]: told[0].lower() + told[1:] for template, told in found.items()}


def said_by_others() -> set[str]:
    """The system's words for its errors, and pydantic's."""
    return {os.strerror(number) for number in errno.errorcode} | set(pydantic_says())


def test_the_collector_follows_names_branches_and_calls() -> None:
    module = """
def f(a):
    what = f"no {a}"
    problem = what if a else "b c"
    raise BadInput(problem, remedy=help(a))

def help(a):
    return "try " + a if a else f"{a}!\\nsecond line"
"""
    texts = {text for _number, text in Texts(module).all()}
    assert texts == {"no {}", "b c", "try {}", "{}!\nsecond line"}
    assert list(lines("{}: {}\n  second {}\n")) == ["second {}"]
    assert len(raised()) > 150


def test_every_error_of_the_command_line_has_a_translation() -> None:
    known = i18n_errors.catalogue()
    missing = {text: place for text, place in (raised() | told_by_functions()).items() if text not in known}
    assert not missing, "\n".join(f"{place}: {text}" for text, place in missing.items())


def test_what_pydantic_says_has_a_translation() -> None:
    known = i18n_errors.catalogue()
    assert not sorted(set(pydantic_says()) - set(known))
    for told in pydantic_says().values():
        capital = told[0].upper() + told[1:]  # as firmware sources show it
        given = f"benches.0: {told}, not 7" if " should " in told else f"benches.0: {told}"
        for text in (told, capital, given):
            assert CHINESE.search(i18n_errors.chinese(text)), text


def test_every_entry_is_chinese_and_fills_every_hole() -> None:
    for english, chinese in i18n_errors.catalogue().items():
        assert CHINESE.search(chinese) or not re.search("[a-z]", english.replace("{}", "")), english
        count = english.count("{}")
        numbered = [str(number) for number in range(1, count + 1)]
        assert chinese.count("{}") == count or sorted(re.findall(r"\{(\d+)\}", chinese)) == numbered, english


def test_nothing_in_the_catalogue_is_left_over() -> None:
    assert not sorted(set(i18n_errors.catalogue()) - written() - said_by_others())


@pytest.fixture
def zh() -> Iterator[None]:
    before = i18n.language()
    i18n.set_language("zh")
    yield
    i18n.set_language(before)


@pytest.mark.usefixtures("zh")
@pytest.mark.parametrize("text", sorted(raised()))
def test_an_error_put_together_from_its_template_is_chinese(text: str) -> None:
    """With values that no catalogue knows; every one of them is still there."""
    values = [f"<{number}>" for number in range(text.count("{}"))]
    pieces = text.split("{}")
    english = pieces[0] + "".join(value + piece for value, piece in zip(values, pieces[1:], strict=True))
    told = i18n_errors.translated(BadInput(english, where="a file:3:4"))
    assert told.startswith("a file:3:4: ")
    assert CHINESE.search(told), told
    assert all(value in told for value in values), told


@pytest.mark.usefixtures("zh")
def test_parts_of_errors_are_chinese() -> None:
    timeout = TerminalTimeout("the screen", 3.0, bench="a-1", seen="blank", evidence="x.png")
    assert i18n_errors.translated(timeout) == (
        "测试台 a-1：等待 3.0 秒仍未出现：the screen\n  最后看到：blank\n  证据：x.png"
    )
    failed = BenchError("the board process ended with exit status 3:\n  | the key 'x' is missing", bench="a-1",
                        evidence="log", remedy="move the file away and start the run again")  # fmt: skip
    assert i18n_errors.translated(failed) == (
        "测试台 a-1：board 进程已结束，退出码 3：\n  | the key 'x' is missing\n  证据：log\n"
        "  下一步：请移走该文件，然后重新运行"
    )
    refused = entering.explain("user namespace", errno.EPERM, read=lambda _name: "")
    assert i18n_errors.translated(refused).startswith(
        "仿真实验室需要用户命名空间，但本系统拒绝（不允许的操作），容器通常会这样限制\n  启动容器时"
    )


@pytest.mark.parametrize(("what", "remedy", "chinese"), [
    ("TCPIP::h::1::SOCKET dropped the connection at 'READ?'", "bring it there by hand, at its own panel",
     "TCPIP::h::1::SOCKET 在 'READ?' 时断开了连接（下一步：请在其面板上手动使其到达该状态）"),
    ("it reads 900 for temperature_c, which can only be -100 to 300",
     "look at its sensor and its cables; compare with another instrument",
     "temperature_c 的读数为 900，只可能在 -100 到 300 之间（下一步：检查其传感器和线缆；与另一台仪器比对）"),
])  # fmt: skip
def test_an_instrument_that_failed_the_bench_is_told_in_one_language(what: str, remedy: str, chinese: str) -> None:
    """As the judge has it: an error inside of a reason."""
    trouble = trouble_text(InstrumentTrouble(t=1, instrument="oven", what=what, remedy=remedy))
    told = reasons.both(f"the bench failed (a-1: {trouble}), and its evidence is lacking: no occasion")
    assert told.zh == f"测试台故障（a-1: 仪器 oven：{chinese}），缺少其证据：没有出现相应情形"


@pytest.mark.usefixtures("zh")
def test_the_remedy_of_an_instrument_is_chinese_to_its_first_word() -> None:
    silent = InstrumentError("it is silent", remedy="bring it to its safe state by hand, at its own panel")
    told = i18n_errors.translated(BenchError(f"instrument chamber: {silent}", bench="a-1"))
    assert told.splitlines()[1] == "  下一步：请在仪器面板上手动使其回到安全状态"


@pytest.mark.usefixtures("zh")
def test_a_frame_of_the_wrong_shape_is_told_in_chinese() -> None:
    with pytest.raises(FrameError) as short:
        decode(b"\x00")
    assert i18n_errors.translated(short.value) == "偏移 1: length: 1 字节不足以构成长度前缀"
    with pytest.raises(ImageRefused) as refused:
        read(b"\xff" * 64, None)
    assert i18n_errors.translated(BadInput(refused.value.reason)) == "固件槽为空"


@pytest.mark.parametrize(
    ("english", "chinese"),
    [
        ("a.b: input should be greater than 0, not -1", "a.b: 应大于 0，而不是 -1"),
        ("kind: input should be 'a' or 'b', not \"c\"", "kind: 应为 'a' or 'b'，而不是 \"c\""),
        ("name: input should be a valid string, not the number 7: put it in quotes",
         "name: 应为字符串，而不是数值 7：请加引号"),
        ("for HT-100, not for HT-200", "适用于 HT-100，不适用于 HT-200"),
        ("nothing that anybody says; or: this", "nothing that anybody says; or: this"),
    ],
)  # fmt: skip
def test_what_was_given_follows_what_was_expected(english: str, chinese: str) -> None:
    assert i18n_errors.chinese(english) == chinese


@pytest.mark.usefixtures("zh")
def test_every_problem_of_an_inventory_is_told_in_chinese(tmp_path: Path) -> None:
    path = tmp_path / "lab.yaml"
    path.write_text("titel: x\nbenches:\n  - name: 7\n    kind: emulated\n    cashier: /dev/x\n", encoding="utf-8")
    with pytest.raises(BadInput) as refused:
        load_lab(path)
    told = i18n_errors.translated(refused.value).splitlines()
    assert f"{path}:1:1: 未知键 `titel`；是否想写 `title`？" in told
    assert len([line for line in told if line.startswith(str(path))]) >= 3
    assert all(CHINESE.search(line) for line in told if line.startswith(str(path))), told
    assert any(line.endswith("| titel: x") for line in told), told


def test_the_command_line_speaks_the_language_asked_for(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = i18n.language()
    try:
        assert main(["--lang", "zh", "lab", "check", "no.yaml"]) == 2
        assert capsys.readouterr().err == "hil97: no.yaml: 无法读取：没有此文件或目录\n"
        assert main(["--lang", "en", "lab", "check", "no.yaml"]) == 2
        assert capsys.readouterr().err == "hil97: no.yaml: can't be read: No such file or directory\n"
    finally:
        i18n.set_language(before)
