"""What is said of an image: what was expected, what was found, and the verdict. Plain data; imports no decoder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Format = Literal["png", "jpg", "exr"]
"""The same as `scheduler.protocol.renderers.Format`, which would bring pydantic into the decoder process."""

OK: Final = "ok"

INFRA_CODES: Final = frozenset(
    {
        "file_missing",
        "file_unreadable",
        "file_empty",
        "not_a_file",
        "truncated",
        "trailing_data",
        "corrupt",
        "decoder_crashed",
        "decoder_timeout",
        "decoder_unavailable",
        "pool_closed",
    }
)
"""Verdicts that blame the way of the file, the disk or the decoder rather than the artist's scene."""

FORMAT_NAMES: Final[dict[Format, str]] = {"png": "PNG", "jpg": "JPEG", "exr": "EXR"}
"""Format on the wire to its name for people."""

CHANNELS_TOLD_MAX: Final = 1024
"""Channel names that `ImageFacts` carries at most; an EXR may hold more."""


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What a fully decoded image holds.

    `width` and `height` are pixels; for an EXR those of the display window, which is the image as it was asked for (a
    renderer may crop or extend the data window). `channels` are the names in the file's order, for multi-part EXR
    files as `part/channel`. `depth` is "1" to "16" (bits) for PNG and JPEG; "half", "float", "uint", or these joined by
    "+", for EXR. `nan_ratio` and `inf_ratio` are shares of all samples, in [0, 1]. `black` says that every colour
    sample is zero, `constant` that each channel has one value only. `luminance_mean` is linear (Rec. 709 weights; PNG
    and JPEG are taken as sRGB) and leaves out samples that are not finite.
    """

    width: int
    height: int
    channels: tuple[str, ...]
    depth: str
    format: Format
    nan_ratio: float
    inf_ratio: float
    black: bool
    constant: bool
    luminance_mean: float


@dataclass(frozen=True, slots=True)
class Expectation:
    """What the image was asked to be. A side that is None may have any length."""

    format: Format
    width: int | None = None
    height: int | None = None
    nan_allowed: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer to one question about one file: `code` for programs ("ok" when fine), `message` for people.

    Codes: ok, file_missing, file_unreadable, file_empty, not_a_file, not_an_image, wrong_format, wrong_size, truncated,
    trailing_data, corrupt, has_nan, too_many_pixels, out_of_memory, unsupported, cannot_write, sheet_too_large,
    movie_too_long, decoder_crashed, decoder_timeout, decoder_unavailable, pool_closed. `facts` are there whenever a
    check could decode the file, also when the verdict is bad.
    """

    ok: bool
    facts: ImageFacts | None
    code: str
    message: str


class ImageFault(Exception):
    """A file is not the image it should be; `code` and `message` become the verdict."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        self.message = message
        super().__init__(message)
