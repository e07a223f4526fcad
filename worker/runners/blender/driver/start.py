"""The script that Blender is started with. It makes the driver's modules importable and serves, and decides nothing.

The worker's own package is not installed in Blender's Python, and must not be: its modules are found by path, under
the names that they have in the worker.
"""

# pyright: basic

import sys
import types
from pathlib import Path

HERE = Path(__file__).resolve().parent
PACKAGE = "worker.runners.blender.driver"


def _make_importable() -> None:
    parts = PACKAGE.split(".")
    for end in range(1, len(parts) + 1):
        name = ".".join(parts[:end])
        module = types.ModuleType(name)
        module.__path__ = [str(HERE)] if name == PACKAGE else []
        sys.modules[name] = module


if __name__ == "__main__":
    sys.dont_write_bytecode = True  # the worker's own folder may be read-only, or shared by many Pythons
    _make_importable()
    from worker.runners.blender.driver.serving import serve

    serve()
