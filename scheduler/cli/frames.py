"""`frames ls`, `get`, `check`, `sheet`: what has been published, on this machine's disk and as one picture."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from scheduler.cli.exits import ExitCode, Usage
from scheduler.cli.hashing import HashSink, file_hash, written_whole
from scheduler.cli.jobs import JobArgument
from scheduler.cli.output import Column
from scheduler.cli.session import Cli
from scheduler.errors import NotFound, OutfieldError

COLUMNS = (
    Column("Frame", right=True),
    Column("Status", status=True),
    Column("Size"),
    Column("Bytes", right=True),
    Column("Path", wrap=True),
)
PUBLISHED = "published"
SPEC_FRAMES_MAX = 1_000_000
SHEET_COLUMNS_MAX, SHEET_CELL_PX_MIN, SHEET_CELL_PX_MAX = 50, 32, 640

FramesOption = Annotated[str | None, typer.Option(metavar="SPEC", help="only these frames, e.g. 1-10x2,15")]


def ls(cli: Cli, job: JobArgument, frames: FramesOption = None) -> None:
    """List the frames of a job: which are there, and what became of the others."""
    rows = _frames(cli, job, frames)
    if cli.output.as_json:
        return cli.output.data(rows)
    cli.output.table(COLUMNS, [frame_row(row) for row in rows], empty="No such frames.")
    return None


def get(
    cli: Cli,
    job: JobArgument,
    to: Annotated[Path | None, typer.Option(metavar="DIR", help="folder to put them in  [./ID]")] = None,
    frames: FramesOption = None,
) -> None:
    """Download the published frames; what is there already is not fetched again."""
    found = _frames(cli, job, frames)
    there = [row for row in found if row["status"] == PUBLISHED]
    if not there:
        raise NotFound(
            f"No frame of job {job} is there yet.",
            code="frame_missing",
            hint=f"`outfield why {job}` says what it waits for.",
        )
    folder = to or Path(job)
    folder.mkdir(parents=True, exist_ok=True)
    paths = [fetch(cli, job, row, folder) for row in there]
    if cli.output.as_json:
        cli.output.data([str(path) for path in paths])
    else:
        for path in paths:
            cli.output.line(str(path))
    if len(there) < len(found):
        cli.output.note(f"{len(found) - len(there)} of {len(found)} frames are not there yet.")


def check(cli: Cli, job: JobArgument, frames: FramesOption = None) -> ExitCode:
    """Find frames that are missing, black or corrupt; exits with 1 if there is one."""
    found = _frames(cli, job, frames)
    findings = Findings.of(found, lambda row: verify(cli, job, row))
    if cli.output.as_json:
        cli.output.data({"frames": len(found), **vars(findings)})
    else:
        for name, numbers in vars(findings).items():
            if numbers:
                cli.output.line(f"{name}: {ranges(numbers)}")
    if findings.good:
        cli.output.note(f"All frames ({len(found)}) are there, whole, and not black.")
        return ExitCode.OK
    cli.output.note(f"`outfield retry {job}` renders failed frames again.")
    return ExitCode.FAILED


def sheet(
    cli: Cli,
    job: JobArgument,
    to: Annotated[Path | None, typer.Option(metavar="FILE", help="where to write it  [./ID_sheet.png]")] = None,
    columns: Annotated[
        int | None, typer.Option(min=1, max=SHEET_COLUMNS_MAX, metavar="N", help="pictures in a row")
    ] = None,
    cell_px: Annotated[
        int | None, typer.Option(min=SHEET_CELL_PX_MIN, max=SHEET_CELL_PX_MAX, metavar="PX", help="width of a picture")
    ] = None,
) -> None:
    """Write a contact sheet of the published frames."""
    target = to or Path(f"{job}_sheet.png")
    target.parent.mkdir(parents=True, exist_ok=True)
    params = {"columns": columns, "cell_px": cell_px}
    with written_whole(target) as file:
        cli.client.download(f"/jobs/{job}/sheet", file, params)
    if cli.output.as_json:
        return cli.output.data(str(target))
    cli.output.line(str(target))
    return None


@dataclass(frozen=True)
class Findings:
    """What `check` found, as frame numbers. `missing`: not published (yet); `corrupt`: not what was published."""

    missing: list[int]
    black: list[int]
    corrupt: list[int]

    @classmethod
    def of(cls, rows: Iterable[Mapping[str, Any]], verified: Callable[[Mapping[str, Any]], bool]) -> Findings:
        """Sort frames by what is wrong with them; `verified(row)` says whether the file is what was published."""
        missing, black, corrupt = list[int](), list[int](), list[int]()
        for row in rows:
            if row["status"] != PUBLISHED:
                missing.append(row["frame"])
            elif not verified(row):
                corrupt.append(row["frame"])
            elif row.get("black"):
                black.append(row["frame"])
        return cls(missing, black, corrupt)

    @property
    def good(self) -> bool:
        """Nothing is wrong."""
        return not (self.missing or self.black or self.corrupt)


def verify(cli: Cli, job: str, row: Mapping[str, Any]) -> bool:
    """Whether the file that is there now has the hash under which it was published."""
    path = Path(row["path"])
    if cli.connection.local and path.is_file():
        return path.stat().st_size == row["size"] and file_hash(path) == row["hash"]
    sink = HashSink()
    try:
        cli.client.download(f"/jobs/{job}/frames/{row['frame']}", sink)
    except NotFound:
        return False
    return sink.hex() == row["hash"]


def fetch(cli: Cli, job: str, row: Mapping[str, Any], folder: Path) -> Path:
    """Bring one frame into a folder under its own name, whole or not at all.

    Raises:
        OutfieldError: it arrived damaged.
    """
    target = folder / Path(row["path"]).name
    if target.is_file() and target.stat().st_size == row["size"] and file_hash(target) == row["hash"]:
        return target
    with written_whole(target) as file:
        cli.client.download(f"/jobs/{job}/frames/{row['frame']}", file)
        file.flush()
        if file_hash(Path(file.name)) != row["hash"]:
            raise OutfieldError(
                f"Frame {row['frame']} is not what was published.",
                code="frame_corrupt",
                hint=f"`outfield frames check {job}` looks at all of them.",
            )
    return target


def ranges(numbers: list[int]) -> str:
    """`1-4,7` for 1, 2, 3, 4, 7."""
    runs = list[list[int]]()
    for number in sorted(numbers):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)


def frame_row(frame: Mapping[str, Any]) -> list[object]:
    """A frame as a row of `COLUMNS`."""
    size = f"{frame['width']}x{frame['height']}" if frame.get("width") else ""
    status = "black" if frame.get("black") else frame["status"]
    return [frame["frame"], status, size, frame.get("size"), frame.get("path")]


def _frames(cli: Cli, job: str, spec: str | None) -> list[dict[str, Any]]:
    wanted = _wanted(spec)
    rows = cli.client.pages(f"/jobs/{job}/frames")
    return [row for row in rows if wanted is None or row["frame"] in wanted]


def _wanted(spec: str | None) -> frozenset[int] | None:
    if spec is None:
        return None
    from scheduler.domain.frames import FrameSyntaxError, parse_frames

    try:
        return frozenset(parse_frames(spec, frames_max=SPEC_FRAMES_MAX))
    except FrameSyntaxError as error:
        raise Usage(f"--frames {spec!r}: {error}.", hint="Write it like 1-10x2,15") from error
