"""Names of outputs and textures, angles of view: what Maya writes down, as the farm takes it."""

from __future__ import annotations

import pytest
from fake_maya import part


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("/p/a.####.exr", ("/p/a.####.exr", "exr", False)),
        ("/p/a_##.JPG", ("/p/a_##.JPG", "jpg", False)),
        ("/p/a.exr", ("/p/a.####.exr", "exr", False)),
        ("/p/a.####", ("/p/a.####.png", "png", False)),
        ("/p/a.exr.####", ("/p/a.####.exr", "exr", False)),
        ("/p/a.####.iff", ("/p/a.####.png", "png", False)),
        ("/p/a.mov", ("/p/a.####.png", "png", True)),
        ("C:\\p\\<RenderPass>\\a<Odd>.####.png", ("C:/p/beauty/a.####.png", "png", False)),
    ],
)
def test_output_names(maya, name, expected):
    assert part("roads").output_of(name) == expected


@pytest.mark.parametrize(
    ("raw", "hint", "expected"),
    [
        ("t.png", (0, False), ("image", "t.png")),
        ("t.<UDIM>.png", (0, False), ("udim", "t.<UDIM>.png")),
        ("t.1001.png", (3, False), ("udim", "t.1001.png")),
        ("t_u1_v1.png", (2, False), ("udim", "t_<UVTILE>.png")),
        ("t.<f>.png", (0, False), ("sequence", "t.1.png")),
        ("d/t.####.png", (0, False), ("sequence", "d/t.1.png")),
        ("t.0001.png", (0, True), ("sequence", "t.0001.png")),
    ],
)
def test_names_of_textures(maya, raw, hint, expected):
    assert part("dependencies").kind_of(raw, "image", hint) == expected


@pytest.mark.parametrize(
    ("fit", "aspect", "expected"),
    [(0, 16 / 9, 32.27), (1, 16 / 9, 32.27), (2, 16 / 9, 37.85), (3, 16 / 9, 37.85), (0, 1.0, 37.85), (3, 1.0, 54.43)],
)
def test_the_angle_of_view_as_rendered(maya, fit, aspect, expected):
    maya.scene.nodes["|persp|perspShape"]["filmFit"] = fit
    maya.scene.nodes["defaultResolution"]["deviceAspectRatio"] = aspect

    assert part("scene").pinhole("persp")["fov_deg"] == pytest.approx(expected, abs=0.01)
    assert part("scene").pinhole("cubeShape") == {}


def test_a_still_is_its_current_frame(maya, opened):
    maya.scene.nodes["defaultRenderGlobals"]["animation"] = False

    assert part("scene").scene_frames() == "5"
