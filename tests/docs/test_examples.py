"""Examples in the README and the how-to pages: every `outfield …` line parses, and blocks marked `<!-- runs -->` run.

The marked blocks of one page run in order, as one script, in a folder of their own beside a real farm; only the farm's
address is put in the place of the one that the page shows.
"""

from __future__ import annotations

import os
import re
import select
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from scheduler.cli.main import app

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs" / "howto").glob("*.md"))]
BLOCK = re.compile(r"(?P<mark><!-- runs -->\s*\n)?[ ]*```bash\n(?P<text>.*?)```", re.DOTALL)
COMMAND = re.compile(r"\$\((?:\.venv/bin/)?outfield ([^)\n]*)\)|^(?:\.venv/bin/)?outfield ([^\n]*)", re.MULTILINE)
SHOWN_ADDRESS = "http://127.0.0.1:8000"
START_S = 60


def blocks(page: Path, *, marked: bool) -> list[str]:
    """The bash blocks of a page, all or only those that are marked to run."""
    return [match["text"] for match in BLOCK.finditer(page.read_text()) if match["mark"] or not marked]


def commands() -> list[tuple[str, str]]:
    """Every line that calls `outfield`: the page's name and the words behind it."""
    return [
        (page.name, (inner or whole).strip())
        for page in PAGES
        for text in blocks(page, marked=False)
        for inner, whole in COMMAND.findall(re.sub(r"^\s+", "", text, flags=re.MULTILINE).replace("\\\n", " "))
    ]


def parse(command: Any, words: list[str]) -> None:
    """Parse `words` as `command` would, going down into subcommands; raises what typer raises for wrong usage."""
    context = command.context_class(command, info_name=command.name)
    rest = command.make_parser(context).parse_args(list(words))[1]
    children = getattr(command, "commands", None)
    if children is None:
        return
    if not rest or rest[0] not in children:
        pytest.fail(f"no such command: {' '.join(words)}")
    parse(children[rest[0]], rest[1:])


@pytest.mark.parametrize(("page", "words"), commands())
def test_every_command_in_the_docs_exists(page: str, words: str) -> None:
    parse(typer.main.get_command(app), shlex.split(words.partition(" &")[0], comments=True))


@pytest.fixture(scope="module")
def farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A farm with one worker: the folder it was started in, and its address."""
    folder = tmp_path_factory.mktemp("examples")
    command = [Path(sys.executable).with_name("outfield"), "up", "--data", "farm", "--port", "0", "--workers", "1"]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        readable, _, _ = select.select([process.stdout], [], [], START_S)
        line = process.stdout.readline() if readable else ""
        assert line.startswith("outfield ready "), f"the farm did not start: {line!r}"
        yield folder, line.split()[-1]
    finally:
        process.terminate()
        process.wait(timeout=START_S)


@pytest.mark.processes
@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, marked=True)], ids=lambda page: page.name)
def test_marked_examples_run(page: Path, farm: tuple[Path, str]) -> None:
    folder, address = farm
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "OUTFIELD_SERVER": address,
        "OUTFIELD_TOKEN": (folder / "farm" / "admin.token").read_text().strip(),
    }
    script = "set -euo pipefail\n" + "\n".join(blocks(page, marked=True)).replace(SHOWN_ADDRESS, address)

    run = subprocess.run(
        ["bash", "-c", script], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )

    assert run.returncode == 0, f"{script}\n{run.stdout}\n{run.stderr}"
