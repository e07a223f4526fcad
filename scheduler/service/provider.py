"""A pool's backend as the desk calls it: in a thread of its own, one call after the other, and how that goes.

What did not go well is kept for people (`trouble`); after a refusal nothing is launched for a while (`not_before_s`),
longer each time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import structlog

from scheduler.backends.base import Backend
from scheduler.backends.registry import Registry
from scheduler.errors import OutfieldError
from scheduler.priorities.lane import Lane
from scheduler.service.farm import Farm

BACK_OFF_FIRST_S, BACK_OFF_MAX_S = 30.0, 900.0
"""After a refusal nothing is launched for so long, twice as long after each further one."""

Result = TypeVar("Result")

log = structlog.get_logger()


@dataclass(frozen=True)
class Trouble:
    """The last call that did not go well: what for people, since when."""

    at_s: float
    code: str
    message: str


class Provider:
    """One pool's backend, made when it is first called. `not_before_s` is on the monotonic clock."""

    def __init__(self, farm: Farm, pool: str, *, farm_id: str, registry: Registry) -> None:
        self._farm, self._pool = farm, pool
        self._farm_id, self._registry = farm_id, registry
        self._lane: Lane | None = None
        self._backend: Backend | None = None
        self._back_off_s = 0.0
        self.not_before_s = 0.0
        self.trouble: Trouble | None = None

    async def call(self, function: Callable[[Backend], Result]) -> Result:
        """What the backend answers. Raises whatever a backend, or the making of one, may raise."""
        if self._lane is None:
            self._lane = Lane(f"pool {self._pool}")
        return await self._lane.run(lambda: function(self._opened()))

    def _opened(self) -> Backend:
        if self._backend is None:
            self._backend = self._registry(self._pool, self._farm.settings.pools[self._pool], self._farm_id)
        return self._backend

    def close(self) -> None:
        """Take nothing new; a call that is under way is not waited for."""
        if self._lane is not None:
            self._lane.close()

    def resting(self) -> bool:
        """Whether nothing is launched at present."""
        return self._farm.clock.monotonic() < self.not_before_s

    def slow_down(self) -> None:
        """Wait before the next launch."""
        self._back_off_s = min(BACK_OFF_MAX_S, max(BACK_OFF_FIRST_S, 2 * self._back_off_s))
        self.not_before_s = self._farm.clock.monotonic() + self._back_off_s

    def launch_failed(self, error: Exception) -> None:
        """A launch did not go well."""
        self.troubled(error)
        self.slow_down()

    def launched(self) -> None:
        """A launch went well: the next trouble is a first one again."""
        self._back_off_s = 0.0

    def troubled(self, error: Exception) -> None:
        """Keep what went wrong, and tell it unless it was told last."""
        message = error.message if isinstance(error, OutfieldError) else str(error) or type(error).__name__
        code = error.code if isinstance(error, OutfieldError) else "unexpected"
        if self.trouble is None or (self.trouble.code, self.trouble.message) != (code, message):
            log.warning("pool.trouble", pool=self._pool, code=code, message=message)
        self.trouble = Trouble(self._farm.now_s(), code, message)
