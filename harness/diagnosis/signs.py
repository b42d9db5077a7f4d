"""The evidence model: each sign that can be seen, and how likely each cause lets one see it.

A number is P(sign | cause) in a look-around as ``harness/campaigns/diagnose.py`` makes it, estimated by hand and held
against runs on the training seeds of ``benchmarks/diagnosis.py``. A cause that a sign does not name can't produce it:
the sign rules it out. ``others`` stands for all that are not named; 0: it can't. A sign is always something that *was*
seen or told; that something was not seen is no sign, unless an instrument says so. So evidence that is taken away never
rules anything out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from harness.diagnosis.causes import CAUSES, Cause

Level = Literal["outside", "host"]
HEALTH = frozenset({
    "sign_in_approved", "sign_in_done", "money_approved", "money_at_once", "echo_approved", "code_card",
    "one_sign_in_approved", "one_sign_in_done", "one_money_approved", "one_echo_approved", "one_code_card",
})  # it works; whatever else may be the matter
OF_ANOTHER = 0.02  # one merchant works, and the trouble is another's that shares the terminal
LEAST = 0.002  # what only an attack, a second fault or a strange coincidence could bring


def _(text: str) -> str:
    return text


@dataclass(frozen=True)
class Sign:
    """``words``: what was seen, for people; ``{about}`` in it is the sign's own detail. ``row``: the causes that it
    leaves, with their weights. ``of_host``: it needs the acquirer's view."""

    words: str
    row: Mapping[Cause, float]
    of_host: bool = False

    @property
    def says_nothing(self) -> bool:
        """It treats all causes alike."""
        return len(self.row) == len(CAUSES) and len(set(self.row.values())) == 1

    @property
    def says_trouble(self) -> bool:
        """With nothing wrong it would hardly be seen."""
        return self.row.get("nothing", 0.0) < 0.1 * max(self.row.values())

    @property
    def permits(self) -> bool:
        """Something worked, which any trouble could have kept from working."""
        return self.row.get("nothing", 0.0) == max(self.row.values())


def _sign(words: str, others: float | None = None, *, of_host: bool = False, **row: float) -> Sign:
    full: dict[Cause, float] = {}
    for cause in CAUSES:
        weight = row.pop(cause, others)
        if weight:
            full[cause] = weight
    assert not row, f"no causes: {row}"
    return Sign(words, full, of_host)


