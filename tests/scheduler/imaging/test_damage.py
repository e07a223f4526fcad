"""Every truncation is seen, and every bit flip that the format's checksums can show."""

from __future__ import annotations

from pathlib import Path

import images
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.imaging import exr_layout, jpeg, png
from scheduler.imaging.child import answer
from scheduler.imaging.facts import Expectation, Format, ImageFault, Verdict
from scheduler.imaging.requests import Check

PIXELS_MAX = 10_000

EXR_KINDS = [*images.EXR_CHECKED, *images.EXR_UNCHECKED, "tiled", "parts"]


def check(path: Path, kind: Format) -> Verdict:
    return answer(Check(str(path), Expectation(kind)), PIXELS_MAX)


def exr_of_kind(path: Path, kind: str) -> bytes:
    if kind == "parts":
        images.exr_parts(path, {"left": images.rgb_planes(), "right": images.rgb_planes()})
    elif kind == "tiled":
        images.exr(path, tiled=True)
    else:
        images.exr(path, compression=kind)
    return path.read_bytes()


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("png", images.png()),
        ("png", images.png(images.pixels(channels=4))),
        ("jpg", images.jpeg()),
        ("jpg", images.jpeg(progressive=True)),
        ("jpg", images.jpeg(restart_marker_rows=1)),
    ],
)
def test_a_truncated_png_or_jpeg_is_seen_wherever_it_ends(kind: Format, data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "frame"
    path.write_bytes(data)
    assert check(path, kind).ok

    missed = []
    for cut in images.cuts(data):
        path.write_bytes(cut)
        if check(path, kind).ok:
            missed.append(len(cut))

    assert missed == []


@pytest.mark.parametrize("kind", EXR_KINDS)
def test_a_truncated_exr_is_seen_wherever_it_ends(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "frame.exr"
    data = exr_of_kind(path, kind)
    assert check(path, "exr").ok

    for cut in images.cuts(data):
        with pytest.raises(ImageFault):
            exr_layout.check_structure(cut)
    for cut in images.cuts(data, 40):
        path.write_bytes(cut)
        assert not check(path, "exr").ok


def test_every_single_bit_flip_in_a_png_is_seen(tmp_path: Path) -> None:
    data = images.png()
    path = tmp_path / "frame.png"

    missed = []
    for offset, damaged in images.flips(data):
        path.write_bytes(damaged)
        if check(path, "png").ok:
            missed.append(offset)

    assert missed == []


def test_a_flip_of_every_bit_around_the_chunks_of_a_png_is_seen() -> None:
    data = images.png(images.pixels(4, 2))

    for offset in range(len(data)):
        for bit in range(8):
            damaged = bytearray(data)
            damaged[offset] ^= 1 << bit
            with pytest.raises(ImageFault):
                png.check_structure(bytes(damaged))


@pytest.mark.parametrize(("kind", "blocks"), [("ZIP", 2), ("ZIPS", 24), ("PXR24", 2), ("tiled", 2)])
def test_a_bit_flip_in_a_block_with_a_checksum_is_seen(kind: str, blocks: int, tmp_path: Path) -> None:
    """Nearly always: the last byte of a deflate stream has bits without meaning, and Adler-32 collides now and then."""
    path = tmp_path / "frame.exr"
    data = exr_of_kind(path, kind)
    start = images.blocks_start(data, blocks)

    missed = []
    for offset, damaged in images.flips(data[start:]):
        path.write_bytes(data[:start] + damaged)
        if check(path, "exr").ok:
            missed.append(offset)

    assert len(missed) <= 5


@pytest.mark.parametrize("kind", EXR_KINDS)
def test_a_bit_flip_in_the_offset_table_is_seen(kind: str, tmp_path: Path) -> None:
    data = exr_of_kind(tmp_path / "frame.exr", kind)
    blocks = {"parts": 4, "tiled": 2, "NO": 24, "RLE": 24, "ZIPS": 24, "ZIP": 2, "PXR24": 2}.get(kind, 1)
    start = images.blocks_start(data, blocks)

    for _, damaged in images.flips(data[start - 8 * blocks : start], 100):
        with pytest.raises(ImageFault):
            exr_layout.check_structure(data[: start - 8 * blocks] + damaged + data[start:])


@pytest.mark.parametrize("garbage", [b"\0", b"x" * 100, b"\xff\xd9", b"\0\0\0\0IEND\xaeB`\x82"])
def test_bytes_after_the_end_are_seen(garbage: bytes, tmp_path: Path) -> None:
    whole: dict[Format, bytes] = {
        "png": images.png(),
        "jpg": images.jpeg(),
        "exr": images.exr(tmp_path / "good.exr").read_bytes(),
    }

    for kind, data in whole.items():
        path = tmp_path / f"frame.{kind}"
        path.write_bytes(data + garbage)
        assert check(path, kind).code == "trailing_data"


def test_a_missing_piece_in_the_middle_is_seen(tmp_path: Path) -> None:
    whole: dict[Format, bytes] = {
        "png": images.png(),
        "exr": images.exr(tmp_path / "good.exr", compression="ZIPS").read_bytes(),
    }

    for kind, data in whole.items():
        for start in range(len(data) // 3, len(data) - 200, 37):
            path = tmp_path / f"frame.{kind}"
            path.write_bytes(data[:start] + data[start + 150 :])
            assert not check(path, kind).ok, (kind, start)


def test_restart_marks_out_of_order_are_seen() -> None:
    data = images.jpeg(images.pixels(16, 64), restart_marker_rows=1)
    jpeg.check_structure(data)

    with pytest.raises(ImageFault, match="out of order"):
        jpeg.check_structure(data.replace(b"\xff\xd1", b"\xff\xd3", 1))


def test_an_exr_whose_writer_died_is_called_unfinished(tmp_path: Path) -> None:
    data = images.exr(tmp_path / "frame.exr").read_bytes()
    start = images.blocks_start(data, 2)

    with pytest.raises(ImageFault, match="never written") as caught:
        exr_layout.check_structure(data[: start - 8] + bytes(8) + data[start:])

    assert caught.value.code == "truncated"


def test_a_png_whose_pixels_stop_early_under_right_checksums_is_refused(tmp_path: Path) -> None:
    rows = images.pixels().tobytes()
    path = tmp_path / "frame.png"
    path.write_bytes(images.raw_png(40, 24, 8, 2, rows).replace(b"\0\0\0\x18\x08\x02", b"\0\0\0\x19\x08\x02"))
    assert check(path, "png").code == "corrupt"  # the header's own checksum

    short = images.raw_png(40, 23, 8, 2, rows[: 40 * 23 * 3])
    header = images.raw_png(40, 24, 8, 2, rows)[:33]
    path.write_bytes(header + short[33:])
    assert check(path, "png").code == "truncated"  # one row too few


@given(st.binary(max_size=400))
def test_no_bytes_upset_the_walks(data: bytes) -> None:
    for signature, walk in (
        (png.SIGNATURE, png.check_structure),
        (jpeg.SIGNATURE, jpeg.check_structure),
        (exr_layout.SIGNATURE + b"\2\0\0\0", exr_layout.check_structure),
        (exr_layout.SIGNATURE + b"\2\x10\0\0", exr_layout.check_structure),
    ):
        with pytest.raises(ImageFault):
            walk(signature + data)


@given(st.data())
def test_no_damage_upsets_the_walks(data: st.DataObject) -> None:
    """Splices and overwrites of whole files: a verdict or an `ImageFault`, never another exception."""
    whole = data.draw(st.sampled_from(WHOLE))
    start = data.draw(st.integers(0, len(whole[1])))
    end = data.draw(st.integers(start, min(len(whole[1]), start + 40)))
    damaged = whole[1][:start] + data.draw(st.binary(max_size=40)) + whole[1][end:]

    try:
        whole[0](damaged)
    except ImageFault as fault:
        code = fault.code
    else:
        code = "ok"

    assert code in {"ok", "truncated", "corrupt", "trailing_data", "unsupported"}


def _whole_exr(tmp: Path) -> bytes:
    return images.exr_parts(
        tmp, {"a": {"R": np.ones((4, 4), np.float16)}, "b": {"Z": np.ones((4, 4), np.float32)}}
    ).read_bytes()


@pytest.fixture(scope="module", autouse=True)
def _whole(tmp_path_factory: pytest.TempPathFactory) -> None:
    WHOLE[:] = [
        (png.check_structure, images.png()),
        (jpeg.check_structure, images.jpeg(progressive=True)),
        (exr_layout.check_structure, _whole_exr(tmp_path_factory.mktemp("exr") / "a.exr")),
    ]


WHOLE: list = []
