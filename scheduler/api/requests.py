"""Small request bodies of the REST API. A job and a worker's words are in `scheduler.protocol`."""

from __future__ import annotations

from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from scheduler.errors import Refused
from scheduler.protocol.work import FailureClass, OutputKind
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
    """The job's new priority."""

    priority: int = Field(ge=0, le=100, strict=True)


class CancelJob(Body):
    """Which job to cancel; none: the caller's job that has been running longest."""

    jobID: str | None = Field(default=None, max_length=20)


class NewToken(Body):
    """A new token. Role `worker` makes a join code: a worker trades it for a token of its own."""

    name: str = Field(min_length=1, max_length=200)
    role: Literal["admin", "user", "worker", "join"] = "user"
    user: str = Field(default="", max_length=200, description="whose jobs are submitted with it; none: the name")
    expires_s: float | None = Field(default=None, gt=0, le=10 * YEAR_S)


class FileReport(Body):
    """A staged file."""

    name: str = Field(max_length=255)
    size: int = Field(ge=0)
    hash: str = Field(max_length=64)
    kind: OutputKind = "frame"
    frame: int | None = None
    meta: dict[str, Any] = Field(default_factory=dict)


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


BODIES = (Retry, Priority, CancelJob, NewToken, Completion, Failure)


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
