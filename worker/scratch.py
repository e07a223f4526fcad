"""The worker's own disk: a folder per attempt, always removed.

Folders are swept at the next start if the worker was killed: only those that carry an attempt's name inside this
worker's own data folder.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from scheduler.protocol.work import TaskRef
from worker.telemetry import logger

_ATTEMPT = re.compile(r"\d+\.\d+")

_log = logger("scratch")


class Scratch:
    """Folders below one worker's data folder."""

    def __init__(self, data: Path) -> None:
        self._folder = data / "scratch"
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def make(self, ref: TaskRef) -> Path:
        """An empty folder for an attempt."""
        folder = self._place(ref)
        try:
            folder.mkdir(mode=0o700)
        except FileExistsError:
            _remove(folder)
            folder.mkdir(mode=0o700)
        return folder

    def clear(self, ref: TaskRef) -> None:
        """Remove an attempt's folder; does nothing when it is gone."""
        _remove(self._place(ref))

    def sweep(self) -> int:
        """Remove what a former life has left behind; returns how many folders that were."""
        swept = [folder for folder in self._folder.iterdir() if _ATTEMPT.fullmatch(folder.name)]
        for folder in swept:
            _remove(folder)
        return len(swept)

    def free_bytes(self) -> int:
        """Free bytes on the disk that tasks write to."""
        return shutil.disk_usage(self._folder).free

    def _place(self, ref: TaskRef) -> Path:
        return self._folder / f"{ref.task}.{ref.attempt}"


def _remove(folder: Path) -> None:
    """Remove a folder, also one whose inner folders were made read-only by an archive or a renderer."""
    try:
        folder.rmdir()  # most often it is empty or gone already, and this is one call
        return
    except FileNotFoundError:
        return
    except OSError:
        shutil.rmtree(folder, ignore_errors=True)
    if not folder.exists():
        return
    for path in (folder, *folder.rglob("*")):
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)
    if folder.exists():
        _log.error("scratch_not_removed", folder=str(folder))
