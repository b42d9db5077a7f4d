"""What ships with the project: the reference firmware, its other versions, the defective ones, and the test key that
signs them."""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).resolve().parent
REFERENCE_SOURCE = _HERE / "firmware"
DEFECTS = REFERENCE_SOURCE / "defects"
VERSIONS = REFERENCE_SOURCE / "versions"
REFERENCE_VERSION = "1.0.0"
TEST_KEY = _HERE / "keys" / "TEST-ONLY-signing-key.pem"
TEST_PUBLIC_KEY = _HERE / "keys" / "TEST-ONLY-boot-key.pem"


def defect_sources() -> dict[str, Path]:
    """name -> source folder of each shipped defective firmware, in alphabetical order."""
    return {path.parent.name: path.parent for path in sorted(DEFECTS.glob("*/defect.yaml"))}


def version_sources() -> dict[str, Path]:
    """version -> source folder of each shipped version of the reference, the reference itself among them, oldest first.
    """
    others = {path.parent.name: path.parent for path in VERSIONS.glob("*/version.yaml")}
    found = others | {REFERENCE_VERSION: REFERENCE_SOURCE}
    return {version: found[version] for version in sorted(found, key=lambda one: tuple(map(int, one.split("."))))}


def firmware_sources() -> dict[str, Path]:
    """Every name that an inventory's ``firmware`` may have -> source folder: reference, reference-2.0.0, defects."""
    versions = {f"reference-{version}": path for version, path in version_sources().items()}
    return {"reference": REFERENCE_SOURCE, **versions, **defect_sources()}
