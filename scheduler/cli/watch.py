"""`watch`: a job's progress, live on a terminal, a line per change elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from scheduler.cli.jobs import JobArgument
from scheduler.cli.session import Cli
from scheduler.clock import SystemClock

if TYPE_CHECKING:
    from scheduler.cli.waiting import Patience, Show

RUNNING_SHOWN = 3
"""Running tasks whose notes are shown beside the bar."""


def watch(cli: Cli, job: JobArgument) -> None:
    """Follow a job until it ends; exits with 6 if it does not succeed."""
    from scheduler.cli.waiting import Patience

    follow(cli, job, Patience())


def follow(cli: Cli, job: str, patience: Patience) -> None:
    """Wait for the end of a job, showing its progress.

    Raises:
        JobFailed: it did not succeed. Unplaceable, Unreachable: see `waiting`.
    """
    from scheduler.cli.waiting import succeed_or_raise, wait_for_end

    with _display(cli, job) as show:
        found = wait_for_end(cli.client, job, show, clock=SystemClock(), patience=patience)
    if cli.output.as_json:
        cli.output.data(found)
    succeed_or_raise(cli.client, found)
    published, total = found["frames_published"], found["frame_count"]
    cli.output.note(f"Job {found['jobID']} has succeeded: {published} of {total} frames are there.")


def fraction(job: Mapping[str, Any], running: list[dict[str, Any]]) -> float:
    """How many tasks are done, counting the parts of running ones."""
    return job["progress"]["done"] + sum(float(task["progress"]) for task in running)


def line(job: Mapping[str, Any]) -> str:
    """A job's progress as a line."""
    tasks = job["progress"]
    parts = [f"{tasks['done']}/{tasks['total']} tasks", f"{tasks['running']} running"]
    if tasks["failed"]:
        parts.append(f"{tasks['failed']} failed")
    return f"{job['jobID']} {job['status']} {', '.join(parts)}"


@contextmanager
def _display(cli: Cli, job: str) -> Iterator[Show]:
    console = cli.output.console(stderr=True)
    if cli.output.quiet or cli.output.as_json:
        yield lambda _job: None
    elif not console.is_terminal:
        with _lines(cli) as show:
            yield show
    else:
        with _bar(cli, job) as show:
            yield show


@contextmanager
def _lines(cli: Cli) -> Iterator[Show]:
    last = [""]

    def show(job: Mapping[str, Any]) -> None:
        text = line(job)
        if text != last[0]:
            cli.output.note(text)
            last[0] = text

    yield show


@contextmanager
def _bar(cli: Cli, job_id: str) -> Iterator[Show]:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("[bold]{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("[dim]{task.fields[note]}", markup=True),
    )
    with Progress(*columns, console=cli.output.console(stderr=True)) as progress:
        bar = progress.add_task(job_id, total=None, note="")

        def show(job: Mapping[str, Any]) -> None:
            running = cli.client.pages(f"/jobs/{job_id}/tasks", {"status": "LEASED"}, 100)
            progress.update(
                bar,
                description=f"{job['jobID']} {job['name'][:30]} {job['status']}",
                total=job["progress"]["total"],
                completed=fraction(job, running),
                note=_note(job, running),
            )

        yield show


def _note(job: Mapping[str, Any], running: list[dict[str, Any]]) -> str:
    from rich.markup import escape

    if not running:
        return escape(str(job["reason"] or ""))
    shown = [
        f"{task['frames'][0]}: {task['note'] or format(task['progress'], '.0%')}" for task in running[:RUNNING_SHOWN]
    ]
    return escape(", ".join(shown) + ("…" if len(running) > RUNNING_SHOWN else ""))
