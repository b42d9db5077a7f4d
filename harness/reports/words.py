"""Names of things for people, in both languages. What the program calls sign_in the page calls "sign-in" and 签到."""

from __future__ import annotations

from harness.reports.bilingual import Both, _, same

VERDICTS: dict[str, Both] = {
    "PASS": _("pass"), "FAIL": _("fail"), "INCONCLUSIVE": _("undecided"), "NOT APPLICABLE": _("not applicable"),
    "ERROR": _("bench error"), "SKIPPED": _("skipped"),
}  # fmt: skip
SYMBOLS = {"PASS": "✓", "FAIL": "✗", "INCONCLUSIVE": "?", "NOT APPLICABLE": "–", "ERROR": "!", "SKIPPED": "»"}
SLUGS = {name: name.lower().replace(" ", "-") for name in VERDICTS}

OPERATIONS: dict[str, Both] = {
    "sign_in": _("sign-in"), "echo": _("echo test"), "sale": _("sale"), "void": _("void"), "settle": _("settlement"),
    "reprint": _("reprint"), "acknowledge": _("one key from idle"), "menu": _("management menu"),
    "load_tmk": _("load the TMK"), "set_identity": _("set TID and MID"), "set_host": _("set the host's address"),
    "read_counters": _("read the counters"), "present_card": _("present a card"), "abort": _("cancel until idle"),
    "sign_off": _("sign-off"), "parameter_download": _("parameter download"), "status_upload": _("status upload"),
    "capk_update": _("CA key update"), "ic_parameter_update": _("IC parameter update"),
    "blacklist_update": _("blacklist update"),
    "software_update": _("software update"), "load_firmware": _("load other software"),
    "balance": _("balance"), "refund": _("refund"),
    "pre_authorisation": _("pre-authorisation"), "pre_authorisation_void": _("void of a pre-authorisation"),
    "completion": _("completion"), "completion_void": _("void of a completion"),
    "completion_advice": _("completion advice"), "offline_sale": _("offline sale"),
    "offline_chip_sale": _("offline chip sale"), "offline_adjust": _("offline adjustment"), "offline_tip": _("tip"),
    "select_merchant": _("select the merchant"), "activate": _("activation"), "back_up": _("backup"),
    "restore": _("restore of a backup"),
}  # fmt: skip
VIA: dict[str, Both] = {
    "keypad": _("keypad"), "cashier": _("cashier link"), "service": _("service port"), "operator": _("operator"),
}
OUTCOMES: dict[str, Both] = {"ok": _("done"), "fail": _("not done"), "unknown": _("no readable answer")}

TRANSACTIONS: dict[str, Both] = {
    "sign_in": _("sign-in"), "sign_off": _("sign-off"), "echo": _("echo test"), "sale": _("sale"), "void": _("void"),
    "reversal": _("reversal"), "settlement": _("settlement"), "batch_upload": _("batch upload"),
    "batch_upload_chip": _("batch upload (chip)"), "batch_end": _("end of batch upload"), "balance": _("balance"),
    "refund": _("refund"), "pre_authorisation": _("pre-authorisation"),
    "pre_authorisation_void": _("void of a pre-authorisation"), "completion": _("completion"),
    "completion_void": _("void of a completion"), "completion_advice": _("completion advice"),
    "script_notice": _("script notice"), "signature_upload": _("signature upload"),
    "parameter_download": _("parameter download"), "capk_query": _("CA key list"),
    "capk_download": _("CA key download"), "capk_end": _("end of CA key download"),
    "ic_parameter_query": _("IC parameter list"), "ic_parameter_download": _("IC parameter download"),
    "ic_parameter_end": _("end of IC parameter download"), "blacklist_download": _("blacklist download"),
    "blacklist_end": _("end of blacklist download"), "software_query": _("question for software"),
    "software_download": _("software block"), "software_end": _("end of software download"),
    "offline_sale": _("offline sale"),
    "offline_chip_sale": _("offline chip sale"), "offline_adjust": _("offline adjustment"), "offline_tip": _("tip"),
    "status_upload": _("status upload"), "activation": _("activation"), "unknown": _("unknown message"),
}  # fmt: skip

