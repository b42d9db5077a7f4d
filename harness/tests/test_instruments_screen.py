"""The screen reader: every glyph of the known font is read back, and what is no glyph is said to be unreadable."""

from __future__ import annotations

import io
import random
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from harness.emulator import font
from harness.instruments.glyphs import UNREADABLE, GlyphReader
from harness.instruments.panel import Frame
from harness.instruments.printer import SlipReader
from harness.instruments.screen import ScreenReader
from harness.terminal.model import ScreenGeometry

FONT = font.load()
HT_100 = ScreenGeometry(width=320, height=240)
HT_200 = ScreenGeometry(width=480, height=320, scale=2)
ODD = ScreenGeometry(width=408, height=300, scale=3, origin=(13, 7))
SHIFTED = ScreenGeometry(width=328, height=250, origin=(5, 9))
GEOMETRIES = [HT_100, HT_200, ODD, SHIFTED]


def draw(lines: list[str], geometry: ScreenGeometry) -> bytes:
    """An independent, slow renderer: pixel by pixel."""
    pixels = [bytearray(geometry.width) for _ in range(geometry.height)]
    left, top, scale = *geometry.origin, geometry.scale
    for row, line in enumerate(lines):
        x = left
        for character in line:
            glyph = FONT.glyph(character)
            assert glyph is not None
            width = len(glyph) // 2
            for dot in range(width * 16):
                if glyph[dot // 8] >> (7 - dot % 8) & 1:
                    for copy in range(scale * scale):
                        y_at = top + (row * 16 + dot // width) * scale + copy // scale
                        pixels[y_at][x + dot % width * scale + copy % scale] = 1
            x += width * scale
    return b"".join(int("".join(map(str, row)), 2).to_bytes(geometry.width // 8, "big") for row in pixels)


def frame(bits: bytes, geometry: ScreenGeometry) -> Frame:
    return Frame(0, 1, geometry.width, geometry.height, bits)


def canonical() -> dict[str, str]:
    """Characters that look alike -> the one that is read. Made from the font, not from the reader."""
    first: dict[bytes, str] = {}
    every = {**FONT.narrow(), **FONT.wide()}
    for character in sorted(every):
        first.setdefault(every[character], character)
    return {character: first[bitmap] for character, bitmap in every.items()} | {"\u3000": "  "}


CANONICAL = canonical()


def screens(geometry: ScreenGeometry, characters: str) -> Iterator[list[str]]:
    """All characters, spread over as many screens as it takes."""
    columns = (geometry.width - geometry.origin[0]) // (8 * geometry.scale)
    rows = (geometry.height - geometry.origin[1]) // (16 * geometry.scale)
    lines, line, used = [], "", 0
    for character in characters:
        glyph = FONT.glyph(character)
        assert glyph is not None
        if used + len(glyph) // 16 > columns:
            lines.append(line)
            line, used = "", 0
        line, used = line + character, used + len(glyph) // 16
    lines.append(line)
    for start in range(0, len(lines), rows):
        yield lines[start : start + rows]


def test_the_font_has_every_character_that_a_terminal_shows() -> None:
    for character in "欢迎使用请按确认键消费应答码终端未登记联系收单行或银联,。()(),:: 0123456789ABCDEFabcdef*":
        assert FONT.glyph(character) is not None, character
    assert FONT.glyph("😀") is None and FONT.glyph("\x07") is None
    assert len(FONT.narrow()) == 393 and len(FONT.wide()) == 7194


@pytest.mark.parametrize("geometry", [HT_100, HT_200])
def test_every_glyph_round_trips(geometry: ScreenGeometry) -> None:
    reader = GlyphReader(geometry.width, scale=geometry.scale, origin=geometry.origin)
    everything = "".join(sorted({**FONT.narrow(), **FONT.wide()}))
    seen = 0
    for lines in screens(geometry, everything):
        text = reader.read(draw(lines, geometry), geometry.height)
        assert text.unreadable == 0
        assert text.lines == ["".join(CANONICAL[character] for character in line).rstrip() for line in lines]
        seen += sum(map(len, lines))
    assert seen == len(everything) == 7587


def test_characters_that_look_alike_read_as_the_ascii_one() -> None:
    assert [CANONICAL[character] for character in "АΑ:Х"] == ["A", "A", ":", "X"]


texts = st.lists(st.text(st.sampled_from(sorted({*FONT.narrow(), *FONT.wide()})), max_size=9), max_size=5)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(GEOMETRIES), texts)
def test_any_text_is_read_back(geometry: ScreenGeometry, lines: list[str]) -> None:
    lines = [line[: (geometry.width - geometry.origin[0]) // (16 * geometry.scale)] for line in lines]
    expected = ["".join(CANONICAL[character] for character in line).rstrip() for line in lines]
    while expected and not expected[-1]:
        expected.pop()
    reading = ScreenReader(geometry).read(frame(draw(lines, geometry), geometry))
    assert (reading.lines, reading.unreadable) == (expected, 0)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(GEOMETRIES), texts, st.data())
def test_noise_is_never_read_as_something_else(geometry: ScreenGeometry, lines: list[str], data: st.DataObject) -> None:
    """If nothing is unreadable, then what was read looks exactly like the picture."""
    lines = [line[: (geometry.width - geometry.origin[0]) // (16 * geometry.scale)] for line in lines]
    bits = bytearray(draw(lines, geometry))
    for at in data.draw(st.lists(st.integers(0, len(bits) * 8 - 1), min_size=1, max_size=4)):
        bits[at // 8] ^= 1 << at % 8
    reading = ScreenReader(geometry).read(frame(bytes(bits), geometry))
    assert reading.unreadable or draw(reading.lines, geometry) == bits
    assert sum(line.count(UNREADABLE) for line in reading.lines) <= reading.unreadable


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_one_wrong_pixel_makes_its_character_unreadable(geometry: ScreenGeometry) -> None:
    bits = bytearray(draw(["应答码:97"], geometry))
    left, top, scale = *geometry.origin, geometry.scale
    x, y = left + (7 * 8 + 4) * scale, top + 1 * scale  # above the 9
    bits[y * geometry.width // 8 + x // 8] ^= 0x80 >> x % 8
    reading = ScreenReader(geometry).read(frame(bytes(bits), geometry))
    assert reading.lines == [f"应答码:{UNREADABLE}7"]
    assert reading.unreadable == 1


@pytest.mark.parametrize(("geometry", "at"), [
    (SHIFTED, (2, 100)), (SHIFTED, (100, 3)), (ODD, (407, 150)), (SHIFTED, (9, 249)),
])
def test_something_outside_the_grid_counts_as_unreadable(geometry: ScreenGeometry, at: tuple[int, int]) -> None:
    bits = bytearray(draw(["97"], geometry))
    bits[at[1] * geometry.width // 8 + at[0] // 8] |= 0x80 >> at[0] % 8
    reading = ScreenReader(geometry).read(frame(bytes(bits), geometry))
    assert (reading.lines, reading.unreadable) == (["97"], 1)


def test_a_blank_screen_has_no_lines_and_rows_keep_their_places() -> None:
    reader = ScreenReader(HT_100)
    assert reader.read(frame(bytes(9600), HT_100)).lines == []
    assert reader.read(frame(draw(["", "97", "", ""], HT_100), HT_100)).lines == ["", "97"]


def test_a_picture_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="320x240"):
        GlyphReader(320).read(bytes(100), 240)


def test_a_slip_is_read_whatever_its_length() -> None:
    lines = ["签购单", "应答码:97", "", *[f"{number:03}" for number in range(100)]]
    geometry = ScreenGeometry(width=384, height=16 * len(lines))
    reading = SlipReader().read(frame(draw(lines, geometry), geometry))
    assert (reading.lines, reading.unreadable) == (lines, 0)


def test_the_png_shows_the_same_pixels() -> None:
    bits = draw(["终端未登记"], HT_100)
    picture = Image.open(io.BytesIO(ScreenReader(HT_100).read(frame(bits, HT_100)).png))
    assert (picture.mode, picture.size) == ("1", (320, 240))
    assert bytes(255 - byte for byte in picture.tobytes()) == bits


@pytest.mark.parametrize("geometry", [HT_100, HT_200])
def test_a_full_screen_is_read_the_same_each_time(geometry: ScreenGeometry) -> None:
    choose = random.Random(97)
    columns, rows = geometry.width // (16 * geometry.scale), geometry.height // (16 * geometry.scale)
    lines = ["".join(choose.choices("终端未登记请联系收单行或银联", k=columns)) for _ in range(rows)]
    bits, reader = draw(lines, geometry), GlyphReader(geometry.width, scale=geometry.scale)
    for _ in range(3):
        assert reader.read(bits, geometry.height) == (lines, 0)
