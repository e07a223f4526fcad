"""Production's tracker: asking for a sync now."""

from __future__ import annotations

from pydantic import Field
from starlette.responses import Response

from scheduler.api.answers import answer
from scheduler.api.context import Serving, guarded, tells
from scheduler.api.shapes import Shape

router = guarded("priorities")


class TrackerShape(Shape):
    """How things stand with production's tracker."""

    source: str
    site: str
    last_success: str | None
    last_sweep: str | None = Field(description="when everything was read, not only what had changed")
    age_s: float | None = Field(description="since the last success; none: it was never heard")
    stale: bool = Field(description="older than shotgrid.stale_after_s")
    syncing: bool
    error: str | None
    error_code: str | None
    failing_since: str | None
    failures: int
    next_try: str | None
    entities: int = Field(description="entities of the tracker that are remembered")
    jobs: int = Field(description="unfinished jobs that refer to it")
    missing_fields: list[str] = Field(description="mapped fields that the site does not have")


@router.post("/priorities/sync", responses=tells(TrackerShape, 409, words="How things stand; the sync itself goes on"))
async def sync_priorities(services: Serving) -> Response:
    """Ask for a sync with production's tracker now; answers at once. A site that wants to be left alone is."""
    await services.following.ask()
    view = services.following.view()
    if view["syncing"] or view["error"] is None:
        return answer(view, "The tracker is being asked.")
    return answer(view, f"{view['error']} It is tried again at {view['next_try']}.")
