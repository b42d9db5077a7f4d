"""The management API under a fuzzer that reads its own OpenAPI document: nothing breaks, and every answer is one that
the document describes. Schemathesis is driven by its command, so that its pytest plugin has no part in our runs.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from harness.tests.api_helpers import TOKEN, done, serving
from harness.tests.registration_helpers import application, binding

pytest.importorskip("schemathesis")

# Left out: "positive_data_acceptance" (a document may be right in its shape and refused for its meaning: a check
# character, a state) and "missing_required_header" (there is none but the token's, which has tests of its own).
CHECKS = (
    "not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance",
    "negative_data_rejection", "unsupported_method", "ignored_auth",
)  # fmt: skip


def test_the_api_is_what_its_document_says(tmp_path: Path) -> None:
    with serving(tmp_path) as serve:
        with serve.client() as api:  # something that paths can meet
            mid = done(api.post("/applications", json=application(mid="898111100000001")), 201)["mid"]
            done(api.post("/terminals", json=binding(mid, "FUZZ0001", tid="10000001")), 201)
        # Half of the operations would otherwise never get behind "there is no such merchant".
        (tmp_path / "schemathesis.toml").write_text(f'[parameters]\n"path.mid" = "{mid}"\n"path.tid" = "10000001"\n')
        command = [
            sys.executable, "-m", "schemathesis.cli", "run", f"{serve.url}/v1/openapi.json",
            "--checks", ",".join(CHECKS), "--header", f"Authorization: Bearer {TOKEN}",
            "--max-examples", "15", "--phases", "examples,coverage,fuzzing", "--seed", "97",
            "--generation-database", "none", "--request-timeout", "10", "--no-color",
        ]  # fmt: skip
        run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=250, check=False)
        assert run.returncode == 0, f"{run.stdout[-6000:]}\n{run.stderr[-2000:]}"
        with serve.client() as api:
            assert done(api.get("/status"))["profile"] == "default", "it is alive"
            assert done(api.get(f"/merchants/{mid}"))["mid"] == mid
        assert "Traceback" not in serve.text()
