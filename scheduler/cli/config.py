"""`config show`: every setting of the scheduler with its value, and where the value came from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from scheduler.cli.output import Column
from scheduler.cli.session import Cli


def show(
    cli: Cli,
    origin: Annotated[bool, typer.Option("--origin", help="also where each value came from")] = False,
    config: Annotated[Path | None, typer.Option(metavar="FILE", help="outfield.toml to read, and no other")] = None,
) -> None:
    """Show the settings as a scheduler that is started here would see them."""
    from scheduler.settings import given_keys, load_settings, value_at

    loaded = load_settings(file=config)
    values: dict[str, Any] = loaded.settings.model_dump(mode="json")
    rows = list[tuple[str, Any, str]]()
    for dotted in given_keys(values):
        rows.append((dotted, value_at(values, dotted), loaded.origin.get(dotted, "default")))
    if cli.output.as_json:
        if origin:
            return cli.output.data({key: {"value": value, "origin": source} for key, value, source in rows})
        return cli.output.data({key: value for key, value, _ in rows})
    columns = [Column("Setting"), Column("Value", wrap=True), *([Column("Origin", wrap=True)] if origin else [])]
    cli.output.table(columns, [(key, _shown(value), source)[: len(columns)] for key, value, source in rows])
    return None


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "-"
    if isinstance(value, dict):
        return ", ".join(f"{name} = {part}" for name, part in value.items()) or "-"
    return str(value)
