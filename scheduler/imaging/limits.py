"""Resource limits that a decoder process puts on itself before it looks at any file."""

from __future__ import annotations

import math
import sys
from typing import Final

FILES_OPEN_MAX: Final = 64
OUTPUT_BYTES_MAX: Final = 256 * 2**20
"""Largest preview or sheet that the child may write."""


def apply(memory_max_bytes: int) -> None:
    """Caps address space, open files and written bytes, and forbids core dumps. Windows has no such limits."""
    if sys.platform == "win32":
        return
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (memory_max_bytes, memory_max_bytes))
    resource.setrlimit(resource.RLIMIT_NOFILE, (FILES_OPEN_MAX, FILES_OPEN_MAX))
    resource.setrlimit(resource.RLIMIT_FSIZE, (OUTPUT_BYTES_MAX, OUTPUT_BYTES_MAX))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def allow_cpu(seconds: float) -> None:
    """Lets this process use `seconds` of processor time from now on; the system ends it when it takes more."""
    if sys.platform == "win32":
        return
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = math.ceil(used.ru_utime + used.ru_stime + seconds) + 1
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))
