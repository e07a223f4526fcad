"""What stands in the way of a render, the farm's own fields, and what is posted."""

from __future__ import annotations

from pathlib import Path

import pytest
from outfield_core import texts
from outfield_core.errors import Refused
from outfield_core.facts import Facts, errors
from outfield_core.fields import fields_of, job_knows
from outfield_core.files import Found, Need, find_files
from outfield_core.payload import Wish, body_of
from outfield_core.preflight import findings
from outfield_core.texts import set_language

from scheduler.api.farm import renderer_view
from scheduler.protocol.submission import NewJob


@pytest.fixture(autouse=True)
def english():
    yield
    set_language("en")


def worst_facts() -> Facts:
    facts = Facts()
    facts.scene_path, facts.is_dirty, facts.camera, facts.view_layers = "/p/a\nb.blend", True, False, 0
    facts.frames, facts.output, facts.output_roots, facts.output_is_movie = "1-5", "/else/a.####.png", ["/out"], True
    facts.existing_frames, facts.denoises, facts.scripts, facts.drivers, facts.ocio = 3, True, ["rig.py"], 2, "/ocio"
    facts.unsaved_images, facts.unbaked = ["paint"], ["Cloth"]
    facts.renderer, facts.version, facts.engine = "blender", (3, 4, 1), "CYCLES"
    facts.workers = [worker("3.4.1", denoiser=False)]
    facts.files = Found()
    facts.files.missing = [Need(kind, f"/p/{kind}", kind) for kind in ("library", "image", "font", "sound", "folder")]
    return facts


def worker(version: str, **more) -> dict:
    return {
        "status": "ACTIVE",
        "capabilities": {
            "renderers": {"blender": [version]},
            "details": {"renderers": {"blender": {"blenders": [{"version": version, "engines": ["CYCLES"], **more}]}}},
        },
    }


def test_everything_is_found_errors_first():
    found = findings(worst_facts())
    severities = [finding.severity for finding in found]

    assert severities == sorted(severities, key=["error", "warning", "note"].index)
    assert {finding.code for finding in errors(found)} == {
        "no_camera", "no_view_layer", "output_outside", "missing_library", "missing_image", "missing_font",
        "unsaved_image", "denoiser",
    }  # fmt: skip
    assert all(finding.sentence.endswith(".") and "\n" not in finding.sentence for finding in found)


@pytest.mark.parametrize(
    ("version", "engine", "workers", "code"),
    [
        ((3, 4, 1), "CYCLES", [worker("3.4.1")], ""),
        ((3, 4, 1), "CYCLES", [worker("4.5.1")], ""),
        ((4, 5, 1), "CYCLES", [worker("3.4.1")], "version"),
        ((3, 4, 1), "EEVEE", [worker("3.4.1")], "engine"),
        ((3, 4, 1), "CYCLES", [], "no_worker"),
        ((3, 4, 1), "CYCLES", [worker("3.4.1") | {"status": "OFFLINE"}], "no_worker"),
        ((3, 4, 1), "CYCLES", None, ""),
    ],
)
def test_the_file_against_the_workers_that_exist(version, engine, workers, code):
    facts = Facts()
    facts.frames, facts.renderer, facts.version, facts.engine, facts.workers = "1", "blender", version, engine, workers
    facts.scene_path = "/p/a.blend"

    assert [finding.code for finding in findings(facts)] == ([code] if code else [])


def test_many_missing_files_are_counted_not_listed():
    facts = worst_facts()
    facts.files.missing = [Need("image", f"/p/{number}.png", "x") for number in range(500)]
    sentences = [finding.sentence for finding in findings(facts)]

    assert "480 more files are missing or cannot be read." in sentences


