"""A profile: a network's or provider's dialect, and the limits it sets. Data lives in ``lab_config/profiles/*.yaml``.

On points where public sources disagree the profile decides, for the terminal's judgement and for the simulated acquirer
alike.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from harness.protocol.stream import HTTP_PATH

REST = "rest"  # under ``assumed``: every parameter that is named neither there nor elsewhere in the file
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


class Categories(BaseModel):
    """What an operator, and a terminal by itself, may do after a code: the letters of the public F39 tables.

    ``B`` retryable, ``C`` not, ``D`` the operator must act, ``E`` system fault. A code that is not listed has the
    letter of the table, "C" where that has none.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    codes: dict[Code, Literal["A", "B", "C", "D", "E"]] = {"77": "D", "68": "C"}


class Profile(BaseModel):
    """One dialect. Two-character codes are F39 values.

    Every point on which public sources disagree, or which they leave open, is a parameter here; ``assumed`` says of
    each that is not sure why, and what it rests on. docs/profiles.md lists what each changes at terminal, acquirer and
    judge.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str
    title: str
    network: Literal["unionpay", "aunz", "gicc"] = "unionpay"  # whose texts and codes a terminal is set up for

    # -- what codes mean
    not_registered: list[Code]
    success: list[Code]  # of a financial response
    reversal_success: list[Code]  # of an 0410
    settlement_success: list[Code] = ["00"]  # of an 0510; where 97 means "totals reset" it stands here
    force_sign_in: list[Code]
    categories: Categories = Categories()
    terminal_unknown_on: Literal["all", "sign_in"] = "all"  # where a terminal without a row gets not_registered[0]
    not_signed_in: Code = "77"  # no sign-in yet, or signed off
    mac_missing: Code = "A0"  # a financial request without F64
    reversal_of_declined: Code = "00"  # an 0400 whose original was declined
    reversal_of_unknown: Code = "25"  # an 0400 whose original was never seen

    # -- what a terminal does
    decline_mac: Literal["optional", "required"] = "optional"
    reversal_reason_no_answer: Code = "98"
    reversal_reason_bad_mac: Code = "A0"
    reversal_reason_mismatch: list[Code] = ["06", "98"]
    reversal_reason_fault: Code = "96"  # approved, and the terminal failed afterwards; 06 elsewhere
    reversal_on_mismatch: Literal["keep", "delete"] = "keep"  # an answer that does not match the request
    reversal_attempts: int = 0  # sends of one 0400 in a row before it counts as exhausted; 0: no limit
    reversal_exhausted: Literal["keep", "delete_recorded"] = "keep"
    reversal_before_sign_in: bool = True  # a pending 0400 may leave while not signed in
    settlement_before_sign_in: bool = False
    void_carries_card: bool = False  # card (and PIN) are asked for again at a void
    settlement_voids: Literal["credit", "net"] = "credit"  # a voided pair counts on both sides, or on none
    auto_sign_off: bool = False  # after settlement (parameter tag 21)
    operator: Annotated[str, Field(pattern=r"^[0-9]{2}[0-9 ]$")] = "001"  # F63 of requests

    # -- what the host does
    accepts_old_batch: bool = True  # the host takes 0400, 0320, 0500 of an earlier batch
    keys_outlive_registration: bool = True  # a removed terminal's MAC still verifies: 97 rather than A0 on 0200
    declines_carry_mac: bool = True  # the simulated acquirer puts F64 on financial declines
    batch_moves: Literal["batch_end", "settlement"] = "batch_end"  # when the host's batch number goes up

    # -- how it is written
    batch_end_balanced: str = "207"
    batch_end_unbalanced: str = "202"
    parameter_download_code: Literal["360", "364"] = "360"  # 60.3
    sign_in_network_code: Literal["001", "003", "004", "005", "006"] = "003"  # 60.3: 005 and 006 are SM4
    mak_length: Literal[8, 16] = 8  # bytes of key in the MAK slot of 003 and 004; 8 are followed by 8 zeros
    sm_key_digit: Literal["3", "4"] = "3"  # F53 digit 2 where the PIN key is an SM4 key
    f60_digits: Literal[8, 11, 13, 14] = 13  # of financial requests; network messages have 11 at most
    f48_encoding: Literal["bcd", "ascii"] = "bcd"  # of settlement and batch upload
    offline_chip_mti: Literal["0220", "0200"] = "0220"  # of a chip sale that the card approved offline
    entry_scan: Literal["032", "031"] = "032"  # F22 of a scanned payment code
    cashier_lrc: Literal["with_etx", "without_etx"] = "with_etx"
    cashier_length: Literal["bcd", "binary"] = "bcd"

    # -- the link
    link: Literal["tcp", "tcp_standing", "tls", "http"] = "tcp"
    http_path: str = HTTP_PATH
    receive_timeout_s: float = 60.0

    assumed: dict[str, str] = {}  # parameter, or REST -> why it is assumed, its source or the absence of one
    texts: Texts
    limits: Limits = Limits()

    @property
    def sm(self) -> bool:
        """Keys are SM4 keys."""
        return self.sign_in_network_code in ("005", "006")
