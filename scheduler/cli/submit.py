"""`submit`: send a job; keep it when the scheduler is away; wait for it if that is wished."""

from __future__ import annotations

import uuid
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from scheduler.cli.connection import Connection
from scheduler.cli.exits import ExitCode, Unreachable, Usage
from scheduler.cli.outbox import Sent, Submission
from scheduler.cli.session import Cli
from scheduler.cli.submission import Flags, body_of
from scheduler.clock import SystemClock
from scheduler.errors import NotFound, Unavailable

SceneArgument = Annotated[
    str | None, typer.Argument(metavar="SCENE_OR_BUNDLE", help="scene file, or zip or folder of one; none: built-in")
]
NameOption = Annotated[str | None, typer.Option(metavar="NAME", help="the job's name  [the scene's]")]
RendererOption = Annotated[str | None, typer.Option(metavar="NAME", help="kernel, blender …  [by the scene's ending]")]
FramesOption = Annotated[str | None, typer.Option(metavar="SPEC", help="frames, e.g. 1-10x2,15  [1]")]
ChunkOption = Annotated[int | None, typer.Option(min=1, metavar="N", help="frames per task  [1]")]
TilesOption = Annotated[str | None, typer.Option(metavar="CxR", help="split each frame into columns x rows")]
SamplesOption = Annotated[int | None, typer.Option(min=1, metavar="N", help="split each frame's samples")]
OutputOption = Annotated[str | None, typer.Option(metavar="PATH", help="where frames go, #### is the frame")]
FormatOption = Annotated[str | None, typer.Option(metavar="FORMAT", help="png, jpg or exr  [by the output's ending]")]
SettingOption = Annotated[
    list[str] | None, typer.Option("--setting", "-p", metavar="KEY=VALUE", help="setting of the renderer")
]
PriorityOption = Annotated[int | None, typer.Option(metavar="N", min=0, max=100, help="0 to 100  [50]")]
DeadlineOption = Annotated[str | None, typer.Option(metavar="TIME", help="ISO 8601, e.g. 2026-12-01T18:00:00Z")]
ProjectOption = Annotated[str | None, typer.Option(metavar="NAME", help="project it belongs to")]
ShotOption = Annotated[str | None, typer.Option(metavar="NAME", help="shot it belongs to")]
PoolOption = Annotated[list[str] | None, typer.Option(metavar="NAME", help="only in this pool")]
CloudOption = Annotated[str | None, typer.Option(metavar="WORD", help="allow, prefer or never  [allow]")]
CostCapOption = Annotated[
    float | None, typer.Option(min=0, metavar="USD", help="most it may cost; 0: only where it is free")
]
AfterOption = Annotated[list[str] | None, typer.Option(metavar="ID", help="only after this job has succeeded")]
TagOption = Annotated[list[str] | None, typer.Option(metavar="TAG", help="only on workers with this tag")]
AttemptsOption = Annotated[int | None, typer.Option(min=1, metavar="N", help="tries per task  [3]")]
TimeoutOption = Annotated[float | None, typer.Option(min=0.001, metavar="S", help="longest time of a task  [3600]")]
PausedFlag = Annotated[bool, typer.Option("--paused", help="do not start it yet")]
PreviewFlag = Annotated[bool, typer.Option("--preview-first", help="first, middle and last frame first")]
UploadFlag = Annotated[
    bool | None, typer.Option("--upload/--no-upload", help="send the scene itself  [if the scheduler is elsewhere]")
]
WaitFlag = Annotated[bool, typer.Option("--wait", help="wait for the end; exits with 6 if it fails, 7 if no pool fits")]
FlushFlag = Annotated[bool, typer.Option("--flush", help="only send what was kept while the scheduler was away")]


