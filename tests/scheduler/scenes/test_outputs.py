"""Where frames go, and where they never go."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.errors import Refused
from scheduler.protocol.names import is_file_name
from scheduler.scenes.outputs import FILE_BYTES_MAX, SLUG_MAX, frame_path, lies_under, resolve_output, slug


@pytest.mark.parametrize(
    ("pattern", "frame", "path"),
    [
        ("/out/a.####.exr", 7, "/out/a.0007.exr"),
        ("/out/a.####.exr", -5, "/out/a.-0005.exr"),
        ("/out/####.png", -5, "/out/-0005.png"),
        ("/out/a.#.png", 7, "/out/a.7.png"),
        ("/out/a.#.png", 1234, "/out/a.1234.png"),
        ("/out/a.########.png", 7, "/out/a.00000007.png"),
        ("/out/a.##.png", 123456, "/out/a.123456.png"),
        ("/out/##/a.##_##.png", 7, "/out/##/a.07_07.png"),
        ("/out/a.png", 7, "/out/a.png"),
        ("/a.#.png", 0, "/a.0.png"),
    ],
)
def test_frame_numbers(pattern: str, frame: int, path: str) -> None:
    assert str(frame_path(pattern, frame)) == path


@given(st.integers(-(10**7), 10**7), st.integers(1, 12))
def test_the_number_can_be_read_back(frame: int, digits: int) -> None:
    name = frame_path(f"/out/{'#' * digits}.png", frame).stem

    assert int(name) == frame
    assert len(name.lstrip("-")) >= digits


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "proj"
    folder.mkdir()
    return folder


def code(pattern: str, roots: list[Path], image_format: str = "png", frames_count: int = 10) -> str:
    with pytest.raises(Refused) as caught:
        resolve_output(pattern, roots, image_format, frames_count)
    assert caught.value.message.startswith("output: ")
    assert caught.value.hint != Refused.hint
    assert caught.value.details == {"field": "output"}
    return caught.value.code


@pytest.mark.parametrize(
    ("name", "image_format", "frames_count"),
    [
        ("a.####.png", "png", 10),
        ("a.png", "png", 1),
        ("a.#.JPG", "jpg", 10),
        ("a.#.jpeg", "jpg", 10),
        ("new/folder/ünïcode & ünter/#.exr", "exr", 10),
        ("a..b/..c.#.png", "png", 10),
    ],
)
def test_a_good_output_is_taken(name: str, image_format: str, frames_count: int, root: Path) -> None:
    assert resolve_output(f"{root}/{name}", [root], image_format, frames_count) == root / name
    assert list(root.iterdir()) == [], "nothing is made"


@pytest.mark.parametrize(
    ("tail", "wanted"),
    [
        ("/a.####.exr", "output_wrong_ending"),
        ("/a.####", "output_wrong_ending"),
        ("/a.####.png.exe", "output_wrong_ending"),
        ("/.png", "output_wrong_ending"),
        ("/a.png", "output_needs_frame_number"),
        ("/##/a.png", "output_needs_frame_number"),
        ("/../a.####.png", "output_dotdot"),
        ("/x/../a.####.png", "output_dotdot"),
        ("/", "output_is_folder"),
        ("/x/", "output_is_folder"),
        ("/x/.", "output_is_folder"),
        ("/nul\0.####.png", "output_bad_character"),
        ("/new\nline.####.png", "output_bad_character"),
        ("/lone\ud800.####.png", "output_bad_character"),
        ("/" + "a" * 256 + "/a.####.png", "output_name_too_long"),
        ("/" + "a" * FILE_BYTES_MAX + ".####.png", "output_name_too_long"),
        ("/" + "é" * 120 + ".####.png", "output_name_too_long"),
        ("/a." + "#" * 300 + ".png", "output_name_too_long"),
        ("/" + "abcdefghi/" * 410 + "a.####.png", "output_name_too_long"),
    ],
)
def test_an_unfit_output_is_refused(tail: str, wanted: str, root: Path) -> None:
    assert code(f"{root}{tail}", [root]) == wanted


@pytest.mark.parametrize(
    "pattern", ["", "a.####.png", "~/a.####.png", "./a.#.png", "C:\\out\\a.#.png", "\\\\s\\a.#.png"]
)
def test_a_relative_output_is_refused(pattern: str, root: Path) -> None:
    assert code(pattern, [root]) == "output_not_absolute"


def test_only_the_roots_are_written_to(root: Path, tmp_path: Path) -> None:
    other = tmp_path / "projects"
    other.mkdir()
    (root / "out").symlink_to(other)
    (root / "up").symlink_to("..")
    (tmp_path / "door").symlink_to(root)
    (root / "loop").symlink_to("loop")

    assert code(f"{other}/a.#.png", [root]) == "output_outside_roots"
    assert code(f"{tmp_path}/a.#.png", [root]) == "output_outside_roots"
    assert code("/a.#.png", [root]) == "output_outside_roots"
    assert code(f"{root}/out/a.#.png", [root]) == "output_outside_roots"
    assert code(f"{root}/up/projects/a.#.png", [root]) == "output_outside_roots"
    assert code(f"{root}/a.#.png", []) == "output_outside_roots"
    assert code(f"{root}/loop/a.#.png", [root]) == "output_unusable"
    assert resolve_output(f"{root}/out/a.#.png", [root, other], "png", 9) == other / "a.#.png"
    assert resolve_output(f"{tmp_path}/door/a.#.png", [root], "png", 9) == root / "a.#.png"
    assert resolve_output(f"{root}/a.#.png", [tmp_path / "door"], "png", 9) == root / "a.#.png"
    assert resolve_output("/a.#.png", [Path("/")], "png", 9) == Path("/a.#.png")


def test_a_folder_that_became_a_link_is_seen_when_publishing(root: Path, tmp_path: Path) -> None:
    resolved = resolve_output(f"{root}/out/a.#.png", [root], "png", 9)
    assert lies_under(resolved.parent, [root])

    (root / "out").symlink_to(tmp_path)

    assert not lies_under(resolved.parent, [root])


def test_an_output_in_the_place_of_a_folder_or_below_a_file_is_refused(root: Path) -> None:
    (root / "a.png").mkdir()
    (root / "file").write_bytes(b"")

    assert code(f"{root}/a.png", [root], frames_count=1) == "output_is_folder"
    assert code(f"{root}/file/a.#.png", [root]) == "output_unusable"


@given(st.text(max_size=80))
def test_no_pattern_leaves_the_roots(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    root = tmp_path_factory.getbasetemp() / "root"
    root.mkdir(exist_ok=True)
    try:
        resolved = resolve_output(f"{root}/{text}.#.png", [root], "png", 9)
    except Refused as error:
        code = error.code
    else:
        code = "output_taken"
        assert os.path.realpath(resolved.parent).startswith(os.path.realpath(root))
        assert frame_path(str(resolved), 3).parent == resolved.parent
    assert code.startswith("output_")


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("sh010_light_v012", "sh010_light_v012"),
        ("Müller & Söhne / Szene 1", "Muller_Sohne_Szene_1"),
        ("../../etc/passwd", "etc_passwd"),
        ("...", "job"),
        ("", "job"),
        ("日本", "job"),
        ("-rf", "rf"),
        ("con", "_con"),
        ("nul.txt", "_nul.txt"),
        ("a\0b", "a_b"),
        ("x" * 500, "x" * SLUG_MAX),
    ],
)
def test_slugs(name: str, plain: str) -> None:
    assert slug(name) == plain


@settings(max_examples=400)
@given(st.lists(st.text(max_size=40), min_size=25, max_size=25))
def test_no_job_name_leaves_its_folder(names: list[str]) -> None:
    """10,000 names."""
    for name in names:
        plain = slug(name)
        assert is_file_name(plain)
        assert not plain.startswith(("-", "."))
        assert len(plain) <= SLUG_MAX
        assert is_file_name(f"{plain}.-0005.jpeg")
        assert slug(plain) == plain
