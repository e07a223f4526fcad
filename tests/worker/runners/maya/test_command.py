"""Nothing of a user's becomes MEL or a shell's: names, paths and settings, on the command line and in the script."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from fake_render import FLAGS, GENERAL, Stop, read_dirmaps
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from scheduler.protocol.renderers import MayaSettings
from worker.runners.maya.command import NotPlain, Places, Run, command_line, is_plain, node_name, runs_of
from worker.runners.maya.engines import ENGINES, share_of
from worker.runners.maya.spellings import spellings_in
from worker.runners.maya.start_script import mappings_of, place_of, start_script, unspeakable

MEANINGFUL = set("\"'`$;\\|&<>*?!\n\r\t\0%^")
ATTACKS = [
    '"; system("touch /tmp/owned"); "',
    "\\",
    'a\\"; evil(); //',
    "`system ls`",
    "$(touch x)",
    'a\nsystem("x");',
    "a\u2028b",
    "%TEMP%",
    "-preRender",
]
paths = st.one_of(st.sampled_from(ATTACKS), st.text(max_size=60), st.text("ab/\\\"$`; \n'", max_size=30))


@given(st.lists(st.tuples(paths, paths), max_size=6))
@example([(attack, attack) for attack in ATTACKS])
def test_the_start_script_says_the_mappings_and_nothing_else(mappings: list[tuple[str, str]]) -> None:
    script = start_script(mappings)
    said = [each for each in mappings if not unspeakable([each])]
    assert read_dirmaps(script) == said
    assert script.count("\n") == 1 + len(said), "one command a line, whatever is in it"


@given(paths)
@example("a" + "\u0661")
def test_a_plain_path_means_nothing_to_mel_or_a_shell(path: str) -> None:
    if is_plain(path):
        assert not set(path) & MEANINGFUL and not path.startswith("-") and path.isprintable()
        assert re.sub(r"[\w /.+=@,~#()\[\]{}:-]", "", path) == "" or any(ord(letter) > 127 for letter in path)


@given(paths)
def test_a_name_is_one_that_maya_gives(name: str) -> None:
    try:
        assert re.fullmatch(r"[A-Za-z0-9_:|]+", node_name(name, "camera"))
    except NotPlain:
        with pytest.raises(ValidationError):
            MayaSettings(camera=name)


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("field", ["camera", "layer"])
def test_settings_are_refused_at_the_edge_and_on_the_worker(field: str, attack: str) -> None:
    with pytest.raises(ValidationError):
        MayaSettings(**{field: attack})
    with pytest.raises(NotPlain):
        _line(settings={field: attack})


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("place", ["scene", "images", "project"])
def test_paths_are_refused_on_the_worker(place: str, attack: str) -> None:
    places = {"scene": "/p/a.ma", "images": "/s/images", "project": "/p"} | {place: attack}
    with pytest.raises(NotPlain):
        _line(places=Places(**places))


@pytest.mark.parametrize("engine", ENGINES)
@given(
    first=st.integers(-100, 100),
    sides=st.one_of(
        st.just({}), st.fixed_dictionaries({"width": st.integers(1, 9000), "height": st.integers(1, 9000)})
    ),
    names=st.sampled_from([{}, {"camera": "ns:a|b"}, {"layer": "hero"}, {"camera": "c", "layer": "l"}]),
)
def test_an_engine_is_told_only_what_it_documents(
    engine: str, first: int, sides: dict[str, int], names: dict[str, str]
) -> None:
    argv = _line(engine, {**sides, **names, "samples": 4}, run=Run(first, first + 4, 2))
    known, rest = GENERAL | FLAGS[engine], argv[1:]
    while len(rest) > 1:
        flag = rest.pop(0)
        assert flag in known
        del rest[: known[flag]]
    assert rest == ["/p/a.ma"] and argv[1:3] == ["-r", engine]
    assert all(isinstance(word, str) for word in argv)
    assert ("-ai:as" in argv) == (engine == "arnold")


def _line(engine: str = "arnold", settings=None, places=None, run=None) -> list[str]:
    places = places or Places("/p/a.ma", "/s/images", "/p")
    return command_line("/m/bin/Render", ENGINES[engine], run or Run(1, 1), places, "png", settings or {}, 2)


def test_a_whole_command_line() -> None:
    settings = {"camera": "cam", "layer": "hero", "width": 1920, "height": 1080, "samples": 5}
    assert " ".join(_line("arnold", settings, run=Run(1, 9, 2))) == (
        "/m/bin/Render -r arnold -s 1 -e 9 -b 2 -rd /s/images -im frame -fnc 3 -pad 4 -of png -cam cam -rl hero "
        "-x 1920 -y 1080 -ard 1.777778 -ai:threads 2 -ai:as 5 -rt 0 -ai:lve 2 -ai:alf true -ai:slc false "
        "-proj /p /p/a.ma"
    )


@given(st.sets(st.integers(-50, 50), min_size=1, max_size=20))
def test_runs_are_exactly_the_frames(frames: set[int]) -> None:
    runs = runs_of(sorted(frames))
    assert sorted(frame for run in runs for frame in run.frames) == sorted(frames)
    assert all(run.last in run.frames for run in runs)


def test_runs() -> None:
    assert runs_of([1, 2, 3]) == [Run(1, 3)]
    assert runs_of([1, 3, 5, 10]) == [Run(1, 5, 2), Run(10, 10)]
    assert runs_of([1, 100]) == [Run(1, 1), Run(100, 100)]
    assert runs_of([7]) == [Run(7, 7)]


@pytest.mark.parametrize(
    ("engine", "line", "share"),
    [
        ("arnold", "12:34:56      32MB   |   45% done - 23 rays/pixel", 0.45),
        ("arnold", "00:00:00  773MB  | running on PC, 100% busy", None),
        ("vray", "V-Ray: 30 %", 0.3),
        ("redshift", "INFO : [Redshift] \tBlock 12/48 (7,4) rendered by GPU 0 in 2ms", 0.25),
        ("sw", "[PROGRESS] 7 percent", 0.07),
        ("file", "nothing of the kind", None),
    ],
)
def test_lines_of_progress(engine: str, line: str, share: float | None) -> None:
    assert share_of(ENGINES[engine], line) == share


def test_mappings_name_a_folder_once_and_the_deepest_first() -> None:
    origins = {"/a": "", "/a/tex": "tex", "/a/b/c": "elsewhere", "/": "x", "/a/odd:name": "odd_name"}
    assert mappings_of(origins, "/t") == [
        ("/a/b/c/", "/t/elsewhere/"), ("/a/odd:name/", "/t/odd_name/"), ("/a/", "/t/"),
    ]  # fmt: skip


def test_folders_of_windows_are_told_as_the_scenes_spell_them(tmp_path: Path) -> None:
    scene, reference, binary = tmp_path / "a.ma", tmp_path / "b.ma", tmp_path / "c.mb"
    scene.write_text(
        'file -r -typ "mayaAscii" "C:/Show/chars//hero.ma";\n\tsetAttr ".ftn" -type "string" "c:/SHOW/Tex/wood.png";\n'
        '\tsetAttr ".ftn" -type "string" "C:\\\\Show\\\\Tex\\\\iron.png"; // http://x.y/z\n'
    )
    reference.write_text('\tsetAttr ".ftn" -type "string" "\\\\\\\\Srv\\\\Lib\\\\sky.exr";\n"D:/Other/x.png"')
    binary.write_bytes(b"STR \x00\x00C:/Show/TEX/deep/a.png\x00" + b"\xff" * 9)
    origins = {"c:/show/tex": "Tex", "c:/show": "", "//srv/lib": "Srv/lib", "/home/anna": "anna", "e:/none": "none"}
    found = spellings_in([scene, reference, binary, tmp_path / "gone.ma"], origins)
    assert found == {
        "c:/show": ["C:/Show", "c:/SHOW"],
        "c:/show/tex": ["c:/SHOW/Tex", "C:/Show/Tex", "C:/Show/TEX"],
        "//srv/lib": ["//Srv/Lib"],
    }
    assert mappings_of(origins, "/t", found) == [
        ("//Srv/Lib/", "/t/Srv/lib/"), ("//srv/lib/", "/t/Srv/lib/"), ("/home/anna/", "/t/anna/"),
        ("c:/SHOW/Tex/", "/t/Tex/"), ("C:/Show/Tex/", "/t/Tex/"), ("C:/Show/TEX/", "/t/Tex/"),
        ("c:/show/tex/", "/t/Tex/"), ("C:/Show/", "/t/"), ("c:/SHOW/", "/t/"), ("c:/show/", "/t/"),
        ("e:/none/", "/t/none/"),
    ]  # fmt: skip


@given(
    st.lists(
        st.sampled_from([b"C:/", b"c:\\\\", b"\\\\", b"//", b"show", b"/", b'"', b"\0", b"\xff", b"\xc4\xb0"]),
        max_size=30,
    )
)
def test_spellings_are_the_origin_but_for_case(tmp_path_factory: pytest.TempPathFactory, words: list[bytes]) -> None:
    scene = tmp_path_factory.mktemp("scene") / "a.ma"
    scene.write_bytes(b"".join(words))
    for origin, spelled in spellings_in([scene], ["c:/show", "c:/show/show", "//show/show"]).items():
        assert {each.lower() for each in spelled} == {origin}


def test_places_of_folders() -> None:
    origins = {"/a/show": "", "c:/show/scenes": "Scenes", "/lib": "lib"}
    assert place_of(origins, "/a/show") == ""
    assert place_of(origins, "/a/show/tex/deep/") == "tex/deep"
    assert place_of(origins, "C:\\Show\\Scenes\\x") == "Scenes/x"
    assert place_of(origins, "/nowhere") is None


def test_the_fake_would_notice(tmp_path: Path) -> None:
    with pytest.raises(Stop, match="INJECTED"):
        read_dirmaps('dirmap -en true;\nsystem("x");\n')
    with pytest.raises(Stop, match="INJECTED"):
        read_dirmaps('dirmap -m "a"; evil(); "b" "c";')
