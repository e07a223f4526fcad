"""Small request bodies of the REST API. A job and a worker's words are in `scheduler.protocol`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from scheduler.domain.economy import POINTS_MAX
from scheduler.errors import Refused
from scheduler.protocol.submission import USD_MAX
from scheduler.protocol.work import FailureClass, OutputKind
from scheduler.service.overriding import REASON_MAX
from scheduler.service.rating import RATING_MAX, RATING_MIN
from scheduler.service.validating import refusal

Model = TypeVar("Model", bound=BaseModel)

YEAR_S = 365 * 86_400.0


class Body(BaseModel):
    """A closed body."""

    model_config = ConfigDict(extra="forbid")


class Retry(Body):
    """Which frames to try again; none: all that failed."""

    frames: str | None = Field(default=None, max_length=10_000)


class Priority(Body):
    """The job's new priority; with a reason or an end it overrides what production wants."""

    priority: int = Field(ge=0, le=100, strict=True)
    reason: str = Field(default="", max_length=REASON_MAX, description="why, for whoever wonders")
    hours: float | None = Field(default=None, gt=0, le=YEAR_S / 3600, description="how long it holds")
    expires_at: datetime | None = Field(default=None, description="until when it holds; without an offset UTC")

    def ends_at_s(self, now_s: float) -> float | None:
        """When it ends, in seconds since the epoch; None: never.

        Raises:
            Refused: both `hours` and `expires_at` are given.
        """
        if self.hours is not None and self.expires_at is not None:
            raise Refused("Give either hours or expires_at.", code="invalid_field", details=[{"field": "hours"}])
        if self.expires_at is not None:
            offset = self.expires_at.tzinfo or UTC
            return self.expires_at.replace(tzinfo=offset).timestamp()
        return None if self.hours is None else now_s + self.hours * 3600.0


class CostCap(Body):
    """The most that a job may cost in pools with a price."""

    cost_cap_usd: float | None = Field(
        ge=0, le=USD_MAX, allow_inf_nan=False, description="US dollars; 0: only where it is free; null: no bound"
    )


class Grant(Body):
    """Points that a user is given."""

    points: float = Field(gt=0, le=POINTS_MAX, allow_inf_nan=False)
    note: str = Field(default="", max_length=REASON_MAX, description="what for")


class Boost(Body):
    """Points to spend on a job."""

    points: float = Field(gt=0, le=POINTS_MAX, allow_inf_nan=False)


class Rating(Body):
    """A worker's measured power, and what was measured."""

    rating: float = Field(ge=RATING_MIN, le=RATING_MAX, allow_inf_nan=False)
    bench: dict[str, Any] = Field(default_factory=dict, max_length=100)


class Reap(Body):
    """Whether instances that nobody wants are ended, or only named."""

    dry_run: bool = Field(default=False, strict=True)


class SettleMessage(Body):
    """What to do about a message to production's tracker."""

    action: Literal["retry", "drop"] = "retry"


class CancelJob(Body):
    """Which job to cancel; none: the caller's job that has been running longest."""

    jobID: str | None = Field(default=None, max_length=20)


class NewToken(Body):
    """A new token. Role `worker` makes a join code: a worker trades it for a token of its own."""

    name: str = Field(min_length=1, max_length=200)
    role: Literal["admin", "user", "worker", "join"] = "user"
    user: str = Field(
        default="",
        max_length=200,
        description="whose jobs are submitted with it, or whose the worker is; none: the name, or nobody",
    )
    expires_s: float | None = Field(default=None, gt=0, le=10 * YEAR_S)


class FileReport(Body):
    """A staged file."""

    name: str = Field(max_length=255)
    size: int = Field(ge=0)
    hash: str = Field(max_length=64)
    kind: OutputKind = "frame"
    frame: int | None = None
    meta: dict[str, Any] = Field(default_factory=dict)


class Announcement(Body):
    """A file that a worker would put into the farm's object store itself."""

    size: int = Field(ge=0, le=2**50, strict=True)
    hash: str = Field(pattern=r"^[0-9a-fA-F]{64}$", description="its SHA-256 in hex")


class Ending(Body):
    """What both endings of an attempt carry: the fence, and how long it took."""

    task: int | None = Field(default=None, ge=0)
    attempt: int | None = Field(default=None, ge=0)
    secret: str = Field(max_length=200)
    seconds: float = Field(default=0.0, ge=0)


class Completion(Ending):
    """An attempt is done; its files were staged before."""

    files: list[FileReport] = Field(default_factory=list, max_length=10_000)


class Failure(Ending):
    """An attempt has failed."""

    failure: FailureClass = "user"
    message: str = Field(default="", max_length=100_000)
    exit_code: int | None = None
    retry_after_s: float = Field(default=0.0, ge=0)


BODIES = (
    *(Retry, Priority, CostCap, Grant, Boost, Rating, SettleMessage, Reap, CancelJob, NewToken),
    *(Announcement, Completion, Failure),
)


def read(model: type[Model], data: Any) -> Model:
    """A body, checked.

    Raises:
        Refused: `unknown_field` (naming the nearest known one) or `invalid_field`; nothing was stored.
    """
    if not isinstance(data, dict):
        raise Refused("The request must be a JSON object.", code="invalid_request")
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise refusal(error, list(model.model_fields)) from error
