"""The private folder of one worker's Blenders, and the removal of those whose worker was killed."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import suppress
from io import BufferedWriter
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: folders of killed workers stay until the system clears its temporary files
    fcntl = None

PREFIX = "outfield-blender-"
LOCK = "lock"


class PrivateFolder:
    """A new folder below `parent`, locked while this object lives; unlocked ones beside it are removed first."""

    def __init__(self, parent: Path) -> None:
        parent.mkdir(parents=True, exist_ok=True)
        for left in parent.glob(f"{PREFIX}*"):
            _remove_if_unused(left)
        self.path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
        self._lock: BufferedWriter = (self.path / LOCK).open("wb")
        if fcntl is not None:
            fcntl.flock(self._lock, fcntl.LOCK_EX)

    def remove(self) -> None:
        """Remove it with all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        self._lock.close()


def _remove_if_unused(folder: Path) -> None:
    if fcntl is None:
        return
    with suppress(OSError), (folder / LOCK).open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
