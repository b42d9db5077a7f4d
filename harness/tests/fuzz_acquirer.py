"""Coverage-guided fuzzing of the acquirer: ``python -m harness.tests.fuzz_acquirer [libFuzzer options] [CORPUS]``.

Needs atheris, which is no requirement of the project: ``pip install atheris``. Each input is a recipe of messages
(harness/tests/acquirer_wild.py), some of them sealed with the right key, for a host of its own. A crash, an internal
error, an answer or a silence that the journal does not explain, or an entry in the books that no approval stands behind
ends it, and leaves the input in a file.
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["harness.acquirer", "harness.protocol"]):
    from harness.tests.acquirer_wild import one_input


def main() -> None:
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
