"""Small files and small functions: what does not fit on a screen or two is two things."""

from __future__ import annotations

import warnings

import source_tree

FILE_LINES_MAX = 500
FILE_LINES_LOOK_AGAIN = 300
FUNCTION_LINES_MAX = 40

LONG_FUNCTIONS: dict[str, str] = {}
"""`path::name` of a function that may be longer, with the reason."""


def test_no_file_is_longer_than_the_limit() -> None:
    sizes = {
        str(path): len((source_tree.ROOT / path).read_text().splitlines())
        for path in source_tree.files()
        if path.suffix in {".py", ".js", ".css", ".html", ".sh"}
    }
    look_again = sorted(f"{path} has {lines}" for path, lines in sizes.items() if lines > FILE_LINES_LOOK_AGAIN)
    if look_again:
        warnings.warn(f"files over {FILE_LINES_LOOK_AGAIN} lines: {', '.join(look_again)}", stacklevel=1)

    assert {path: lines for path, lines in sizes.items() if lines > FILE_LINES_MAX} == {}


def test_no_function_is_longer_than_the_limit() -> None:
    rooms = (*source_tree.PACKAGES, "addons", "tools")
    long = {
        f"{function.path}::{function.name}": function.lines
        for path in source_tree.python_files(*rooms)
        for function in source_tree.functions(path)
        if function.lines > FUNCTION_LINES_MAX
    }

    assert {name: lines for name, lines in long.items() if name not in LONG_FUNCTIONS} == {}
    assert set(LONG_FUNCTIONS) <= set(long), "LONG_FUNCTIONS names a function that is short by now"
