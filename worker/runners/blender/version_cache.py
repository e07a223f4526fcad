"""What programs have said of their version, remembered in a file until they change.

Asking Blender takes a third of a second, which a worker's first task would pay for. Only real programs called blender
are remembered: behind a script or a launcher the version may change while the file does not.
"""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

from worker.runners.blender.discovery import Blender

PROGRAM_MAGICS = (b"\x7fELF", b"MZ", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe")
"""Linux, Windows, macOS."""


class VersionCache:
    """Versions by program. A file that cannot be read or written is no harm: the program is asked again."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def get(self, path: Path) -> Blender | None:
        """The Blender at `path` as it was when it was asked; None when it was not, or has changed since."""
        key = _key(path)
        entry = self._read().get(str(path)) if key is not None else None
        if not isinstance(entry, dict):
            return None
        known = cast("dict[str, Any]", entry)
        return Blender(path, str(known.get("version")), "blender") if known.get("key") == key else None

    def put(self, blender: Blender) -> None:
        """Remember what a program has said."""
        key = _key(blender.path)
        if key is None or blender.kind != "blender":
            return
        entries = {**self._read(), str(blender.path): {"key": key, "version": blender.version}}
        with suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            new = self._file.with_suffix(".new")
            new.write_text(json.dumps(entries))
            new.replace(self._file)

    def _read(self) -> dict[str, Any]:
        try:
            found: object = json.loads(self._file.read_bytes())
        except (OSError, ValueError):
            return {}
        return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def _key(path: Path) -> list[str | int] | None:
    """What changes when the program does; None for what is not to be remembered."""
    try:
        real = path.resolve(strict=True)
        with real.open("rb") as file:
            magic = file.read(4)
        status = real.stat()
    except OSError:
        return None
    if not real.name.lower().startswith("blender") or not magic.startswith(PROGRAM_MAGICS):
        return None
    return [str(real), status.st_size, status.st_mtime_ns]
