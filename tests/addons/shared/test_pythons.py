"""The core runs on every Python that is here, and is made of the standard library of the oldest."""

from __future__ import annotations

import ast

import pytest
import shared_core

CORE = shared_core.FOLDER / "outfield_core"
BLENDER = shared_core.FOLDER.parent / "blender"
STANDARD = {
    "__future__", "collections", "datetime", "errno", "fcntl", "hashlib", "http", "io", "json", "math", "msvcrt", "os",
    "re", "shutil", "socket", "ssl", "sys", "threading", "time", "typing", "unicodedata", "urllib", "uuid",
}  # fmt: skip

PROGRAM = """
import os, sys, tempfile, time
sys.path.insert(0, sys.argv[1])
from outfield_core import client, delivery, facts, following, frames, layout, outlook, payload, preflight, presets
from outfield_core import renderers, running, sender, wishes
from outfield_core.hashing import HashCache
from outfield_core.spool import Spool
with tempfile.TemporaryDirectory() as folder:
    spool = Spool(os.path.join(folder, "spool"))
    draft = spool.begin()
    open(os.path.join(draft.folder, "a"), "w").close()
    body = payload.body_of(payload.Wish("x", frames="1-10x3"))
    draft.commit({"server": "http://127.0.0.1:9", "body": body, "scene": "a", "origin": "/a", "files": []}, "1")
    runner = sender.Sender(spool, HashCache(os.path.join(folder, "h")), lambda: client.Client("127.0.0.1:9"))
    runner.start()
    while not runner.outcomes:
        time.sleep(0.01)
    assert runner.outcomes[0].error.code == "unreachable", runner.outcomes[0].error
    assert runner.stop(5)
    assert len(spool.waiting()) == 1
    assert facts.errors(preflight.findings(facts.Facts()))
    assert frames.parse_frames("1-9:3,-2")[-1] == -2
    print("fine")
"""


@pytest.mark.parametrize("version", shared_core.VERSIONS)
def test_it_runs_on_every_python_that_is_here(version):
    done = shared_core.run_plainly(version, PROGRAM, shared_core.FOLDER)

    assert done.stdout == "fine\n", done.stderr


@pytest.mark.parametrize("path", sorted(CORE.rglob("*.py")), ids=lambda path: path.stem)
def test_old_syntax_standard_library_and_relative_imports_only(path):
    tree = ast.parse(path.read_text(), feature_version=(3, 7))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            assert str(node.module).split(".")[0] in STANDARD, node.module
        if isinstance(node, ast.Import):
            assert {alias.name.split(".")[0] for alias in node.names} <= STANDARD
    assert path.read_text().startswith("# SPDX-License-Identifier: Apache-2.0\n")


def test_the_blender_add_on_says_its_licence():
    for path in BLENDER.glob("*.py"):
        assert path.read_text().startswith("# SPDX-License-Identifier: GPL-3.0-or-later\n"), path
