"""Small pictures look like the image they stand for."""

from __future__ import annotations

from pathlib import Path

import images
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from scheduler.imaging import preview
from scheduler.imaging.child import answer
from scheduler.imaging.facts import ImageFault, Verdict
from scheduler.imaging.requests import Cell, Preview

PIXELS_MAX = 1_000_000


def make(source: Path, out: Path, width_px: int = 20, kind: str = "png") -> Verdict:
    return answer(Preview(str(source), str(out), width_px, kind), PIXELS_MAX)


def grey(path: Path, value: float, **planes: float) -> Path:
    return images.exr(path, {name: np.full((24, 40), v, np.float16) for name, v in ({"Y": value} | planes).items()})


@pytest.mark.parametrize("kind", ["webp", "png"])
def test_a_preview_keeps_the_shape(kind: str, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(images.png())

    verdict = make(tmp_path / "a.png", tmp_path / "small", 20, kind)

    assert verdict.ok
    with Image.open(tmp_path / "small") as small:
        assert (small.size, small.format) == ((20, 12), kind.upper())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "small"]


def test_a_preview_is_never_larger_than_the_image(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(images.jpeg())

    assert make(tmp_path / "a.jpg", tmp_path / "small", 4000).ok
    with Image.open(tmp_path / "small") as small:
        assert small.size == (40, 24)


@pytest.mark.parametrize(
    ("linear", "srgb"), [(0.0, 0), (0.0021, 7), (0.2159, 128), (0.5, 188), (0.8, 231), (1.0, 247), (60_000.0, 255)]
)
def test_an_exr_is_shown_as_srgb_with_its_highlights_rolled_off(linear: float, srgb: int, tmp_path: Path) -> None:
    assert make(grey(tmp_path / "a.exr", linear), tmp_path / "small").ok

    with Image.open(tmp_path / "small") as small:
        assert small.getpixel((5, 5)) == (srgb,) * 3


@given(st.lists(st.floats(0, 100, width=32), min_size=2, max_size=50))
def test_brighter_never_looks_darker(values: list[float]) -> None:
    encoded = preview.encode(np.sort(np.array(values, np.float32)))

    assert np.all(np.diff(encoded.astype(int)) >= 0)


def test_samples_that_are_no_numbers_do_no_harm(tmp_path: Path) -> None:
    planes = images.rgb_planes()
    planes["R"][:2], planes["G"][2:4], planes["B"][4:6] = np.nan, np.inf, -np.inf

    assert make(images.exr(tmp_path / "a.exr", planes), tmp_path / "small").ok


def test_transparent_pixels_show_the_ground(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(images.png(np.zeros((24, 40, 4), np.uint8)))
    exr = images.exr(tmp_path / "a.exr", {name: np.zeros((24, 40), np.float16) for name in "RGBA"})

    for source in (tmp_path / "a.png", exr):
        assert make(source, tmp_path / "small").ok
        with Image.open(tmp_path / "small") as small:
            assert small.getpixel((5, 5)) == preview.GROUND


def test_a_cropped_exr_lies_where_its_data_window_lies(tmp_path: Path) -> None:
    display = np.array([-10, -4], np.int32), np.array([69, 43], np.int32)
    path = images.exr(tmp_path / "a.exr", {"Y": np.ones((24, 40), np.float16)}, header={"displayWindow": display})

    assert make(path, tmp_path / "small", 80).ok

    with Image.open(tmp_path / "small") as small:
        bright = np.asarray(small)[..., 0] > 100
    rows, columns = np.nonzero(bright)
    assert small.size == (80, 48)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (4, 27, 10, 49)


@pytest.mark.parametrize(("depth", "colour"), [(1, 0), (16, 0), (16, 6), (8, 3)])
def test_every_kind_of_png_has_a_preview(depth: int, colour: int, tmp_path: Path) -> None:
    samples = {0: 1, 3: 1, 6: 4}[colour]
    rows = bytes(range(8 * samples * depth // 8)) * 5
    between = [images.chunk(b"PLTE", bytes(range(120)))] if colour == 3 else []
    (tmp_path / "a.png").write_bytes(images.raw_png(8, 5, depth, colour, rows, *between))

    assert make(tmp_path / "a.png", tmp_path / "small").ok


def test_a_preview_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(images.png())

    assert make(tmp_path / "a.png", tmp_path / "no" / "small").code == "cannot_write"


def test_a_sheet_has_a_cell_for_every_frame(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(images.png(np.full((24, 40, 3), 200, np.uint8)))
    cells = [Cell("0001", str(tmp_path / "a.png")), Cell("0002", None, "truncated"), Cell("\0" * 300, None)]

    sheet = preview.sheet(cells, 2, 40)

    step = 40 + preview.GAP_PX
    assert sheet.size == (2 * step + preview.GAP_PX, 2 * (24 + preview.LABEL_PX + preview.GAP_PX) + preview.GAP_PX)
    assert sheet.getpixel((preview.GAP_PX + 20, preview.GAP_PX + 12)) == (200, 200, 200)
    assert sheet.getpixel((preview.GAP_PX + step, preview.GAP_PX)) == preview.WARNING_INK
    label = np.asarray(sheet.crop((preview.GAP_PX, preview.GAP_PX + 26, step, preview.GAP_PX + 40)))
    assert label.max() > 150, "the label is written"


def test_a_sheet_has_a_largest_size() -> None:
    with pytest.raises(ImageFault, match="smaller cells"):
        preview.sheet([Cell("1", None)] * 900, 30, 2000)
