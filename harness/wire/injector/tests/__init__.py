# SPDX-License-Identifier: GPL-2.0-only
"""Tests of what only the injector may import: under its licence, since they import it."""
