"""Environments of artists' programs: where the spool is, which farm there is, what lies in the spool."""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from fake_farm import INFO, TOKEN, FakeFarm, fake_farm

from scheduler.addons.packing import build


def unpacked(program: str, folder: Path) -> Path:
    """The zip, unpacked as an artist does it."""
    with zipfile.ZipFile(io.BytesIO(build(program).content)) as archive:
        archive.extractall(folder)
    return folder


def artist(monkeypatch: pytest.MonkeyPatch, spool: Path) -> None:
    """The environment of an artist whose farm is away."""
    monkeypatch.setenv("OUTFIELD_SPOOL", str(spool))
    monkeypatch.setenv("OUTFIELD_SERVER", "http://127.0.0.1:9")
    monkeypatch.setenv("OUTFIELD_TOKEN", TOKEN)
    monkeypatch.setenv("OUTFIELD_LANGUAGE", "en")
    monkeypatch.delenv("OCIO", raising=False)


@contextmanager
def farm_with(monkeypatch: pytest.MonkeyPatch, *renderers: dict[str, Any]) -> Iterator[FakeFarm]:
    """A farm with these renderers, which the artist's environment names."""
    monkeypatch.setitem(INFO, "renderers", list(renderers))
    with fake_farm() as listening:
        listening.info = dict(INFO)
        monkeypatch.setenv("OUTFIELD_SERVER", listening.url)
        yield listening


def kept(spool: Path, **names: Path) -> list[dict[str, Any]]:
    """What lies in the spool, with folders of the test named instead of written."""
    found = []
    for path in sorted((spool / "ready").glob("*/submission.json")):
        text = path.read_text()
        for name, folder in names.items():
            text = text.replace(str(folder), name)
        found.append({key: value for key, value in json.loads(text).items() if key not in ("key", "order")})
    return found


def golden(path: Path, content: object) -> None:
    """The same as the file; `OUTFIELD_WRITE_GOLDEN=1` writes it instead."""
    text = json.dumps(content, indent=1, sort_keys=True) + "\n"
    if os.environ.get("OUTFIELD_WRITE_GOLDEN"):
        path.write_text(text)
    assert text == path.read_text()


def stamp(path: str) -> tuple[str, int]:
    """A file's content and time."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest(), Path(path).stat().st_mtime_ns
