"""Every code of the driver has words, every ending a reason and somebody who pays for it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from worker.runners.blender import failures

DRIVER = Path(failures.__file__).with_name("driver")

DATA: dict[str, dict[str, Any]] = {
    "unknown_name": {"kind": "camera", "name": "Cam", "known": ["Camera", "Top"]},
    "missing_files": {"files": [f"//tex/{i}.png" for i in range(30)], "count": 30},
    "unknown_engine": {"name": "LUXCORE", "known": ["CYCLES"]},
    "unreadable": {"text": "Error: Missing DNA block"},
    "render_error": {"text": "Error: Cannot render, no camera", "frame": 5, "path": "/x"},
    "bad_setting": {
        "format": "png",
        "name": "color_depth",
        "value": "32",
        "text": "enum \"32\" not found in ('8', '16')",
    },
    "blocked_driver": {"text": "Driver 'f()'"},
    "not_a_camera": {"name": "Ball", "kind": "mesh"},
    "too_many_tiles": {"cols": 9, "rows": 9, "width": 4, "height": 4},
    "no_addon": {"name": "x"},
    "bug": {"text": "Traceback …"},
    "cannot_split": {"reason": "engine", "engine": "BLENDER_EEVEE"},
}


def codes() -> list[str]:
    """Every code that the driver's sources name."""
    text = "".join(path.read_text() for path in DRIVER.glob("*.py"))
    return sorted(set(re.findall(r'Refused\("(\w+)"', text)) | set(re.findall(r'"code": "(\w+)"', text)))


def test_the_driver_has_codes() -> None:
    assert len(codes()) >= 15


@pytest.mark.parametrize("code", codes())
def test_every_code_has_a_sentence(code: str) -> None:
    failed = failures.refused(code, DATA.get(code, {}))
    assert failed.failure in ("user", "infra")
    assert len(failed.message) > 30
    assert code not in failed.message, "that is no sentence"
    assert "driver refused" not in failed.message


@pytest.mark.parametrize(
    "reason", re.findall(r'"([a-z ]+)": render|reason="([a-z ]+)"', (DRIVER / "splitting.py").read_text())
)
def test_every_reason_against_splitting_has_a_sentence(reason: tuple[str, str]) -> None:
    failed = failures.refused("cannot_split", {"reason": "".join(reason), "engine": "CYCLES"})
    assert "cannot be split" in failed.message


def test_the_artist_is_told_the_nearest_name() -> None:
    said = failures.refused("unknown_name", DATA["unknown_name"]).message
    assert said == "The file has no camera named 'Cam'. Did you mean 'Camera'?"
    said = failures.refused("unknown_name", {"kind": "scene", "name": "zz", "known": []}).message
    assert said.endswith("There is none in the file.")


def test_a_long_list_of_files_is_cut() -> None:
    said = failures.refused("missing_files", DATA["missing_files"]).message
    assert "//tex/9.png and 20 more" in said


@pytest.mark.parametrize(
    ("text", "failure", "words"),
    [
        ("Error: Cannot render, no camera", "user", "no camera. Add one"),
        ("System is out of GPU memory", "infra", "memory ran out"),
        ("Error: Render error (No space left on device) cannot save: '/x'", "infra", "disk is full"),
        ("Error: Render error (Permission denied) cannot save: '/x'", "infra", "cannot write frame 5"),
        ("Error: Image too small", "user", "could not render frame 5: Image too small"),
    ],
)
def test_errors_of_the_render_itself(text: str, failure: str, words: str) -> None:
    failed = failures.refused("render_error", {"text": text, "frame": 5, "path": "/x"})
    assert failed.failure == failure
    assert words in failed.message


@pytest.mark.parametrize(
    ("exit_code", "tail", "words"),
    [
        (-9, [], "killed it (signal 9)"),
        (137, [], "killed it (signal 9)"),
        (-11, ["Writing: /tmp/blender.crash.txt"], "crashed (SIGSEGV)"),
        (-6, ["terminate called after throwing an instance of 'std::bad_alloc'"], "memory ran out"),
        (-6, ["Unable to open a display"], "no OpenGL"),
        (-6, ["Assertion `0 && \"Couldn't find current GLX or EGL context.\\n\"' failed."], "no OpenGL"),
        (1, ["Fra:1 Mem:1", "Something odd"], "exit code 1. Its last words: Something odd"),
    ],
)
def test_a_blender_that_ended_by_itself(exit_code: int, tail: list[str], words: str) -> None:
    failed = failures.died(exit_code, tail, "rendering frame 5")
    assert (failed.failure, failed.exit_code) == ("infra", exit_code)
    assert words in failed.message
    assert failed.message.startswith("Blender stopped while rendering frame 5: ")


def test_a_traceback_in_the_log_is_a_failure() -> None:
    log = ["Saved: 'x'", "Traceback (most recent call last):", '  File "x", line 4', "ValueError: bad", "Saved: 'y'"]
    failed = failures.script_raised(log)
    assert failed is not None
    assert "ValueError: bad" in failed.message
    assert failures.script_raised(["Saved: 'x'"]) is None


def test_a_file_that_is_too_new() -> None:
    failed = failures.no_version("4.5", ["3.4.1"])
    assert failed.message.startswith("This file was saved by Blender 4.5; this worker has 3.4.1.")
    assert failed.failure == "infra"
