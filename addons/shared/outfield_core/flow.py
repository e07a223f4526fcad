# SPDX-License-Identifier: Apache-2.0
"""A check or a submission that goes on while the artist works: turns on the main thread, the rest in a thread.

`advance` is called with the time that it may take. What reads or saves the program's data happens there; what reads
disks happens in the thread. How a copy is saved without holding the program is the program's own matter.
"""

from __future__ import annotations

import math
import threading
import time
from typing import TYPE_CHECKING, Any, Callable, Iterator, List, Optional

from .disk import disk_says
from .errors import FarmError, Refused
from .facts import Finding, errors
from .spool import Kept

if TYPE_CHECKING:
    from .assembly import Assembly

LOOKS_MAX = 3
"""Times that a scene is read anew because it was changed meanwhile."""


class Budget:
    """Until when the present step may go on (`time.perf_counter`); without a bound unless somebody sets one."""

    def __init__(self) -> None:
        self.until_s = math.inf

    def rest(self) -> None:
        """The next thing cannot be divided: it gets a step to itself."""
        if self.until_s != math.inf:
            self.until_s = -math.inf

    @property
    def spent(self) -> bool:
        """Is it time to pause?"""
        return time.perf_counter() >= self.until_s


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

    def __init__(self, assembly: "Assembly", *, send: bool) -> None:
        self.assembly = assembly
        self.send, self.phase = send, "reading"
        self.error: Optional[FarmError] = None
        self.kept: List[Kept] = []
        self._steps: Iterator[None] = assembly.gather()
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
        turns = {"reading": self._read, "looking": self._look, "saving": self._save, "keeping": self._keep}
        host = self.assembly.here.host
        try:
            if self.phase in turns:
                turns[self.phase](time.perf_counter() + budget_s)
        except FarmError as error:
            self._end(error)
        except OSError as error:
            self._end(disk_says(error))
        except host.troubles as error:  # so says a program of a thing that was deleted between two turns
            values = {"program": host.program, "text": " ".join(str(error).split())}
            self._end(FarmError("{program} says: {text}", values, code="scene_changed"))

    def _read(self, until_s: float) -> None:
        budget = self.assembly.budget
        budget.until_s = until_s
        for _ in self._steps:
            if budget.spent:
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
        if self.assembly.save_copy():
            self.phase, self._thread = "keeping", InThread(self.assembly.commit)

    def _keep(self, _until_s: float) -> None:
        if self._thread is not None and self._thread.done:
            self.kept = self._thread.take()
            self._end(None)

    def _end(self, error: Optional[FarmError]) -> None:
        self.error, self.phase, self._thread, self._steps = error, "ended", None, iter(())
