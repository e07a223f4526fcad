# SPDX-License-Identifier: Apache-2.0
"""A check or a submission that goes on while the artist works: turns on the main thread, the rest in a thread.

`advance` is called by the session's ticks with the time that it may take. Only Maya's own export of a copy cannot be
shared out.
"""

from __future__ import annotations

import threading
import time
from typing import Any, Callable, Dict, Iterator, List, Optional

from .outfield_core.errors import FarmError, Refused
from .outfield_core.following import FarmView
from .outfield_core.preflight import Finding, errors
from .outfield_core.spool import Kept
from .submission import Assembly

LOOKS_MAX = 3
"""Times that a scene is read anew because it was changed meanwhile."""


class InThread:
    """A call in a thread of its own."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self._call, self._result, self._failure = call, None, None  # type: Any, Any, Optional[Exception]
        self._thread = threading.Thread(target=self._run, name="outfield-flow", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._result = self._call()
        except Exception as error:  # noqa: BLE001 - `take` raises it where somebody is told
            self._failure = error

    @property
    def done(self) -> bool:
        """Has it ended?"""
        return not self._thread.is_alive()

    def take(self) -> Any:
        """The result, or what the call has raised."""
        if self._failure is not None:
            raise self._failure
        return self._result


class Flow:
    """One check (`send` False) or submission. `phase`: reading, looking, saving, keeping, then ended."""

    def __init__(self, wishes: Dict[str, Any], farm: Optional[FarmView], *, send: bool) -> None:
        """Raises: FarmError, as `Assembly`."""
        self.assembly = Assembly(wishes, farm)
        self.send, self.phase = send, "reading"
        self.error: Optional[FarmError] = None
        self.kept: List[Kept] = []
        self._steps: Iterator[None] = self.assembly.gather()
        self._thread: Optional[InThread] = None
        self._looks = 1

    @property
    def found(self) -> List[Finding]:
        """What was found."""
        return self.assembly.found

    @property
    def ended(self) -> bool:
        """Is there nothing more to do?"""
        return self.phase == "ended"

    def cancel(self) -> None:
        """Stop and leave nothing; what is being written to the spool is finished."""
        if self.phase != "keeping":
            self.assembly.abandon()
            self._end(None)

    def advance(self, budget_s: float) -> None:
        """Go on for about so long; on the main thread."""
        turn = {"reading": self._read, "looking": self._look, "saving": self._save, "keeping": self._keep}.get(
            self.phase
        )
        try:
            if turn is not None:
                turn(time.perf_counter() + budget_s)
        except FarmError as error:
            self._end(error)
        except OSError as error:
            self._end(FarmError("This machine's disk says: {}.".format(error.strerror or error), code="disk_failed"))
        except RuntimeError as error:  # so says Maya of a node that was deleted between two turns
            self._end(FarmError("Maya says: {}".format(" ".join(str(error).split())), code="scene_changed"))

    def _read(self, until_s: float) -> None:
        for _ in self._steps:
            if time.perf_counter() >= until_s:
                return
        self.phase, self._thread = "looking", InThread(self.assembly.inspect)

    def _look(self, _until_s: float) -> None:
        if self._thread is None or not self._thread.done:
            return
        self._thread.take()
        stopping = errors(self.found)
        if not self.send:
            self._end(None)
        elif stopping:
            self._end(Refused(stopping[0].sentence, code=stopping[0].code))
        elif not self.assembly.still_true() and self._looks < LOOKS_MAX:
            self._looks += 1
            self.phase, self._steps = "reading", self.assembly.gather()
        else:
            self.phase = "saving"

    def _save(self, _until_s: float) -> None:
        self.assembly.save_copy()
        self.phase, self._thread = "keeping", InThread(self.assembly.commit)

    def _keep(self, _until_s: float) -> None:
        if self._thread is not None and self._thread.done:
            self.kept = self._thread.take()
            self._end(None)

    def _end(self, error: Optional[FarmError]) -> None:
        self.error, self.phase, self._thread, self._steps = error, "ended", None, iter(())
