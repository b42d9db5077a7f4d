"""The power-cut sweep: the supply dies at every flash operation of an update, and each end is looked at.

``record`` runs the update once and keeps a journal, ``replay`` starts the terminal from every moment of it, ``cold``
has some of the results confirmed by a real board process. docs/firmware-update.md
"""

from __future__ import annotations

from typing import Literal, get_args

Stage = Literal["transfer", "commit", "trial", "migration", "confirmation", "return"]
STAGES: tuple[Stage, ...] = get_args(Stage)
