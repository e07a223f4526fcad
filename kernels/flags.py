"""How every kernel is compiled, and where the result is kept: one place, so that what pixels promise can be read here.

`nogil` lets the worker renew its leases from another thread while pixels are made. `fastmath` names only flags that
keep IEEE results for numbers that are neither NaN nor infinite; nothing may be reordered, fused or approximated. That
makes a frame bit-identical on every machine of a mixed farm, whatever its vector width, and costs little, because all
sums over rays are integer sums. `error_model` drops the branch before each division.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Final

from numba.core import config

KERNEL: Final[dict[str, Any]] = {
    "nogil": True,
    "cache": True,
    "error_model": "numpy",
    "fastmath": {"nnan", "ninf", "nsz"},
}

INLINED: Final[dict[str, Any]] = {**KERNEL, "forceinline": True}
"""For what a loop calls: one call left over, and LLVM gives up vectorising the whole loop."""

DIGEST_DIGITS = 16


def sources_digest() -> str:
    """A hash of all kernel sources."""
    digest = hashlib.sha256()
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.name.encode() + b"\0" + source.read_bytes() + b"\0")
    return digest.hexdigest()[:DIGEST_DIGITS]


# Numba's cache notices a change in the file that holds a function, but not in what that function calls from other
# files. A folder of its own for each state of the sources means that an upgrade never loads stale kernels.
if config.CACHE_DIR:
    config.CACHE_DIR = str(Path(config.CACHE_DIR) / sources_digest())
