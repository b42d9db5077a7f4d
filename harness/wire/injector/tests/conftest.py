# SPDX-License-Identifier: GPL-2.0-only
"""As in the project's other tests: no test is timed, since a loaded machine must not fail one."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("hil97", deadline=None)
settings.load_profile("hil97")
