"""A model: what its vendor declares it offers. Data lives in ``lab_config/models/*.yaml``."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from harness.terminal.surroundings import Surroundings

Transaction = Literal[
    "sign_in", "sign_off", "echo", "parameter_download", "status_upload", "capk_update", "ic_parameter_update",
    "blacklist_update", "software_update", "balance", "sale", "void", "refund", "pre_authorisation",
    "pre_authorisation_void",
    "completion", "completion_void", "completion_advice", "offline_sale", "offline_chip_sale", "offline_adjust",
    "offline_tip", "settle",
]
Function = Literal[Transaction, "reprint", "select_merchant", "manage"]
EntryMode = Literal["manual", "magnetic", "chip", "contactless", "scan"]


class Submenu(BaseModel):
    """A menu entry that opens another menu."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    title: str
    items: list[Function]


class ScreenGeometry(BaseModel):
    """Pixels, and the character grid in them: cells of (8 x 16) * scale from the origin."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    width: int
    height: int
    scale: int = 1
    origin: tuple[int, int] = (0, 0)


class Model(BaseModel):
    """One terminal model. Everything a requirement may ask of it is either declared here or INCONCLUSIVE."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str
    title: str
    screen: ScreenGeometry
    slip_width: int = 384
    menu: list[Function | Submenu]  # order of the function menu: item n (1 to 10) is chosen with its last digit
    entry: list[EntryMode]
    pin_pad: bool = True
    signature_pad: bool = False  # asks for a signature after a card transaction without PIN, and uploads it
    identities: int = 1  # merchants that share the terminal, each with its TID, keys and batch
    links: list[Literal["tcp", "tcp_standing", "tls", "http"]] = ["tcp"]
    networks: list[Literal["static", "dhcp"]] = ["static"]  # how it can get its address; the usual one first
    names: bool = False  # resolves its host by name
    modem: bool = False  # its network is a mobile one
    backup_host: bool = False  # knows a second host address to fall back to
    cashier_link: bool = True
    service_port: bool = True
    offers: list[Literal["wire", "host_journal", "screen", "slip", "cashier", "counters", "power", "chip"]]
    transactions: list[Transaction]
    idle_texts: list[str]
    surroundings: Surroundings | None = None  # None: nothing is declared, and ENV rules are undecided
    not_applicable: dict[str, str] = {}  # requirement -> the vendor's reason; some requirements can't be waived

    def keys_to(self, function: str) -> tuple[str, ...] | None:
        """The digits that choose ``function`` from the function menu; None where the menu has it not."""
        for number, entry in enumerate(self.menu, 1):
            if entry == function:
                return (str(number % 10),)
            if isinstance(entry, Submenu) and function in entry.items:
                return str(number % 10), str((entry.items.index(function) + 1) % 10)
        return None
