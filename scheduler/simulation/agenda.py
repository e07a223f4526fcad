"""The virtual clock: what is to happen and when. Time jumps from one moment to the next."""

from __future__ import annotations

import heapq
from collections.abc import Callable

Action = Callable[[], None]


class Agenda:
    """Actions by time; those for the same moment happen in the order in which they were put down."""

    def __init__(self) -> None:
        self._entries: list[tuple[float, int, Action]] = []
        self._count = 0
        self.now_s = 0.0

    def __bool__(self) -> bool:
        return bool(self._entries)

    def at(self, at_s: float, action: Action) -> None:
        """Do something then."""
        self._count += 1
        heapq.heappush(self._entries, (at_s, self._count, action))

    def after(self, delay_s: float, action: Action) -> None:
        """Do something so much later than now."""
        self.at(self.now_s + delay_s, action)

    def step(self) -> None:
        """Go to the next moment and let everything happen that is down for it, also what is put down meanwhile."""
        entries = self._entries
        self.now_s = entries[0][0]
        while entries and entries[0][0] == self.now_s:
            heapq.heappop(entries)[2]()
