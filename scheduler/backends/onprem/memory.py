"""What was woken and for which order, in a small file: a machine itself cannot be asked who woke it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import platformdirs

from scheduler.backends.base import BackendError
from scheduler.backends.onprem.waking import Woken

INTENTS_MAX = 1000
"""Orders remembered as carried out; the same one is not carried out again."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """What is in the file: machines that are the farm's, and the last orders, oldest first."""

    woken: tuple[Woken, ...] = ()
    intents: tuple[str, ...] = ()


class Memory:
    """The file of one pool. One scheduler writes it; a reader sees it whole."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def read(self) -> Remembered:
        """What is remembered; nothing where there is no file yet.

        Raises:
            BackendError: the file is there and cannot be read: what was woken must not be forgotten silently.
        """
        try:
            found: Any = json.loads(self._file.read_text())
            woken = tuple(Woken(**each) for each in found["woken"])
            return Remembered(woken, tuple(str(each) for each in found["intents"]))
        except FileNotFoundError:
            return Remembered()
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise BackendError(
                f"{self._file}, which remembers the woken machines, cannot be read: {error}.",
                hint="Make it readable again, or remove it: machines that are awake are then left alone.",
            ) from error

    def write(self, woken: Sequence[Woken], intents: Sequence[str]) -> None:
        """Replace the file, whole or not at all.

        Raises:
            BackendError: it cannot be written.
        """
        text = json.dumps({"woken": [asdict(each) for each in woken], "intents": list(intents)[-INTENTS_MAX:]})
        part = self._file.with_name(f"{self._file.name}.part")
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            part.write_text(text)
            part.replace(self._file)
        except OSError as error:
            with suppress(OSError):
                part.unlink(missing_ok=True)
            raise BackendError(
                f"{self._file}, which remembers the woken machines, cannot be written: {error.strerror}.",
                hint="Free space, or name another file in the pool's `state_file`.",
            ) from error


def default_file(farm_id: str, pool: str) -> Path:
    """Where a pool's file is unless the settings say otherwise."""
    return Path(platformdirs.user_state_dir("outfield")) / f"woken-{quote(farm_id, '')}-{quote(pool, '')}.json"
