"""Traces: reading one, checking that its lines agree, and writing one. The lines themselves are `protocol.traces`'.

`docs/howto/simulate.md` describes every field. Nothing here decides or simulates.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

import msgspec

from scheduler.errors import Refused
from scheduler.protocol.traces import (
    VERSION,
    WORKERS_MAX,
    Change,
    FarmLine,
    JobLine,
    Line,
    MachineSpec,
    PoolSpec,
    RequiresSpec,
    WorkerLine,
    write_line,
)
from scheduler.routing.route import HOME_POOL

LINE_MAX_BYTES = 32 * 2**20
LINES_MAX = 2_000_000
TASKS_MAX = 20_000_000


class TraceError(Refused):
    """The trace cannot be read."""

    code = "invalid_trace"
    hint = "Correct the line, or export the trace anew with `outfield jobs --export FILE`."


_DECODER = msgspec.json.Decoder(Line)


@dataclass(frozen=True)
class Trace:
    """A whole trace: jobs in the order of their submission, workers as they stand in the file."""

    farm: FarmLine
    workers: tuple[WorkerLine, ...]
    jobs: tuple[JobLine, ...]

    @property
    def task_count(self) -> int:
        """Tasks of all jobs."""
        return sum(len(step) for job in self.jobs for step in job.seconds)


def write_trace(trace: Trace) -> Iterator[bytes]:
    """The lines of a trace."""
    yield write_line(trace.farm)
    yield from (write_line(worker) for worker in trace.workers)
    yield from (write_line(job) for job in trace.jobs)


def read_trace(lines: Iterable[bytes]) -> Trace:
    """The trace in these lines.

    Raises:
        TraceError: a line that cannot be read or contradicts another one; the message begins with its number.
    """
    farm: FarmLine | None = None
    workers: list[tuple[int, WorkerLine]] = []
    jobs: list[tuple[int, JobLine]] = []
    for number, text in enumerate(lines, 1):
        if not text.strip():
            continue
        line = _read_line(number, text)
        if farm is None:
            farm = _first(number, line)
        elif isinstance(line, FarmLine):
            raise _fault(number, "a second farm line; a trace describes one farm")
        elif isinstance(line, WorkerLine):
            workers.append((number, line))
        else:
            jobs.append((number, line))
    if farm is None:
        raise TraceError("line 1: the trace is empty; its first line describes the farm.")
    _check_workers(farm, workers)
    _check_jobs(jobs)
    ordered = sorted(jobs, key=lambda item: (item[1].submitted_s, item[0]))
    return Trace(farm, tuple(line for _number, line in workers), tuple(line for _number, line in ordered))


def _read_line(number: int, text: bytes) -> Line:
    if number > LINES_MAX:
        raise _fault(number, f"a trace has at most {LINES_MAX} lines")
    if len(text) > LINE_MAX_BYTES:
        raise _fault(number, f"a line has at most {LINE_MAX_BYTES} bytes")
    try:
        return _DECODER.decode(text)
    except msgspec.ValidationError as error:
        raise _fault(number, _in_words(str(error))) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _fault(number, f"it is not JSON: {error}") from error


def _first(number: int, line: Line) -> FarmLine:
    if not isinstance(line, FarmLine):
        raise _fault(number, 'the first line must describe the farm ({"kind": "farm", …})')
    if line.version != VERSION:
        raise _fault(number, f"version {line.version} of the format is not known; this release reads version {VERSION}")
    if line.origin is not None:
        _check_origin(number, line.origin)
    names = [pool.name for pool in line.pools]
    if len(set(names)) != len(names):
        raise _fault(number, "two pools have the same name")
    for pool in line.pools:
        if pool.workers_max and pool.machine is None:
            raise _fault(number, f"pool {pool.name!r} has workers_max, but no machine says what its workers are like")
    return line


def _check_origin(number: int, text: str) -> None:
    try:
        aware = datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        aware = False
    if not aware:
        raise _fault(number, f"origin {text[:60]!r} is no ISO 8601 time with an offset, such as 2026-01-05T00:00:00Z")


def _check_workers(farm: FarmLine, workers: list[tuple[int, WorkerLine]]) -> None:
    pools = {HOME_POOL} | {pool.name for pool in farm.pools}
    seen: dict[str, int] = {}
    total = 0
    for number, worker in workers:
        if worker.pool not in pools:
            raise _fault(number, f"pool {worker.pool!r} is not in the farm line; it names {', '.join(sorted(pools))}")
        if worker.worker in seen:
            raise _fault(number, f"worker {worker.worker!r} stands in line {seen[worker.worker]} already")
        if worker.left_s is not None and worker.left_s < worker.joined_s:
            raise _fault(number, f"worker {worker.worker!r} leaves before it joins")
        seen[worker.worker] = number
        total += worker.count
        if total > WORKERS_MAX:
            raise _fault(number, f"a trace has at most {WORKERS_MAX} workers")


def _check_jobs(jobs: list[tuple[int, JobLine]]) -> None:
    seen: dict[str, int] = {}
    total = 0
    for number, job in jobs:
        if job.job in seen:
            raise _fault(number, f"job {job.job!r} stands in line {seen[job.job]} already")
        seen[job.job] = number
        total += sum(len(step) for step in job.seconds)
        if total > TASKS_MAX:
            raise _fault(number, f"a trace has at most {TASKS_MAX} tasks")
    for number, job in jobs:
        for needed in job.depends_on:
            if needed not in seen:
                raise _fault(number, f"job {job.job!r} depends on job {needed!r}, which is not in the trace")
            if needed == job.job:
                raise _fault(number, f"job {job.job!r} depends on itself")


_UNKNOWN = re.compile(r"unknown field `([^`]*)`")
_FIELDS = tuple(
    dict.fromkeys(
        field
        for kind in (FarmLine, WorkerLine, JobLine, PoolSpec, MachineSpec, Change, RequiresSpec)
        for field in kind.__struct_fields__
    )
)


def _in_words(message: str) -> str:
    """What msgspec found; an unknown field with the nearest known one."""
    unknown = _UNKNOWN.search(message)
    if unknown is None:
        return message
    near = difflib.get_close_matches(unknown.group(1), _FIELDS, n=1, cutoff=0.6)
    return message + (f"; did you mean {near[0]!r}?" if near else "")


def _fault(number: int, problem: str) -> TraceError:
    return TraceError(f"line {number}: {problem.rstrip('.')}.", details={"line": number})
