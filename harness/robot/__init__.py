"""The Robot Framework door: keywords a non-programmer reads, on the same benches and through the same spans as
pytest."""

from __future__ import annotations

import re

REQUIREMENT = re.compile(r"^[A-Z]{3}-\d{2}$")
"""A tag that names a requirement which the test must decide."""
