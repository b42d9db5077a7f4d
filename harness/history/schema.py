"""The event schema as JSON Schema: ``python -m harness.history.schema docs/history.schema.json`` writes it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from harness.history.events import ADAPTER, SCHEMA_VERSION


def schema_text() -> str:
    """What ``docs/history.schema.json`` holds (a test compares)."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"hil97 history event, schema {SCHEMA_VERSION}",
        **ADAPTER.json_schema(),
    }
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(schema_text(), encoding="utf-8")
