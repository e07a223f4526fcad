"""The list of verbs: complete, each with a function, its line the first of the docstring, and quick to show."""

from __future__ import annotations

import importlib
import inspect
import resource
import subprocess
import sys
from collections.abc import Iterator

import pytest
import typer.main

from scheduler.cli.catalogue import VERBS
from scheduler.cli.groups import Place, Places
from scheduler.cli.main import app

CONTRACT = {
    "up", "scheduler", "worker", "demo", "submit", "jobs", "watch", "cancel", "pause", "resume", "retry",
    "priority", "why", "frames", "logs", "workers", "drain", "enable", "token", "doctor", "backup",
    "restore", "db", "config", "bench",
}  # fmt: skip

START_MAX_S = 0.3
TRIES = 7
HEAVY = ("pydantic", "fastapi", "sqlmodel", "numpy", "numba", "uvicorn", "asyncio", "markdown_it")
"""What no client verb may import."""


def leaves(places: Places) -> Iterator[tuple[str, Place]]:
    for name, place in places:
        yield from (
            ((f"{name} {inner}", found) for inner, found in leaves(place.verbs)) if place.verbs else [(name, place)]
        )


LEAVES = list(leaves(VERBS))


def test_every_verb_that_was_promised_is_there() -> None:
    assert {name for name, _ in VERBS} >= CONTRACT


@pytest.mark.parametrize(("name", "place"), LEAVES, ids=[name for name, _ in LEAVES])
def test_a_verbs_line_is_the_first_of_its_docstring(name: str, place: Place) -> None:
    module, _, function = place.target.partition(":")
    found = getattr(importlib.import_module(module), function)

    assert (inspect.getdoc(found) or "").splitlines()[0] == place.help


def test_every_command_can_be_made_and_has_help_for_every_option() -> None:
    def walk(command: object, path: str) -> Iterator[tuple[str, object]]:
        for name, child in getattr(command, "commands", {}).items():
            yield from walk(child, f"{path} {name}")
        yield path, command

    found = dict(walk(typer.main.get_command(app), "outfield"))

    assert len(found) > len(LEAVES)
    missing = [
        f"{path} {param.name}"
        for path, command in found.items()
        for param in command.params  # type: ignore[attr-defined]
        if not param.help and not getattr(param, "hidden", False)
    ]
    assert missing == []


@pytest.mark.parametrize("words", [["--help"], ["jobs", "--help"], ["jobs", "--server", "http://127.0.0.1:9"]])
def test_client_verbs_start_without_heavy_imports(words: list[str]) -> None:
    code = (
        "import sys; from scheduler.cli.main import main\n"
        f"sys.argv = ['outfield', *{words!r}]\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        f"print(*[name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr, sep='\\n', end='END')"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert run.stderr.rpartition("]\n")[2] == "END"


@pytest.mark.parametrize("words", [["--help"], ["jobs", "--server", "http://127.0.0.1:9"]])
def test_a_verb_starts_in_under_a_third_of_a_second(words: list[str]) -> None:
    """The least processor time of some tries: what else runs on this machine is not its fault."""

    def once() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "scheduler.cli.main", *words], capture_output=True, check=False)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    assert min(once() for _ in range(TRIES)) < START_MAX_S