def submit(
    cli: Cli,
    scene: SceneArgument = None,
    *,
    name: NameOption = None,
    renderer: RendererOption = None,
    frames: FramesOption = None,
    chunk: ChunkOption = None,
    tiles: TilesOption = None,
    samples_split: SamplesOption = None,
    output: OutputOption = None,
    format: FormatOption = None,
    setting: SettingOption = None,
    priority: PriorityOption = None,
    deadline: DeadlineOption = None,
    project: ProjectOption = None,
    shot: ShotOption = None,
    pool: PoolOption = None,
    cloud: CloudOption = None,
    cost_cap_usd: CostCapOption = None,
    after: AfterOption = None,
    tag: TagOption = None,
    max_attempts: AttemptsOption = None,
    timeout_s: TimeoutOption = None,
    paused: PausedFlag = False,
    preview_first: PreviewFlag = False,
    upload: UploadFlag = None,
    wait: WaitFlag = False,
    flush: FlushFlag = False,
) -> ExitCode:
    """Submit a scene and print the job's ID.

    If the scheduler cannot be reached, the job is kept on this machine, sent with the next submission, and the exit
    code is 5.
    """
    flags = Flags(
        name, renderer, frames, chunk, tiles, samples_split, output, format, setting or [], priority, deadline,
        project, shot, pool or [], cloud, cost_cap_usd, after or [], tag or [], max_attempts, timeout_s, paused,
        preview_first,
    )  # fmt: skip
    return _flush(cli) if flush else _submit(cli, submission_of(flags, scene, cli.connection, upload), wait=wait)


def submission_of(flags: Flags, scene: str | None, connection: Connection, upload: bool | None) -> Submission:
    """What is sent: a path that the scheduler sees, a scene to upload, or a bundle.

    Raises:
        Usage: nothing says what to render, or a flag is not understood. NotFound: the scene is not there.
    """
    if scene is None and flags.name is None and flags.renderer is None:
        raise Usage("Say what to render: a scene, or --name for the built-in one.")
    key, cwd = uuid.uuid4().hex, Path.cwd()
    path = cwd / Path(scene).expanduser() if scene and not scene.startswith("blob:") else None
    if path is not None and not path.exists() and (connection.local or upload):
        raise NotFound(f"The scene {path} is not there.", code="scene_missing", hint="Check the path.")
    if path is not None and (path.is_dir() or path.suffix.lower() == ".zip"):
        body = body_of(replace(flags, name=flags.name or path.stem), None, cwd)
        return Submission(connection.server, key, body, bundle=str(path.absolute()))
    body = body_of(flags, scene, cwd)
    elsewhere = not connection.local if upload is None else upload
    source = str(path.absolute()) if path is not None and elsewhere and path.is_file() else None
    return Submission(connection.server, key, body, upload=source)


def _submit(cli: Cli, submission: Submission, *, wait: bool) -> ExitCode:
    from scheduler.cli.sending import send

    try:
        for sent in cli.outbox.flush(submission.server, lambda kept: send(cli.client, kept)):
            _tell(cli, sent)
        job = send(cli.client, submission)
    except Unavailable as error:
        if not isinstance(error, Unreachable) and error.code != "shutting_down":
            raise
        raise _keep(cli, submission, error) from error
    if not wait:
        _print(cli, job)
        return ExitCode.OK
    from scheduler.cli.waiting import UNPLACEABLE_S, Patience
    from scheduler.cli.watch import follow

    if not cli.output.as_json:
        _print(cli, job)
    follow(cli, job["jobID"], Patience(unplaceable_s=UNPLACEABLE_S))
    return ExitCode.OK


def _keep(cli: Cli, submission: Submission, error: Unavailable) -> Unreachable:
    order = SystemClock().now().strftime("%Y%m%dT%H%M%S%f")
    path = cli.outbox.keep(submission, order=order)
    return Unreachable(
        f"{error.message} The job was kept.",
        code="spooled",
        hint="It is sent with the next `outfield submit`, or now with `outfield submit --flush`.",
        details={"spooled": str(path), "name": submission.body["name"]},
    )


def _flush(cli: Cli) -> ExitCode:
    from scheduler.cli.sending import send

    server = cli.connection.server
    if not cli.outbox.waiting(server):
        cli.output.note(f"Nothing is kept for {server}.")
        return ExitCode.OK
    refused = False
    for sent in cli.outbox.flush(server, lambda kept: send(cli.client, kept)):
        refused |= sent.refusal is not None
        if sent.job is not None:
            _print(cli, sent.job)
        else:
            _tell(cli, sent)
    return ExitCode.FAILED if refused else ExitCode.OK


def _print(cli: Cli, job: dict[str, object]) -> None:
    if cli.output.as_json:
        return cli.output.data(job)
    print(job["jobID"], flush=True)
    return None


def _tell(cli: Cli, sent: Sent) -> None:
    name = sent.submission.body.get("name")
    if sent.job is not None:
        cli.output.note(f"Job {sent.job['jobID']} ({name}), kept since the scheduler was away, is sent.")
    elif sent.refusal is not None:
        cli.output.warn(f"the job {name!r}, kept since the scheduler was away, is refused: {sent.refusal.message}")
