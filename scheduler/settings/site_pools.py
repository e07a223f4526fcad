"""`[pools.NAME]` with `backend = "site"`: another Outfield scheduler, and what may go there on which terms."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr

from scheduler.settings.pool import BACKEND, Backend, PoolSettings

TrackingField = Literal["project", "sequence", "shot", "task", "task_id", "version"]


class SitePool(PoolSettings):
    """`[pools.NAME]` with `backend = "site"`: another Outfield scheduler that whole jobs are handed over to.

    Of the keys of every pool only `price_usd_per_hour` means something here: money for an hour of that farm's workers.
    """

    backend: Backend = Field(default="site", description=BACKEND)
    url: str = Field(pattern=r"^https?://[^/\s]+(/[^\s?#]*)?$", description="the other scheduler's URL")
    token: SecretStr | None = Field(default=None, description="a user's token of the other farm")
    token_file: Path | None = Field(default=None, description="file that holds the token")
    ca_file: Path | None = Field(default=None, description="PEM file to check its certificate by; none: the system's")
    verify: bool = Field(default=True, description="is its certificate checked; off only for a trial on one machine")
    default: bool = Field(
        default=False, description="every job goes there unless a rule or the job itself says otherwise: a workstation"
    )
    in_house: bool | None = Field(
        default=None, description="is it the studio's own, so that cloud = never permits it; none: the same as default"
    )
    onward: bool = Field(default=True, description="may the other farm let jobs leave it again")
    jobs_max: int = Field(default=100, ge=1, description="jobs that may be there side by side")
    overflow_s: float | None = Field(
        default=None, ge=0, description="a job that may go there and has waited so long at home goes; none: never"
    )
    give_up_s: float | None = Field(
        default=None, ge=0, description="how long a job that has another place waits for a silent site; none: for ever"
    )
    refused_retry_s: float = Field(default=600.0, gt=0, description="when a job is offered again that was not taken")
    priority_max: int = Field(default=100, ge=0, le=100, description="highest priority that jobs are given there")
    tracking: tuple[TrackingField, ...] | None = Field(
        default=None,
        description="tracking fields that go along; none: project, sequence and shot, to a farm in the house all",
    )
    paths: dict[str, str] = Field(
        default_factory=dict, description="folder here to the same folder there; other scenes are sent along"
    )
    poll_s: float = Field(default=2.0, gt=0, description="how often jobs there are looked at")
    backoff_max_s: float = Field(default=60.0, gt=0, description="longest pause before a silent site is tried again")
    connect_timeout_s: float = Field(default=10.0, gt=0, description="longest wait for a connection")
    timeout_s: float = Field(default=30.0, gt=0, description="longest silence of the other farm in one call")
    bytes_per_s_max: int | None = Field(default=None, ge=1024, description="speed limit for scenes and frames")

    @property
    def is_house(self) -> bool:
        """Whether work there has not left the studio."""
        return self.default if self.in_house is None else self.in_house
