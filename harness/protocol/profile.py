"""A profile: a network's or provider's dialect, and the limits it sets. Data lives in ``lab_config/profiles/*.yaml``.

On points where public sources disagree the profile decides, for the terminal's judgement and for the simulated acquirer
alike.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Code = Annotated[str, Field(pattern=r"^[0-9A-Z]{2}$")]


class Limits(BaseModel):
    """Times in seconds of the terminal's own time, counts as numbers (defaults: docs/requirements.md)."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    show_s: float = 3.0  # last response byte -> code and text on the screen
    idle_s: float = 30.0  # result shown -> idle again
    unattended_first_minute: int = 3
    unattended_per_hour: int = 20
    recovery_s: float = 60.0  # registered again -> first approved sign-in, or one operator action
    repeated_97: int = 1000  # STA-06 on an emulated terminal
    repeated_97_physical: int = 30
    heartbeat_lag_ms: float = 1000.0  # above this no timing is judged


class Texts(BaseModel):
    """Accepted display texts. A code that is not listed is judged by ``unknown``. Width, punctuation and line breaks
    are normalised before comparing."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    codes: dict[Code, list[str]]
    unknown: list[str]
    approved: list[str]  # what says "approved" of a financial transaction, on screen or slip
    declined: list[str]  # what says "declined"
    code_labels: list[str]  # what stands before a response code where one is shown, e.g. 应答码


class Profile(BaseModel):
    """One dialect. Two-character codes are F39 values."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str
    title: str
    not_registered: list[Code]
    success: list[Code]
    reversal_success: list[Code]
    force_sign_in: list[Code]
    decline_mac: Literal["optional", "required"] = "optional"
    reversal_reason_no_answer: Code = "98"
    reversal_reason_bad_mac: Code = "A0"
    reversal_reason_mismatch: list[Code] = ["06", "98"]
    reversal_exhausted: Literal["keep", "delete_recorded"] = "keep"
    reversal_before_sign_in: bool = True  # a pending 0400 may leave while not signed in
    settlement_before_sign_in: bool = False
    accepts_old_batch: bool = True  # the host takes 0400, 0320, 0500 of an earlier batch
    keys_outlive_registration: bool = True  # a removed terminal's MAC still verifies: 97 rather than A0 on 0200
    declines_carry_mac: bool = True  # the simulated acquirer puts F64 on financial declines
    batch_end_balanced: str = "207"
    batch_end_unbalanced: str = "202"
    sign_in_network_code: str = "003"
    receive_timeout_s: float = 60.0
    assumed: dict[str, str] = {}  # parameter -> why it is assumed, or its source
    texts: Texts
    limits: Limits = Limits()
