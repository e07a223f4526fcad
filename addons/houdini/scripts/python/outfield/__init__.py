# SPDX-License-Identifier: Apache-2.0
"""Outfield for Houdini 19 and later: one panel, one shelf tool, one Python call.

    import outfield
    outfield.submit(node="/out/mantra1", frames="1-100x2", priority=70)

Importing this costs nothing; `submit` works in a window and in `hython`. What Houdini knows is read in `scene`; all
else is plain Python over the shared core.
"""

from __future__ import annotations

from typing import Any, List

__all__ = ["submit"]


def submit(**wishes: Any) -> List[Any]:
    """Submit the open scene and wait until the farm has it, or until it is kept because the farm is away.

    One job for each render node (ROP) that writes images; `node=` chooses one by its path. Wishes:
    `outfield_core.render_nodes.WISHES`. Nothing of the scene, its file or the undo history is changed.

    Raises:
        FarmError: something stands in the way; nothing was submitted. TypeError: a wish that there is not.
    """
    from .desk import desk

    return desk.deliver(wishes)
