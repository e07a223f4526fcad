"""The renderer `maya`: .ma and .mb scenes, rendered by Autodesk's command line program `Render`."""

from worker.runners.maya.runner import MayaRunner

__all__ = ["MayaRunner"]
