"""The site as a coroutine sees it: one thread, one connection, and an event loop that never waits for either."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from scheduler.priorities.client import Site
from scheduler.priorities.lane import Lane

Result = TypeVar("Result")


class SiteThread:
    """Runs calls on a site one after another in a lane of its own; `close` ends it."""

    def __init__(self, site: Site, name: str) -> None:
        self._site, self._lane = site, Lane(name)

    async def call(self, function: Callable[[Site], Result]) -> Result:
        """Call the site.

        Raises:
            Trouble: the site cannot be reached, or refuses.
        """
        return await self._lane.run(lambda: function(self._site))

    def close(self) -> None:
        """Take nothing new. A call that is under way ends by its own time-out; nobody waits for it here."""
        self._lane.close()
