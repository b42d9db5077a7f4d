"""What ships with the project: the reference firmware, the defective ones, and the test key that signs them."""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).resolve().parent
REFERENCE_SOURCE = _HERE / "firmware"
DEFECTS = REFERENCE_SOURCE / "defects"
TEST_KEY = _HERE / "keys" / "TEST-ONLY-signing-key.pem"
TEST_PUBLIC_KEY = _HERE / "keys" / "TEST-ONLY-boot-key.pem"


def defect_sources() -> dict[str, Path]:
    """name -> source folder of each shipped defective firmware, in alphabetical order."""
    return {path.parent.name: path.parent for path in sorted(DEFECTS.glob("*/defect.yaml"))}
