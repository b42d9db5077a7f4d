"""A model: what its vendor declares it offers. Data lives in ``lab_config/models/*.yaml``."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

Function = Literal["sign_in", "sale", "void", "settle", "echo", "reprint", "manage"]


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
    menu: list[Function]  # order of the function menu: item n is chosen with digit n
    entry: list[Literal["magnetic", "chip"]]
    pin_pad: bool = True
    cashier_link: bool = True
    service_port: bool = True
    offers: list[Literal["wire", "host_journal", "screen", "slip", "cashier", "counters", "power"]]
    transactions: list[Literal["sign_in", "echo", "sale", "void", "settle"]]
    idle_texts: list[str]
    not_applicable: dict[str, str] = {}  # requirement -> the vendor's reason; some requirements can't be waived
