"""What is wrong with a scene or a task, in words for the artist, where Blender itself says nothing and exits with 0."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from blend_scenes import SceneOptions, is_bpy, make_scenes

from worker.runners.base import RenderFailed
from worker.runners.blender import BlenderRunner


@pytest.fixture(scope="session")
def faulty(program: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("faulty")
    make_scenes(program, folder, {"library": SceneOptions()})
    scenes = {
        "camera": SceneOptions(camera=False),
        "texture": SceneOptions(texture="//textures/wood.png"),
        "linked": SceneOptions(library=str(folder / "library.blend")),
        "layer": SceneOptions(no_layer=True),
        "stereo": SceneOptions(extra={"render.use_multiview": True}),
        "engine": SceneOptions(engine="ALIEN"),
        "denoise": SceneOptions(compositor="denoise"),
        "plain": SceneOptions(),
    }
    made = make_scenes(program, folder, scenes)
    (folder / "library.blend").unlink()
    made["text"] = folder / "notes.blend"
    made["text"].write_text("BLENDER is what I like")
    made["short"] = folder / "short.blend"
    made["short"].write_bytes(made["plain"].read_bytes()[:-3000])
    made["newer"] = folder / "newer.blend"
    made["newer"].write_bytes(b"BLENDER17-01v0999" + bytes(1000))
    return made


@pytest.mark.parametrize(
    ("scene", "settings", "failure", "words"),
    [
        ("camera", {}, "user", "The scene has no camera"),
        ("texture", {}, "user", "cannot find files that the scene uses: //textures/wood.png"),
        ("linked", {}, "user", "library.blend"),
        ("layer", {}, "user", "No view layer"),
        ("stereo", {}, "user", "one file for each eye"),
        ("engine", {}, "infra", "render engine (ALIEN|of an add-on) is not in this worker's Blender"),
        ("short", {}, "user", "Blender cannot read the file|Blender stopped"),
        ("text", {}, "user", "notes.blend is not a .blend file|cannot read the file"),
        ("newer", {}, "infra", "saved by Blender 9.99; this worker has"),
        ("plain", {"camera": "Lefty"}, "user", "no camera named 'Lefty'. Did you mean 'Left'"),
        ("plain", {"camera": "Sphere"}, "user", "'Sphere' is a mesh, not a camera"),
        ("plain", {"scene": "sceen"}, "user", "no scene named 'sceen'. Did you mean 'Scene'"),
        ("plain", {"view_layer": "zzz"}, "user", "no view layer named 'zzz'. There is 'ViewLayer'"),
        ("plain", {"device": "GPU"}, "infra", "asks for a GPU"),
        ("plain", {"color_depth": "32"}, "user", "png files cannot have color_depth = '32'. It may be '8' or '16'"),
    ],
)
def test_a_refusal_says_what_to_do(
    bench: Any, faulty: dict[str, Path], scene: str, settings: dict[str, Any], failure: str, words: str
) -> None:
    with pytest.raises(RenderFailed, match=words) as failed:
        bench.frame(faulty[scene], settings=settings)
    assert failed.value.failure == failure
    assert failed.value.message.endswith((".", "?"))


def test_a_compositor_that_denoises_needs_a_denoiser(bench: Any, faulty: dict[str, Path]) -> None:
    """Without one, Blender's node passes the picture on as it is and says nothing."""
    if is_bpy(bench.program):
        assert bench.frame(faulty["denoise"]).exists()
        return
    with pytest.raises(RenderFailed, match="built without a denoiser"):
        bench.frame(faulty["denoise"])


def test_eevee_on_a_machine_without_opengl(bench: Any, tmp_path: Path) -> None:
    blind = tmp_path / bench.program.name
    blind.write_text(f'#!/bin/sh\nexport __EGL_VENDOR_LIBRARY_DIRS=/nowhere\nexec {bench.program} "$@"\n')
    blind.chmod(0o755)
    bench.runner = BlenderRunner([blind], folder=tmp_path / "private")
    with pytest.raises(RenderFailed, match="this worker has no OpenGL") as failed:
        bench.frame("many", settings={"engine": "EEVEE", "samples": 1})
    bench.runner.close()
    assert failed.value.failure == "infra"


def test_a_frame_that_cannot_be_written(bench: Any) -> None:
    work = dataclasses.replace(bench.work("many"), scratch=Path("/proc"))
    with pytest.raises(RenderFailed, match="cannot write frame 1") as failed:
        bench.runner.run(work, bench.reporter())
    assert failed.value.failure == "infra"


def test_a_scene_that_is_not_there(bench: Any, tmp_path: Path) -> None:
    with pytest.raises(RenderFailed, match="not there"):
        bench.frame(tmp_path / "gone.blend")
