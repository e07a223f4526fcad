# SPDX-License-Identifier: Apache-2.0
"""Copies of the artist's file in the spool, and what is told when one cannot be made. The file itself is only read."""

from __future__ import annotations

import os
import shutil
from typing import Tuple

from .disk import disk_trouble
from .errors import LocalTrouble


def copy_unchanged(source: str, folder: str, name: str) -> None:
    """Copy the artist's file.

    Raises:
        LocalTrouble: it cannot be copied, or was saved meanwhile.
    """
    before = _stamp(source)
    copy(source, folder, name)
    if _stamp(source) != before:
        raise LocalTrouble("The file was saved while it was copied.", code="file_changed", hint="Submit once more.")


def copy(source: str, folder: str, name: str) -> None:
    """Copy a file into a folder of the spool.

    Raises:
        LocalTrouble: the disk is full or cannot be written.
    """
    try:
        shutil.copyfile(source, os.path.join(folder, name))
    except OSError as error:
        raise disk_trouble(folder, error) from error


def save_trouble(program: str, folder: str, text: str) -> LocalTrouble:
    """The error for a copy that the program could not write."""
    return LocalTrouble(
        "{program} cannot save a copy into {folder}: {reason}.",
        {"program": program, "folder": folder, "reason": " ".join(text.split())},
        code="copy_failed",
        hint="Free some space there, or set OUTFIELD_SPOOL to a folder that you may write.",
    )


def _stamp(path: str) -> Tuple[int, int]:
    try:
        status = os.stat(path)
    except OSError:
        return (0, 0)
    return status.st_mtime_ns, status.st_size
