"""Which Blender opens which file, from its first bytes to the choice."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from worker.runners.blender.discovery import (
    Blender,
    choose,
    find_executables,
    parse_version,
    read_header,
    recognise,
    saved_version,
)
from worker.runners.blender.settings import load_blender_setup
from worker.runners.blender.version_cache import VersionCache

HEADERS = [
    (b"BLENDER-v304RENDH\0\0\0", (3, 4)),
    (b"BLENDER_v279REND", (2, 79)),
    (b"BLENDER-v405RENDH", (4, 5)),
    (b"BLENDER17-01v0502", (5, 2)),
    (b"BLENDER is what I like", ()),
    (b"GIF89a", ()),
    (b"", ()),
]


def blenders(*versions: str) -> list[Blender]:
    return [Blender(Path(version), version, "blender") for version in versions]


@pytest.mark.parametrize(("header", "version"), HEADERS)
def test_the_version_is_in_the_first_bytes(tmp_path: Path, header: bytes, version: tuple[int, ...]) -> None:
    path = tmp_path / "scene.blend"
    body = header + bytes(5000)
    for packed in (body, gzip.compress(body), zstandard.compress(body)):
        path.write_bytes(packed)
        assert saved_version(read_header(path)) == version
    path.write_bytes(zstandard.compress(body)[:9])
    assert saved_version(read_header(path)) == ()


@given(st.binary(max_size=200))
def test_any_bytes_are_read_without_an_accident(data: bytes) -> None:
    assert len(saved_version(data)) in (0, 2)


@pytest.mark.parametrize(
    ("installed", "saved_by", "chosen"),
    [
        (("4.5.15", "3.4.1"), (3, 4), "3.4.1"),
        (("4.5.15", "3.4.1"), (2, 79), "3.4.1"),
        (("3.4.1", "4.5.15"), (4, 0), "4.5.15"),
        (("3.4.1", "4.5.15"), (4, 5), "4.5.15"),
        (("3.4.1", "4.5.15"), (5, 0), None),
        (("3.4.1", "4.10.0", "4.5.15"), (4, 6), "4.10.0"),
        (("3.4.1", "4.5.15"), (), "4.5.15"),
        ((), (3, 4), None),
    ],
)
def test_the_lowest_that_is_not_older_than_the_file(
    installed: tuple[str, ...], saved_by: tuple[int, ...], chosen: str | None
) -> None:
    found = choose(blenders(*installed), saved_by)
    assert (found.version if found else None) == chosen


def test_versions_are_numbers() -> None:
    assert parse_version("3.4.1") == (3, 4, 1)
    assert parse_version("4.2") == (4, 2)
    assert parse_version("5.0.1 Beta") == (5, 0, 1)
    assert parse_version("latest") == ()


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ("Blender 4.2.3 LTS\n\tbuild date: 2024-10-14", "4.2.3"),
        ("Blender 2.79 (sub 0)", None),
        ("POV-Ray 3.7.0", None),
        ("Blender", None),
        ("", None),
    ],
)
def test_a_program_is_known_by_what_it_says(tmp_path: Path, said: str, version: str | None) -> None:
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ncat <<'EOF'\n{said}\nEOF\n")
    program.chmod(0o755)
    found = recognise(program, {"PATH": os.environ["PATH"]}, tmp_path / "private")
    assert (found.version if found else None) == version


def test_no_program_is_no_blender(tmp_path: Path) -> None:
    assert recognise(tmp_path / "none", {}, tmp_path) is None


def test_executables_are_those_named_or_on_the_path(tmp_path: Path) -> None:
    program = tmp_path / "blender"
    program.write_text("")
    program.chmod(0o755)
    assert find_executables((), {"PATH": str(tmp_path)}) == [program]
    assert find_executables((), {"PATH": "/nowhere"}) == []
    assert find_executables(["/opt/a", "/opt/b"], {"PATH": str(tmp_path)}) == [Path("/opt/a"), Path("/opt/b")]


def test_settings_come_from_the_environment() -> None:
    setup = load_blender_setup({"OUTFIELD_BLENDER__EXECUTABLES": "/a:/b", "OUTFIELD_BLENDER__ADDONS": "x, y"})
    assert setup.executables == ("/a", "/b")
    assert setup.addons == ("x", "y")


def test_a_blender_runs_no_scripts_unless_the_scene_is_trusted() -> None:
    blender = Blender(Path("/b"), "4.2.0", "blender")
    untrusted = blender.command(Path("/d.py"), trusted=False, threads=2)
    trusted = blender.command(Path("/d.py"), trusted=True, threads=2)
    assert "--disable-autoexec" in untrusted
    assert "--enable-autoexec" not in untrusted
    assert "--enable-autoexec" in trusted
    for argv in (trusted, untrusted):
        assert argv.index("--python-exit-code") < argv.index("--python"), "it counts only for what follows"
        assert argv.index("--threads") < argv.index("--python")


def test_a_version_is_remembered_until_the_program_changes(tmp_path: Path) -> None:
    cache = VersionCache(tmp_path / "cache" / "blenders.json")
    program, script = tmp_path / "blender-4.2", tmp_path / "blender"
    program.write_bytes(b"\x7fELF and more")
    script.write_text("#!/bin/sh\n")
    for path in (program, script):
        cache.put(Blender(path, "4.2.3", "blender"))
    assert cache.get(program) == Blender(program, "4.2.3", "blender")
    assert cache.get(script) is None, "a script may start another Blender tomorrow"
    program.write_bytes(b"\x7fELF and another")
    assert cache.get(program) is None
    program.unlink()
    assert cache.get(program) is None
    (tmp_path / "cache" / "blenders.json").write_text("[no")
    assert cache.get(program) is None
