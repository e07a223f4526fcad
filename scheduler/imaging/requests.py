"""What the pool asks a decoder process and what it answers: msgspec structs, one JSON line each."""

from __future__ import annotations

import msgspec

from scheduler.imaging.facts import Expectation, Verdict


class Check(msgspec.Struct, tag="check", frozen=True):
    """Decode the file at `path` and compare it with what was expected."""

    path: str
    expect: Expectation


class Preview(msgspec.Struct, tag="preview", frozen=True):
    """Write a picture of the file at `path`, at most `width_px` wide, to `out` as `kind` (webp or png)."""

    path: str
    out: str
    width_px: int
    kind: str


class Cell(msgspec.Struct, frozen=True):
    """One place on a sheet: its label, its small picture (None when there is none) and a note to show instead."""

    label: str
    path: str | None
    note: str = ""


class Sheet(msgspec.Struct, tag="sheet", frozen=True):
    """Put small pictures on a sheet, `cell_px` wide each, and write it to `out` in the format of its ending."""

    cells: list[Cell]
    out: str
    columns: int
    cell_px: int


class Movie(msgspec.Struct, tag="movie", frozen=True):
    """Write an H.264 movie of the files at `paths`, in this order, at most `width_px` wide, to `out` (.mp4)."""

    paths: list[str]
    out: str
    fps: float
    width_px: int


Question = Check | Preview | Sheet | Movie


class Request(msgspec.Struct, frozen=True):
    """One line to the child."""

    number: int
    question: Question


class Answer(msgspec.Struct, frozen=True):
    """One line from the child; the first, with number 0 and no verdict, says that it is ready."""

    number: int
    verdict: Verdict | None = None
