"""Scenes with something wrong: each a plain sentence, a fix that works where there can be one, and no false alarm."""

from __future__ import annotations

import pytest
from addon_acts import spool_files
from broken_expected import NAMES, SCENES

from scheduler.protocol.bundles import read_bundle


@pytest.fixture(scope="module", params=["blender", "bpy"])
def home(request, new_home):
    return new_home(request.param)


@pytest.fixture(scope="module")
def said(home):
    """What one Blender says of all of them."""
    (answers,) = home.run(["broken_checks:check_all", str(home.folder / "scenes"), list(SCENES)])
    return answers


@pytest.mark.parametrize("name", SCENES)
def test_a_broken_scene_is_told_in_a_plain_sentence_and_mended_where_it_can_be(said, name):
    expected, before, after = SCENES[name], said[name]["before"], said[name]["after"]
    codes = [finding["code"] for finding in before if finding["code"] != "checked"]

    if not expected.code:
        assert [each["code"] for each in before if each["severity"] != "note"] == []
    else:
        assert expected.code in codes
        (finding,) = [each for each in before if each["code"] == expected.code][:1]
        assert finding["severity"] == expected.severity
        assert finding["sentence"].endswith(".")
        assert finding["sentence"].isprintable()
        assert len(finding["sentence"]) < 300
    stopping = [each["code"] for each in before if each["severity"] == "error"]
    assert set(stopping) <= {expected.code, expected.code.replace("_more", "_image")}, "nothing else stands in the way"
    if expected.fixed is not None:
        assert after is not None, "it offers no fix"
        assert (expected.code not in [each["code"] for each in after]) == expected.fixed


def test_whatever_the_names_the_farm_takes_the_bundle(said):
    for name, answer in said.items():
        bundle = read_bundle(answer["before"][-1]["manifest"].encode())
        if name.startswith("name_in_"):
            assert NAMES[name.removeprefix("name_in_")] in bundle.files


def test_disks_that_fail_are_told_and_leave_nothing(home):
    _, said = home.run(
        ["addon_scenes:make_plain", str(home.folder / "plain")],
        ["broken_checks:submit_on_bad_disks", str(home.folder / "plain" / "plain.blend")],
    )

    assert "is full; nothing was submitted." in said["full"]
    assert "cannot be written; nothing was submitted." in said["read_only"]
    assert "nothing was submitted." in said["in_the_way"]
    assert spool_files(home.spool) == []
