"""Submissions for the tests of the spool, and what is left of them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Self

import shared_core  # noqa: F401 - makes outfield_core known
from outfield_core.spool import Kept, Spool


def keep(spool: Spool, server: str, *, name: str = "shot", files: tuple[str, ...] = (), order: str = "1") -> Kept:
    """A scene in the spool, as an add-on puts it there."""
    draft = spool.begin()
    Path(draft.folder, "a.blend").write_bytes(b"scene of " + name.encode())
    content: dict[str, Any] = {
        "server": server,
        "body": {"name": name},
        "scene": "a.blend",
        "origin": "/proj/shot/a.blend",
        "files": list(files),
    }
    return draft.commit(content, order)


def leftovers(spool: Spool) -> list[str]:
    """Every file below the spool but its lock."""
    root = Path(spool.folder)
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file() and path.name != "lock")


class DiesAt:
    """Ends this very process, as kill -9 would, at the n-th call that touches the disk or the network."""

    NAMES = ("replace", "fsync", "mkdir", "makedirs", "unlink", "rmdir", "open", "write", "close")

    def __init__(self, count: int) -> None:
        self._left = count

    def __enter__(self) -> Self:
        self._originals = {name: getattr(os, name) for name in self.NAMES}
        for name, original in self._originals.items():
            setattr(os, name, self._counted(original))
        return self

    def __exit__(self, *_: object) -> None:
        for name, original in self._originals.items():
            setattr(os, name, original)

    def _counted(self, original: Any) -> Any:
        def call(*arguments: Any, **named: Any) -> Any:
            self._left -= 1
            if self._left < 0:
                os._exit(9)
            return original(*arguments, **named)

        return call


def in_a_child(act: Any, dies_at: int) -> bool:
    """Run `act` in a forked child that dies at some call; True: it came to its end alive."""
    child = os.fork()
    if child == 0:
        code = 3
        try:
            with DiesAt(dies_at):
                act()
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in (0, 9), "the act itself failed"
    return code == 0
