"""Tells a start-up script which instance it runs on: pure text. Only the machine itself can know, once it is there."""

from __future__ import annotations

import re

SHELLS = re.compile(r"#!\s*/(usr/)?bin/(env\s+)?(sh|dash|bash)\b")


def with_identity(script: str, command: str) -> str:
    """The script with OUTFIELD_INSTANCE exported before its own lines: what the shell command `command` prints.

    A value that is in the environment already stays. A script of another language than the shell is left alone.
    """
    first, _, rest = script.partition("\n")
    if not SHELLS.match(first):
        return script
    lines = (first, f': "${{OUTFIELD_INSTANCE:=$({command})}}"', "export OUTFIELD_INSTANCE", rest)
    return "\n".join(lines)
