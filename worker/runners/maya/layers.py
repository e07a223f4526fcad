"""The node of a render layer that an artist names: `Render -rl` is told nodes.

Render setup calls the node of a layer `rs_NAME`, legacy layers are nodes of their own name, and what Maya shows as
`masterLayer` is `defaultRenderLayer`. Maya's batch renderer takes scenes with either system (Autodesk, "Batch or
interactive render your render layers"), so only the name has to be right.
"""

from __future__ import annotations

import mmap
from pathlib import Path

MASTER = frozenset({"masterLayer", "defaultRenderLayer"})
PREFIX = "rs_"

_WORD = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")


def layer_node(scene: Path, layer: str) -> str:
    """The node of a layer of this scene, whose file names its nodes in plain text (.ma and .mb alike).

    Raises:
        OSError: the scene cannot be read.
    """
    if layer in MASTER:
        return "defaultRenderLayer"
    if layer.startswith(PREFIX) or ":" in layer:
        return layer
    return PREFIX + layer if _names(scene, (PREFIX + layer).encode()) else layer


def _names(path: Path, word: bytes) -> bool:
    """Does the word stand in the file, as a whole one?"""
    with path.open("rb") as file:
        if file.seek(0, 2) == 0:
            return False
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            at = content.find(word)
            while at >= 0:
                end = at + len(word)
                before = content[at - 1] if at else 0
                after = content[end] if end < len(content) else 0
                if before not in _WORD and after not in _WORD:
                    return True
                at = content.find(word, at + 1)
    return False
