"""What a message is: names of transactions, what belongs to what, which messages carry a MAC.

Sources: transaction tables of CaoEnXin/LiaoYang_POS, Innoverex/pos, ConardLKL/posp_server.
"""

from __future__ import annotations

from functools import lru_cache

from harness.protocol.frames import Frame

MUST_MATCH = (3, 4, 11, 25, 41, 42, 49)  # equal in request and response where both have them

MTI_NAMES = {
    "01": "authorisation",
    "02": "financial",
    "0220": "financial advice",
    "03": "file upload",
    "04": "reversal",
    "05": "settlement",
    "06": "script notice",
    "08": "network management",
}

PROCESSING = {
    "0": "nothing asked for",
    "1": "download terminal parameters",
    "2": "upload terminal status",
    "3": "sign in again",
    "4": "update CA public keys",
    "5": "download chip parameters",
    "6": "download software (TMS)",
    "7": "download the card blacklist",
    "8": "download fee rates",
    "9": "download contactless no-PIN parameters",
}

APPLICATION_CLASSES = {
    "60": "magnetic-stripe POS",
    "61": "chip (PBOC) POS",
    "62": "magnetic-stripe value-added",
    "63": "chip value-added",
}

REVERSAL_REASONS = {
    "98": "no response, or too late",
    "96": "terminal fault after approval",
    "A0": "MAC of the response wrong",
    "06": "other",
}

# request MTI -> (F60.1, F60.3) -> name; F60.3 None: any.
_BY_F60: dict[str, dict[tuple[str, str | None], str]] = {
    "0800": {
        **{("00", code): "sign_in" for code in ("001", "003", "004", "005", "006")},
        **{("00", code): "parameter_download" for code in ("360", "364")},
        **{("00", code): "capk_download" for code in ("370", "373")},
        ("00", "371"): "capk_end",
        ("00", "380"): "ic_parameter_download",
        ("00", "381"): "ic_parameter_end",
        ("00", "390"): "blacklist_download",
        ("00", "391"): "blacklist_end",
        ("00", "394"): "contactless_download",
        ("00", "395"): "contactless_end",
        ("00", "396"): "activation",  # assumed: no public table has it
        ("00", "397"): "software_query",
        ("00", "398"): "software_download",
        ("00", "399"): "software_end",
    },
    "0820": {
        ("00", "002"): "sign_off",
        ("00", "301"): "echo",
        ("00", "401"): "points_sign_in",
        ("00", "362"): "status_upload",
        **{("00", code): "capk_query" for code in ("372", "373")},
        ("00", "382"): "ic_parameter_query",
        ("07", None): "signature_upload",
    },
    "0200": {
        ("01", None): "balance",
        ("22", None): "sale",
        ("23", None): "void",
        ("20", None): "completion",
        ("21", None): "completion_void",
        ("36", None): "offline_chip_sale",
        ("45", None): "load_assigned",
        ("46", None): "load_cash",
        ("47", None): "load_unassigned",
        ("51", None): "load_cash_void",
    },
    "0220": {
        ("25", None): "refund",
        ("27", None): "refund",
        ("24", None): "completion_advice",
        ("30", None): "offline_sale",
        ("32", None): "offline_adjust",
        ("34", None): "offline_tip",
        ("36", None): "offline_chip_sale",
    },
    "0100": {("10", None): "pre_authorisation", ("11", None): "pre_authorisation_void"},
    "0320": {
        ("00", "201"): "batch_upload",
        **{("00", code): "batch_upload_chip" for code in ("203", "204", "205", "206")},
        **{("00", code): "batch_end" for code in ("207", "202")},
    },
    "0500": {("00", "201"): "settlement"},
    "0620": {("00", "951"): "script_notice"},
}
# Where F60 is missing: request MTI -> (F3, F25) -> name.
_BY_F3: dict[str, dict[tuple[str, str], str]] = {
    "0200": {
        ("310000", "00"): "balance",
        ("000000", "00"): "sale",
        ("200000", "00"): "void",
        ("000000", "06"): "completion",
        ("200000", "06"): "completion_void",
    },
    "0220": {("200000", "00"): "refund", ("000000", "06"): "completion_advice"},
    "0100": {("030000", "06"): "pre_authorisation", ("200000", "06"): "pre_authorisation_void"},
}
_ALONE = {"0400": "reversal", "0500": "settlement", "0620": "script_notice"}
_FINANCIAL = frozenset({"01", "02", "04"})


@lru_cache(maxsize=256)
def request_mti(mti: str) -> str:
    """The MTI of the request: 0210 -> 0200; a request's own stays."""
    return f"{int(mti) - 10:04d}" if int(mti[2]) % 2 else mti


@lru_cache(maxsize=256)
def response_mti(mti: str) -> str:
    """The MTI of the answer to a request: 0200 -> 0210."""
    return f"{int(mti) + 10:04d}"


def answers(request: Frame, response: Frame) -> list[str]:
    """Why ``response`` does not answer ``request``: one sentence a mismatch, empty where it does.

    MTI = request + 10; F3, F4, F11, F25, F41, F42, F49 equal where both have them. F39 and F64 are not looked at.
    """
    mismatches = []
    expected = response_mti(request.mti)
    if response.mti != expected:
        mismatches.append(f"MTI is {response.mti}, the answer to {request.mti} is {expected}")
    asked, told = request.fields, response.fields
    for number in MUST_MATCH:
        wanted, came = asked.get(number), told.get(number)
        if wanted is not None and came is not None and wanted != came:
            mismatches.append(f"F{number} is {came}, the request has {wanted}")
    return mismatches


def is_financial(mti: str) -> bool:
    """Moves money, or asks for it: 01xx, 02xx, 04xx, requests and responses."""
    return mti[:2] in _FINANCIAL


def carries_mac(frame: Frame) -> bool:
    """Should a message of this kind have F64? Financial ones, script notices and signature uploads do.

    Whether a *decline* must is the profile's ``decline_mac``.
    """
    family = frame.mti[:2]
    if family == "08":
        return frame.message_type != "00" and transaction_name(frame) == "signature_upload"
    return family in _FINANCIAL or family == "06"


def transaction_name(frame: Frame) -> str:
    """sign_in, echo, sale, void, reversal, settlement, batch_upload, batch_end... of a request or a response.

    "unknown" where the combination stands in no table. A response without F60 is named by MTI, F3 and F25 alone.
    """
    mti = request_mti(frame.mti)
    return _ALONE.get(mti) or _name(mti, frame)


def original_name(frame: Frame) -> str:
    """The transaction that a reversal reverses (for any other frame its own name). "unknown" where it can't be told."""
    if request_mti(frame.mti) != "0400":
        return transaction_name(frame)
    names = {_name(mti, frame) for mti in ("0200", "0100")} - {"unknown"}
    return names.pop() if len(names) == 1 else "unknown"


def mti_name(mti: str) -> str:
    """English words for an MTI: "financial request", "network management response"."""
    request = request_mti(mti)
    kind = MTI_NAMES.get(request) or MTI_NAMES.get(request[:2], "unknown")
    return f"{kind} {'request' if request == mti else 'response'}"


def _name(mti: str, frame: Frame) -> str:
    f60 = frame.fields.get(60, "")
    message_type, network_code = f60[:2], f60[8:11]
    if message_type:
        table = _BY_F60.get(mti, {})
        return table.get((message_type, network_code)) or table.get((message_type, None)) or "unknown"
    return _BY_F3.get(mti, {}).get((frame.get(3), frame.get(25)), "unknown")
