"""What the CLI's tests share: a home of their own, a runner, and a scheduler that answers what it is told to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fake_rest import TOKEN, FakeRest, fake_rest
from typer.testing import CliRunner, Result

from scheduler.cli.main import app


@pytest.fixture
def fake() -> Iterator[FakeRest]:
    """A scheduler that answers what a test tells it to."""
    with fake_rest() as scheduler:
        yield scheduler


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own: nothing of the user's is read or written, and no farm of theirs is spoken to."""
    for name in ("OUTFIELD_SERVER", "OUTFIELD_TOKEN", "OUTFIELD_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("DATA", "CONFIG", "CACHE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))
    monkeypatch.setenv("HOME", str(tmp_path))
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return tmp_path


@pytest.fixture
def outfield(home: Path) -> Callable[..., Result]:
    """Run `outfield` with words; the exit code and both streams are in the result."""
    runner = CliRunner()
    return lambda *words: runner.invoke(app, [str(word) for word in words], prog_name="outfield")


@pytest.fixture
def on(outfield: Callable[..., Result], fake: FakeRest) -> Callable[..., Result]:
    """Run `outfield` against the fake scheduler."""
    return lambda *words: outfield("--server", fake.url, "--token", TOKEN, *words)
