"""The demo's farm: starts it, submits, watches, fetches the contact sheet, and says where everything is."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from scheduler.cli.client import Client
from scheduler.cli.connection import ADMIN_TOKEN_FILE, Connection, read_token
from scheduler.cli.demo_jobs import DemoJob, blender_job, kernel_jobs
from scheduler.cli.exits import ExitCode
from scheduler.cli.hashing import written_whole
from scheduler.cli.local_farm import run_farm
from scheduler.cli.local_workers import Crew
from scheduler.cli.output import Column, Output
from scheduler.clock import Clock, SystemClock
from scheduler.errors import OutfieldError
from scheduler.settings import ServerSettings, Settings
from scheduler.telemetry import set_up_logging

if TYPE_CHECKING:
    from rich.progress import Progress

WORKERS_MAX = 2
POLL_S = 0.2
GIVE_UP_S = 600.0
"""After so long something is wrong with this machine; the farm's log says what."""

ENDED = frozenset({"SUCCEEDED", "FAILED", "CANCELED"})
COLUMNS = (
    Column("Job"),
    Column("What", wrap=True),
    Column("Status", status=True),
    Column("Frames", right=True),
    Column("Seconds", right=True),
    Column("Where", wrap=True),
)


@dataclass
class Show:
    """One run of the demo: where things go, and how it ended."""

    out: Path
    scratch: Path
    output: Output
    clock: Clock
    abandoned: threading.Event = field(default_factory=threading.Event)
    results: list[Result] = field(default_factory=list["Result"])
    sheet: Path | None = None
    trouble: OutfieldError | None = None

    @property
    def good(self) -> bool:
        """Everything was rendered and is there."""
        ended = [result.data["status"] for result in self.results]
        return self.trouble is None and self.sheet is not None and set(ended) == {"SUCCEEDED"}


@dataclass(frozen=True)
class Result:
    """A job of the demo as it ended."""

    job: DemoJob
    data: Mapping[str, Any]
    seconds: float


def run_demo(output: Output, out: Path) -> ExitCode:
    """Run the whole demo, with frames below `out`."""
    clock = SystemClock()
    since_s = clock.monotonic()
    show = Show(out, Path(tempfile.mkdtemp(prefix="outfield-demo-")), output, clock)
    out.mkdir(parents=True, exist_ok=True)
    with (show.scratch / "farm.log").open("w") as log:
        _run(show, log)
    _report(show, clock.monotonic() - since_s)
    if show.good:
        shutil.rmtree(show.scratch, ignore_errors=True)
        return ExitCode.OK
    if show.trouble is not None:
        output.error(show.trouble)
    output.warn(f"the demo failed; the farm's logs are in {show.scratch}")
    return ExitCode.FAILED


def _run(show: Show, log: TextIO) -> None:
    """Serve; a thread submits and watches, as any client would, and ends the farm when it is done."""
    set_up_logging(stream=log)
    settings = _settings(show)
    workers = min(WORKERS_MAX, max(1, (os.cpu_count() or 1)))

    def on_up(url: str, leave: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()

        def play() -> None:
            try:
                _play(show, url, settings.server.data)
            finally:
                loop.call_soon_threadsafe(leave)

        threading.Thread(target=play, name="demo", daemon=True).start()

    show.output.note("Starting a farm ...")
    asyncio.run(
        run_farm(settings, lambda url: Crew(workers, show.scratch / "workers", url, log_folder=show.scratch), on_up)
    )
    show.abandoned.set()


def _settings(show: Show) -> Settings:
    """A farm of its own, whatever the user's settings say."""
    roots = (show.out,)
    return Settings(server=ServerSettings(port=0, data=show.scratch / "farm", output_roots=roots))


def _play(show: Show, url: str, data: Path) -> None:
    client = Client(Connection(url, read_token(data / ADMIN_TOKEN_FILE)))
    try:
        _render(show, client)
    except OutfieldError as error:
        show.trouble = error
    except OSError as error:
        show.trouble = OutfieldError(
            f"The demo cannot go on: {error}.", code="demo_disk", hint="Run `outfield doctor`."
        )
    finally:
        client.close()


def _render(show: Show, client: Client) -> None:
    from worker.runners.kernel.demo import demo_mesh

    mesh = show.scratch / "knot.ply"
    demo_mesh(mesh)
    submitted = [_submit(client, job) for job in kernel_jobs(mesh, show.out)]
    extra = blender_job(show.scratch, show.out)
    if extra is None:
        show.output.note("No Blender on PATH: the .blend is left out.")
    else:
        submitted.append(_submit(client, extra))
    _watch(show, client, submitted)
    animation = next((r for r in show.results if r.data["name"] == "turntable"), None)
    if animation is not None and animation.data["frames_published"]:
        show.sheet = show.out / "contact_sheet.png"
        with written_whole(show.sheet) as file:
            client.download(f"/jobs/{animation.data['jobID']}/sheet", file)


def _submit(client: Client, job: DemoJob) -> tuple[DemoJob, str]:
    return job, client.post("/new_job", job.body, key=uuid.uuid4().hex).data["jobID"]


def _watch(show: Show, client: Client, submitted: list[tuple[DemoJob, str]]) -> None:
    """Until all have ended, with a bar for each."""
    since_s, left = show.clock.monotonic(), dict.fromkeys(range(len(submitted)))
    with _bars(show.output) as bars:
        rows = [bars.add_task(job.title, total=None) for job, _ in submitted]
        while left and not show.abandoned.is_set():
            for index in list(left):
                job, job_id = submitted[index]
                data = client.get(f"/jobs/{job_id}")
                bars.update(rows[index], total=data["progress"]["total"], completed=data["progress"]["done"])
                if data["status"] in ENDED:
                    del left[index]
                    show.results.append(Result(job, data, show.clock.monotonic() - since_s))
            if show.clock.monotonic() - since_s > GIVE_UP_S:
                raise OutfieldError("The demo takes too long.", code="demo_slow", hint="Look at the farm's log.")
            show.abandoned.wait(POLL_S)


def _bars(output: Output) -> Progress:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=output.console(stderr=True), disable=output.quiet or output.as_json)


def _report(show: Show, seconds: float) -> None:
    paths = [str(path) for result in show.results for path in sorted(_paths(result))]
    if show.output.as_json:
        jobs = [{"job": r.data["jobID"], "name": r.data["name"], "status": r.data["status"]} for r in show.results]
        sheet = str(show.sheet) if show.sheet else None
        return show.output.data({"jobs": jobs, "frames": paths, "sheet": sheet, "seconds": round(seconds, 2)})
    for path in paths:
        show.output.line(path)
    if show.sheet is not None:
        show.output.line(str(show.sheet))
    if show.output.quiet:
        return None
    show.output.table(COLUMNS, [_row(result) for result in show.results])
    show.output.line(f"{len(paths)} frames and a contact sheet in {seconds:.1f} s, farm and all: {show.out}")
    return None


def _row(result: Result) -> list[object]:
    data = result.data
    frames = f"{data['frames_published']}/{data['frame_count']}"
    return [
        data["name"],
        result.job.title,
        data["status"],
        frames,
        f"{result.seconds:.1f}",
        Path(data["output"]).parent,
    ]


def _paths(result: Result) -> list[Path]:
    pattern = Path(result.data["output"])
    return list(pattern.parent.glob(pattern.name.replace("####", "????")))
