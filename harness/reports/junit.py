"""``junit.xml`` of a run, with the judge's findings in it: what CI servers read.

One ``testsuite`` a bench log, one ``testcase`` a test. A FAIL finding makes a ``failure``, an ERROR (or a bench that
died in it) an ``error``; what had to be decided and was not makes ``skipped``: it is no pass. Valid against the strict
classic schema (Jenkins), which knows no properties of a test case: those stand in ``system-out``, in the convention
``[[PROPERTY|name=value]]`` that several readers know, and the bench's own as properties of the suite.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

from harness.reports import gate, mask
from harness.reports.run import BenchLog, Judged, Run, Test, load

FILE = "junit.xml"
_NOT_XML = re.compile("[^\\t\\n\\r\\x20-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]")
_NODE = re.compile(r"(?P<file>[^:]+)::(?P<rest>.*)", re.DOTALL)


def write(run_dir: Path) -> Path:
    """Make ``run_dir/junit.xml`` (replaced in one step) and return its path. BadInput where the folder is no run."""
    run = load(run_dir)
    path = run.folder / FILE
    half = path.with_name(f".{FILE}.new")
    tree = ElementTree.ElementTree(tree_of(run))
    ElementTree.indent(tree, " ")
    tree.write(half, encoding="utf-8", xml_declaration=True)
    return half.replace(path)


def tree_of(run: Run) -> ElementTree.Element:
    """The ``testsuites`` element of a run."""
    suites = ElementTree.Element("testsuites", name="hil97")
    totals = {"tests": 0, "failures": 0, "errors": 0}
    for log in run.benches:
        tests = [t for t in run.tests if t.record.bench == log.name and run.log_at(log.name, t.record.t) is log]
        suite = _suite(run, log, tests)
        for name in totals:
            totals[name] += int(suite.get(name, "0"))
        suites.append(suite)
    decided = _gate(run)
    if decided is not None:
        for name in totals:
            totals[name] += int(decided.get(name, "0"))
        suites.append(decided)
    for name, value in totals.items():
        suites.set(name, str(value))
    return suites


def _gate(run: Run) -> ElementTree.Element | None:
    """The requirements of a gate, where the run was one: FAIL and flaky are failures, undecided is skipped."""
    found = gate.section(run.folder)
    if found is None:
        return None
    record, cases = found.record, []
    for one in record.requirements:
        case = ElementTree.Element("testcase", classname="gate", name=_clean(f"{one.id} on {one.on}"), time="0.000")
        kind = {"FAIL": "failure", "FLAKY": "failure", "ERROR": "error", "INCONCLUSIVE": "skipped"}.get(one.verdict)
        if kind == "skipped":
            ElementTree.SubElement(case, kind).text = _clean(mask.text(f"INCONCLUSIVE\n{one.reason}"))
        elif kind is not None:
            _own(case, kind, one.verdict, mask.text(one.reason) or one.verdict)
        cases.append(case)
    suite = ElementTree.Element(
        "testsuite", name=_clean(f"{run.name}.gate"), tests=str(len(cases)), failures=_count(cases, "failure"),
        errors=_count(cases, "error"), skipped=_count(cases, "skipped"), time=f"{record.times.seconds:.3f}",
        timestamp=f"{datetime.fromisoformat(record.times.opened).astimezone(UTC):%Y-%m-%dT%H:%M:%S}", hostname="gate",
    )  # fmt: skip
    properties = ElementTree.SubElement(suite, "properties")
    for name, value in (("decision", record.decision), ("firmware", f"{record.image.name} {record.image.version}")):
        ElementTree.SubElement(properties, "property", name=name, value=_clean(value))
    suite.extend(cases)
    return suite


def _suite(run: Run, log: BenchLog, tests: list[Test]) -> ElementTree.Element:
    cases = [_case(log, test) for test in tests]
    began = datetime.fromisoformat(log.opened.wall).astimezone(UTC)
    suite = ElementTree.Element(
        "testsuite", name=_clean(f"{run.name}.{log.folder.rpartition('/')[2]}"), tests=str(len(cases)),
        failures=_count(cases, "failure"), errors=_count(cases, "error"), skipped=_count(cases, "skipped"),
        time=f"{sum(t.record.duration_s for t in tests):.3f}", timestamp=f"{began:%Y-%m-%dT%H:%M:%S}",
        hostname=_clean(log.name),
    )  # fmt: skip
    opened = log.opened
    kind = "physical" if opened.physical else "physical-like" if opened.physical_like else "emulated"
    properties = ElementTree.SubElement(suite, "properties")
    for name, value in (
        ("bench", log.name), ("group", opened.group), ("model", opened.model), ("kind", kind),
        ("firmware", f"{opened.firmware.name} {opened.firmware.version}"), ("firmware.sha256", opened.firmware.sha256),
        ("profile", str(opened.profile.get("name", ""))), ("run", run.name), ("hil97", opened.hil97),
        ("requirements", " ".join(sorted({rule for test in tests for rule in test.record.declares}))),
    ):  # fmt: skip
        ElementTree.SubElement(properties, "property", name=name, value=_clean(value))
    suite.extend(cases)
    loose = [f for f in run.loose if f.record.bench == log.name and run.log_at(log.name, f.record.t) is log]
    if loose:
        _text(suite, "system-out", ["Between tests:", *(line for finding in loose for line in _lines(finding, log))])
    return suite


def _case(log: BenchLog, test: Test) -> ElementTree.Element:
    record = test.record
    split = _NODE.fullmatch(record.test)
    file, rest = (split["file"], split["rest"]) if split else (record.group, record.test)
    classname = ".".join(re.sub(r"\.(py|robot)$", "", file).split("/"))
    case = ElementTree.Element(
        "testcase", classname=_clean(classname), name=_clean(rest), time=f"{record.duration_s:.3f}"
    )
    message = mask.text(record.message.strip())
    undecided = [f"{rule}: the test had to decide it and did not" for rule in test.undecided]
    if record.outcome == "skipped" or (undecided and not message and _plain(test)):
        skipped = ElementTree.SubElement(case, "skipped")
        skipped.text = _clean("\n".join(["INCONCLUSIVE", *undecided]) if undecided else message)
    failed = [f for f in test.findings if f.record.verdict == "FAIL"]
    errors = [f for f in test.findings if f.record.verdict == "ERROR"]
    for found, element in ((errors, "error"), (failed, "failure")):
        for finding in found:
            node = ElementTree.SubElement(case, element, type=finding.rule, message=_clean(_one_line(finding)))
            node.text = _clean("\n".join(_lines(finding, log)))
    if record.outcome in ("error", "unfinished") and not errors:
        _own(case, "error", record.outcome, message or "the run ended in this test")
    elif record.outcome == "failed" and not failed:
        _own(case, "failure", "test", message or "the test failed")
    case[:] = sorted(case, key=lambda node: ("skipped", "error", "failure").index(node.tag))
    _text(case, "system-out", _out(test, log))
    return case


def _own(case: ElementTree.Element, tag: str, kind: str, said: str) -> None:
    """What the test itself said, not the judge."""
    ElementTree.SubElement(case, tag, type=kind, message=_clean(said.splitlines()[0])).text = _clean(said)


def _plain(test: Test) -> bool:
    """Nothing else went wrong in it."""
    return test.record.outcome == "passed" and test.verdict == "INCONCLUSIVE"


def _out(test: Test, log: BenchLog) -> list[str]:
    record = test.record
    values = [("bench", record.bench), ("group", record.group), ("verdict", test.verdict),
              ("harness_s", f"{test.harness_s:.3f}"), ("waiting_s", f"{record.waiting_s:.3f}")]  # fmt: skip
    values += [("requirement", rule) for rule in record.declares]
    values += [(f"verdict.{rule}", verdict) for rule, verdict in sorted(record.rules.items())]
    lines = [f"[[PROPERTY|{name}={value}]]" for name, value in values]
    for finding in test.findings:
        if finding.record.verdict != "PASS":
            lines += _lines(finding, log)
    return lines


def _one_line(finding: Judged) -> str:
    return mask.text(f"{finding.rule}: {finding.record.reason}").replace("\n", " ")


def _lines(finding: Judged, log: BenchLog) -> list[str]:
    evidence = finding.record.evidence
    named: Iterable[tuple[str, Iterable[object]]] = (
        (f"{log.folder}/history.jsonl events", evidence.events), ("frames", evidence.frames),
        (f"{log.folder}/wire.pcapng packets", evidence.packets), ("acquirer journal", evidence.journal),
        ("images", [f"{log.folder}/{image}" for image in evidence.images]),
    )  # fmt: skip
    found = [f"  {name}: {', '.join(str(value) for value in values)}" for name, values in named if values]
    return [f"{finding.record.verdict} {_one_line(finding)}", *found]


def _text(parent: ElementTree.Element, tag: str, lines: list[str]) -> None:
    ElementTree.SubElement(parent, tag).text = _clean("\n".join(lines))


def _count(cases: list[ElementTree.Element], tag: str) -> str:
    return str(sum(1 for case in cases if case.find(tag) is not None))


def _clean(text: str) -> str:
    """Without the characters that XML can't hold."""
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
