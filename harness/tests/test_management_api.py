"""The management API as people call it: over HTTP, against the running command."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import httpx
import pytest

from harness.acquirer.management.shapes import MisbehaviourRule
from harness.acquirer.misbehaviour import Rule
from harness.protocol.nested import Totals
from harness.tests.api_helpers import READING, Serve, done, serving
from harness.tests.registration_helpers import Unit, application, binding


@pytest.fixture(scope="module")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    with serving(tmp_path_factory.mktemp("api")) as running:
        yield running


@pytest.fixture
def api(serve: Serve) -> Iterator[httpx.Client]:
    with serve.client() as client:
        yield client


def approved(api: httpx.Client, **changes: Any) -> str:
    mid = str(done(api.post("/applications", json=application(**changes)), 201)["mid"])
    done(api.post(f"/applications/{mid}/review"))
    assert done(api.post(f"/applications/{mid}/approve"))["state"] == "approved"
    return mid


def test_from_an_application_to_a_settlement_with_fees(serve: Serve, api: httpx.Client) -> None:
    mid = approved(api)
    bound = done(api.post("/terminals", json=binding(mid, "API00001")), 201)
    assert bound["state"] == "pending" and bound["unit"]["elements"]["mid"] == mid
    tid = bound["tid"]
    where = f"/terminals/{mid}/{tid}"
    code = done(api.post(f"{where}/approve", json={"valid_hours": 2}))["code"]
    key = done(api.post("/activation", json={"serial_number": "API00001", "code": code}))
    unit = Unit(serve.exchange, key["tid"], bytes.fromhex(key["tmk"]), mid=key["mid"], serial_number="API00001")
    assert unit.code_of_sign_in() == "00"
    sale = unit.sale(9_797)
    assert sale.get(39) == "00" and unit.sale(1_000_000).get(39) == "00" and unit.void(sale).get(39) == "00"
    assert unit.settle(Totals(1_009_797, 2, 9_797, 1)).get(39) == "00" and unit.end_batch("207").get(39) == "00"
    report = done(api.get(f"/settlements/{mid}/{tid}/1"))
    assert (report["gross"], report["fee"], report["net"], report["open"]) == (1_000_000, 2_000, 998_000, False)
    assert done(api.get(f"/settlements/{mid}/{tid}"))[0] == report
    entries = done(api.get(f"/ledger/{mid}/{tid}", params={"limit": 2}))
    assert [one["kind"] for one in entries] == ["sale", "sale"] and entries[0]["state"] == "voided"
    assert entries[0]["card"] == "622588******0097"
    rest = done(api.get(f"/ledger/{mid}/{tid}", params={"after": entries[1]["id"]}))
    assert [one["kind"] for one in rest] == ["void"]
    assert done(api.get(where))["batch"] == "000002"
    serve.said(r"debit\D+3\D+10000\.00\D+20\.00\D+9980\.00")


STEPS = [
    ("suspend", {"reason": "r"}, "58"), ("restore", None, "00"), ("sign-out", {"state": "closed"}, "58"),
    ("sign-out", {"state": "maintenance"}, "77"), ("sign-out", None, "77"), ("tmk", None, "77"),
    ("unbind", {"reason": "r"}, "97"),
]  # fmt: skip


def test_each_step_is_seen_by_the_terminal(serve: Serve, api: httpx.Client) -> None:
    mid = approved(api)
    tid = done(api.post("/terminals", json=binding(mid, "API00002")), 201)["tid"]
    where = f"/terminals/{mid}/{tid}"
    code = done(api.post(f"{where}/approve"))["code"]  # its body may be left out
    key = done(api.post("/activation", json={"serial_number": "API00002", "code": code}))
    unit = Unit(serve.exchange, tid, bytes.fromhex(key["tmk"]), mid=mid, serial_number="API00002")
    assert unit.code_of_sign_in() == "00"
    for step, body, expected in STEPS:
        done(api.post(f"{where}/{step}", json=body))
        assert unit.code_of_sale() == expected, step
    names = [one["step"] for one in done(api.get(where))["steps"]]
    assert names == ["bind", "approve", "activate", "suspend", "restore", *["sign_out"] * 3, "issue_tmk", "unbind"]
    assert done(api.post(f"/merchants/{mid}/suspend", json={"reason": "r"}))["state"] == "suspended"
    assert unit.code_of_sign_in() == "03"


def test_elements_are_refused_by_name(api: httpx.Client) -> None:
    document = application(uscc="91350100M000100Y44", colour="blue")
    del document["settlement_account"]
    refused = done(api.post("/applications", json=document), 422)
    assert {one["element"] for one in refused["problems"]} == {"uscc", "settlement_account", "colour"}
    assert {"element": "uscc", "problem": "the check character is 4, expected 3"} in refused["problems"]
    assert {"element": "settlement_account", "problem": "missing"} in refused["problems"]
    mid = approved(api)
    refused = done(api.post("/terminals", json=binding(mid, "API00003", uscc="91110108551385082Q")), 422)
    assert [one["element"] for one in refused["problems"]] == ["uscc"]
    for body in (b"", b"{", b"[]", b'"\xff"', b"[" * 50_000):
        refused = done(api.post("/applications", content=body, headers={"content-type": "application/json"}), 422)
        assert [one["element"] for one in refused["problems"]] == ["document"], body[:10]


def test_what_is_not_there_or_does_not_go_says_so(api: httpx.Client) -> None:
    mid = done(api.post("/applications", json=application()), 201)["mid"]
    assert "needs one that is pending_review" in done(api.post(f"/applications/{mid}/approve"), 409)["error"]
    assert done(api.get("/merchants/000000000000000"), 404)["error"] == "there is no merchant 000000000000000"
    assert done(api.get(f"/terminals/{mid}/00000000"), 404)["error"]
    assert done(api.get(f"/settlements/{mid}/00000000/1"), 404)["error"]
    assert done(api.get("/nothing"), 404)["error"] == "Not Found"
    assert done(api.delete(f"/merchants/{mid}"), 405)["error"] == "Method Not Allowed"
    reasons = [{"element": "uscc", "problem": "unknown to the register"}]
    done(api.post(f"/applications/{mid}/review"))
    done(api.post(f"/applications/{mid}/reject", json={"reasons": []}), 422)
    assert done(api.post(f"/applications/{mid}/reject", json={"reasons": reasons}))["reasons"] == reasons
    assert mid in [one["mid"] for one in done(api.get("/merchants", params={"state": "rejected"}))]
    behind = done(api.get("/merchants", params={"after": mid[:-1], "limit": 1}))
    assert [one["mid"] for one in behind] == [mid] or behind[0]["mid"] < mid
    assert all(one["mid"] > mid for one in done(api.get("/merchants", params={"after": mid})))
    assert done(api.put(f"/applications/{mid}", json=application(company="Other")))["state"] == "submitted"


@pytest.mark.parametrize(
    "header",
    [None, "", "Bearer", "Bearer wrong-token-0123456789", "Basic YTpi", "a-token-for-tests-0123456789",
     "Bearer a-token-for-tests-012345678", "Bearer a-token-for-tests-0123456789 x", b"Bearer \xff\xfe"],
)  # fmt: skip
def test_without_the_token_nothing_is_told(serve: Serve, header: str | bytes | None) -> None:
    with serve.client(None) as client:
        given = header.encode() if isinstance(header, str) else header
        headers = [] if given is None else [(b"authorization", given)]
        for method, path in (("GET", "/status"), ("POST", "/applications"), ("GET", "/nothing"), ("PUT", "/docs")):
            answer = client.request(method, path, headers=headers, content=b"{")
            assert answer.status_code == 401 and answer.headers["www-authenticate"] == "Bearer", (method, path)
            assert answer.json()["problems"] == []


def test_the_reading_token_changes_nothing(serve: Serve) -> None:
    with serve.client(READING) as client:
        assert done(client.get("/status"))["profile"] == "default"
        assert done(client.post("/applications", json=application()), 403)["error"] == "this token may only look"
        assert done(client.delete("/misbehaviour"), 403)


def test_a_request_has_its_limit(api: httpx.Client) -> None:
    assert done(api.post("/applications", content=b" " * 70_000), 413)["error"]
    chunks = (b" " * 1000 for _ in range(200))
    assert api.post("/applications", content=chunks).status_code == 413


def test_misbehaviour_clock_and_journal(serve: Serve, api: httpx.Client) -> None:
    mid = approved(api)
    tid = done(api.post("/terminals", json=binding(mid, "API00004")), 201)["tid"]
    unit = Unit(serve.exchange, tid, bytes(16), mid=mid, serial_number="API00004")
    refused = done(api.post("/misbehaviour", json={"action": "explode"}), 422)
    assert refused["problems"][0]["element"] == "rule" and "Known actions" in refused["problems"][0]["problem"]
    script = {"action": "script", "f55": "7206860484240000", "tid": "99999999"}
    assert done(api.post("/misbehaviour", json=script), 201)["rule_id"]
    assert api.delete("/misbehaviour").status_code == 204
    rule = done(api.post("/misbehaviour", json={"action": "answer", "code": "91", "tid": tid}), 201)["rule_id"]
    assert done(api.get("/misbehaviour")) == {str(rule): 1}
    since = done(api.get("/status"))["last_jid"]
    assert unit.code_of_sign_in() == "91"
    rows = done(api.get("/journal", params={"since": since, "frames": True}))
    assert [row["direction"] for row in rows] == ["in", "out"] and rows[1]["rule_id"] == rule
    assert bytes.fromhex(rows[0]["frame"])[13:15] == b"\x08\x00"
    assert done(api.get("/journal", params={"since": since, "limit": 1}))[0]["frame"] is None
    assert api.delete("/misbehaviour").status_code == 204
    try:
        assert done(api.put("/clock", json={"epoch": 4_000_000_000}))["epoch"] == 4_000_000_000
        answer = unit.sign_in()
        assert answer.get(39) == "97" and answer.get(13) == "1002"
        done(api.put("/clock", json={"epoch": -1}), 422)
    finally:
        done(api.put("/clock", json={"epoch": None}))


def test_a_rule_has_the_same_elements_at_every_door() -> None:
    assert set(MisbehaviourRule.model_fields) == {field.name for field in fields(Rule)}


def test_the_page_and_the_document_describe_every_route(serve: Serve) -> None:
    with serve.client(None) as client:
        document = done(client.get("/openapi.json"))
        page = client.get("/docs").text
    assert len(document["paths"]) > 25
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert f"{method.upper()} {path}</code>" in page
            assert operation["security"] == [{"HTTPBearer": []}], "the token is part of the document"
            assert "422" in operation["responses"]
    assert "http://" not in page and "https://" not in page and "<script" not in page
