"""What is handed in: the application of a merchant, the binding of a unit. Every element is checked on its own, so that
what is wrong or missing can be named.

Shapes: unified social credit code GB 32100-2015; tax certificate 15, 18 or 20 characters (before, since and around the
merger of the certificates in 2015); the five elements of a binding 银发〔2021〕259号. Institution codes of 8 or 11
digits and 4-digit region and category codes are what public frames and tables of UnionPay have.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from harness.acquirer.registration import uscc
from harness.errors import BadInput

DeviceType = Literal["01", "02", "03", "04"]  # cash machine, POS, mobile POS, smart POS
DEVICE_TYPES: tuple[str, ...] = get_args(DeviceType)
LARGEST_CAP = 10_000_000  # cents


class Refused(BadInput):
    """What was handed in can't be taken. ``problems``: (element, problem) pairs; an element is a path with dots."""

    def __init__(self, problems: Iterable[tuple[str, str]]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(f"{element}: {problem}" for element, problem in self.problems))


class Unknown(BadInput):
    """There is no such merchant, terminal, code or batch."""


class NotNow(BadInput):
    """The step does not go from the present state."""


class MerchantNotActive(NotNow):
    """Its merchant has no row at the switch, or not an active one."""


def _uscc(value: str) -> str:
    problem = uscc.problem_with(value)
    if problem:
        raise ValueError(problem)
    return value


def _printable(value: str) -> str:
    if not value.isprintable() or value != value.strip():
        raise ValueError("only printable text without spaces around it may stand there")
    return value


def _text(longest: int) -> Any:
    return Annotated[str, Field(min_length=1, max_length=longest), AfterValidator(_printable)]


Mid = Annotated[str, Field(pattern=r"^[0-9A-Za-z]{15}$", description="merchant code, 15 characters")]
Tid = Annotated[str, Field(pattern=r"^[0-9A-Za-z]{8}$", description="terminal number, 8 characters")]
SerialNumber = Annotated[str, Field(pattern=r"^[0-9A-Za-z]{4,50}$", description="serial number of the unit (TUSN)")]
Uscc = Annotated[
    str, AfterValidator(_uscc),
    Field(  # in the schema alone: the validator says more exactly what is wrong
        json_schema_extra={"pattern": f"^{uscc.SHAPE}$"}, description="unified social credit code, GB 32100-2015",
    ),
]
Account = Annotated[str, Field(pattern=r"^[0-9]{8,30}$", description="settlement account")]
AcquirerCode = Annotated[str, Field(pattern=r"^[0-9]{8}([0-9]{3})?$", description="institution code of the acquirer")]
TaxCertificate = Annotated[str, Field(pattern=r"^([0-9A-Z]{15}|[0-9A-Z]{18}|[0-9A-Z]{20})$")]
Reason = _text(200)


class Document(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Location(Document):
    """Where the terminal stands: UnionPay's 4-digit region code, and the address."""

    region: Annotated[str, Field(pattern=r"^[0-9]{4}$")]
    address: _text(120)  # type: ignore[valid-type]


class Contact(Document):
    name: _text(40)  # type: ignore[valid-type]
    phone: Annotated[str, Field(pattern=r"^\+?[0-9][0-9 -]{5,20}$")]


class FeeRate(Document):
    """``basis_points``: hundredths of a percent. ``cap``: at most so many cents a transaction; null: no cap."""

    basis_points: Annotated[int, Field(ge=0, le=10_000)]
    cap: Annotated[int, Field(ge=0, le=LARGEST_CAP)] | None = None


class FeeRates(Document):
    debit: FeeRate
    credit: FeeRate
    scan: FeeRate


class Application(Document):
    """A merchant's application. ``category``: merchant category code (MCC). ``mid``: the wanted merchant code, where
    the terminals have one already; else one is assigned."""

    company: _text(80)  # type: ignore[valid-type]
    uscc: Uscc
    tax_certificate: TaxCertificate
    settlement_account: Account
    acquirer_code: AcquirerCode
    category: Annotated[str, Field(pattern=r"^[0-9]{4}$")] = "5999"
    location: Location
    contact: Contact
    fees: FeeRates
    mid: Mid | None = None


class BindingRequest(Document):
    """A unit for a merchant: its serial number and the five elements. ``tid``: the wanted terminal number."""

    serial_number: SerialNumber
    device_type: DeviceType = "02"
    acquirer_code: AcquirerCode
    mid: Mid
    uscc: Uscc
    settlement_account: Account
    location: Location
    tid: Tid | None = None

    def elements(self) -> dict[str, str]:
        """The five elements as they are kept with the binding."""
        return {
            "acquirer_code": self.acquirer_code, "mid": self.mid, "uscc": self.uscc,
            "settlement_account": self.settlement_account,
            "location": f"{self.location.region} {self.location.address}",
        }


class Finding(Document):
    """Why an application was rejected: an element and what is wrong with it."""

    element: _text(60)  # type: ignore[valid-type]
    problem: _text(200)  # type: ignore[valid-type]


def problems_of(error: ValidationError) -> list[tuple[str, str]]:
    """(element, problem) of what pydantic found."""
    return [told(found) for found in error.errors()]


def told(error: Any, skip: int = 0) -> tuple[str, str]:
    """(element, problem) of one entry of pydantic's ``errors()``; ``skip``: so many steps of its place are left out."""
    element = ".".join(str(step) for step in error["loc"][skip:]) or "document"
    problem = str(error["msg"]).removeprefix("Value error, ")
    return element, {"missing": "missing", "extra_forbidden": "there is no such element"}.get(error["type"], problem)