SIGNS: dict[str, Sign] = {
    # -- what the host answered (the wire, or the terminal's word for it)
    "code_not_registered": _sign(
        _("the host answered that it does not know the terminal ({about})"),
        not_registered=0.9, under_review=0.9, wrong_tid=0.9, wrong_mid=0.25, network_settings=0.02, line=LEAST,
        firmware=0.01, tampering=LEAST,
    ),
    "code_merchant": _sign(
        _("the host answered that it does not know the merchant ({about})"),
        not_registered=0.6, suspended=0.6, wrong_mid=0.6, network_settings=0.02, line=LEAST, firmware=0.01,
        tampering=LEAST,
    ),
    "code_suspended": _sign(
        _("the host answered that this terminal may not work ({about})"),
        suspended=0.9, not_signed_in=0.1, not_registered=0.01, network_settings=LEAST, line=LEAST, firmware=LEAST,
    ),
    "code_sign_in": _sign(
        _("the host answered that the terminal has to sign in ({about})"),
        not_signed_in=0.9, not_registered=0.2, under_review=0.02, wrong_tid=0.02, keys=0.02, firmware=0.02,
        line=LEAST, network_settings=LEAST, environment=LEAST, hardware=LEAST, host_down=0.01, tampering=LEAST,
    ),
    "code_keys": _sign(
        _("the host answered that MAC or PIN do not fit its keys ({about})"),
        keys=0.9, not_registered=0.1, under_review=0.1, wrong_tid=0.1, wrong_mid=0.1, line=0.05, firmware=0.03,
        tampering=0.02, hardware=0.01, environment=0.01, network_settings=0.02, not_signed_in=0.02,
    ),
    "code_trouble": _sign(
        _("the host answered that it is in trouble ({about})"), host_down=0.9, line=LEAST, firmware=LEAST,
    ),
    "code_refused": _sign(
        _("the host refused the message itself ({about})"),
        0.01, firmware=0.6, line=0.05, host_down=0.05, nothing=0.01,
    ),
    "code_card": _sign(
        _("the host declined the card ({about})"),
        nothing=0.5, line=0.3, hardware=0.5, environment=0.5, network_settings=LEAST, firmware=0.4,
        host_down=0.05, keys=0.02, not_signed_in=0.2, tampering=0.05,
    ),
    "sign_in_approved": _sign(
        _("a sign-in was approved"),
        nothing=1.0, not_signed_in=1.0, keys=0.5, hardware=0.95, environment=0.95, tampering=0.3, firmware=0.9,
        line=0.45, host_down=0.25, no_link=0.03,
    ),
    "sign_in_done": _sign(
        _("the terminal says that it is signed in"),
        nothing=1.0, not_signed_in=1.0, keys=0.15, hardware=0.95, environment=0.95, tampering=0.2, firmware=0.9,
        line=0.4, host_down=0.25, no_link=0.03,
    ),
    "money_approved": _sign(
        _("a transaction was approved"),
        nothing=1.0, not_signed_in=0.9, keys=0.1, hardware=0.6, environment=0.7, tampering=0.05, firmware=0.8,
        line=0.4, host_down=0.1, no_link=0.03,
    ),
    "money_at_once": _sign(
        _("a transaction was approved without a new sign-in"), 1.0, not_signed_in=0.03, keys=0.3,
    ),
    "echo_approved": _sign(
        _("the host answered an echo"),
        nothing=1.0, not_signed_in=1.0, keys=0.95, hardware=0.95, environment=0.95, tampering=0.5, firmware=0.9,
        line=0.45, host_down=0.3, no_link=0.03, suspended=0.02, not_registered=0.02, under_review=0.02, wrong_tid=0.02,
        wrong_mid=0.02,
    ),
    # -- what the terminal says of the way to the host
    "told_no_connection": _sign(
        _("the terminal says that it gets no connection: {about}"),
        host_down=0.6, network_settings=0.6, line=0.6, no_link=0.6, hardware=0.05, environment=0.05, firmware=0.04,
    ),
    "told_no_network": _sign(
        _("the terminal says that it has no network address: {about}"),
        no_link=0.5, network_settings=0.6, line=0.4, hardware=0.05, environment=0.02, firmware=0.03, tampering=0.01,
    ),
    "told_no_name": _sign(
        _("the terminal says that it can't find the host's name: {about}"),
        network_settings=0.6, line=0.6, no_link=0.6, hardware=0.01, firmware=0.02, environment=0.01,
    ),
    "told_no_sim": _sign(
        _("the terminal says that it has no SIM: {about}"),
        no_link=0.9, hardware=0.1, firmware=LEAST, environment=0.01, tampering=0.01,
    ),
    "told_no_signal": _sign(
        _("the terminal says that its radio finds no network: {about}"),
        no_link=0.9, hardware=0.1, environment=0.05, firmware=0.01,
    ),
    "told_radio_refused": _sign(
        _("the terminal says that the mobile network does not let it in: {about}"),
        no_link=0.9, network_settings=0.05, hardware=0.02, firmware=0.01,
    ),
    "told_no_session": _sign(
        _("the terminal says that it gets no data session: {about}"),
        no_link=0.6, network_settings=0.4, line=0.05, hardware=0.02, firmware=0.01,
    ),
    "told_modem_silent": _sign(
        _("the terminal says that its modem does not answer: {about}"),
        hardware=0.9, environment=0.1, firmware=0.1, tampering=0.01,
    ),
    "told_no_answer": _sign(
        _("the terminal says that no answer came: {about}"),
        host_down=0.7, line=0.7, network_settings=0.7, no_link=0.1, hardware=0.03, environment=0.04, firmware=0.05,
    ),
    "told_invalid": _sign(
        _("the terminal says that what came was no answer: {about}"),
        line=0.7, keys=0.2, host_down=0.3, firmware=0.1, network_settings=0.02, environment=0.02, hardware=0.01,
        tampering=0.01,
    ),
    # -- what it says of itself
    "told_sign_in_first": _sign(
        _("the terminal wants to be signed in first: {about}"), 0.5, nothing=0.05, not_signed_in=0.5, keys=0.5,
    ),
    "told_keys": _sign(
        _("the terminal says that the keys which it got do not fit its master key: {about}"),
        keys=0.95, line=0.01, firmware=0.02, tampering=0.05, host_down=0.01, hardware=0.01, environment=LEAST,
    ),
    "told_blank": _sign(
        _("the terminal says that it is not set up: {about}"),
        keys=0.8, tampering=0.35, network_settings=0.05, hardware=0.15, firmware=0.05, wrong_tid=0.02, wrong_mid=0.02,
        environment=0.01,
    ),
    "told_broken": _sign(
        _("the terminal says that a part of it is broken: {about}"),
        hardware=0.9, environment=0.25, firmware=0.02, tampering=0.02,
    ),
    "told_hot": _sign(
        _("the terminal says that a part of it is too hot: {about}"), hardware=0.6, environment=0.6, firmware=0.02,
    ),
    "told_nothing": _sign(
        _("the terminal did nothing that could be read when it was asked ({about})"),
        0.01, hardware=0.6, environment=0.6, firmware=0.3, tampering=0.05,
    ),
    "told_tampered": _sign(
        _("the terminal says that it was opened: {about}"),
        tampering=0.95, hardware=0.05, environment=0.01, firmware=LEAST,
    ),
    "told_software": _sign(
        _("the terminal says that its software is damaged: {about}"),
        tampering=0.5, firmware=0.4, hardware=0.3, environment=0.02,
    ),
    "told_again": _sign(
        _("the terminal did not read a card at once: {about}"), 0.2, hardware=0.6, environment=0.6,
    ),
    "told_unread": _sign(
        _("the terminal could not read the card, again and again: {about}"),
        hardware=0.7, environment=0.4, firmware=0.02, nothing=0.004,
    ),
    "restarted": _sign(
        _("the terminal restarted by itself"), 0.02, environment=0.5, hardware=0.35, firmware=0.4, tampering=0.1,
    ),
    "unreadable": _sign(
        _("the screen can't be read"), 0.01, hardware=0.6, environment=0.2, firmware=0.1,
    ),
    # -- the wire, as the tap tells it
    "wire_refused": _sign(
        _("the host's address refused the connection ({about})"),
        host_down=0.6, network_settings=0.6, line=0.4, firmware=0.01,
    ),
    "wire_connected": _sign(
        _("a connection to {about} was made"),
        1.0, network_settings=0.6, host_down=0.6, line=0.6, no_link=0.04,
    ),
    "wire_reset": _sign(
        _("the connection was reset from the host's side"),
        0.02, host_down=0.6, line=0.6, network_settings=0.05, no_link=0.01,
    ),
    "wire_closed": _sign(
        _("the host ended the connection"), 0.5, host_down=0.6, line=0.5, network_settings=0.4, no_link=0.05,
    ),
    "wire_garbage": _sign(
        _("bytes came that are no message"), 0.02, line=0.7, host_down=0.15, firmware=0.1, network_settings=0.05,
    ),
    # -- all packets, counted
    "packets_none": _sign(
        _("not one packet left the terminal while it tried"),
        no_link=0.7, network_settings=0.7, hardware=0.2, firmware=0.05, environment=0.2, line=0.02, tampering=0.6,
        keys=0.3,
    ),
    "arp_unanswered": _sign(
        _("nobody answers at the address that it looks for on its line ({about})"),
        network_settings=0.7, line=0.4, no_link=0.08, host_down=0.1, firmware=0.01, hardware=0.01, environment=0.01,
    ),
    "dhcp_unanswered": _sign(
        _("its line offers it no address (DHCP)"), line=0.6, network_settings=0.3, no_link=0.15, hardware=0.01,
        firmware=0.02, environment=0.01,
    ),
    "dhcp_refused": _sign(
        _("its line refuses it an address (DHCP)"), line=0.8, network_settings=0.2, firmware=0.01,
    ),
    "name_unknown": _sign(
        _("the name server knows no such name ({about})"), network_settings=0.8, line=0.35, firmware=0.01,
    ),
    "name_failed": _sign(
        _("the name server gives no answer"), line=0.7, network_settings=0.4, no_link=0.02, firmware=0.01,
    ),
    "syn_unanswered": _sign(
        _("connections to {about} are not answered"),
        host_down=0.55, network_settings=0.55, line=0.55, no_link=0.05, firmware=LEAST, hardware=LEAST,
        environment=0.01,
    ),
    "icmp_refused": _sign(
        _("a router says that {about} can't be reached"),
        network_settings=0.5, host_down=0.5, line=0.5, no_link=0.02, firmware=LEAST,
    ),
    "sent_again": _sign(
        _("what the terminal sends has to be sent again and again"),
        0.02, line=0.7, host_down=0.15, no_link=0.05, environment=0.05,
    ),
    "got_again": _sign(
        _("what the host sends comes more than once"), 0.01, line=0.6, host_down=0.02, environment=0.03,
    ),
    "unanswered": _sign(
        _("the host takes what is sent, and says nothing"),
        host_down=0.5, network_settings=0.5, line=0.5, firmware=0.01, environment=0.01, no_link=0.05,
    ),
    "slow": _sign(_("the way to the host takes {about}"), 0.01, line=0.9, host_down=0.1, no_link=0.1),
    # -- service port
    "net_none": _sign(
        _("the terminal has no network setting"),
        network_settings=0.9, tampering=0.05, hardware=0.03, firmware=0.02, keys=0.05,
    ),
    "net_no_lease": _sign(
        _("the terminal has no address by DHCP ({about})"),
        0.25, no_link=0.6, line=0.6, network_settings=0.6,
    ),
    "net_modem_down": _sign(
        _("the terminal's modem has no data session ({about})"),
        0.25, no_link=0.8, network_settings=0.4, hardware=0.4,
    ),
    "identity_blank": _sign(
        _("the terminal has no number"),
        keys=0.5, tampering=0.4, hardware=0.2, firmware=0.1, wrong_tid=0.02, wrong_mid=0.02,
    ),
    # -- instruments
    "out_of_range": _sign(
        _("outside the terminal's declared range: {about}"), 0.1, environment=0.9, hardware=0.15,
    ),
    "struck": _sign(
        _("a generator beside it strikes: {about}"), 0.1, environment=0.9, hardware=0.15,
    ),
    "in_range": _sign(_("temperature, humidity and supply are in the declared range"), 1.0, environment=0.1),
    # -- the judge
    "rule_broken": _sign(
        _("the judge found that {about} is broken"),
        firmware=0.9, hardware=0.04, environment=0.03, tampering=0.01,
    ),
    # -- the acquirer's back office
    "host_merchant_missing": _sign(
        _("the back office has no merchant {about}"), of_host=True,
        wrong_mid=0.6, not_registered=0.4, network_settings=0.01, firmware=0.01,
    ),
    "host_merchant_gone": _sign(
        _("the back office has terminals of merchant {about}, and no merchant"), of_host=True, not_registered=1.0,
    ),
    "host_merchant_elsewhere": _sign(
        _("the back office has this terminal number under another merchant ({about}), and none such"), of_host=True,
        wrong_mid=0.95, wrong_tid=0.03, firmware=0.01, not_registered=0.01,
    ),
    "host_suspended": _sign(_("the back office has it suspended or closed: {about}"), of_host=True, suspended=1.0),
    "host_pending": _sign(
        _("the back office has its application as {about}"), of_host=True, under_review=1.0,
    ),
    "host_removed": _sign(
        _("the back office has its registration as {about}"), of_host=True, not_registered=1.0,
    ),
    "host_other_unit": _sign(
        _("the back office has another unit bound to this number ({about})"), of_host=True, not_registered=1.0,
    ),
    "host_tid_missing": _sign(
        _("the back office never had terminal number {about} at this merchant"), of_host=True,
        wrong_tid=0.9, not_registered=0.15, wrong_mid=0.05, firmware=0.01, tampering=LEAST,
    ),
    "host_tid_elsewhere": _sign(
        _("the back office has this terminal number at another merchant ({about})"), of_host=True,
        wrong_tid=0.8, wrong_mid=0.3, firmware=0.01,
    ),
    "host_registered": _sign(
        _("the back office has merchant and terminal active"), 1.0, of_host=True,
        not_registered=LEAST, under_review=0.0, wrong_tid=LEAST, wrong_mid=LEAST, suspended=0.0,
    ),
    "host_signed_out": _sign(
        _("the back office has the terminal as signed out"), 0.4, of_host=True, not_signed_in=0.9, nothing=0.1,
    ),
    "noted_pending": _sign(
        _("the host noted that it has an application, and no approval: {about}"), of_host=True,
        under_review=0.95, firmware=0.01, line=LEAST,
    ),
    "noted_removed": _sign(
        _("the host noted that the registration has ended: {about}"), of_host=True,
        not_registered=0.95, firmware=0.01, wrong_tid=0.02, line=LEAST,
    ),
    "noted_missing": _sign(
        _("the host noted that there is no such terminal: {about}"), of_host=True,
        wrong_tid=0.9, not_registered=0.3, wrong_mid=0.1, firmware=0.01, line=LEAST, tampering=LEAST,
    ),
    "noted_suspended": _sign(
        _("the host noted that it is suspended or closed: {about}"),
        of_host=True, suspended=0.95, not_signed_in=0.1, firmware=LEAST, line=LEAST,
    ),
    "noted_unit": _sign(
        _("the host noted that another unit is bound: {about}"), of_host=True, not_registered=0.95, firmware=0.01,
        wrong_tid=0.05, line=LEAST,
    ),
    "host_heard": _sign(
        _("the host's journal has requests of this terminal"), 1.0, of_host=True,
        no_link=0.03, network_settings=0.03, host_down=0.7, line=0.8,
    ),
    "host_heard_nothing": _sign(
        _("the host's journal has nothing of this terminal"),
        0.05, of_host=True,
        no_link=1.0, network_settings=1.0, host_down=0.05, line=1.0, wrong_tid=LEAST, hardware=0.2, keys=0.3,
        tampering=0.2, firmware=0.1, environment=0.2, nothing=0.01,
    ),
    "host_answered": _sign(
        _("the host's journal says that it answered"), 1.0, of_host=True, host_down=0.1, no_link=0.03,
        network_settings=0.03,
    ),
    "host_silent": _sign(
        _("the host's own journal says that it gave no answer: {about}"), of_host=True, host_down=1.0, line=0.004,
    ),
    "host_elsewhere": _sign(
        _("a message came that leads elsewhere: {about}"), of_host=True, network_settings=1.0, line=LEAST,
    ),
    "host_damaged": _sign(
        _("what came was damaged: {about}"), 0.01, of_host=True, line=0.8, firmware=0.1,
    ),
    "way_wrong": _sign(
        _("the terminal looks for a host at {about}, which is none of the acquirer's"), of_host=True,
        network_settings=1.0, line=0.03, firmware=0.01, tampering=LEAST,
    ),
    "way_right": _sign(
        _("the terminal looks for the host where it is ({about})"), 1.0, of_host=True, network_settings=0.12,
    ),
}  # fmt: skip


def _one(name: str, words: str) -> Sign:
    """The sign of that name at a terminal that several merchants share: it rules out nothing of what may be the matter
    with another one."""
    sign = SIGNS[name]
    return Sign(words, {cause: max(sign.row.get(cause, 0.0), OF_ANOTHER) for cause in CAUSES}, sign.of_host)


SIGNS |= {
    "one_sign_in_approved": _one("sign_in_approved", _("a sign-in of one of its merchants was approved")),
    "one_sign_in_done": _one("sign_in_done", _("the terminal says that one of its merchants is signed in")),
    "one_money_approved": _one("money_approved", _("a transaction of one of its merchants was approved")),
    "one_echo_approved": _one("echo_approved", _("the host answered an echo of one of its merchants")),
    "one_code_card": _one("code_card", _("the host declined a card of one of its merchants ({about})")),
    "one_registered": _one("host_registered", _("the back office has one of its merchants, with its terminal, active")),
}
