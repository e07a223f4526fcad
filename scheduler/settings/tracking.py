"""`[shotgrid]`: where production's tracker is, which of its fields mean what, and what is written back to it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr

from scheduler.settings.section import Section

ExtraFact = Literal[
    "core_hours", "retry_core_hours", "cost_usd", "retry_cost_usd", "frame_count", "job", "key"
]  # fmt: skip
"""Facts of a finished job that a studio may put into Version fields of its own."""


class PriorityMapping(Section):
    """`[shotgrid.priority]`: which fields hold a priority, and what their values are worth."""

    fields: tuple[str, ...] = Field(
        default=(
            "Task.sg_priority_1",
            "Task.sg_priority",
            "Shot.sg_priority",
            "Sequence.sg_priority",
            "Project.sg_priority",
        ),
        description="fields as Entity.field; the first that has a value counts",
    )
    values: dict[str, int] = Field(
        default_factory=lambda: {"1_Tier": 90, "2_Tier": 60, "3_Tier": 30, "High": 80, "Medium": 50, "Low": 20},
        description="value of a list field to priority, 0 to 100; numbers pass through",
    )


class StatusMapping(Section):
    """`[shotgrid.status]`: which statuses hold a job back, and which raise it."""

    fields: tuple[str, ...] = Field(
        default=("Task.sg_status_list", "Shot.sg_status_list"), description="fields as Entity.field; each is looked at"
    )
    pause: tuple[str, ...] = Field(default=("hld", "omt"), description="statuses under which a job is paused")
    boost: dict[str, int] = Field(default_factory=dict, description="status to points that are added to the priority")


class DeadlineMapping(Section):
    """`[shotgrid.deadline]`: which fields hold a date, the time of day that a date means, and review sessions."""

    fields: tuple[str, ...] = Field(
        default=("Task.due_date", "Shot.sg_due_date", "Version.sg_review_date"),
        description="date or date-time fields as Entity.field; the first that has a value counts",
    )
    day_ends_at: str = Field(
        default="18:00", pattern=r"^([01]\d|2[0-3]):[0-5]\d$", description="time of day of a date without a time, UTC"
    )
    review: bool = Field(
        default=False, description="the date of the next review playlist that the shot or version is in counts too"
    )


class WriteBackSettings(Section):
    """`[shotgrid.write]`: what the farm tells the tracker."""

    versions: bool = Field(default=True, description="make a Version of every finished job that names a project")
    movie: bool = Field(default=True, description="upload a movie of the frames with it")
    movie_fps: float = Field(default=24.0, ge=1, le=240, description="frames per second of that movie")
    movie_px: int = Field(default=1920, ge=16, le=4096, description="widest that movie may be, in pixels")
    version_status: str = Field(default="rev", description="status of the Version that is made")
    task_status: dict[str, str] = Field(
        default_factory=dict,
        description="job status (RUNNING, SUCCEEDED, FAILED) to Task status; empty: Tasks are left alone",
    )
    extra: dict[ExtraFact, str] = Field(
        default_factory=dict,
        description="further Version fields to fill: core_hours, retry_core_hours, cost_usd, retry_cost_usd, "
        "frame_count, job or key to field name",
    )


class ShotGridSettings(Section):
    """`[shotgrid]`; without `url` there is no tracker."""

    url: str | None = Field(default=None, description="address of the site; none: no tracker")
    script_name: str = Field(default="outfield", description="name of the API script")
    api_key: SecretStr | None = Field(default=None, description="its key; better in the environment or a file")
    api_key_file: Path | None = Field(default=None, description="file that holds the key")
    sync_interval_s: float = Field(default=60.0, gt=0, description="how often changes are asked for")
    sweep_interval_s: float = Field(default=900.0, gt=0, description="how often everything is read again")
    timeout_s: float = Field(default=10.0, gt=0, description="longest wait for one answer")
    backoff_max_s: float = Field(default=600.0, gt=0, description="longest pause after failures")
    stale_after_s: float = Field(default=300.0, gt=0, description="age from which data is called stale")
    priority: PriorityMapping = PriorityMapping()
    status: StatusMapping = StatusMapping()
    deadline: DeadlineMapping = DeadlineMapping()
    write: WriteBackSettings = WriteBackSettings()
