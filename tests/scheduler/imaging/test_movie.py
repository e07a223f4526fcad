"""Movies play, show what the frames show, and are of the frames that are there."""

from __future__ import annotations

import asyncio
import builtins
import sys
from pathlib import Path
from typing import Any

import av
import images
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from scheduler.imaging import filming, movie
from scheduler.imaging.child import answer
from scheduler.imaging.facts import Verdict
from scheduler.imaging.filming import Filming
from scheduler.imaging.requests import Movie

PIXELS_MAX = 1_000_000


def make(paths: list[Path], out: Path, fps: float = 24.0, width_px: int = 1920) -> Verdict:
    return answer(Movie([str(path) for path in paths], str(out), fps, width_px), PIXELS_MAX)


def grey(path: Path, value: int, size: tuple[int, int] = (40, 24)) -> Path:
    path.write_bytes(images.png(np.full((size[1], size[0], 3), value, np.uint8)))
    return path


def shown(path: Path) -> tuple[Any, list[np.ndarray]]:
    """The movie's stream, and its pictures as RGB."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        facts = (stream.codec_context.name, stream.codec_context.pix_fmt, stream.width, stream.height)
        return (*facts, float(stream.average_rate)), [
            frame.to_ndarray(format="rgb24") for frame in container.decode(stream)
        ]


def test_a_movie_of_frames_in_their_order(tmp_path: Path) -> None:
    levels = [20, 90, 160, 230]
    frames = [grey(tmp_path / f"{level}.png", level) for level in levels]

    verdict = make(frames, tmp_path / "m.mp4", fps=25.0)

    facts, pictures = shown(tmp_path / "m.mp4")
    assert (verdict.ok, verdict.message) == (True, "The movie shows 4 of 4 frames.")
    assert facts == ("h264", "yuv420p", 40, 24, 25.0)
    assert [round(float(picture.mean())) for picture in pictures] == pytest.approx(levels, abs=3)
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".mp4", *[".png"] * 4]


def test_the_index_stands_in_front(tmp_path: Path) -> None:
    assert make([grey(tmp_path / "a.png", 128)], tmp_path / "m.mp4").ok

    data = (tmp_path / "m.mp4").read_bytes()
    assert 0 < data.index(b"moov") < data.index(b"mdat")


@pytest.mark.parametrize("rate", [23.976, 24.0, 29.97, 60.0])
def test_the_rate_is_the_one_asked_for(rate: float, tmp_path: Path) -> None:
    assert make([grey(tmp_path / "a.png", 9), grey(tmp_path / "b.png", 99)], tmp_path / "m.mp4", rate).ok

    assert shown(tmp_path / "m.mp4")[0][4] == pytest.approx(rate, abs=0.001)


def test_missing_and_broken_frames_are_left_out(tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(images.png()[:-40])
    frames = [grey(tmp_path / "a.png", 50), tmp_path / "gone.png", broken, grey(tmp_path / "b.png", 200)]

    verdict = make(frames, tmp_path / "m.mp4")

    assert (verdict.ok, verdict.message) == (True, "The movie shows 2 of 4 frames.")
    assert len(shown(tmp_path / "m.mp4")[1]) == 2


def test_black_frames_are_frames(tmp_path: Path) -> None:
    assert make([grey(tmp_path / "a.png", 0), grey(tmp_path / "b.png", 0)], tmp_path / "m.mp4").ok

    assert len(shown(tmp_path / "m.mp4")[1]) == 2


def test_no_frame_at_all_is_no_movie(tmp_path: Path) -> None:
    verdict = make([tmp_path / "gone.png"], tmp_path / "m.mp4")

    assert (verdict.ok, verdict.code) == (False, "not_an_image")
    assert list(tmp_path.iterdir()) == []


def test_an_exr_is_toned_as_its_preview_is(tmp_path: Path) -> None:
    source = images.exr(tmp_path / "a.exr", {"Y": np.full((24, 40), 0.2159, np.float16)})

    assert make([source], tmp_path / "m.mp4").ok
    assert float(shown(tmp_path / "m.mp4")[1][0].mean()) == pytest.approx(128, abs=3)


def test_colours_survive(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(images.png(np.full((24, 40, 3), (200, 60, 30), np.uint8)))

    assert make([tmp_path / "a.png"], tmp_path / "m.mp4").ok
    with av.open(str(tmp_path / "m.mp4")) as container:
        context = container.streams.video[0].codec_context
        assert (context.colorspace, context.color_primaries, context.color_range) == (1, 1, 1)
        frame = next(container.decode(video=0)).reformat(format="rgb24", src_colorspace=1)
    assert frame.to_ndarray().mean(axis=(0, 1)) == pytest.approx((200, 60, 30), abs=5)


@given(st.integers(1, 5000), st.integers(1, 5000))
def test_sides_are_even_and_no_larger(width: int, height: int) -> None:
    even = movie.even_size((width, height))

    assert all(side % 2 == 0 and side >= 2 for side in even)
    assert all(side <= max(2, was) for side, was in zip(even, (width, height), strict=True))


@pytest.mark.parametrize("size", [(41, 25), (1, 1), (3, 2)])
def test_odd_sizes_are_cut(size: tuple[int, int], tmp_path: Path) -> None:
    assert make([grey(tmp_path / "a.png", 128, size)], tmp_path / "m.mp4").ok

    assert shown(tmp_path / "m.mp4")[0][2:4] == movie.even_size(size)


def test_a_wide_frame_is_made_smaller_and_keeps_its_shape(tmp_path: Path) -> None:
    assert make([grey(tmp_path / "a.png", 128, (400, 200))], tmp_path / "m.mp4", width_px=101).ok

    assert shown(tmp_path / "m.mp4")[0][2:4] == (100, 50)


def test_a_frame_of_another_shape_is_fitted_in(tmp_path: Path) -> None:
    frames = [grey(tmp_path / "a.png", 128), grey(tmp_path / "b.png", 128, (24, 24))]

    assert make(frames, tmp_path / "m.mp4").ok
    assert {picture.shape for picture in shown(tmp_path / "m.mp4")[1]} == {(24, 40, 3)}
    assert movie.fitted(Image.new("RGB", (24, 24)), (40, 24)).getpixel((1, 1)) == movie.preview.GROUND


def test_a_movie_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    assert make([grey(tmp_path / "a.png", 128)], tmp_path / "no" / "m.mp4").code == "cannot_write"


def test_without_pyav_there_is_a_verdict_and_no_movie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.partition(".")[0] == "av":
            raise ModuleNotFoundError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    verdict = make([grey(tmp_path / "a.png", 128)], tmp_path / "m.mp4")

    assert (verdict.ok, verdict.code) == (False, "unsupported")
    assert "pip install av" in verdict.message


@pytest.mark.processes
def test_a_movie_is_made_in_a_process_of_its_own(tmp_path: Path) -> None:
    frames = [grey(tmp_path / f"{index}.png", 100 + index) for index in range(12)]
    gaps: list[float] = []

    async def beat() -> None:
        loop = asyncio.get_running_loop()
        while True:
            before = loop.time()
            await asyncio.sleep(0.005)
            gaps.append(loop.time() - before)

    async def film() -> Verdict:
        heart = asyncio.create_task(beat())
        verdict = await Filming().movie(frames, tmp_path / "m.mp4", fps=24.0, width_px=1920)
        heart.cancel()
        return verdict

    verdict = asyncio.run(film())

    assert verdict.ok, verdict
    assert len(shown(tmp_path / "m.mp4")[1]) == 12
    assert max(gaps) < 0.5, "the event loop went on"


@pytest.mark.processes
@pytest.mark.skipif(sys.platform == "win32", reason="address space has no limit there")
def test_a_movie_maker_without_memory_is_a_verdict(tmp_path: Path) -> None:
    frame = grey(tmp_path / "a.png", 128)

    verdict = asyncio.run(Filming(memory_max_bytes=2**20).movie([frame], tmp_path / "m.mp4", fps=24.0, width_px=64))

    assert verdict.code in ("decoder_unavailable", "decoder_crashed", "out_of_memory", "unsupported")


def test_a_movie_has_a_longest_length(tmp_path: Path) -> None:
    frames = [tmp_path / "a.png"] * (filming.MOVIE_FRAMES_MAX + 1)

    verdict = asyncio.run(Filming().movie(frames, tmp_path / "m.mp4", fps=24.0, width_px=64))

    assert verdict.code == "movie_too_long"