CHANGES: dict[str, Both] = {
    "merchant_registered": _("merchant registered"), "merchant_removed": _("merchant removed"),
    "merchant_suspended": _("merchant suspended"), "merchant_restored": _("merchant restored"),
    "terminal_registered": _("terminal registered"), "terminal_removed": _("terminal removed"),
    "terminal_suspended": _("terminal suspended"), "terminal_restored": _("terminal restored"),
    "activation_offered": _("activation offered"), "unit_swapped": _("another unit to take its place"),
    "terminal_pending": _("registration under review"), "terminal_rejected": _("registration rejected"),
    "tmk_issued": _("new TMK issued"), "signed_out": _("signed out by the host"), "batch_set": _("batch number set"),
    "clock_set": _("host clock set"), "clock_cleared": _("host clock back to normal"),
    "download_demanded": _("download demanded by the host"), "downloads_replaced": _("new data to download"),
    "software_offered": _("software offered"), "software_withdrawn": _("no software offered any more"),
}  # fmt: skip
CONNECTION: dict[str, Both] = {
    "opening": _("connecting"), "open": _("connected"), "refused": _("connection refused"),
    "closed": _("connection closed"), "reset": _("connection reset"),
}  # fmt: skip
SIDES: dict[str, Both] = {"terminal": _("by the terminal"), "acquirer": _("by the acquirer")}
PHASES: dict[str, Both] = {"setup": _("setup"), "body": _("test"), "conclude": _("restore and reconcile")}
POWER: dict[tuple[str, str], Both] = {
    ("on", "operator"): _("power on"), ("off", "operator"): _("power off"),
    ("off", "cut"): _("power cut"), ("on", "cut"): _("power on"),
    ("off", "watchdog"): _("reset by its watchdog"), ("on", "watchdog"): _("started again after its watchdog"),
    ("off", "brown_out"): _("off for want of voltage"), ("on", "brown_out"): _("power back after want of voltage"),
    ("off", "battery"): _("off, its battery is empty"), ("on", "battery"): _("power back after an empty battery"),
}  # fmt: skip
HEALED: dict[str, Both] = {
    "used_up": _("used up"), "over": _("its time is over"), "asked": _("healed"),
    "died": _("the injector died"),
}  # fmt: skip
OUTAGES: dict[str, Both] = {"link": _("cable out"), "power": _("no power")}
KINDS: dict[str, Both] = {
    "emulated": _("emulated"), "physical-like": _("emulated, physical-like"), "physical": _("physical"),
}
CASHIER_TAGS: dict[str, Both] = {
    "DF01": _("class"), "DF02": _("type"), "DF03": _("amount"), "DF04": _("random"), "DF07": _("result"),
    "DF08": _("original trace"), "DF09": _("text"), "DF10": _("trace"), "DF11": _("batch"), "DF12": _("amount"),
    "DF13": _("card number"), "DF14": _("reference"), "DF15": _("original reference"), "DF16": _("original date"),
    "DF17": _("authorisation"), "DF18": _("tip"), "DF19": _("balance of the card"),
}  # fmt: skip
CASHIER_RESULTS: dict[str, Both] = {
    "Z1": _("no connection"), "Z2": _("no answer"), "Z3": _("invalid answer"), "Z4": _("not signed in"),
    "Z5": _("cancelled"), "Z6": _("busy"), "Z7": _("bad command"), "Z8": _("settle first"),
    "Z9": _("a reversal did not get through"), "ZA": _("the card was refused"), "ZB": _("not allowed"),
}  # fmt: skip
ARGUMENTS: dict[str, Both] = {
    "amount": _("amount"), "entry": _("entry"), "pin": _("PIN"), "trace": _("trace"), "tid": _("terminal"),
    "mid": _("merchant"), "batch": _("batch"), "reference": _("reference"), "date": _("date"),
    "authorisation": _("authorisation"), "tip": _("tip"), "number": _("merchant"),
}  # fmt: skip
FAMILIES: dict[str, Both] = {
    "MSG": _("What is shown"), "MON": _("Money"), "STA": _("State"), "REC": _("Recovery"), "INS": _("Installation"),
    "FWU": _("Firmware update"), "NET": _("Network faults"), "ENV": _("Environment and hardware"),
    "SEC": _("Security"), "FLT": _("Fleet"),
}  # fmt: skip
QUANTITIES: dict[str, Both] = {
    "temperature_c": _("temperature"), "humidity_pct": _("humidity"), "voltage_v": _("supply voltage"),
}  # fmt: skip
DISTURBANCES: dict[str, Both] = {
    "burst": _("burst"), "esd": _("electrostatic discharge"), "surge": _("surge"), "field": _("radio-frequency field"),
    "dip": _("voltage dip"), "interruption": _("voltage interruption"),
}  # fmt: skip
PARTS: dict[str, Both] = {
    "magnetic_reader": _("magnetic reader"), "chip_reader": _("chip reader"),
    "contactless_reader": _("contactless reader"), "printer": _("printer"), "paper": _("paper"),
    "battery": _("battery"), "clock_battery": _("clock battery"), "clock": _("clock"), "tamper": _("tamper switch"),
    "keypad": _("keypad of the terminal"), "screen": _("screen"),
}  # fmt: skip
PART_STATES: dict[str, Both] = {
    "ok": _("whole"), "worn": _("worn"), "dead": _("dead"), "hot": _("too hot"), "out": _("run out"), "low": _("low"),
    "drifting": _("drifting"), "lost": _("lost"), "open": _("case open"),
}  # fmt: skip
STEP_STATES: dict[str, Both] = {"begun": _("begins"), "reached": _("is reached"), "ended": _("is over")}
SAFE: dict[str, Both] = {
    "asked": _("asked for"), "test_ended": _("end of the test"), "hung": _("the test hung"),
    "runner_died": _("the runner died"),
}  # fmt: skip
METHODS: dict[str, Both] = {
    "set_climate": _("set climate"), "set_voltage": _("set voltage"), "set_current_limit": _("set current limit"),
    "output": _("output"), "dip": _("dip"), "switch": _("switch"), "arm": _("arm"), "fire": _("fire"),
    "disarm": _("disarm"), "radiate": _("radiate"), "swipe": _("swipe"), "insert": _("insert"), "remove": _("remove"),
    "tap": _("tap"), "press": _("press"), "snapshot": _("snapshot"), "close_contact": _("close contact"),
    "open_contact": _("open contact"), "make_safe": _("make safe"),
}  # fmt: skip


def named(table: dict[str, Both], name: str) -> Both:
    """The entry, or the name itself with its underscores as blanks: a word of a newer version still reads."""
    return table.get(name) or same(name.replace("_", " "))


def cents(amount: str | int) -> str:
    """1200 -> 12.00; what is no number stays as it is."""
    text = str(amount)
    return f"{int(text) / 100:.2f}" if text.isdigit() else text
