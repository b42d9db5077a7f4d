"""Sign-in: working keys under the TMK, in every length the profile may name."""

from __future__ import annotations

from harness.acquirer.answers import APPROVED, Answer
from harness.acquirer.cases import Case, Desk, Handlers, kcv_text
from harness.acquirer.registry import new_keys
from harness.protocol import keys
from harness.protocol.profile import Profile

WorkingKeys = tuple[bytes, bytes, bytes | None]  # PIK, MAK, TDK


def new_working_keys(profile: Profile) -> WorkingKeys:
    """Random ones, of the lengths that belong to the profile's sign-in."""
    pik, mak, tdk = keys.key_lengths(profile.sign_in_network_code, profile.mak_length)
    first, second, *third = new_keys(pik, mak, tdk) if tdk else new_keys(pik, mak)
    return first, second, third[0] if third else None


def handlers(desk: Desk) -> Handlers:
    """0800 with F60.3 of the profile."""

    def sign_in(case: Case) -> Answer:
        """The batch in F60.2, the keys in F62; the header asks for what the terminal has yet to download."""
        terminal, code = case.terminal, desk.profile.sign_in_network_code
        known = desk.registry.keys(terminal.mid, terminal.tid)
        assert known is not None, "a row has a TMK"
        fresh = new_working_keys(desk.profile)
        if case.keeps_keys and known.pik is not None and known.mak is not None:
            kept: WorkingKeys = (known.pik, known.mak, known.tdk)
            if [len(key or b"") for key in kept] == [len(key or b"") for key in fresh]:
                fresh = kept
        batch = desk.registry.sign_in(terminal, *fresh)
        f62 = keys.make_f62(known.tmk, code, *fresh)
        kcv = kcv_text(known.tmk, keys.algorithm_of(code))
        return Answer(
            APPROVED, f"signed in, batch {batch:06d}, new keys under the TMK with KCV {kcv}",
            {60: f"00{batch:06d}{code}", 62: f62.hex().upper()},
            header_request=desk.downloads.header_request(terminal.mid, terminal.tid),
        )

    return {"sign_in": sign_in}
