"""The shapes of answers, for OpenAPI and for the tests that compare every answer with them. Answers are plain data.

Times are ISO 8601 in UTC, sizes bytes, durations seconds.
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

Data = TypeVar("Data")


class Shape(BaseModel):
    """A closed shape: what is not listed is not answered."""

    model_config = ConfigDict(extra="forbid")


class Envelope(Shape, Generic[Data]):
    """Every JSON answer."""

    data: Data
    message: str


class ErrorData(Shape):
    """What went wrong, for programs (`code`, `details`) and for people (`hint`: what to do next)."""

    code: str
    details: Any = None
    hint: str


class ErrorEnvelope(Shape):
    """Every error."""

    data: ErrorData
    message: str


class RendererShape(Shape):
    """A renderer; `settings` is the JSON schema of its settings."""

    name: str
    title: str
    endings: list[str]
    scene: str
    formats: list[str]
    tiles: bool
    samples: bool
    settings: dict[str, Any]


class YouShape(Shape):
    """Who is asking, as the token says."""

    name: str
    role: str


class InfoShape(Shape):
    """The farm introduces itself."""

    farm: str
    farm_id: str
    version: str
    protocol: int
    you: YouShape
    started_at: str
    renderers: list[RendererShape]
    job: dict[str, Any] = Field(description="the JSON schema of POST /new_job")
    pools: list[str] = Field(description="where jobs may run, as far as the rules allow it")
    output_roots: list[str] = Field(description="folders in which frames may be published, as the farm sees them")
    limits: dict[str, Any]
    features: list[str]
    tracker: dict[str, Any] | None = Field(description="as POST /priorities/sync answers; none: no tracker is set up")


class AddonShape(Shape):
    """An add-on; `hash` is the SHA-256 of its zip."""

    program: str
    title: str
    version: str
    path: str
    size: int
    hash: str


class RepositoryShape(Shape):
    """A Blender extension repository; not in the envelope, because Blender reads it."""

    version: str
    blocklist: list[Any]
    data: list[dict[str, Any]]


class Health(Shape):
    """It is alive."""

    status: str


class BlobShape(Shape):
    """A file in the farm's storage, known by its SHA-256."""

    hash: str
    size: int


class TokenShape(Shape):
    """A token or join code, without its secret."""

    id: str
    name: str
    role: str
    user: str
    worker: str | None
    created_at: str
    expires_at: str | None


class NewTokenShape(Shape):
    """A new token; `token` is shown this once."""

    id: str
    name: str
    role: str
    token: str
    expires_at: str | None
    ca_pin: str | None = Field(description="what a new machine recognises the farm by; none: it serves plain HTTP")
