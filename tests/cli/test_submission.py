"""From flags to the body of a submission, and to what is uploaded."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.cli.connection import Connection
from scheduler.cli.exits import Usage
from scheduler.cli.sending import pack
from scheduler.cli.submission import Flags, absolute, body_of, parameters_of, scene_in, split_of
from scheduler.cli.submit import submission_of
from scheduler.errors import NotFound
from scheduler.service.validating import validate_payload

LOCAL, REMOTE = Connection("http://127.0.0.1:8000"), Connection("https://farm.example")
CWD = Path("/proj/sh010")

ALL_FLAGS = Flags(
    name="beauty",
    renderer="kernel",
    frames="1-10x2",
    chunk=1,
    tiles="4x2",
    samples_split=3,
    output="out/beauty.####.exr",
    format="exr",
    parameters=["width=64", "depth=float"],
    priority=70,
    deadline="2026-12-01T18:00:00Z",
    project="Alpha",
    shot="sh010",
    pools=["onprem"],
    cloud="never",
    cost_cap_usd=2.5,
    after=["00003"],
    tags=["linux"],
    max_attempts=5,
    timeout_s=60.0,
    paused=True,
    preview_first=True,
)


def test_a_name_alone_is_a_body() -> None:
    assert body_of(Flags(name="hello"), None, CWD) == {"name": "hello"}


def test_every_flag_becomes_a_field_that_the_api_knows() -> None:
    body = body_of(ALL_FLAGS, "mesh.ply", CWD)

    payload = validate_payload(body)
    assert payload.split is not None
    assert (payload.split.tiles, payload.split.samples) == ((4, 2), 3)
    assert payload.settings == {"width": 64, "depth": "float"}
    assert payload.cost_cap_usd == 2.5
    assert body_of(Flags(name="x", cost_cap_usd=0.0), None, CWD)["cost_cap_usd"] == 0.0
    assert (payload.tracking.project, payload.tracking.shot) == ("Alpha", "sh010")
    assert payload.requires.tags == ["linux"]
    assert payload.depends_on == ["00003"]
    assert set(body) == set(payload.model_dump(exclude_unset=True))


def test_relative_paths_become_absolute_and_links_stay() -> None:
    assert body_of(Flags(output="../out/a.####.png"), "s/../mesh.ply", CWD) == {
        "name": "mesh",
        "scene": "/proj/sh010/mesh.ply",
        "output": "/proj/out/a.####.png",
    }
    assert absolute("~/x", CWD) == str(Path.home() / "x")


def test_a_blob_stays_a_blob() -> None:
    assert body_of(Flags(name="n"), "blob:" + "0" * 64, CWD)["scene"] == "blob:" + "0" * 64


@pytest.mark.parametrize("text", ["4", "4x", "x4", "4x4x4", "-1x2", "4.5x2", ""])
def test_tiles_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(Usage, match="--tiles"):
        split_of(Flags(tiles=text))


@given(
    st.dictionaries(
        st.text(st.characters(blacklist_characters="=", blacklist_categories=["Cs"]), min_size=1).filter(
            lambda key: key == key.strip()
        ),
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters(codec="utf-8")),
    )
)
def test_any_json_value_survives_as_a_parameter(settings: dict[str, object]) -> None:
    assert parameters_of([f"{key}={json.dumps(value)}" for key, value in settings.items()]) == settings


@given(st.text())
def test_a_parameter_is_read_or_refused(text: str) -> None:
    try:
        found = parameters_of([text])
    except Usage:
        assert "=" not in text or not text.partition("=")[0].strip()
    else:
        assert list(found) == [text.partition("=")[0].strip()]


def test_a_parameter_that_is_no_json_is_a_text() -> None:
    assert parameters_of(["engine=CYCLES", "camera=Cam.001", "empty="]) == {
        "engine": "CYCLES",
        "camera": "Cam.001",
        "empty": "",
    }


def test_a_parameter_given_twice_is_refused() -> None:
    with pytest.raises(Usage, match="twice"):
        parameters_of(["a=1", "a=2"])


def test_on_this_machine_the_path_is_sent_and_nothing_uploaded(tmp_path: Path) -> None:
    scene = tmp_path / "mesh.ply"
    scene.write_bytes(b"ply")

    submission = submission_of(Flags(), str(scene), LOCAL, None)

    assert (submission.body["scene"], submission.upload) == (str(scene), None)
    assert submission_of(Flags(), str(scene), LOCAL, True).upload == str(scene)


def test_to_another_machine_the_scene_itself_is_sent(tmp_path: Path) -> None:
    scene = tmp_path / "mesh.ply"
    scene.write_bytes(b"ply")

    assert submission_of(Flags(), str(scene), REMOTE, None).upload == str(scene)
    assert submission_of(Flags(), str(scene), REMOTE, False).upload is None
    assert submission_of(Flags(), "/only/there.ply", REMOTE, None).body["scene"] == "/only/there.ply"


def test_a_scene_that_is_not_there_is_said_at_once() -> None:
    with pytest.raises(NotFound, match=r"/nowhere/a\.ply"):
        submission_of(Flags(), "/nowhere/a.ply", LOCAL, None)


def test_nothing_to_render_is_a_usage_error() -> None:
    with pytest.raises(Usage):
        submission_of(Flags(frames="1-3"), None, LOCAL, None)


def test_a_folder_and_a_zip_are_bundles(tmp_path: Path) -> None:
    folder = tmp_path / "sh010"
    folder.mkdir()
    archive = tmp_path / "sh020.zip"
    archive.write_bytes(b"PK")

    for path in (folder, archive):
        submission = submission_of(Flags(), str(path), LOCAL, None)
        assert (submission.bundle, submission.body) == (str(path), {"name": path.stem})


def test_a_bundle_has_one_scene(tmp_path: Path) -> None:
    with pytest.raises(Usage, match="none"):
        scene_in(tmp_path)
    (tmp_path / "a.ply").touch()
    assert scene_in(tmp_path) == "a.ply"
    (tmp_path / "b.obj").touch()
    with pytest.raises(Usage, match=r"a\.ply, b\.obj"):
        scene_in(tmp_path)


def test_the_same_folder_packs_to_the_same_bytes(tmp_path: Path) -> None:
    folder = tmp_path / "scene"
    (folder / "tex").mkdir(parents=True)
    (folder / "a.ply").write_bytes(b"ply")
    (folder / "tex" / "wood.png").write_bytes(b"png")

    for name in ("one.zip", "two.zip"):
        pack(folder, tmp_path / name)

    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "one.zip") as archive:
        assert archive.namelist() == ["a.ply", "tex/wood.png"]
