"""What only Nuke has: its Write and Read nodes, expressions, views. What is the same as in Houdini: `qt`."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest
from addon_farms import golden, kept
from qt_programs import part

GOLDEN = Path(__file__).parents[2] / "golden" / "nuke"


def submit(**wishes):
    return part("").submit(**wishes)


def lay(project, *names: str) -> None:
    for name in names:
        path = project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)


def feed(node, *inputs) -> None:
    """Connect them, by way of a node in between."""
    between = type(node)(node._script, "Blur", "between", {})
    between.fake_inputs = list(inputs)
    node.fake_inputs = [between, between]


def production(script, project) -> None:
    """A comp as they are: sequences both ways, expressions, cameras, groups, nodes that are off."""
    lay(project, "plates/bg.1001.exr", "plates/bg.1002.exr", "plates/fg_0001.dpx", "plates/fg_0002.dpx",
        "plates/still.png", "cam/shot.abc", "luts/show.cube", "tex/skin.1001.exr")  # fmt: skip
    script.expressions["[value root.shot]"] = "plates"
    script.read("Read1", f"{project}/[value root.shot]/bg.%04d.exr")
    script.read("Group1.Read2", "plates/fg_####.dpx")
    script.read("Read3", "plates/still.png")
    script.read("Read4", "plates/not_there.png", disable=True)
    script.read("Read5", "tex/skin.<UDIM>.exr", proxy=("File_Knob", "plates/proxy.exr"))
    script.add("Camera3", "Camera1", file=("File_Knob", f"{project}/cam/shot.abc"))
    script.add("OCIOFileTransform", "Look", file=("File_Knob", "luts/show.cube"), working=("Boolean_Knob", True))
    script.add("Blur", "Blur1", size=("Boolean_Knob", 3))
    script.write("Write1", "render/comp.%04d.exr", render_order=2)
    script.write("Group1.Write2", "render/matte.##.png", render_order=1, first=3, last=4).knobs()[
        "use_limit"
    ].content = True
    script.write("Write3", "render/off.%04d.exr")["disable"].content = True
    script.write("Write4", "")


def test_every_write_is_a_job_and_every_file_travels(script, project, tmp_path):
    production(script, project)
    made = submit()

    golden(GOLDEN / "production.json", kept(tmp_path / "spool", PROJECT=project))
    assert [each.name for each in made] == ["comp Group1.Write2", "comp Write1"], "in the order in which they render"


def test_one_node_by_its_name(script, project):
    production(script, project)
    (made,) = submit(node="Write1")
    assert made.name == "comp"

    with pytest.raises(Exception, match=r"no node 'Wirte1'"):
        submit(node="Wirte1")


def test_a_farm_that_renders_nuke_gets_what_it_describes(script, nuke_farm):
    script.write("Write1", "render/comp.%04d.exr")
    (made,) = submit(overrides={"threads": 3})
    job = next(json.loads(body) for body, _ in nuke_farm.answered.values())

    assert made.job_id == "00001"
    assert job["renderer"] == "nuke"
    assert job["settings"] == {"write": "Write1", "threads": 3}
    manifest = json.loads(nuke_farm.blobs[job["scene"].removeprefix("bundle:")])
    assert list(manifest["files"]) == ["comp.nk"]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda script: None, "no node that renders images"),
        (lambda script: script.write("Write1", "r/a.%V.%04d.exr"), "Write1 writes a file for each view"),
        (lambda script: [script.write(f"W{n}", "r/a.%04d.exr") for n in "ab"], "write to the same files"),
        (lambda script: feed(script.write("W", "r/a.%04d.exr"), script.read("R", "gone.%04d.exr")), "is missing"),
    ],
)
def test_what_stands_in_the_way(script, make, words):
    make(script)
    with pytest.raises(Exception, match=words):
        submit()

    assert script.writes == []


def test_what_nothing_renders_is_only_warned_of(script, tmp_path):
    script.write("W", "r/a.%04d.exr")
    script.read("Unused", "gone.%04d.exr")
    script.add("Camera3", "Camera1", file=("File_Knob", "old.abc"), read_from_file=False)
    submit()

    assert len(kept(tmp_path / "spool")) == 1
    assembly = part("desk").desk.new_assembly()
    for _ in assembly.gather():
        pass
    assert [(each.code, each.severity) for each in assembly.inspect()] == [("missing_sequence", "warning")]


@pytest.mark.parametrize(
    ("file", "output"),
    [
        ("r/a.%04d.exr", "PROJECT/r/a.####.exr"),
        ("r/a.##.png", "PROJECT/r/a.##.png"),
        ("r/a.%d.jpg", "PROJECT/r/a.#.jpg"),
        ("r/a.exr", "PROJECT/r/a.####.exr"),
        ("r/a.%05d.dpx", "PROJECT/r/a.#####.png"),
        ("r/a.mov", "PROJECT/r/a.####.png"),
        ("r/../[x]/a.%04d.exr", "PROJECT/b/a.####.exr"),
    ],
)
def test_output_names(script, project, tmp_path, file, output):
    script.expressions["[x]"] = "b"
    script.write("Write1", file)
    submit()

    assert kept(tmp_path / "spool", PROJECT=project)[0]["body"]["output"] == output


def test_a_configuration_of_the_artists_own_is_warned_of(script, monkeypatch):
    colours = part("scene").colour_configuration
    assert colours() == ""
    monkeypatch.setenv("OCIO", "/studio/config.ocio")
    assert colours() == "/studio/config.ocio"
    monkeypatch.delenv("OCIO")
    knobs = {"OCIO_config": ("File_Knob", "custom"), "customOCIOConfigPath": ("File_Knob", "/own.ocio")}
    script.root._knobs.update(script.add("NoOp", "x", **knobs).knobs())
    assert colours() == "/own.ocio"


def test_relative_names_start_from_where_nuke_was_started_without_a_project(script, monkeypatch, tmp_path):
    script.root["project_directory"].content = ""
    monkeypatch.chdir(tmp_path)

    assert part("scene").absolute("a.png") == str(tmp_path / "a.png")


def test_the_menu_and_the_pane(script, plugin):
    left = runpy.run_path(str(plugin / "menu.py"))

    assert left["__version__"]
    assert list(script.commands) == ["Render/Render on farm"]
    ((widget, name, _),) = script.panes
    assert name == "Outfield"
    made = eval(widget)()
    assert type(made).__name__ == "Panel"
    made.deleteLater()
    exec(script.commands["Render/Render on farm"], {})
    assert part("outfield_qt.window")._window[0].isVisible()
