"""Where frames go: the output pattern that an artist writes, checked, and the file name of each frame.

A pattern is an absolute path; each run of `#` in its file name is the frame number with at least as many digits
(`beauty.####.exr` gives `beauty.0007.exr`, and `beauty.-0007.exr` before zero). `#` in folders is a plain character.
"""

from __future__ import annotations

import os
import re
import stat
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from scheduler.errors import Refused
from scheduler.protocol.names import PART_BYTES_MAX, is_device

PATH_BYTES_MAX: Final = 4096
FILE_BYTES_MAX: Final = 220
"""Longest file name of a frame: a file system's 255 bytes less room for the hidden neighbour it is renamed from."""

FRAME_DIGITS_MAX: Final = 11
"""As long as a frame number gets, sign included."""

SLUG_MAX: Final = 80
ENDINGS: Final = {"png": (".png",), "jpg": (".jpg", ".jpeg"), "exr": (".exr",)}

_HASHES: Final = re.compile("#+")
_NOT_PLAIN: Final = re.compile(r"[^A-Za-z0-9._-]+")


def frame_path(pattern: str, frame: int) -> Path:
    """Where a frame goes: `frame_path("/out/a.####.png", -5)` is `/out/a.-0005.png`. Pure."""
    folder, slash, name = pattern.rpartition("/")
    return Path(folder + slash + frame_name(name, frame))


def frame_name(name: str, frame: int) -> str:
    """The file name with each run of `#` replaced by the frame number, which keeps its sign beside the digits. Pure."""
    sign = 1 if frame < 0 else 0
    return _HASHES.sub(lambda run: f"{frame:0{len(run[0]) + sign}d}", name)


def slug(name: str) -> str:
    """A plain file name from a job's name, for frames in the farm's storage: never empty, hidden or a way out. Pure.

    At most `SLUG_MAX` characters of `A-Za-z0-9._-`, starting with a letter, a digit or `_`.
    """
    ascii_only = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode("ascii")
    plain = _NOT_PLAIN.sub("_", ascii_only).strip("._-")[:SLUG_MAX].rstrip("._-")
    if not plain:
        return "job"
    return f"_{plain}"[:SLUG_MAX] if is_device(plain) else plain


def resolve_output(pattern: str, roots: Sequence[Path], image_format: str, frames_count: int) -> Path:
    """The pattern with links in its folder resolved, once it is known to be fit for `frames_count` frames.

    The folder need not exist yet. It is looked at now; who publishes later checks again with `lies_under`, for links
    may have changed meanwhile.

    Raises:
        Refused: output_bad_character, output_not_absolute, output_dotdot, output_is_folder, output_wrong_ending,
            output_needs_frame_number, output_name_too_long, output_outside_roots or output_unusable.
    """
    _check_text(pattern)
    folder, _, name = pattern.rpartition("/")
    _check_name(name, image_format, frames_count)
    real = Path(os.path.realpath(folder or "/"))
    if not lies_under(real, roots):
        shown = ", ".join(str(root) for root in roots) or "none is set"
        raise _refused(
            "output_outside_roots",
            f"output: {pattern} lies outside of this farm's output folders.",
            f"Choose a folder below one of these: {shown}. An admin sets them as server.output_roots.",
        )
    if _is_folder(real / name, pattern):
        raise _refused("output_is_folder", f"output: {pattern} is a folder.", "Give a file name, too.")
    return real / name


def lies_under(folder: Path, roots: Sequence[Path]) -> bool:
    """Is the folder, with all links resolved, one of the roots or below one of them?"""
    real = Path(os.path.realpath(folder))
    return any(real.is_relative_to(os.path.realpath(root)) for root in roots)


def _is_folder(path: Path, pattern: str) -> bool:
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except FileNotFoundError:
        return False
    except OSError as error:
        message = f"output: {pattern} cannot be used: {error.strerror}."
        raise _refused("output_unusable", message, "Check the folder, or choose another.") from error


def _check_text(pattern: str) -> None:
    if any(unicodedata.category(letter) in ("Cc", "Cs") for letter in pattern):
        raise _refused(
            "output_bad_character", "output: the path holds a control character.", "Type the path again by hand."
        )
    if not pattern.startswith("/"):
        raise _refused(
            "output_not_absolute", "output: the path must be absolute.", "Give the whole path, starting with /."
        )
    parts = pattern.split("/")
    if ".." in parts:
        raise _refused(
            "output_dotdot", "output: the path may not hold `..`.", "Give the path of the folder that you mean."
        )
    if len(_longest(pattern)) > PATH_BYTES_MAX or any(len(part.encode()) > PART_BYTES_MAX for part in parts[:-1]):
        raise _too_long()


def _check_name(name: str, image_format: str, frames_count: int) -> None:
    if name in ("", "."):
        raise _refused("output_is_folder", "output: the path is a folder.", "Give a file name, too: beauty.####.exr.")
    endings = ENDINGS[image_format]
    if not name.lower().endswith(endings) or name.lower() in endings:
        raise _refused(
            "output_wrong_ending",
            f"output: {name} does not end in {' or '.join(endings)}, as the format {image_format} asks for.",
            "Change the ending, or the field format.",
        )
    if frames_count > 1 and "#" not in name:
        raise _refused(
            "output_needs_frame_number",
            f"output: {frames_count} frames would all be written to {name}.",
            f"Put #### where the frame number goes: {Path(name).stem}.####{endings[0]}.",
        )
    if len(_longest(name)) > FILE_BYTES_MAX:
        raise _too_long()


def _longest(pattern: str) -> bytes:
    """The pattern with the longest frame number that could be put in."""
    folder, slash, name = pattern.rpartition("/")
    return (folder + slash + _HASHES.sub(lambda run: "0" * max(len(run[0]), FRAME_DIGITS_MAX), name)).encode()


def _too_long() -> Refused:
    return _refused(
        "output_name_too_long",
        f"output: a file name may have {FILE_BYTES_MAX} bytes with its frame number, a folder's {PART_BYTES_MAX}, the "
        f"whole path {PATH_BYTES_MAX}.",
        "Choose shorter names.",
    )


def _refused(code: str, message: str, hint: str, **details: Any) -> Refused:
    return Refused(message, code=code, hint=hint, details={"field": "output", **details})
