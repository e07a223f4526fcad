"""Names that say nothing are where code goes to be lost."""

from __future__ import annotations

import source_tree

EMPTY_NAMES = {"util", "utils", "helper", "helpers", "manager", "managers", "common", "misc", "stuff"}


def test_no_file_or_folder_has_a_name_that_says_nothing() -> None:
    found = [
        str(path)
        for path in source_tree.files()
        if path.suffix in {".py", ".js", ".sh"} and EMPTY_NAMES & {*path.parts[:-1], *path.stem.split("_")}
    ]

    assert found == []


def test_no_package_marker_under_tests() -> None:
    """`tests/worker/__init__.py` would shadow the real `worker`, even with --import-mode=importlib."""
    found = [str(path) for path in source_tree.files() if path.parts[0] == "tests" and path.name == "__init__.py"]

    assert found == []


def test_every_folder_with_python_in_a_package_is_a_package() -> None:
    """A folder without `__init__.py` would be a namespace package, open to other distributions."""
    folders = {path.parent for path in source_tree.python_files(*source_tree.PACKAGES)}
    scripts = {folder for folder in folders if "migrations" in folder.parts}

    assert [
        str(folder) for folder in sorted(folders - scripts) if not (source_tree.ROOT / folder / "__init__.py").exists()
    ] == []
