"""What a whole image is said to hold, and when it is not the image that was asked for."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path
from typing import Any, get_args

import images
import numpy as np
import pytest

from scheduler.imaging import facts
from scheduler.imaging.child import answer
from scheduler.imaging.facts import Expectation, ImageFacts, Verdict
from scheduler.imaging.judge import judge
from scheduler.imaging.requests import Check
from scheduler.protocol import renderers

PIXELS_MAX = 10_000


def check(path: Path, kind: Any = "png", **expect: Any) -> Verdict:
    return answer(Check(str(path), Expectation(kind, **expect)), PIXELS_MAX)


def facts_of(path: Path, data: bytes, kind: Any = "png") -> ImageFacts:
    path.write_bytes(data)
    verdict = check(path, kind)
    assert verdict.ok, verdict
    assert verdict.facts is not None
    return verdict.facts


def test_the_formats_are_those_of_the_wire() -> None:
    assert get_args(facts.Format) == get_args(renderers.Format)


@pytest.mark.parametrize(
    ("channels", "names"), [(1, ("Y",)), (2, ("Y", "A")), (3, ("R", "G", "B")), (4, ("R", "G", "B", "A"))]
)
def test_png_facts(channels: int, names: tuple[str, ...], tmp_path: Path) -> None:
    found = facts_of(tmp_path / "a.png", images.png(images.pixels(channels=channels)))

    assert (found.width, found.height, found.channels, found.depth) == (40, 24, names, "8")
    assert not found.black
    assert not found.constant


@pytest.mark.parametrize(("depth", "colour"), [(1, 0), (2, 0), (4, 0), (16, 0), (16, 2), (16, 4), (16, 6), (8, 3)])
def test_every_kind_of_png_is_read(depth: int, colour: int, tmp_path: Path) -> None:
    samples = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    rows = bytes(range(1, 1 + 8 * samples * depth // 8)) * 5
    between = [images.chunk(b"PLTE", bytes(range(3 * 40)))] if colour == 3 else []

    found = facts_of(tmp_path / "a.png", images.raw_png(8, 5, depth, colour, rows, *between))

    assert (found.width, found.height, found.depth) == (8, 5, str(depth))
    assert not found.constant


def test_a_palette_with_transparency_has_an_alpha_channel(tmp_path: Path) -> None:
    between = images.chunk(b"PLTE", bytes(9)), images.chunk(b"tRNS", b"\x00\x80")

    found = facts_of(tmp_path / "a.png", images.raw_png(2, 2, 8, 3, b"\0\1\1\2", *between))

    assert found.channels == ("R", "G", "B", "A")
    assert found.black
    assert not found.constant


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (4, 8), (9, 7)])
def test_an_interlaced_png_is_counted_to_its_last_pass(size: tuple[int, int], tmp_path: Path) -> None:
    width, height = size
    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    lines = [len(range(x, width, dx)) for x, y, dx, dy in passes for _ in range(y, height, dy) if x < width]
    whole = _interlaced(width, height, b"".join(b"\0" + b"\x40" * line for line in lines))

    assert facts_of(tmp_path / "a.png", whole).constant
    short = _interlaced(width, height, b"".join(b"\0" + b"\x40" * line for line in lines[:-1]))
    (tmp_path / "b.png").write_bytes(short)
    assert check(tmp_path / "b.png").code in ("truncated", "corrupt")


def _interlaced(width: int, height: int, scanlines: bytes) -> bytes:
    header = images.chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 1))
    pixels = images.chunk(b"IDAT", zlib.compress(scanlines))
    return b"\x89PNG\r\n\x1a\n" + header + pixels + images.chunk(b"IEND", b"")


def test_jpeg_facts(tmp_path: Path) -> None:
    found = facts_of(tmp_path / "a.jpg", images.jpeg(progressive=True), "jpg")

    assert (found.width, found.height, found.channels, found.depth, found.format) == (
        40,
        24,
        ("R", "G", "B"),
        "8",
        "jpg",
    )


@pytest.mark.parametrize("value", [0, 128, 255])
def test_luminance_is_linear(value: int, tmp_path: Path) -> None:
    found = facts_of(tmp_path / "a.png", images.png(np.full((24, 40, 3), value, np.uint8)))

    assert found.luminance_mean == pytest.approx({0: 0.0, 128: 0.21586, 255: 1.0}[value], abs=1e-4)
    assert found.constant
    assert found.black == (value == 0)


def test_black_looks_at_colour_and_constant_at_everything(tmp_path: Path) -> None:
    array = np.zeros((24, 40, 4), np.uint8)
    array[3, 3, 3] = 9

    found = facts_of(tmp_path / "a.png", images.png(array))

    assert found.black
    assert not found.constant


@pytest.mark.parametrize("compression", [*images.EXR_CHECKED, *images.EXR_UNCHECKED])
@pytest.mark.parametrize(("dtype", "depth"), [(np.float16, "half"), (np.float32, "float"), (np.uint32, "uint")])
def test_exr_facts(compression: str, dtype: Any, depth: str, tmp_path: Path) -> None:
    path = images.exr(tmp_path / "a.exr", images.rgb_planes(dtype=dtype), compression=compression)

    verdict = check(path, "exr", width=40, height=24)

    assert verdict.ok, verdict
    assert verdict.facts is not None
    assert (verdict.facts.depth, verdict.facts.channels) == (depth, ("B", "G", "R"))


def test_a_tiled_exr_is_read(tmp_path: Path) -> None:
    assert check(images.exr(tmp_path / "a.exr", images.rgb_planes(100, 70), tiled=True), "exr", width=100, height=70).ok


def test_a_multilayer_exr_tells_all_channels_and_its_combined_luminance(tmp_path: Path) -> None:
    ones = np.full((24, 40), 0.5, np.float16)
    layers = {f"View.Combined.{name}": ones for name in "RGBA"} | {f"View.Albedo.{name}": ones * 2 for name in "RGB"}
    path = images.exr(tmp_path / "a.exr", layers | {"View.Depth.Z": ones.astype(np.float32)})

    found = check(path, "exr").facts

    assert found is not None
    assert found.channels == tuple(sorted([*layers, "View.Depth.Z"]))
    assert found.luminance_mean == pytest.approx(0.5)
    assert set(found.depth.split("+")) == {"half", "float"}


def test_a_multipart_exr_tells_the_channels_of_each_part(tmp_path: Path) -> None:
    z = np.ones((24, 40), np.float32)
    path = images.exr_parts(tmp_path / "a.exr", {"depth": {"Z": z}, "beauty": images.rgb_planes()})

    found = check(path, "exr").facts

    assert found is not None
    assert found.channels == ("depth/Z", "beauty/B", "beauty/G", "beauty/R")
    assert 0.4 < found.luminance_mean < 0.6


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_nan_and_infinity_are_counted(dtype: Any, tmp_path: Path) -> None:
    planes = images.rgb_planes(dtype=dtype)
    planes["R"][:6] = np.nan
    planes["G"][0, :2] = [np.inf, -np.inf]
    path = images.exr(tmp_path / "a.exr", planes)

    verdict = check(path, "exr")

    assert (verdict.ok, verdict.code) == (False, "has_nan")
    assert verdict.message == "8.3% of the image's samples are not numbers (NaN)."
    assert verdict.facts is not None
    assert verdict.facts.nan_ratio == pytest.approx(240 / 2880)
    assert verdict.facts.inf_ratio == pytest.approx(2 / 2880)
    assert np.isfinite(verdict.facts.luminance_mean)
    assert check(path, "exr", nan_allowed=True).ok


def test_the_size_of_an_exr_is_its_display_window(tmp_path: Path) -> None:
    window = (np.array([0, 0], np.int32), np.array([63, 31], np.int32))
    path = images.exr(tmp_path / "a.exr", header={"displayWindow": window})

    found = check(path, "exr").facts

    assert found is not None
    assert (found.width, found.height) == (64, 32)


FACTS = ImageFacts(640, 360, ("R", "G", "B"), "8", "png", 0.0, 0.0, False, False, 0.5)


@pytest.mark.parametrize(
    ("expect", "code", "message"),
    [
        (Expectation("png", 640, 360), "ok", "A whole 640×360 PNG image."),
        (Expectation("png"), "ok", "A whole 640×360 PNG image."),
        (Expectation("png", 640), "ok", "A whole 640×360 PNG image."),
        (Expectation("png", 1920, 1080), "wrong_size", "The image is 640×360 where 1920×1080 was asked for."),
        (Expectation("png", None, 720), "wrong_size", "The image is 640×360 where any width×720 was asked for."),
        (Expectation("exr", 640, 360), "wrong_format", "The file is a PNG image where an EXR was asked for."),
    ],
)
def test_the_verdict_says_what_is_wrong(expect: Expectation, code: str, message: str) -> None:
    verdict = judge(FACTS, expect)

    assert (verdict.code, verdict.message, verdict.ok) == (code, message, code == "ok")
    assert verdict.facts == FACTS


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "file_empty"),
        (b"\x89PNG", "truncated"),
        (b"hello, world, this is a text", "not_an_image"),
        (b"GIF89a" + bytes(100), "not_an_image"),
        (b"BLENDER-v304RENDH", "not_an_image"),
        (images.jpeg(), "wrong_format"),
        (images.png(images.pixels(200, 100)), "too_many_pixels"),
    ],
)
def test_what_is_not_the_image(data: bytes, code: str, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(data)

    verdict = check(tmp_path / "a.png")

    assert (verdict.ok, verdict.code) == (False, code)
    assert verdict.message.endswith(".")


def test_an_exr_with_too_many_pixels_is_not_decoded(tmp_path: Path) -> None:
    assert check(images.exr(tmp_path / "a.exr", images.rgb_planes(200, 100)), "exr").code == "too_many_pixels"


def test_only_regular_files_are_opened(tmp_path: Path) -> None:
    (tmp_path / "good.png").write_bytes(images.png())
    (tmp_path / "link.png").symlink_to(tmp_path / "good.png")
    os.mkfifo(tmp_path / "pipe.png")

    assert check(tmp_path / "none.png").code == "file_missing"
    assert check(tmp_path / "link.png").code == "file_unreadable"
    assert check(tmp_path / "pipe.png").code == "not_a_file"
    assert check(tmp_path).code == "not_a_file"
