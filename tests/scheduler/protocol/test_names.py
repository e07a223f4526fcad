"""Which names may travel."""

from __future__ import annotations

import posixpath

import pytest
from hostile_archives import NAMES
from hypothesis import given
from hypothesis import strategies as st

from scheduler.protocol.names import MEMBER_BYTES_MAX, is_device, is_file_name, safe_member, same_name


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("a", "a"),
        ("a/b.obj", "a/b.obj"),
        ("./a//b/./c/", "a/b/c"),
        ("textures/wood.png", "textures/wood.png"),
        ("ünïcode ✓ & spaces (1).blend", "ünïcode ✓ & spaces (1).blend"),
        ("..a/b..c/.d", "..a/b..c/.d"),
        ("console.txt", "console.txt"),
        ("a" * 255, "a" * 255),
        ("a/" * 31 + "x", "a/" * 31 + "x"),
        ("~user/x", "~user/x"),
        ("-rf", "-rf"),
        ("👨‍👩‍👧.png", "👨‍👩‍👧.png"),
    ],
)
def test_ordinary_members_are_kept(name: str, path: str) -> None:
    assert safe_member(name) == path


@pytest.mark.parametrize("name", NAMES)
def test_hostile_members_are_refused(name: str) -> None:
    assert safe_member(name) is None


@given(
    st.one_of(st.text(max_size=60), st.lists(st.sampled_from(["..", ".", "/", "a", "\\", "C:", " ", "é"])).map("".join))
)
def test_a_safe_member_stays_below_its_folder(name: str) -> None:
    path = safe_member(name)

    if path is not None:
        joined = posixpath.normpath(posixpath.join("/base/of/all", path))
        assert joined == f"/base/of/all/{path}"
        assert len(path.encode()) <= MEMBER_BYTES_MAX
        assert safe_member(path) == path


@pytest.mark.parametrize(
    ("name", "good"),
    [
        ("beauty.0001.exr", True),
        ("_x", True),
        ("-0005.png", True),
        ("0", True),
        ("a" * 128, True),
        ("-" + "1" * 128, True),
        ("a" * 129, False),
        ("-rf", False),
        ("-", False),
        ("", False),
        (".hidden", False),
        ("..", False),
        ("a/b", False),
        ("a\\b", False),
        ("a b", False),
        ("a\n", False),
        ("a\0", False),
        ("é", False),
        ("٣", False),
        ("con", False),
        ("NUL.png", False),
    ],
)
def test_staged_file_names(name: str, good: bool) -> None:
    assert is_file_name(name) is good


@pytest.mark.parametrize("name", ["con", "CON", "Con.txt", "nul.tar.gz", "com9", "LPT0.x", "aux .x"])
def test_devices(name: str) -> None:
    assert is_device(name)


@pytest.mark.parametrize("name", ["cont", "com", "com10", "nulls.txt", "x.con", "lpt"])
def test_names_that_only_look_like_devices(name: str) -> None:
    assert not is_device(name)


@pytest.mark.parametrize(("one", "other"), [("A", "a"), ("é", "e\u0301"), ("STRASSE", "straße"), ("ÉA", "e\u0301a")])
def test_what_some_file_systems_take_for_one(one: str, other: str) -> None:
    assert same_name(one) == same_name(other)
