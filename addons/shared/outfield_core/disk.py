# SPDX-License-Identifier: Apache-2.0
"""Files of this user's that are written whole or not at all, and what a disk says when it takes nothing."""

from __future__ import annotations

import errno
import json
import os
import sys
from typing import Any, Dict

from .errors import FarmError, LocalTrouble


def user_folder(environment: Dict[str, str], platform: str = sys.platform) -> str:
    """Where this user's spool and hashes are kept; `OUTFIELD_SPOOL` names another folder."""
    own = environment.get("OUTFIELD_SPOOL")
    if own:
        return own
    home = os.path.expanduser("~")
    if platform.startswith("win"):
        return os.path.join(environment.get("LOCALAPPDATA") or os.path.join(home, "AppData", "Local"), "outfield-addon")
    if platform == "darwin":
        return os.path.join(home, "Library", "Application Support", "outfield-addon")
    return os.path.join(environment.get("XDG_DATA_HOME") or os.path.join(home, ".local", "share"), "outfield-addon")


def write_json(path: str, content: Dict[str, Any]) -> None:
    """Write a file whole or not at all, for nobody but the user, and wait until it is on the disk."""
    part = path + ".part"
    try:
        with open(part, "w", encoding="utf-8", errors="surrogateescape", opener=_own) as file:
            json.dump(content, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError:
        unlink(part)
        raise


def _own(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def read_json(path: str) -> Dict[str, Any]:
    """Read one back.

    Raises:
        OSError, ValueError.
    """
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        content = json.load(file)
    if not isinstance(content, dict):
        raise ValueError("not an object")
    return content


def disk_trouble(folder: str, error: OSError) -> LocalTrouble:
    """The error for a spool that cannot be written, as a sentence."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return LocalTrouble(
            "The disk that holds {folder} is full; nothing was submitted.",
            {"folder": folder},
            code="disk_full",
            hint="Free some space, or set OUTFIELD_SPOOL to a folder on another disk.",
        )
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return LocalTrouble(
            "The folder {folder} cannot be written; nothing was submitted.",
            {"folder": folder},
            code="disk_read_only",
            hint="Set OUTFIELD_SPOOL to a folder that you may write.",
        )
    return LocalTrouble(
        "The folder {folder} cannot be used: {reason}; nothing was submitted.",
        {"folder": folder, "reason": error.strerror or error},
        code="disk_failed",
        hint="Set OUTFIELD_SPOOL to a folder on a healthy disk.",
    )


def disk_says(error: OSError) -> FarmError:
    """The error for a disk that fails where nobody can say more."""
    values = {"reason": error.strerror or error}
    return FarmError("This machine's disk says: {reason}.", values, code="disk_failed")


def to_disk(path: str) -> None:
    """Wait until a file or folder is on the disk, where the system can say so."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:  # Windows opens no folders
        return
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EBADF, errno.ENOTSUP):
            raise
    finally:
        os.close(handle)


def unlink(path: str) -> None:
    """Remove a file, if it is there and can be."""
    try:
        os.unlink(path)
    except OSError:
        return
