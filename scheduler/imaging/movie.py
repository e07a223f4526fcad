"""Movies of frames: H.264 in MP4, for people and for review tools. Runs in a child process only.

Every frame is shown as its preview would be (`scheduler.imaging.preview`). A frame that cannot be decoded is left out,
so that the movie is of those that are there. Encoding is PyAV's libx264, which is under the GPL.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from PIL import Image, ImageOps

from scheduler.imaging import decode, preview
from scheduler.imaging.facts import ImageFault

if TYPE_CHECKING:
    from av.container import OutputContainer

CODEC: Final = "libx264"
PIXEL_FORMAT: Final = "yuv420p"
"""What every player and browser shows; it needs even sides."""

RATE_FACTOR: Final = "18"
"""x264's constant rate factor: visually lossless for review."""

PRESET: Final = "veryfast"
THREADS: Final = 1
"""One, as every decoder process has: a movie must not take a core more from the farm than a check does."""

SIDE_MIN_PX: Final = 2
FPS_DENOMINATOR_MAX: Final = 1001

BT709: Final = 1
"""Matrix, primaries and transfer of HD video (ITU-T H.273). Untagged, players guess by size and shift the colours."""

VIDEO_RANGE: Final = 1
"""Luma from 16 to 235, as players expect it."""


def write(paths: list[Path], out: Path, fps: float, width_px: int, pixels_max: int) -> int:
    """Write the movie beside `out` and rename it; returns how many frames it shows.

    The first frame gives the size: at most `width_px` wide, cut to even sides. Others are fitted into it.

    Raises:
        ImageFault: `unsupported` without PyAV or its encoder, `not_an_image` if no frame can be shown, `cannot_write`.
    """
    try:
        import av  # 70 ms that checks and previews need not pay
        from av.error import FFmpegError
    except ModuleNotFoundError as error:
        raise ImageFault("unsupported", "Movies need PyAV, which is not installed: pip install av.") from error
    except ImportError as error:
        raise ImageFault("unsupported", f"Movies need PyAV, which cannot be loaded here: {error}") from error
    part = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        # faststart: the index stands in front, so that a browser plays before it has everything.
        with av.open(str(part), "w", format="mp4", options={"movflags": "faststart"}) as container:
            shown = _encode(container, _pictures(paths, width_px, pixels_max), fps)
        if shown == 0:
            raise ImageFault("not_an_image", "None of the frames can be shown.")
        part.replace(out)
    except FFmpegError as error:
        raise ImageFault("cannot_write", f"The movie cannot be encoded: {error}.") from error
    except OSError as error:
        raise ImageFault("cannot_write", f"The movie cannot be written: {error.strerror or error}.") from error
    finally:
        part.unlink(missing_ok=True)
    return shown


def _pictures(paths: list[Path], width_px: int, pixels_max: int) -> Iterator[Image.Image]:
    for path in paths:
        try:
            picture = preview.render(decode.load(path, pixels_max), width_px)
        except (ImageFault, MemoryError):
            continue
        yield picture


def _encode(container: OutputContainer, pictures: Iterator[Image.Image], fps: float) -> int:
    import av

    stream: Any = None  # av's stubs know no options of a single codec
    shown = 0
    for picture in pictures:
        if stream is None:
            stream = container.add_stream(CODEC, rate=Fraction(fps).limit_denominator(FPS_DENOMINATOR_MAX))
            stream.width, stream.height = even_size(picture.size)
            stream.pix_fmt = PIXEL_FORMAT
            stream.thread_count = THREADS
            stream.options = {"crf": RATE_FACTOR, "preset": PRESET}
            context = stream.codec_context
            context.colorspace = context.color_primaries = context.color_trc = BT709
            context.color_range = VIDEO_RANGE
        frame = av.VideoFrame.from_image(fitted(picture, (stream.width, stream.height)))
        container.mux(stream.encode(frame.reformat(format=PIXEL_FORMAT, dst_colorspace=BT709)))
        shown += 1
    if stream is not None:
        container.mux(stream.encode(None))
    return shown


def even_size(size: tuple[int, int]) -> tuple[int, int]:
    """The size with its sides cut to even numbers of pixels."""
    return max(SIDE_MIN_PX, size[0] // 2 * 2), max(SIDE_MIN_PX, size[1] // 2 * 2)


def fitted(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The picture at exactly this size: an odd row or column is cut off, another shape gets bars."""
    if picture.size == size:
        return picture
    if even_size(picture.size) == size and min(picture.size) >= SIDE_MIN_PX:
        return picture.crop((0, 0, *size))
    return ImageOps.pad(picture, size, color=preview.GROUND)
