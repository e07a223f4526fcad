"""`docs/reference/cli.md`: every command of `outfield` with its arguments and options, from the parser itself."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import typer.main

from scheduler.cli.main import app
from tools.reference.markdown import code, page, paragraphs, table

Command = Any
"""A command as typer makes it; typer brings its own copy of click, whose types are private."""

HELP = {"help", "install_completion", "show_completion"}

EXIT_CODES = (
    ("0", "done"),
    ("1", "failed"),
    ("2", "wrong usage"),
    ("3", "not found"),
    ("4", "denied"),
    ("5", "the server cannot be reached; a submission was kept and will be sent later"),
    ("6", "the job failed while waiting for it"),
    ("7", "the job cannot be placed anywhere"),
)


def render() -> str:
    """The page."""
    root = typer.main.get_command(app)
    parts = [
        "The options of every command may stand before it too: `outfield --json jobs`.",
        "## Options of every command\n\n" + options(root),
        "## Exit codes\n\n" + table(("Code", "Meaning"), EXIT_CODES),
        *(
            command(path, leaf, shared={f"shared_{p.name}" for p in root.params})
            for path, leaf in leaves(root, "outfield")
        ),
    ]
    return page("Command line", "scheduler/cli/", *parts)


def leaves(node: Command, path: str) -> list[tuple[str, Command]]:
    """Every command that does something, with its full name, in the order of the help."""
    children = getattr(node, "commands", None)
    if not children:
        return [(path, node)]
    found = [(path, node)] if getattr(node, "invoke_without_command", False) and path != "outfield" else []
    for name, child in children.items():
        if not child.hidden:
            found += leaves(child, f"{path} {name}")
    return found


def command(path: str, leaf: Command, *, shared: set[str]) -> str:
    """One command: usage, what it does, the options that not every command has."""
    words = [path, *leaf.collect_usage_pieces(leaf.context_class(leaf))]
    body = options(leaf, without=shared)
    return "\n\n".join(filter(None, [f"## `{path}`", f"`{' '.join(words)}`", paragraphs(leaf.help), body]))


def options(node: Command, without: Iterable[str] = ()) -> str:
    """The options as a table; empty when there are none."""
    rows = [
        (", ".join(code(flag) for flag in [*p.opts, *p.secondary_opts]), default(p), getattr(p, "help", None) or "")
        for p in node.params
        if p.param_type_name == "option" and p.name not in {*HELP, *without} and not p.hidden
    ]
    return table(("Option", "Default", "Meaning"), rows) if rows else ""


def default(parameter: Any) -> str:
    """The default where a reader needs it."""
    value = parameter.default
    if value is None or value is False or callable(value) or value == () or not str(value) or "UNSET" in repr(value):
        return ""
    return code(value)
