"""The facts of jobs that may differ at every tick, for the conditions of routing rules: a column for each fact.

Only what some rule reads is looked up, and for all jobs at once: a tick has ten thousand of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from scheduler.domain.forecasting import Forecast
from scheduler.routing.route import HOME_POOL, Pool
from scheduler.routing.vocabulary import ENDLESS_S, SLACK
from scheduler.service.circumstances import Circumstances, Work


class Moving(Protocol):
    """What is read of a step's row. Times are seconds since the epoch."""

    @property
    def job(self) -> int:
        """The job's number."""
        ...

    @property
    def priority(self) -> int:
        """The priority in force."""
        ...

    @property
    def boost(self) -> float:
        """Points that were bought."""
        ...

    @property
    def submitted_s(self) -> float:
        """When it was submitted."""
        ...

    @property
    def deadline_s(self) -> float | None:
        """The deadline in force."""
        ...

    @property
    def tracked(self) -> Tracked | None:
        """What the tracker has said; None: nothing."""
        ...


class Tracked(Protocol):
    """What the tracker has said of a job."""

    @property
    def priority(self) -> int | None:
        """Its priority."""
        ...

    @property
    def deadline_s(self) -> float | None:
        """Its due date, seconds since the epoch."""
        ...

    @property
    def hold(self) -> str | None:
        """The status that holds the job back."""
        ...

    @property
    def source(self) -> str | None:
        """The field that the priority came from."""
        ...

    @property
    def at_s(self) -> float:
        """When it was heard, seconds since the epoch."""
        ...


Column = Sequence[Any] | npt.NDArray[np.float64]
"""One value for each job; None or NaN: not known."""


def columns(paths: Iterable[str], rows: Sequence[Moving], around: Circumstances) -> dict[str, Column]:
    """The column of each path."""
    return {path: _column(path, rows, around) for path in paths}


def _column(path: str, rows: Sequence[Moving], around: Circumstances) -> Column:
    if f".{SLACK}(" in path:
        return _slack_in(path.partition("(")[2].rstrip(")"), rows, around)
    root, _, name = path.partition(".")
    if root == "estimate":
        return _estimated(name, rows, around)
    if root == "tracking":
        return _tracked(name, rows, around.now_s)
    return _of_jobs(name, rows, around.now_s)


def _of_jobs(name: str, rows: Sequence[Moving], now_s: float) -> Column:
    match name:
        case "priority":
            return [row.priority for row in rows]
        case "boost":
            return [row.boost for row in rows]
        case "age_s":
            return [now_s - row.submitted_s for row in rows]
        case "has_deadline":
            return [row.deadline_s is not None for row in rows]
        case "deadline_s":
            return [None if row.deadline_s is None else row.deadline_s - now_s for row in rows]
        case "deadline":
            return [_iso(row.deadline_s) for row in rows]
        case _:
            raise LookupError(f"there is no fact job.{name}")


def _iso(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat()


def _tracked(name: str, rows: Sequence[Moving], now_s: float) -> Column:
    found: Mapping[str, Callable[[Tracked], Any]] = {
        "known": lambda _told: True,
        "source": lambda told: told.source,
        "priority": lambda told: told.priority,
        "status": lambda told: told.hold,
        "deadline_s": lambda told: None if told.deadline_s is None else told.deadline_s - now_s,
        "age_s": lambda told: now_s - told.at_s,
    }
    read = found[name]
    return [None if row.tracked is None else read(row.tracked) for row in rows]


def _estimated(name: str, rows: Sequence[Moving], around: Circumstances) -> Column:
    now_s, forecasts, work = around.now_s, around.forecasts, around.work
    if name in ("work_s", "frame_s"):
        return [getattr(work.get(row.job), name, None) for row in rows]
    found: Mapping[str, Callable[[Forecast], Any]] = {
        "known": lambda _told: True,
        "finish_s": lambda told: told.finish_s - now_s,
        "low_s": lambda told: told.low_s - now_s,
        "high_s": lambda told: told.high_s - now_s,
        "basis": lambda told: told.basis,
    }
    read = found[name]
    return [None if (told := forecasts.get(row.job)) is None else read(told) for row in rows]


def _slack_in(pool: str, rows: Sequence[Moving], around: Circumstances) -> Column:
    """Seconds to spare if the job ran in this pool.

    At home that is the forecast of everything staying at home, so that sending a job away does not make it fit again
    and call it back. Elsewhere a job is alone, on as many workers as the pool may have.
    """
    if pool == HOME_POOL:
        return [None if row.deadline_s is None else _slack_at_home(row.job, row.deadline_s, around) for row in rows]
    slots = _slots_in(next((found for found in around.pools if found.name == pool), None))
    known, nothing = around.work.get, Work(0.0, 0.0)
    left = np.array([known(row.job, nothing) for row in rows], dtype=np.float64).reshape(-1, 2)
    deadline_s = np.array([row.deadline_s for row in rows], dtype=np.float64)  # None becomes NaN
    return deadline_s - around.now_s - np.maximum(left[:, 1], left[:, 0] / slots)


def _slack_at_home(job: int, deadline_s: float, around: Circumstances) -> float:
    told = around.home.get(job)
    if told is not None:
        return deadline_s - told.finish_s
    # A job that nobody could place at home never finishes there; of a new one, nothing is known yet.
    return -ENDLESS_S if job in around.foretold else deadline_s - around.now_s


def _slots_in(pool: Pool | None) -> float:
    if pool is None:
        return 1.0
    return float(max(1, len(pool.machines), pool.workers_max or 0))
