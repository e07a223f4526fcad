# SPDX-License-Identifier: GPL-3.0-or-later
"""A check or a submission that runs while the artist works on: slices on the main thread, the rest in a thread.

`advance` is called by the timer with the time that it may take. What reads or saves Blender's data happens there; what
reads disks happens in the thread. How a copy is written: `writing`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from . import session
from .outfield_core.errors import FarmError, Refused
from .outfield_core.following import FarmView
from .outfield_core.preflight import Finding, errors
from .outfield_core.spool import Kept
from .submission import Assembly

LOOKS_MAX = 3
"""Times that a scene is read anew because it was changed meanwhile."""


class InThread:
    """A call in a thread of its own; `done` when there is a result or a failure."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self._call = call
        self.result: Any = None
        self.failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="outfield-flow", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.result = self._call()
        except Exception as error:  # noqa: BLE001 - told to the artist by whoever waits
            self.failure = error

    @property
    def done(self) -> bool:
        """Has it ended?"""
        return not self._thread.is_alive()

    def take(self) -> Any:
        """The result.

        Raises:
            What the call has raised.
        """
        if self.failure is not None:
            raise self.failure
        return self.result


class Flow:
    """One check (`send` False) or submission of a scene. `phase`: reading, looking, saving, keeping, then ended."""

    def __init__(self, scene: Any, farm: FarmView | None, *, send: bool) -> None:
        """Raises: FarmError, as `Assembly`."""
        self._assembly = Assembly(scene, {})
        self._farm = farm if farm is not None and farm.is_live else None
        self._steps: Iterator[None] = self._assembly.gather()
        self._thread: InThread | None = None
        self._looks = 1
        self.send = send
        self.phase = "reading"
        self.error: FarmError | None = None
        self.kept: Kept | None = None
        self.saving_s = 0.0

    @property
    def found(self) -> list[Finding]:
        """What the check has found."""
        return self._assembly.found

    @property
    def assembly(self) -> Assembly:
        """What was put together."""
        return self._assembly

    @property
    def ended(self) -> bool:
        """Is there nothing more to do?"""
        return self.phase == "ended"

    def cancel(self) -> None:
        """Stop, and leave nothing."""
        if self.phase != "keeping":
            self._assembly.abandon()
            self._end(None)

    def advance(self, budget_s: float) -> None:
        """Go on for about so long. On the main thread."""
        if self.ended:  # canceled between two turns
            return
        try:
            {"reading": self._read, "looking": self._look, "saving": self._save, "keeping": self._keep}[self.phase](
                time.perf_counter() + budget_s
            )
        except FarmError as error:
            self._end(error)
        except OSError as error:
            self._end(FarmError(f"This machine's disk says: {error.strerror or error}.", code="disk_failed"))

    def _read(self, until_s: float) -> None:
        self._assembly.budget.until_s = until_s
        for _ in self._steps:
            if self._assembly.budget.spent:
                return
        self.phase = "looking"
        self._thread = InThread(lambda: self._assembly.inspect(self._farm))

    def _look(self, _until_s: float) -> None:
        if self._thread is None or not self._thread.done:
            return
        self._thread.take()
        stopping = errors(self.found)
        if not self.send:
            self._end(None)
        elif stopping:
            self._end(Refused(stopping[0].sentence, code=stopping[0].code))
        elif not self._assembly.still_true() and self._looks < LOOKS_MAX:
            self._looks += 1
            self.phase, self._steps = "reading", self._assembly.gather()
        else:
            self.phase = "saving"

    def _save(self, _until_s: float) -> None:
        began_s = time.perf_counter()
        saved = self._assembly.save_copy()
        self.saving_s = max(self.saving_s, time.perf_counter() - began_s)
        if not saved:
            return
        self.phase = "keeping"
        self._thread = InThread(self._assembly.commit)

    def _keep(self, _until_s: float) -> None:
        if self._thread is not None and self._thread.done:
            self.kept = self._thread.take()
            session.current().wake()
            self._end(None)

    def _end(self, error: FarmError | None) -> None:
        self.error, self.phase, self._thread = error, "ended", None
        self._steps = iter(())