def test_of_many_missing_files_those_that_a_render_reads_come_first():
    facts = worst_facts()
    spare = [Need("image", f"/p/{number}.png", "x", spare=True) for number in range(30)]
    facts.files.missing = [*spare, Need("image", "/p/needed.png", "x"), Need("sound", "/p/a.wav", "x")]
    found = {finding.target: finding.severity for finding in findings(facts) if finding.code.startswith("missing")}

    assert found["/p/needed.png"] == "error"
    assert {severity for target, severity in found.items() if target != "/p/needed.png"} == {"warning"}


def test_sequences_tiles_and_folders_are_unfolded(tmp_path):
    for name in (
        "s_0001.png",
        "s_0002.png",
        "s_-001.png",
        "s_x.png",
        "t.1001.exr",
        "t.1002.exr",
        "t.9.exr",
        "c/d/e.vdb",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"12345")
    needs = [
        Need("sequence", str(tmp_path / "s_0001.png"), "s"),
        Need("udim", str(tmp_path / "t.<UDIM>.exr"), "t"),
        Need("folder", str(tmp_path / "c"), "c"),
        Need("udim", str(tmp_path / "none.<UDIM>.exr"), "none"),
        Need("image", str(tmp_path / "nowhere" / "x.png"), "x"),
    ]
    found = find_files(needs)

    names = sorted(Path(path).name for path in found.files)
    assert names == ["e.vdb", "s_-001.png", "s_0001.png", "s_0002.png", "t.1001.exr", "t.1002.exr"]
    assert [need.owner for need in found.missing] == ["none", "x"]
    assert found.total_bytes == 30


@pytest.mark.parametrize("name", ["blender", "kernel"])
def test_fields_are_those_that_the_farm_describes(name):
    fields = {field.name: field for field in fields_of({"renderers": [renderer_view(name)]}, name)}

    assert fields["width"].kind == "int"
    assert "scene" not in fields
    if name == "blender":
        assert fields["device"].choices == ("CPU", "GPU")
        assert fields["samples"].checked("64") == 64
        for bad in (0, "many", None):
            with pytest.raises(Refused):
                fields["samples"].checked(bad)
    assert fields_of({}, name) == []


def test_a_field_that_the_farm_does_not_have_is_not_shown():
    info = {"job": NewJob.model_json_schema()}

    assert job_knows(info, "preview_first")
    assert not job_knows(info, "cost_cap_eur")
    assert not job_knows({}, "preview_first")


def test_the_farm_takes_every_field_of_a_wish():
    wish = Wish(
        " sh010\n light ", renderer="blender", frames="1-10x3", chunk=2, settings={"samples": 64}, output="/o/####.exr",
        format="exr", priority=70, deadline="2026-12-01T18:00:00Z", project="Alpha", sequence="sq", shot="sh010",
        task="lgt", task_id=12, version="v1", pools=["onprem"], cloud="never", cost_cap_usd=2.5, tags=["linux"],
        memory_gib=8.0, depends_on=["00001"], preview_first=True, paused=True, metadata={"a": 1},
    )  # fmt: skip
    body = body_of(wish)
    taken = NewJob.model_validate(body).model_dump(mode="json", exclude_unset=True)

    assert taken == {**body, "requires": {"tags": ["linux"], "memory_gib": 8.0}}
    assert body["name"] == "sh010 light"
    assert body_of(Wish("x", chunk=1)) == {"name": "x"}
    assert body_of(Wish("x", tiles=(2, 3)))["split"] == {"tiles": [2, 3]}


@pytest.mark.parametrize("wish", [Wish(" \n "), Wish("x", frames="1-x")])
def test_what_cannot_be_wished(wish):
    with pytest.raises(Refused):
        body_of(wish)


def test_a_wish_that_there_is_not():
    with pytest.raises(Refused, match="framse"):
        Wish("x", framse="1")


def test_in_the_pseudo_language_every_finding_is_marked():
    set_language(texts.PSEUDO)
    facts = worst_facts()
    for finding in findings(facts):
        assert finding.sentence.startswith("["), finding.sentence
        assert finding.sentence.endswith("]")
