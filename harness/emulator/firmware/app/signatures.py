"""A customer's signature on its way to the host: the picture, compressed, and the receipt that it belongs to. Pure."""

from __future__ import annotations

from . import tlv
from .kinds import KINDS
from .records import Record, State

LARGEST = 999  # bytes of F62
_LONGEST_RUN = 128


def compressed(bitmap: bytes) -> bytes:
    """Runs of equal bytes: a count (1 to 128 with the top bit set) and the byte; other bytes behind their count.

    What does not fit into field 62 is cut off at the end of a run.
    """
    out, at = b"", 0
    while at < len(bitmap):
        run = 1
        while run < _LONGEST_RUN and at + run < len(bitmap) and bitmap[at + run] == bitmap[at]:
            run += 1
        if run > 1:
            piece, at = bytes([0x80 | (run - 1), bitmap[at]]), at + run
        else:
            end = at + 1
            while end < len(bitmap) and end - at < _LONGEST_RUN and bitmap[end] != bitmap[end - 1]:
                end += 1
            end = max(at + 1, end - 1) if end < len(bitmap) else end
            piece, at = bytes([end - at - 1]) + bitmap[at:end], end
        if len(out) + len(piece) > LARGEST:
            break
        out += piece
    return out


def receipt(state: State, record: Record) -> str:
    """F55 of the upload: merchant name, transaction, time; texts in GBK."""
    texts = {
        "FF00": state.parameters.merchant_name or state.mid, "FF01": KINDS[record.kind].title,
        "FF06": f"{record.year}{record.date}{record.time}",
    }
    return tlv.write({tag: text.encode("gbk", "replace").hex().upper() for tag, text in texts.items()})
