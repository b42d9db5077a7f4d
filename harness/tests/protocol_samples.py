"""Public frames and Hypothesis strategies for generated ones, shared by the tests of the protocol room."""

from __future__ import annotations

from hypothesis import strategies as st

from harness.protocol.frames import Frame, build
from harness.protocol.spec import FIELDS, FieldSpec

# 0810 declined 97: neither F62 nor F64. Synthetic identities.
S01 = bytes.fromhex(
    "004F60000000096021000000000810003800010AC0001000000116444710090800096500303030303030303030303030393739393939303030"
    "313939373239303035343131303030310011001410090010"
)
# 0800 with the serial number in F62 (yangyongzhen/Easy8583Ans, README).
S05 = bytes.fromhex(
    "0057600501000061310031110808000020000000c0001600000139393939393930363030313433303137303131393939390011000000000030"
    "002553657175656e6365204e6f31323330363039393939393930360003303031"
)
# 0810 approved with a 40-byte F62 that TMK 44 x 16 opens.
S07 = bytes.fromhex(
    "007960000000006022000000000810003800010AC0001400585517420407110848023310303030313130313732333332303031313131313131"
    "353130333239303037303131313233340011000001160030004077264C5EBA2E461248D2A773277A79EA12922DDEC0DF5A74CE24FDB0000000"
    "0000000000DCF475D3"
)
PUBLIC = {"S01": S01, "S05": S05, "S07": S07}

# MTI to F60 of a signed 0200 (CSDN zhu244912654/80005341): single-length TAK, and the F64 that belongs to it.
V1_DATA = bytes.fromhex(
    "0200302004C020C0981100000000000000005100183402100006324392260009942820D1312101120084393136363838303134303030303030"
    "303030303030303031313536ACF46E73838A82F92600000000000000000822000001"
)
V1_TAK = bytes.fromhex("C24A8FB57AA20123")
V1_F64 = b"8A9E91B8"


def framed(body: bytes, head: str = "6000000000602100000000") -> bytes:
    """MTI and what follows, with TPDU, header and length before it."""
    content = bytes.fromhex(head) + body
    return len(content).to_bytes(2, "big") + content


def patched(data: bytes, *changes: tuple[int, str]) -> bytes:
    """``data`` with bytes (hex) put over it at offsets."""
    result = bytearray(data)
    for offset, hexadecimal in changes:
        value = bytes.fromhex(hexadecimal)
        result[offset : offset + len(value)] = value
    return bytes(result)


def values(spec: FieldSpec) -> st.SearchStrategy[str]:
    """Every legal value of a field, in the representation of :class:`Frame`."""
    least = 0 if spec.prefix else spec.size
    most = min(spec.size, 90)
    if spec.kind == "binary":
        return st.binary(min_size=least, max_size=most).map(lambda value: value.hex().upper())
    if spec.kind == "text":
        return st.binary(min_size=least, max_size=most).map(lambda value: value.decode("latin-1"))
    alphabet = "0123456789" if spec.kind == "digits" else "0123456789ABCDEF"
    return st.text(alphabet, min_size=least, max_size=most)


def hexadecimal(size: int) -> st.SearchStrategy[str]:
    """Exactly ``size`` upper-case hex digits."""
    return st.text("0123456789ABCDEF", min_size=size, max_size=size)


@st.composite
def frames(draw: st.DrawFn) -> Frame:
    """Any frame of the dialect; MTIs and message types of the table come up often."""
    numbers = draw(st.sets(st.sampled_from(sorted(FIELDS)), max_size=12))
    fields = {number: draw(values(FIELDS[number])) for number in sorted(numbers)}
    known_f60 = st.sampled_from(["00", "01", "22", "23", "10", "07"]).flatmap(
        lambda kind: st.sampled_from(["", "001", "003", "004", "201", "207", "301", "951"]).map(
            lambda code: f"{kind}000123{code}"
        )
    )
    if 60 in fields and draw(st.booleans()):
        fields[60] = draw(known_f60)
    mti = draw(
        st.sampled_from(["0100", "0200", "0210", "0220", "0320", "0400", "0410", "0500", "0510", "0620", "0800", "0810",
                         "0820", "0830"])
        | st.text("0123456789", min_size=4, max_size=4)
    )  # fmt: skip
    return build(mti, fields, tpdu=draw(hexadecimal(10)), header=draw(hexadecimal(12)))


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A frame with bytes changed, cut or added, and mostly a length that fits what is left."""
    data = bytearray(draw(frames()).raw)
    for _ in range(draw(st.integers(1, 4))):
        position = draw(st.integers(0, len(data) - 1))
        how = draw(st.sampled_from(["set", "cut", "insert"]))
        if how == "set":
            data[position] = draw(st.integers(0, 255))
        elif how == "cut" and position > 2:
            del data[position:]
        else:
            data[position:position] = draw(st.binary(max_size=6))
    if draw(st.booleans()) and len(data) >= 2:
        data[:2] = (len(data) - 2).to_bytes(2, "big")
    return bytes(data)
