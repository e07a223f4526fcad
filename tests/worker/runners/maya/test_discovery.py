"""Which Mayas a machine has: named, at MAYA_LOCATION, on the PATH, or where installers put them."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_render import installed

from worker import probe
from worker.runners.maya import MayaRunner
from worker.runners.maya.discovery import Maya, choose, find_programs, recognise
from worker.runners.maya.settings import load_maya_setup
from worker.runners.registry import RUNNERS, RunnerRegistry, RunnerSpec, placed


def test_programs_are_looked_for_in_four_places(tmp_path: Path) -> None:
    a, b, c = (installed(tmp_path / name, "2024") for name in "abc")
    d = installed(tmp_path / "c", "2026")
    environment = {"MAYA_LOCATION": str(a.parent.parent), "PATH": str(b.parent)}
    pattern = f"{tmp_path}/c/maya20*/bin/Render"
    assert find_programs((), environment, [pattern, "C:/Maya20*/Render.exe"]) == [a, b, c, d]
    assert find_programs((), {**environment, "PATH": str(a.parent)}, []) == [a], "one program counts once"
    assert find_programs(["/opt/x"], environment, [pattern]) == [Path("/opt/x")]
    assert find_programs((), {}, []) == []


def test_what_a_program_is(tmp_path: Path) -> None:
    program = installed(tmp_path, "2025", "file arnold sw")
    assert recognise(program, {}) == Maya(program, "2025", ("file", "arnold", "sw"))
    moved = tmp_path / "apps" / "bin"
    program.parent.rename(tmp_path / "bin")
    (tmp_path / "apps").mkdir()
    (tmp_path / "bin").rename(moved)
    assert recognise(moved / "Render", {}) == Maya(moved / "Render", "2025", ("file", "arnold", "sw")), "`maya -v` says"
    (moved / "Render").write_text("#!/bin/sh\nprintf -- '- \"arnold\": Arnold renderer\\n'\n")
    assert recognise(moved / "Render", {}) == Maya(moved / "Render", "2025", ("file", "arnold")), (
        "however it lists them"
    )
    (moved / "Render").write_text("#!/bin/sh\nexit 1\n")
    (moved / "rendererDesc").mkdir()
    (moved / "rendererDesc" / "hw2Renderer.xml").write_text("<renderer/>")
    assert recognise(moved / "Render", {}) == Maya(moved / "Render", "2025", ("file", "hw2")), "by its descriptions"
    (moved / "maya").unlink()
    assert recognise(moved / "Render", {}) is None
    other = tmp_path / "Render"
    other.write_text("#!/bin/sh\necho hello\n")
    other.chmod(0o755)
    assert recognise(other, {}) is None and recognise(tmp_path / "none", {}) is None


@pytest.mark.parametrize(
    ("saved_by", "engine", "chosen"),
    [((2024,), "file", "2024"), ((2025,), "file", "2026"), ((), "file", "2026"), ((2020,), "arnold", "2022"),
     ((2024,), "arnold", None), ((2027,), "file", None)],
)  # fmt: skip
def test_the_lowest_that_fits_is_chosen(saved_by: tuple[int, ...], engine: str, chosen: str | None) -> None:
    mayas = [
        Maya(Path("a"), "2026", ("file",)),
        Maya(Path("b"), "2022", ("file", "arnold")),
        Maya(Path("c"), "2024", ("file",)),
    ]
    found = choose(mayas, saved_by, engine)
    assert (found.version if found else None) == chosen


def test_the_probe_tells_versions_and_engines_as_scenes_name_them(tmp_path: Path) -> None:
    programs = [installed(tmp_path, "2026", "file sw hw2"), installed(tmp_path, "2024", "file arnold")]
    runner = MayaRunner(programs, environment={})
    assert runner.versions() == {
        "versions": ["2024", "2026"],
        "mayas": [
            {"path": str(programs[0]), "version": "2026", "engines": ["mayaSoftware", "mayaHardware2"]},
            {"path": str(programs[1]), "version": "2024", "engines": ["arnold"]},
        ],
    }
    assert (runner.warm(), runner.get_ready(), runner.forget("1")) == ([], None, None)
    assert MayaRunner(environment={"PATH": "/nowhere"}, places=()).versions()["versions"] == []


def test_the_memo_of_the_probe_ends_when_a_maya_or_an_engine_is_installed(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("OUTFIELD_MAYA__EXECUTABLES", raising=False)
    spec = RunnerSpec(
        "worker.runners.maya",
        "MayaRunner",
        ("Render",),
        places=(f"{tmp_path}/maya20*/bin/Render", f"{tmp_path}/modules"),
    )
    marks = [probe.fingerprint(spec)]
    installed(tmp_path)
    marks.append(probe.fingerprint(spec))
    installed(tmp_path, "2026")
    marks.append(probe.fingerprint(spec))
    (tmp_path / "modules").mkdir()
    marks.append(probe.fingerprint(spec))
    assert len(set(marks)) == 4 and probe.fingerprint(spec) == marks[-1]


def test_every_worker_can_have_it() -> None:
    assert isinstance(RunnerRegistry(("maya",)).get("maya"), MayaRunner)
    assert RUNNERS["maya"].listed_in == "OUTFIELD_MAYA__EXECUTABLES"
    assert placed(["relative/*", "/nowhere/*"]) == []


def test_settings_come_from_the_environment() -> None:
    said = {
        "OUTFIELD_MAYA__EXECUTABLES": "/a:/b",
        "OUTFIELD_MAYA__VARIABLES": "FOO, BAR",
        "OUTFIELD_MAYA__UNTRUSTED": "refuse",
    }
    setup = load_maya_setup(said)
    assert (setup.executables, setup.variables, setup.trusted_only) == (("/a", "/b"), ("FOO", "BAR"), True)
    assert load_maya_setup({}).trusted_only is False


def test_maya_sees_licences_and_plug_ins_and_little_else(tmp_path: Path) -> None:
    source = {
        "PATH": "/bin", "ADSKFLEX_LICENSE_FILE": "2080@lic", "MAYA_MODULE_PATH": "/studio", "STUDIO": "x",
        "SECRET": "y", "MAYA_SCRIPT_PATH": "/home/anna/scripts", "PYTHONPATH": "/evil",
    }  # fmt: skip
    runner = MayaRunner(environment={**source, "OUTFIELD_MAYA__VARIABLES": "STUDIO"})
    maya = Maya(tmp_path / "maya2024" / "bin" / "Render", "2024", ("file",))
    seen = runner.environment(tmp_path / "home", maya)
    assert (seen["ADSKFLEX_LICENSE_FILE"], seen["MAYA_MODULE_PATH"], seen["STUDIO"]) == ("2080@lic", "/studio", "x")
    assert seen["MAYA_LOCATION"] == str(tmp_path / "maya2024")
    for name in ("MAYA_APP_DIR", "MAYA_SCRIPT_PATH", "HOME", "TMPDIR"):
        assert Path(seen[name]).is_relative_to(tmp_path) and Path(seen[name]).is_dir()
    assert not {"SECRET", "PYTHONPATH"} & set(seen)
    runner = MayaRunner(environment={**source, "OUTFIELD_MAYA__VARIABLES": "MAYA_SCRIPT_PATH"})
    ours, _, theirs = runner.environment(tmp_path / "home", maya)["MAYA_SCRIPT_PATH"].partition(":")
    assert Path(ours).is_relative_to(tmp_path) and theirs == "/home/anna/scripts", "ours is looked into first"
