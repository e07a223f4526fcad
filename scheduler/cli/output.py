"""What a verb prints: data as JSON or as tables on stdout, everything else on stderr.

stdout carries only what was asked for, so that `job=$(outfield submit …)` works; notes and errors go to stderr. With
`--json` stdout is one JSON value, and an error is one JSON object on stderr.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scheduler.domain.costs import in_usd
from scheduler.errors import OutfieldError

if TYPE_CHECKING:
    from rich.console import Console

STATUS_STYLES: Mapping[str, str] = {
    "SUCCEEDED": "green",
    "ACTIVE": "green",
    "ok": "green",
    "RUNNING": "cyan",
    "LEASED": "cyan",
    "DRAINING": "yellow",
    "ENDING": "yellow",
    "GONE": "dim",
    "PAUSED": "yellow",
    "PROBATION": "yellow",
    "warn": "yellow",
    "FAILED": "bold red",
    "LOST": "bold red",
    "fail": "bold red",
    "CANCELED": "dim",
    "BLOCKED": "dim",
}
"""Colours of the words that say where something stands."""

LINE_MAX = 200
"""Columns of a table that is not printed on a terminal, so that scripts see whole rows."""


@dataclass(frozen=True)
class Column:
    """One column of a table: its heading, and how it is drawn."""

    title: str
    right: bool = False
    status: bool = False
    wrap: bool = False


class Output:
    """Where one run of a verb prints."""

    def __init__(self, *, as_json: bool = False, quiet: bool = False) -> None:
        self.as_json, self.quiet = as_json, quiet

    def data(self, value: Any) -> None:
        """One JSON value on stdout."""
        print(json.dumps(value, ensure_ascii=False, indent=2 if sys.stdout.isatty() else None))

    def line(self, text: str) -> None:
        """A result on stdout."""
        print(text)

    def note(self, text: str) -> None:
        """Something that is good to know, on stderr; silent with --quiet and --json."""
        if not self.quiet and not self.as_json:
            print(text, file=sys.stderr)

    def warn(self, text: str) -> None:
        """Something that the user must know although the command goes on; on stderr, always."""
        print(f"outfield: {text}", file=sys.stderr)

    def error(self, error: OutfieldError) -> None:
        """An error as message, hint and code; as JSON with --json."""
        if self.as_json:
            described = {"code": error.code, "message": error.message, "hint": error.hint, "details": error.details}
            print(json.dumps(described, ensure_ascii=False, default=str), file=sys.stderr)
            return
        console = self.console(stderr=True)
        console.print(error.message, style="bold red", markup=False, highlight=False)
        for field, problem in _problems(error.details):
            console.print(f"  {field}: {problem}", markup=False, highlight=False)
        if error.hint:
            console.print(f"  {error.hint}", style="dim", markup=False, highlight=False)
        console.print(f"  [{error.code}]", style="dim", markup=False, highlight=False)

    def table(self, columns: Sequence[Column], rows: Iterable[Sequence[object]], *, empty: str = "") -> None:
        """Rows on stdout. With --quiet only the first column; `empty` is the note when there is no row."""
        rows = list(rows)
        if self.quiet:
            for row in rows:
                print(row[0])
            return
        if not rows:
            if empty:
                self.note(empty)
            return
        from rich import box
        from rich.table import Table
        from rich.text import Text

        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
        for column in columns:
            table.add_column(
                column.title, justify="right" if column.right else "left", no_wrap=not column.wrap, overflow="fold"
            )
        for row in rows:
            cells = zip(columns, map(_text, row), strict=True)
            table.add_row(
                *[
                    Text(text, style=STATUS_STYLES.get(text.partition(" ")[0], "") if c.status else "")
                    for c, text in cells
                ]
            )
        self.console().print(table)

    def fields(self, pairs: Iterable[tuple[str, object]]) -> None:
        """Named values on stdout, one a line; those that are None or empty are left out."""
        from rich.table import Table
        from rich.text import Text

        grid = Table.grid(padding=(0, 2))
        grid.add_column(style="dim", no_wrap=True)
        grid.add_column(overflow="fold")
        for name, value in pairs:
            text = _text(value)
            if text:
                grid.add_row(name, Text(text, style=STATUS_STYLES.get(text, "")))
        self.console().print(grid)

    def console(self, *, stderr: bool = False) -> Console:
        """A rich console; it honours NO_COLOR, and draws wide where nobody looks."""
        from rich.console import Console

        stream = sys.stderr if stderr else sys.stdout
        return Console(stderr=stderr, width=None if stream.isatty() else LINE_MAX, highlight=False)


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, list | tuple):
        return ", ".join(_text(item) for item in value)
    return str(value)


def _problems(details: Any) -> Iterable[tuple[str, str]]:
    """The faults of single fields, where the API names them."""
    for item in details if isinstance(details, list) else []:
        if isinstance(item, dict) and "field" in item and item.get("problem"):
            yield str(item["field"]), str(item["problem"])


def money(usd: float) -> str:
    """US dollars as people read them."""
    return f"{in_usd(usd)} USD"
