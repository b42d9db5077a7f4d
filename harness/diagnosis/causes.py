"""What can be the matter with a terminal, in plain words, and what cures it.

Texts are English; ``harness/locale/zh.json`` has them in Chinese. ``_`` only marks them for the test that looks for
missing translations: they are translated where they are shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Cause = Literal[
    "not_registered", "under_review", "wrong_tid", "wrong_mid", "suspended", "not_signed_in", "network_settings",
    "no_link", "line", "host_down", "keys", "hardware", "tampering", "environment", "firmware", "nothing",
]
CAUSES: tuple[Cause, ...] = get_args(Cause)


def _(text: str) -> str:
    return text


@dataclass(frozen=True)
class Told:
    """A cause for people: ``name`` in a few words, ``words`` what is the matter, ``cure`` what to do. ``prior``: how
    common it is before anything was seen, against the others (an estimate; it only decides among what looks alike)."""

    name: str
    words: str
    cure: str
    prior: float


TOLD: dict[Cause, Told] = {
    "not_registered": Told(
        _("not registered"),
        _("The acquirer has no row for this terminal, or for its merchant; or another unit is bound to its number."),
        _("Have the acquirer register merchant and terminal and bind this unit's serial number, then sign in."),
        1.0,
    ),
    "under_review": Told(
        _("registration pending or rejected"),
        _("An application for this terminal is there, and was not approved, or was rejected."),
        _("Have the application looked at; hand in what is missing; sign in once it is approved."),
        0.5,
    ),
    "wrong_tid": Told(
        _("wrong terminal number"),
        _("The terminal number (TID) in the terminal is not the one that the acquirer gave it."),
        _("Compare the TID with the acquirer's sheet, settle what is stored, enter the right one, sign in."),
        0.4,
    ),
    "wrong_mid": Told(
        _("wrong merchant number"),
        _("The merchant number (MID) in the terminal is not the one that the acquirer gave it."),
        _("Compare the MID with the acquirer's sheet, settle what is stored, enter the right one, sign in."),
        0.6,
    ),
    "suspended": Told(
        _("suspended"),
        _("The acquirer knows merchant and terminal, and has suspended or closed one of them."),
        _("Ask the acquirer why, and have it restored; nothing at the terminal helps."),
        0.6,
    ),
    "not_signed_in": Told(
        _("not signed in"),
        _("The terminal works, and the acquirer holds it for signed out, or its batch is another one."),
        _("Sign in; where the batch differs, settle first."),
        0.8,
    ),
    "network_settings": Told(
        _("network settings wrong"),
        _("An address, the host, its port, TPDU, access point or name server that is set in the terminal is wrong."),
        _("Compare address, router, name server, host, port, TPDU and access point with the acquirer's sheet."),
        0.6,
    ),
    "no_link": Told(
        _("no link"),
        _("The terminal has no way out: the cable is out, the radio has no network, or the SIM is missing or blocked."),
        _("Plug the cable in and look at its light; look at antenna, reception and SIM; try another line."),
        0.8,
    ),
    "line": Told(
        _("bad line"),
        _("On the way to the host something loses, delays, damages or diverts what is sent, or the line's own DHCP or "
          "name server fails."),
        _("Try another line or socket; have the provider measure this one; restart the router."),
        0.5,
    ),
    "host_down": Told(
        _("host down"),
        _("The acquirer's host is not there, does not answer, or says that it is in trouble."),
        _("Ask the acquirer; wait. What was sent meanwhile is reversed by itself."),
        0.7,
    ),
    "keys": Told(
        _("keys lost or wrong"),
        _("The terminal's master key is missing or is not the acquirer's, or its working keys are out of step."),
        _("Sign in once; if that does not help, have the master key loaded again (activation), then sign in."),
        0.6,
    ),
    "hardware": Told(
        _("hardware fault"),
        _("A part of the terminal is worn or broken."),
        _("Clean or replace the part; else replace the terminal: back it up, restore it on the new one, activate it."),
        0.4,
    ),
    "tampering": Told(
        _("tampering"),
        _("The terminal was opened, or its software or memory was changed: it has erased its keys or refuses to work."),
        _("Take it out of service and do not open it; report it; replace it."),
        0.1,
    ),
    "environment": Told(
        _("environment"),
        _("It is too hot, too cold or too humid, the supply is too low, or something disturbs it."),
        _("Bring it into its declared range, feed it from another socket, take it away from what disturbs it."),
        0.25,
    ),
    "firmware": Told(
        _("firmware defect"),
        _("The terminal's software breaks a rule although everything around it is in order."),
        _("Update the firmware, or go back to the version before; give the maker the evidence."),
        0.12,
    ),
    "nothing": Told(
        _("nothing wrong"),
        _("What was tried works."),
        _("Nothing is to be done. If it happens again, look at it while it does."),
        1.0,
    ),
}  # fmt: skip
