"""The shipped versions of the reference: each works, and what one has stored the next takes over, whole. FWU-01, -02,
-09."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from mypy import api as mypy

from harness.emulator.build import build_source
from harness.emulator.image import public_key_bytes, read
from harness.emulator.shipped import REFERENCE_SOURCE, REFERENCE_VERSION, TEST_KEY, TEST_PUBLIC_KEY, VERSIONS
from harness.emulator.source import load_source
from harness.terminal.cashier import TYPES
from harness.tests import firmware_versions as versions
from harness.tests.firmware_bench import Answer, Bench, MemoryFlash
from harness.tests.firmware_states import full, nobody_answers, select, store_of
from harness.tests.firmware_versions import PAIRS, main_of, memory, module, source, update

RESETS = [version for version in versions.VERSIONS if source(version).resets]


@pytest.fixture(scope="module")
def filled() -> dict[str, Bench]:
    """Version -> a terminal with something of everything stored under it. Nobody changes them."""
    return {}


def of(filled: dict[str, Bench], version: str) -> Bench:
    if version not in filled:
        filled[version] = full(version)
    return filled[version]


def copy(bench: Bench) -> Bench:
    """Another terminal with the same flash, on the same version; nobody answers it."""
    twin = Bench(model="HT-200", flash=MemoryFlash(bytes(bench.flash.content)),
                 application=bench._application)
    twin.host.script = nobody_answers
    return twin


# -- what they are -----------------------------------------------------------------------------------------------------

def test_there_are_versions_and_each_says_what_it_is() -> None:
    assert versions.VERSIONS == ["0.8.0", "0.9.0", "1.0.0", "1.1.0", "2.0.0", "2.1.0", "3.0.0"]
    for version in versions.VERSIONS:
        found = source(version)
        assert (found.name, found.version) == ("reference", version)
        assert found.files.keys() >= load_source(REFERENCE_SOURCE).files.keys()
    assert [source(version).data_format for version in versions.VERSIONS] == [1, 1, 1, 1, 2, 2, 3]
    assert [source(version).counter for version in versions.VERSIONS] == [1, 1, 1, 1, 1, 2, 2]
    assert RESETS == ["3.0.0"] and REFERENCE_VERSION == "1.0.0"
    assert sorted(path.name for path in VERSIONS.iterdir()) == sorted({*versions.VERSIONS} - {REFERENCE_VERSION})


@pytest.mark.parametrize("version", versions.VERSIONS)
def test_its_sources_build_a_sound_image(version: str, tmp_path: Path) -> None:
    info = build_source(source(version), version, TEST_KEY, tmp_path / "image")
    key = public_key_bytes(TEST_PUBLIC_KEY.read_text(encoding="ascii"))
    application = read((tmp_path / "image").read_bytes(), key)
    assert (application.version, application.data_format) == (version, source(version).data_format)
    assert application.sha256 == info.sha256
    assert source(version).data_format == module(version, "migration").FORMAT


def test_the_types_of_each_ones_sources_are_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for version in versions.VERSIONS:
        for path, (text, _origin) in source(version).files.items():
            file = tmp_path / version / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        monkeypatch.chdir(tmp_path / version)
        said, trouble, status = mypy.run(["--strict", "--config-file=", f"--cache-dir={tmp_path / 'cache'}", "app"])
        assert status == 0, f"{version}: {said}{trouble}"


@pytest.mark.parametrize("version", versions.VERSIONS)
def test_its_self_test_imports_every_module(version: str) -> None:
    texts = source(version).files
    asked = {alias.name for node in ast.walk(ast.parse(texts["app/selftest.py"][0])) if isinstance(node, ast.ImportFrom)
             for alias in node.names} | {"selftest", "__init__"}
    asked |= {node.module for node in ast.walk(ast.parse(texts["app/selftest.py"][0]))
              if isinstance(node, ast.ImportFrom) and node.module}
    assert {Path(path).stem for path in texts} - asked == set()


# -- each works --------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("version", versions.VERSIONS)
def test_it_signs_in_sells_voids_and_settles(version: str) -> None:
    with Bench(application=main_of(version)) as bench:
        bench.ready()
        assert bench.sale(9700)["DF07"] == "00" and bench.sale(300)["DF07"] == "00"
        assert bench.void("000002")["DF07"] == "00"
        bench.host.script = lambda request: Answer("97")
        assert bench.sale()["DF07"] == "97" and bench.shows("应答码:97", "终端未登记")()
        bench.reboot()
        bench.host.script = lambda request: None
        assert [record.amount for record in bench.log] == [9700, 300, 9700]
        assert bench.settle()["DF07"] == "00" and bench.log == [] and bench.state.batch == 2
        assert bench.serve("VERSION") == f"OK HT-100 reference {version}"


@pytest.mark.parametrize("version", versions.VERSIONS)
def test_only_the_oldest_knows_no_tips(version: str) -> None:
    with Bench(application=main_of(version)) as bench:
        bench.ready()
        assert bench.sale(1000)["DF07"] == "00"
        told = bench.order(TYPES["offline_tip"], DF08="000002", DF18=f"{100:012d}")
        assert told["DF07"] == ("Z7" if version == "0.8.0" else "00")
        bench.key("CANCEL", "FUNC")
        bench.key("7")
        bench.run(bench.shows("离线消费"))
        assert bench.shows("小费")() == (version != "0.8.0")


# -- one after the other -----------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("old", "new"), [pair for pair in PAIRS if pair[1] not in RESETS])
def test_an_update_takes_everything_over(filled: dict[str, Bench], old: str, new: str) -> None:
    before = of(filled, old)
    with copy(before) as bench:
        tables = [store_of(bench, 0).table(name) for name in ("capk", "aid", "blacklist", "selected")]
        stood = memory(bench)
        assert stood == memory(before) and None not in tables
        boot = update(bench, new)
        assert boot.confirmed_after is not None
        assert memory(bench) == stood
        assert [store_of(bench, 0).table(name) for name in ("capk", "aid", "blacklist", "selected")] == tables
        assert bench.board.screens[0][1:] == ["程序自检"]
        bench.reboot()
        assert memory(bench) == stood, "not at the next start"
        assert bench.host.requests == []
        finish_the_day(bench)


@pytest.mark.parametrize(("old", "new"), [pair for pair in PAIRS if pair[1] in RESETS])
def test_an_update_that_resets_leaves_nothing_but_the_serial_number(
    filled: dict[str, Bench], old: str, new: str,
) -> None:
    with copy(of(filled, old)) as bench:
        update(bench, new)
        blank = Bench(model="HT-200", application=main_of(new))
        assert memory(bench) == memory(blank) and bench.serve("IDENTITY") == "OK TID= MID= SN=SN97000001"
        assert [store_of(bench, 0).table(name) for name in ("capk", "aid", "blacklist", "selected")] == [None] * 4
        blank.board.close()
        names = bench.terminal._store.files.names() if bench.terminal._store else []
        assert names == ["format"], "of what was stored something is left"
        bench.reboot()
        assert bench.sale_is_refused() == "Z4"


def finish_the_day(bench: Bench) -> None:
    """What waits is delivered under the same keys, and both batches are settled."""
    bench.host.script = lambda request: None
    assert bench.serve(f"HOST 127.0.0.1 {bench.host.port} 6000030000").startswith("OK ")
    bench.key("CANCEL")
    if bench.shows("提示")():
        bench.key("CANCEL")
    for number in (2, 1):
        select(bench, number)
        assert bench.settle()["DF07"] == "00"
    assert [frame.get(39) for frame in bench.host.seen("0400")] == ["98"]
    assert len(bench.host.seen("0620")) == len(bench.host.seen("0220")) == 1
    assert all(frame.get(63) == "01 " for frame in bench.host.seen("0500"))
    for index in (0, 1):
        store = store_of(bench, index)
        assert store.log == [] and store.state.reversal is None and store.state.undelivered == ()


def test_a_parameter_that_got_another_name_or_default_stays_as_it_was_set() -> None:
    with Bench(application=main_of("1.0.0")) as bench:
        bench.ready()
        bench.serve("PARAM operator=97 ")
        update(bench, "1.1.0")
        for name in ("operator", "operator_number"):
            assert bench.serve(f"PARAM {name}?") == f"OK {name}=97 "
        assert bench.serve("PARAM timeout?") == "OK timeout=60", "an old unit goes on with what it had"
        assert bench.serve("PARAM operator=002") == "OK operator=002"
        bench.reboot()
        assert bench.serve("PARAM operator_number?") == "OK operator_number=002"
    with Bench(application=main_of("1.1.0")) as bench:
        assert bench.serve("PARAM timeout?") == "OK timeout=45"


@pytest.mark.parametrize("version", ["1.0.0", "1.1.0", "0.8.0"])
def test_an_older_version_does_not_touch_what_is_stored_in_a_newer_format(
    filled: dict[str, Bench], version: str,
) -> None:
    with copy(of(filled, "2.0.0")) as bench:
        content = bytes(bench.flash.content)
        bench.reboot(application=main_of(version))
        assert bench.board.screens[-1][1:] == ["存储故障,请送修", "数据格式:2"]
        bench.key("ENTER", "FUNC")
        bench.settle_down()
        assert bytes(bench.flash.content) == content and bench.flash.operations == []
        bench.reboot(application=main_of("2.1.0"))
        assert memory(bench) == memory(of(filled, "2.0.0"))
