"""`jobs`, `cancel`, `pause`, `resume`, `retry`, `priority`: looking at jobs and telling them what to do."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from scheduler.cli.bulk import each
from scheduler.cli.exits import ExitCode, Usage
from scheduler.cli.output import Column, money
from scheduler.cli.session import Cli
from scheduler.cli.times import ago
from scheduler.clock import SystemClock

JOB_COLUMNS = (
    Column("Job"),
    Column("Name", wrap=True),
    Column("Status", status=True),
    Column("Done", right=True),
    Column("Prio", right=True),
    Column("User"),
    Column("Shot"),
    Column("Renderer"),
    Column("Submitted"),
)
TASK_COLUMNS = (
    Column("Task"),
    Column("What"),
    Column("Frames", wrap=True),
    Column("Status", status=True),
    Column("Attempt", right=True),
    Column("Worker"),
    Column("Message", wrap=True),
)
LIST_LIMIT = 50
TASKS_SHOWN = 30
"""Tasks listed by `jobs ID`: failed and running ones first."""

TASKS_FIRST = ("FAILED", "LEASED", "READY", "BLOCKED", "CANCELED")

JobArgument = Annotated[str, typer.Argument(metavar="ID", help="jobID")]
JobsArgument = Annotated[list[str], typer.Argument(metavar="ID...", help="jobIDs")]


def jobs(
    cli: Cli,
    job: Annotated[str | None, typer.Argument(metavar="ID", help="one job in full")] = None,
    status: Annotated[str | None, typer.Option(metavar="STATUS", help="only jobs in this status")] = None,
    user: Annotated[str | None, typer.Option(metavar="NAME", help="only jobs of this user")] = None,
    shot: Annotated[str | None, typer.Option(metavar="NAME", help="only jobs of this shot")] = None,
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="how many jobs to list")] = LIST_LIMIT,
    export: Annotated[
        Path | None, typer.Option(metavar="FILE", help="write the farm's history as a trace for `simulate`")
    ] = None,
    since: Annotated[str | None, typer.Option(metavar="TIME", help="with --export: jobs from then on")] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="with --export: jobs before then")] = None,
    anonymous: Annotated[bool, typer.Option("--anonymous", help="with --export: without names and paths")] = False,
) -> None:
    """List jobs, newest first, or show one with its tasks."""
    if export is not None:
        return _export(cli, export, {"since": since, "until": until, "anonymous": anonymous or None})
    if since or until or anonymous:
        raise Usage("--since, --until and --anonymous belong to --export FILE.")
    if job is not None:
        return _show(cli, job)
    filters = {"status": status.upper() if status else None, "user": user, "shot": shot}
    rows = cli.client.pages("/jobs", filters, limit)
    if cli.output.as_json:
        return cli.output.data(rows)
    now = SystemClock().now()
    cli.output.table(JOB_COLUMNS, [job_row(row, lambda at: ago(at, now)) for row in rows], empty="There are no jobs.")
    return None


def cancel(cli: Cli, ids: JobsArgument) -> ExitCode:
    """Cancel jobs: what runs is stopped, published frames stay."""
    return each(cli, ids, lambda job: cli.client.post(f"/jobs/{job}/cancel"))


def pause(cli: Cli, ids: JobsArgument) -> ExitCode:
    """Pause jobs: nothing new starts, what runs may finish."""
    return each(cli, ids, lambda job: cli.client.post(f"/jobs/{job}/pause"))


def resume(cli: Cli, ids: JobsArgument) -> ExitCode:
    """Let paused jobs go on."""
    return each(cli, ids, lambda job: cli.client.post(f"/jobs/{job}/resume"))


def retry(
    cli: Cli,
    ids: JobsArgument,
    frames: Annotated[str | None, typer.Option(metavar="SPEC", help="only the tasks of these frames")] = None,
) -> ExitCode:
    """Give failed and canceled tasks all their attempts back."""
    body = {"frames": frames} if frames else None
    return each(cli, ids, lambda job: cli.client.post(f"/jobs/{job}/retry", body))


def priority(
    cli: Cli,
    job: JobArgument,
    value: Annotated[int | None, typer.Argument(metavar="N", min=0, max=100, help="0 to 100; 50 is usual")] = None,
    reason: Annotated[str | None, typer.Option(metavar="TEXT", help="why; it stands beside the number")] = None,
    lasting: Annotated[str | None, typer.Option("--for", metavar="TIME", help="how long, e.g. 90m, 4h or 2d")] = None,
    clear: Annotated[bool, typer.Option("--clear", help="end the override: production's wish counts again")] = False,
) -> ExitCode:
    """Change the priority of a job, or override what production wants for it.

    With a reason or a time, or where production's tracker has a wish for the job, the number overrides that wish;
    `outfield priorities` shows it. Otherwise it is the job's own.
    """
    if clear:
        if value is not None or reason or lasting:
            raise Usage("--clear goes alone: it ends an override.")
        return each(cli, [job], lambda job: cli.client.delete(f"/jobs/{job}/priority"))
    if value is None:
        raise Usage("Say which priority, 0 to 100, or --clear.")
    body: dict[str, Any] = {"priority": value, "reason": reason, "hours": None if lasting is None else hours(lasting)}
    wanted = {name: given for name, given in body.items() if given is not None}
    return each(cli, [job], lambda job: cli.client.post(f"/jobs/{job}/priority", wanted))


def hours(text: str) -> float:
    """`90m`, `4h`, `2d` in hours.

    Raises:
        Usage: it is no such time.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([mhd])", text.strip().lower())
    if found is None or float(found[1]) <= 0:
        raise Usage(f"{text!r} is no time. Write 90m, 4h or 2d.")
    return float(found[1]) * {"m": 1 / 60, "h": 1.0, "d": 24.0}[found[2]]


