"""The shapes of answers about priorities, users and their points, and workers' ratings, for OpenAPI and the tests."""

from __future__ import annotations

from scheduler.api.shapes import Shape
from scheduler.api.tracking import TrackerShape


class WantedShape(Shape):
    """What production's tracker wants; `source` names the field that the priority came from."""

    priority: int | None
    source: str | None
    age_s: float | None
    deadline: str | None
    hold: str | None


class EffectiveShape(Shape):
    """What counts: `source` is override, tracker or job; `own` the job's own priority; `boost` bought points."""

    priority: int
    source: str
    own: int
    deadline: str | None
    boost: float


class OverrideShape(Shape):
    """A person's priority over production's wish."""

    priority: int
    author: str
    reason: str
    created_at: str
    expires_at: str | None


class RunningAndWaiting(Shape):
    """Tasks by what they are doing."""

    running: int
    waiting: int


class PriorityShape(Shape):
    """One unfinished job; `drift`: the farm does not do what production wants, and `why`."""

    jobID: str
    name: str
    status: str
    project: str | None
    shot: str | None
    user: str
    wanted: WantedShape
    effective: EffectiveShape
    override: OverrideShape | None
    position: int | None
    score: float | None
    tasks: RunningAndWaiting
    drift: bool
    why: str | None


class FreshnessShape(Shape):
    """How fresh production's wishes are: jobs with a wish, those not heard of lately, the oldest wish's age.

    `state` is how things stand with the tracker; none: this farm follows none.
    """

    source: str | None
    jobs: int
    stale: int
    age_s: float | None
    stale_after_s: float
    state: TrackerShape | None


class PrioritiesShape(Shape):
    """What production wants against what the farm does; `total` jobs on all pages."""

    jobs: list[PriorityShape]
    total: int
    drifting: int
    tracker: FreshnessShape


class UserShape(Shape):
    """A user in a list; `points` were earned, granted, and spent (refunds are not counted as spent)."""

    user: str
    balance: float
    earned: float
    granted: float
    spent: float
    workers: int


class EntryShape(Shape):
    """One booking: EARNED, GRANTED, SPENT or REFUNDED; `balance` is what was left after it."""

    id: int
    at: str
    kind: str
    points: float
    balance: float
    jobID: str | None
    worker: str | None
    note: str


class AccountShape(UserShape):
    """A user's account with its newest bookings first."""

    entries: list[EntryShape]


class BoostShape(Shape):
    """What a boost came to."""

    jobID: str
    user: str
    spent: float
    boost: float
    balance: float
