"""The renderer `blender`: .blend files, rendered by Blenders that stay open from task to task."""

from worker.runners.blender.runner import BlenderRunner

__all__ = ["BlenderRunner"]
