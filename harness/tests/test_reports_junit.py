"""junit.xml: valid for strict readers, and true to the judge rather than to pytest alone."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from harness.reports import junit
from harness.terminal.cards import CARDS
from harness.tests.golden import World
from harness.tests.reports_runs import bad_day, node, quiet_day, two_groups, write_run

# The classic schema: element -> (its attributes, required ones first; how many are required), children in their order.
SCHEMA = {
    "testsuites": (["name", "tests", "failures", "errors"], 0, ["testsuite"]),
    "testsuite": (["name", "tests", "failures", "errors", "skipped", "time", "timestamp", "hostname"], 4,
                  ["properties", "testcase", "system-out"]),
    "properties": ([], 0, ["property"]),
    "property": (["name", "value"], 2, []),
    "testcase": (["name", "classname", "time"], 2, ["skipped", "error", "failure", "system-out"]),
    "skipped": ([], 0, []),
    "error": (["type", "message"], 0, []),
    "failure": (["type", "message"], 0, []),
    "system-out": ([], 0, []),
}  # fmt: skip
ONCE = {"properties", "skipped", "system-out"}


def check(element: ElementTree.Element) -> None:
    """Raises AssertionError where the element breaks the schema."""
    attributes, required, children = SCHEMA[element.tag]
    assert set(element.attrib) <= set(attributes), (element.tag, element.attrib)
    assert set(attributes[:required]) <= set(element.attrib), (element.tag, element.attrib)
    tags = [child.tag for child in element]
    assert tags == sorted(tags, key=children.index), (element.tag, tags)
    assert all(tags.count(tag) <= 1 for tag in ONCE), tags
    for child in element:
        check(child)


def suites(folder: Path) -> ElementTree.Element:
    root = ElementTree.parse(junit.write(folder)).getroot()
    check(root)
    return root


def case(root: ElementTree.Element, name: str) -> ElementTree.Element:
    return next(c for c in root.iter("testcase") if name in c.get("name", ""))


def test_a_run(tmp_path: Path) -> None:
    root = suites(two_groups(tmp_path / "run"))
    assert root.get("tests") == "5"
    assert root.get("failures") == "1"
    names = [suite.get("name") for suite in root]
    assert names == ["run.bench-1", "run.bench-2", "run.bench-3"]
    properties = {p.get("name"): p.get("value") for p in root[1].iter("property")}
    assert properties["bench"] == "bench-2"
    assert properties["model"] == "HT-100"
    assert "MON-03" in str(properties["requirements"]).split()


def test_a_finding_fails_a_test_that_pytest_passed(tmp_path: Path) -> None:
    root = suites(write_run(tmp_path / "run", {"bench-2": bad_day()}))
    failed = case(root, "no_answer_is_not_97")
    assert failed.get("classname") == "suites.registration.test_never_registered"
    failure = failed.find("failure")
    assert failure is not None
    assert failure.get("type") == "MSG-02"
    assert "97" in str(failure.get("message"))
    assert "benches/bench-2/wire.pcapng packets:" in str(failure.text)
    assert "history.jsonl events:" in str(failure.text)
    out = failed.findtext("system-out") or ""
    assert "[[PROPERTY|bench=bench-2]]" in out
    assert "[[PROPERTY|requirement=MSG-02]]" in out
    assert case(root, "sign_in_and_sell").find("failure") is None


def test_what_had_to_be_decided_and_was_not_is_no_pass(tmp_path: Path) -> None:
    world = World(bench="bench-1")
    with world.test(node("idle", world), declares=["MON-03"]):
        world.acknowledge()
    world.close()
    skipped = case(suites(write_run(tmp_path / "run", {"bench-1": world})), "idle").findtext("skipped")
    assert skipped is not None
    assert "MON-03" in skipped


@pytest.mark.parametrize(("outcome", "tag"), [("failed", "failure"), ("error", "error"), ("skipped", "skipped")])
def test_how_the_test_itself_ended(tmp_path: Path, outcome: str, tag: str) -> None:
    world = quiet_day()
    world.events = [
        event.model_copy(update={"outcome": outcome, "message": f"said so\nPAN {CARDS['chip'].pan} \x00"})
        if event.kind == "test.closed" else event
        for event in world.events
    ]  # fmt: skip
    root = suites(write_run(tmp_path / "run", {"bench-1": world}))
    found = case(root, "sale_after_97").find(tag)
    assert found is not None
    assert "said so" in str(found.text)
    assert CARDS["chip"].pan not in str(found.text)
    assert root[0].get({"failure": "failures", "error": "errors", "skipped": "skipped"}[tag]) == "1"


def test_a_killed_run(tmp_path: Path) -> None:
    world = quiet_day()
    del world.events[-1]
    root = suites(write_run(tmp_path / "run", {"bench-1": world}, judged=False, torn=["bench-1"]))
    error = case(root, "sale_after_97").find("error")
    assert error is not None
    assert error.get("type") == "unfinished"
