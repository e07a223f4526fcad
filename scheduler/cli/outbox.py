"""Submissions that could not be sent: one file each, written whole or not at all, sent with the next submission.

A file holds the body, the server it is for and its idempotency key, so that sending it twice makes one job; never a
token. What the scheduler refuses is put aside in `refused/`, and its user is told.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from scheduler.cli.exits import Unreachable
from scheduler.errors import Denied, OutfieldError, Unavailable


@dataclass(frozen=True)
class Submission:
    """A job on its way. `upload`: the file whose content becomes the scene; `bundle`: the zip or folder to send."""

    server: str
    key: str
    body: dict[str, Any]
    upload: str | None = None
    bundle: str | None = None


@dataclass(frozen=True)
class Sent:
    """What became of a kept submission: the job, or why it was refused."""

    submission: Submission
    job: dict[str, Any] | None = None
    refusal: OutfieldError | None = None


class Outbox:
    """The folder of kept submissions."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, submission: Submission, *, order: str) -> Path:
        """Keep a submission; `order` (a time that sorts as text) says when it is its turn."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self._folder / f"{order}-{submission.key}.json"
        part = path.with_suffix(".part")
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w") as file:
            json.dump(asdict(submission), file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
        return path

    def waiting(self, server: str) -> list[tuple[Path, Submission]]:
        """The submissions kept for a server, oldest first. A file that cannot be read is put aside."""
        found = list[tuple[Path, Submission]]()
        for path in sorted(self._folder.glob("*.json")):
            try:
                submission = Submission(**json.loads(path.read_text()))
            except (ValueError, TypeError):
                self._put_aside(path)
                continue
            except FileNotFoundError:  # another `submit` has just sent it
                continue
            if submission.server == server:
                found.append((path, submission))
        return found

    def flush(self, server: str, send: Callable[[Submission], dict[str, Any]]) -> Iterator[Sent]:
        """Send what is kept for a server, one after another, oldest first.

        Raises:
            Unreachable: the scheduler is (still) away. Denied, Unavailable: it does not take anything from us now; in
                all three cases the rest stays kept.
        """
        for path, submission in self.waiting(server):
            try:
                job = send(submission)
            except (Unreachable, Denied, Unavailable):
                raise
            except OutfieldError as refusal:
                self._put_aside(path)
                yield Sent(submission, refusal=refusal)
                continue
            path.unlink(missing_ok=True)
            yield Sent(submission, job=job)

    def _put_aside(self, path: Path) -> None:
        aside = self._folder / "refused"
        aside.mkdir(exist_ok=True)
        if path.exists():
            os.replace(path, aside / path.name)
