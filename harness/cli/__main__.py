"""``python -m harness.cli`` is ``hil97``."""

import sys

from harness.cli import main

sys.exit(main())
