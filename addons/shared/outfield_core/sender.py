# SPDX-License-Identifier: Apache-2.0
"""The thread that brings what is in the spool to the farm, and tells what became of each.

One at a time, so that a slow line is not shared. It never touches the artist's program: whoever draws reads `watch` and
takes from `outcomes`. Stopping leaves what is unfinished in the spool.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Any, Callable, Deque, Dict, Optional, Tuple

from .client import Client
from .errors import FarmError, Unreachable
from .hashing import HashCache
from .sending import Outcome, Watch, flush
from .spool import Kept, Spool

RETRY_S = 30.0
"""How long it waits before it tries an unreachable farm again."""


class _Stopping(Unreachable):
    """The program is ending: what is being sent stays in the spool."""


class _StoppableWatch(Watch):
    def __init__(self, stop: threading.Event) -> None:
        super().__init__()
        self._stop = stop

    def cancelled(self) -> bool:
        if self._stop.is_set():
            raise _Stopping("It is sent later.", code="stopping")
        return self.cancel_asked


class Sender:
    """Sends in the background once `start` was called; `kick` says that there is something new."""

    def __init__(self, spool: Spool, cache: HashCache, client: Callable[[], Optional[Client]]) -> None:
        """`client` makes the client for a round, None: sending is not allowed now. It is called in the thread."""
        self._spool, self._cache, self._client = spool, cache, client
        self._stop, self._wake = threading.Event(), threading.Event()
        self._thread: Optional[threading.Thread] = None
        self.watch: Watch = Watch()
        self.outcomes: Deque[Outcome] = deque()
        self.kept: Tuple[str, ...] = ()
        self.refused: Tuple[Dict[str, Any], ...] = ()
        self.sending = ""
        self.busy = False
        self.trouble: Optional[FarmError] = None

    def start(self) -> None:
        """Start the thread; it looks at the spool at once."""
        self._stop.clear()
        self._wake.set()
        self._thread = threading.Thread(target=self._run, name="outfield-sender", daemon=True)
        self._thread.start()

    def kick(self) -> None:
        """There is something new, or the farm is back."""
        self._wake.set()

    def cancel(self) -> None:
        """Stop sending the present submission and forget it."""
        self.watch.cancel_asked = True

    def stop(self, wait_s: float = 0.4) -> bool:
        """End the thread; what is unfinished stays. True: it has ended within the time."""
        self._stop.set()
        self._wake.set()
        return self.join(wait_s)

    def join(self, wait_s: float) -> bool:
        """Wait for the thread; True: there is none any more."""
        if self._thread is None:
            return True
        self._thread.join(wait_s)
        return not self._thread.is_alive()

    def idle(self, wait_s: float) -> bool:
        """Wait until everything is sent or nothing can be; True: it came to that."""
        pause, waited = threading.Event(), 0.0
        while (self.busy or self._wake.is_set()) and waited < wait_s:
            pause.wait(0.05)
            waited += 0.05
        return not self.busy

    def _run(self) -> None:
        while not self._stop.is_set():
            self.busy = True
            self._wake.clear()
            try:
                self._count()
                self._round()
                self._count()
            finally:
                self.busy, self.sending = False, ""
            self._wake.wait(RETRY_S)

    def _count(self) -> None:
        """What lies in the spool, for whoever draws."""
        self.kept = tuple(kept.name for kept in self._spool.waiting())
        self.refused = tuple(self._spool.refused())

    def _watch_for(self, kept: Kept) -> Watch:
        self.sending, self.watch = kept.name, _StoppableWatch(self._stop)
        return self.watch

    def _round(self) -> None:
        try:
            client = self._client()
            if client is None:
                return
            trouble: Optional[FarmError] = None
            for outcome in flush(self._spool, client, self._cache, self._watch_for):
                if isinstance(outcome.error, _Stopping):
                    return
                trouble = outcome.error
                self.outcomes.append(outcome)
            self.trouble = trouble
        except _Stopping:
            return
        except FarmError as error:
            self.trouble = error
        except OSError as error:
            self.trouble = FarmError(
                "The spool cannot be read: {reason}.", {"reason": error.strerror or error}, code="disk_failed"
            )
