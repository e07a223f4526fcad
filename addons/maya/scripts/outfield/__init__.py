# SPDX-License-Identifier: Apache-2.0
"""Outfield for Maya 2022 to 2026: one panel, one menu, one Python call.

    import outfield
    outfield.submit(frames="1-100x2", priority=70)

Importing this costs nothing and touches nothing of Maya's; `submit` works in a window, in `mayapy` and in
`maya -batch`. What Maya knows is read in `scene` and `dependencies`, drawn in `panel` and `jobs_panel`; all else is
plain Python over the shared core.
"""

from __future__ import annotations

from typing import Any, List

__all__ = ["submit"]


def submit(**wishes: Any) -> List[Any]:
    """Submit the open scene and wait until the farm has it, or until it is kept because the farm is away.

    One job for each renderable layer and camera; `layer=` and `camera=` choose one. Wishes: `settings.DEFAULTS`.
    Nothing of the scene, its file, the selection or the undo history is changed.

    Raises:
        FarmError: something stands in the way; nothing was submitted. TypeError: a wish that there is not.
    """
    from .submission import submit as submit_now

    return submit_now(wishes)
