"""Fetching a resource whole: parts of a download survive, are continued by Range, and are verified by their hash."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from worker.answers import Refused, Unreachable
from worker.telemetry import logger

RESUMES_MAX = 20
"""Times that one fetch continues a broken download, as long as each try brings something."""

Download = Callable[[str, IO[bytes], int], Iterator[int]]
"""(hash, open file, offset) → bytes written so far, as `Transfers.get`."""

_log = logger("cache")


class FetchCancelled(Exception):
    """The task was cancelled while its resources were on their way."""


class ResourceDamaged(Exception):
    """A resource does not have the hash it was asked for by, after it was fetched anew."""


def fetch(download: Download, sha256: str, part: Path, cancelled: threading.Event) -> None:
    """Write the verified bytes to the file `part`; what an earlier try has left there is continued, once.

    Raises:
        FetchCancelled, ResourceDamaged, worker.answers.CallFailed, OSError.
    """
    for fresh in (False, True):
        with part.open("r+b" if part.exists() and not fresh else "w+b") as file:
            try:
                _continue(download, sha256, file, cancelled)
            except Refused as error:
                if error.status != 416 or fresh:  # 416: the part is as long as the whole, or longer
                    raise
            file.flush()
            file.seek(0)
            if hashlib.file_digest(file, "sha256").hexdigest() == sha256:
                return
        _log.warning("resource_damaged", hash=sha256, again=not fresh)
    part.unlink()
    raise ResourceDamaged(f"The file {sha256[:12]}… arrives damaged. Check the farm's storage with `outfield doctor`.")


def _continue(download: Download, sha256: str, file: IO[bytes], cancelled: threading.Event) -> None:
    offset = file.seek(0, os.SEEK_END)
    for tries_left in range(RESUMES_MAX, -1, -1):
        try:
            for _written in download(sha256, file, offset):
                if cancelled.is_set():
                    raise FetchCancelled
            return
        except Unreachable:
            reached = file.seek(0, os.SEEK_END)
            if reached == offset or not tries_left:  # no progress: the caller decides how long to wait
                raise
            offset = reached
