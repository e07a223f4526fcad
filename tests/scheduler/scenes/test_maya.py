"""The version of a Maya scene, from its first bytes."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from scheduler.errors import Refused
from scheduler.scenes.intake import judge_scene, look_at_scene
from scheduler.scenes.maya import HEAD_BYTES, NotMaya, maya_version, sniff_maya

REFERENCES = b"".join(b'file -r -ns "a" -dr 1 -rfn "aRN" -typ "mayaAscii" "/proj/a%d.ma";\n' % i for i in range(2000))
ASCII = {
    b'//Maya ASCII 2024 scene\n//Name: a.ma\nrequires maya "2024";\nrequires "mtoa" "5.3.1.1";\n': "2024",
    b'//Maya ASCII 2025ff03 scene\r\nrequires maya "2025ff03";\r\n': "2025",
    b'\xef\xbb\xbf//Maya ASCII 2016 Extension 2 scene\nrequires maya "2016 Extension 2";': "2016",
    b"//Maya ASCII 2022 scene\n" + REFERENCES + b'requires maya "2023";\n': "2023",
    b"//Maya ASCII 2022 scene\n": "2022",
    b"//Maya ASCII scene\ncreateNode mesh;\n": "",
    b'//Maya ASCII 8.5 scene\nrequires maya "8.5";\n': "",
}


def binary(kind: str = "FOR8", version: bytes = b"2024", chunk: str = "VERS") -> bytes:
    """A .mb as far as its header."""

    def header(tag: str, size: int) -> bytes:
        return tag.encode() + (struct.pack(">IQ", 0, size) if kind == "FOR8" else struct.pack(">I", size))

    text = version + b"\0"
    head = b"HEAD" + header(chunk, len(text)) + text + bytes(8)
    return header(kind, 4 + len(head) + 64) + b"Maya" + header(kind, len(head)) + head + bytes(200)


@pytest.mark.parametrize("head", ASCII)
def test_ascii(head: bytes) -> None:
    assert maya_version(".ma", head) == ASCII[head]
    assert sniff_maya(head) == ".ma"


@pytest.mark.parametrize("kind", ["FOR4", "FOR8"])
def test_binary(kind: str) -> None:
    assert maya_version(".mb", binary(kind)) == "2024"
    assert maya_version(".mb", binary(kind, b"2016 Extension 2")) == "2016"
    assert maya_version(".mb", binary(kind, b"8.5")) == ""
    assert maya_version(".mb", binary(kind, chunk="MADE")) == ""
    assert sniff_maya(binary(kind)) == ".mb"


@pytest.mark.parametrize(
    ("ending", "head", "words"),
    [
        (".ma", b"", "not a Maya ASCII scene"),
        (".ma", b'requires maya "2024";', "not a Maya ASCII scene"),
        (".ma", binary(), "ending .mb"),
        (".mb", b"", "not a Maya binary scene"),
        (".mb", b"FOR4\0\0\0\x08CIMG", "not a Maya binary scene"),
        (".mb", b"//Maya ASCII 2024 scene", "ending .ma"),
    ],
)
def test_what_is_none(ending: str, head: bytes, words: str) -> None:
    with pytest.raises(NotMaya, match=words):
        maya_version(ending, head)
    with pytest.raises(Refused) as refused:
        judge_scene(f"a{ending}", head, len(head))
    assert refused.value.code == "scene_not_maya" and refused.value.hint


@given(st.sampled_from([".ma", ".mb"]), st.binary(max_size=200), st.sampled_from([b"", binary()[:60], *ASCII]))
@example(".mb", b"", binary()[:24])
def test_any_bytes_give_a_year_or_a_refusal(ending: str, rest: bytes, start: bytes) -> None:
    try:
        version = maya_version(ending, start + rest)
    except NotMaya:
        return
    assert version == "" or (len(version) == 4 and version.isdigit())


def test_a_huge_scene_is_read_no_further_than_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "a.ma"
    with path.open("wb") as file:
        file.write(b"//Maya ASCII 2024 scene\n" + REFERENCES)
        file.truncate(20 * HEAD_BYTES)
        file.seek(15 * HEAD_BYTES)
        file.write(b'\nrequires maya "2031";\n')
    assert look_at_scene(path).version == "2024"


def test_a_blob_without_an_ending_is_told_by_its_content() -> None:
    assert judge_scene("shot", binary(), 400).ending == ".mb"
    assert judge_scene("shot", b"//Maya ASCII 2024 scene\n", 24, renderer="maya").renderer == "maya"
