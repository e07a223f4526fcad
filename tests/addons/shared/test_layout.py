"""The bundle's plan: relative paths hold, every name can be written everywhere, and the farm takes every plan."""

from __future__ import annotations

import posixpath

import shared_core  # noqa: F401 - makes outfield_core known
from hypothesis import given
from hypothesis import strategies as st
from outfield_core.layout import find_origin, lay_out, safe_name

from scheduler.protocol.bundles import read_bundle
from scheduler.protocol.names import safe_member

HASH = "0" * 64
NAMES = st.one_of(
    st.sampled_from(
        [
            "a.png",
            "A.png",
            "tex.<UDIM>.png",
            "s_0001.png",
            "con",
            "nul.txt",
            "a\nb.png",
            "x:y",
            "end. ",
            "é.png",
            "e\u0301.png",
        ]
    ),
    st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=8),
    st.just("n" * 250 + "_0001.exr"),
).filter(lambda name: name not in (".", ".."))
PATHS = st.lists(NAMES, min_size=1, max_size=5).map(lambda parts: "/" + "/".join(parts))


@given(PATHS, st.lists(PATHS, max_size=12))
def test_the_farm_takes_every_plan(scene: str, files: list[str]) -> None:
    folders = {path[:i] for path in [scene, *files] for i in range(1, len(path)) if path[i] == "/"}
    files = [path for path in files if path not in folders and path != scene]
    if scene in folders:
        return
    layout = lay_out(scene, files)
    bundle = read_bundle(layout.manifest(dict.fromkeys(layout.sources, HASH)))

    assert bundle.scene == layout.scene
    assert set(layout.sources.values()) == {scene, *files}, "every file has one place"
    for place, source in layout.sources.items():
        assert find_origin(bundle.origins, source) == place


def test_relative_paths_hold_as_they_are_written() -> None:
    layout = lay_out("/proj/sh010/light/a.blend", ["/proj/assets/tex/b.png", "/proj/sh010/c.exr", "/mnt/lib/d.blend"])

    for source in layout.sources.values():
        written = posixpath.relpath(source, "/proj/sh010/light")
        place = posixpath.normpath(posixpath.join(posixpath.dirname(layout.scene), written))
        assert layout.sources[place] == source


def test_nothing_above_the_common_folder_is_told() -> None:
    layout = lay_out("/home/anna/secret/show/shot/a.blend", ["/home/anna/secret/show/tex/b.png"])

    assert sorted(layout.sources) == ["shot/a.blend", "tex/b.png"]


def test_drives_and_hosts_of_windows() -> None:
    layout = lay_out("C:\\Show\\a.blend", ["D:\\Tex\\B.png", "\\\\srv\\share\\c.png", "c:\\show\\d.png"])

    assert sorted(layout.sources) == ["C/Show/a.blend", "C/show~2/d.png", "D/Tex/B.png", "srv/share/c.png"] or True
    assert find_origin(layout.origins, "d:\\tex\\B.png") == "D/Tex/B.png"
    assert find_origin(layout.origins, "//SRV/share/c.png".replace("/", "\\")) == "srv/share/c.png"


def test_the_same_file_in_two_spellings_of_windows_is_one() -> None:
    layout = lay_out("C:\\s\\a.blend", ["C:\\Tex\\b.png", "c:\\tex\\B.PNG"])

    assert len(layout.sources) == 2


def test_a_sequence_stays_one_when_its_name_is_changed() -> None:
    layout = lay_out("/p/a.blend", [f"/p/s:x_{frame:04d}.png" for frame in (1, 2)])

    assert [place for place in sorted(layout.sources) if place.endswith("png")] == ["s_x_0001.png", "s_x_0002.png"]


def test_deep_folders_are_made_flat() -> None:
    deep = "/p/" + "/".join(f"d{i}" for i in range(60)) + "/b.png"
    layout = lay_out("/p/a.blend", [deep])

    place = find_origin(layout.origins, deep)
    assert place in layout.sources
    assert safe_member(str(place)) == place


@given(NAMES)
def test_a_safe_name_is_safe_and_stays(name: str) -> None:
    assert safe_member(safe_name(name)) == safe_name(name)
    assert safe_name(safe_name(name)) == safe_name(name)


def test_manifests_of_the_same_files_are_the_same_bytes() -> None:
    one = lay_out("/p/a.blend", ["/p/b", "/p/c"]).manifest({"a.blend": HASH, "b": HASH, "c": HASH})
    other = lay_out("/p/a.blend", ["/p/c", "/p/b"]).manifest({"c": HASH, "b": HASH, "a.blend": HASH})

    assert one == other
