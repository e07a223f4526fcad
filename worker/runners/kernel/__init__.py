"""Renders with Outfield's own kernels, in this process: the built-in scene and triangle meshes; merges partials.

Importing the package is cheap. Numba and the kernels are loaded with the first task (or by `warm_up`), after the worker
has set the folder of Numba's cache.
"""

from worker.runners.kernel.runner import KernelRunner

__all__ = ["KernelRunner"]