def job_row(job: Mapping[str, Any], when: Callable[[str | None], str]) -> list[object]:
    """A job as a row of `JOB_COLUMNS`."""
    return [
        job["jobID"],
        job["name"],
        f"{job['status']} @{job['away']}" if job.get("away") else job["status"],
        f"{job['progress']['done']}/{job['progress']['total']}",
        job["priority"],
        job["user"],
        job["shot"],
        job["renderer"],
        when(job["submitted_at"]),
    ]


def _export(cli: Cli, file: Path, wanted: Mapping[str, Any]) -> None:
    """Write the trace beside its place first, so that a broken connection leaves no half of one."""
    target = file.expanduser().absolute()
    part = target.with_name(f".{target.name}.part")
    try:
        with part.open("wb") as sink:
            cli.client.download("/jobs/export", sink, wanted)
        part.replace(target)
    except OSError as error:
        raise Usage(f"{target} cannot be written: {error.strerror}.") from error
    finally:
        part.unlink(missing_ok=True)
    if cli.output.as_json:
        return cli.output.data({"file": str(target), "bytes": target.stat().st_size})
    cli.output.line(str(target))
    cli.output.note(f"replay it: outfield simulate {file}")
    return None


def _show(cli: Cli, job: str) -> None:
    found = cli.client.get(f"/jobs/{job}")
    if cli.output.as_json:
        return cli.output.data(found)
    if cli.output.quiet:
        return cli.output.line(found["status"])
    now = SystemClock().now()
    cli.output.fields(job_fields(found, lambda at: ago(at, now)))
    tasks = [task for status in TASKS_FIRST for task in _tasks(cli, job, status, TASKS_SHOWN)][:TASKS_SHOWN]
    cli.output.table(TASK_COLUMNS, [task_row(task) for task in tasks], empty="All tasks have succeeded.")
    others = found["progress"]["total"] - found["progress"]["done"] - len(tasks)
    if others > 0:
        cli.output.note(f"and {others} more that have not succeeded")
    return None


def _tasks(cli: Cli, job: str, status: str, limit: int) -> list[dict[str, Any]]:
    return cli.client.pages(f"/jobs/{job}/tasks", {"status": status}, limit)


def job_fields(job: Mapping[str, Any], when: Callable[[str | None], str]) -> list[tuple[str, object]]:
    """A job in full, as named values."""
    tasks, tracking = job["progress"], job["tracking"]
    done = f"{job['frames_published']} of {job['frame_count']} frames, {tasks['done']} of {tasks['total']} tasks"
    return [
        ("job", f"{job['jobID']}  {job['name']}"),
        ("status", job["status"]),
        ("reason", job["reason"]),
        ("site", (job.get("site") or {}).get("words")),
        ("done", done),
        ("frames", job["frames"]),
        ("renderer", job["renderer"]),
        ("scene", job["scene"]),
        ("output", job["output"]),
        ("settings", [f"{key}={value}" for key, value in job["settings"].items()]),
        ("priority", job["priority"]),
        ("deadline", job["deadline"]),
        ("cost cap", None if job.get("cost_cap_usd") is None else money(job["cost_cap_usd"])),
        ("user", job["user"]),
        ("tracking", [f"{key} {value}" for key, value in tracking.items() if value]),
        ("depends on", [f"{need['jobID']}{'' if need['met'] else ' (waits)'}" for need in job["depends_on"]]),
        ("submitted", when(job["submitted_at"])),
        ("started", when(job["started_at"])),
        ("ended", when(job["ended_at"])),
    ]


def task_row(task: Mapping[str, Any]) -> list[object]:
    """A task as a row of `TASK_COLUMNS`."""
    tile, part = task["tile"], task["slice"]
    what = task["step"]
    if tile:
        what += f" tile {tile[0]},{tile[1]} of {tile[2]}x{tile[3]}"
    if part:
        what += f" samples {part[0] + 1} of {part[1]}"
    running = f"{task['progress']:.0%} {task['note']}".strip() if task["status"] == "LEASED" else ""
    frames = ",".join(map(str, task["frames"]))
    return [task["task"], what, frames, task["status"], task["attempt"], task["worker"], running or task["message"]]
