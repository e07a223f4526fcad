"""What all kernels have in common."""

from __future__ import annotations

import ast
from pathlib import Path

import numba

import kernels
from kernels.flags import INLINED, KERNEL, sources_digest
from kernels.mesh import render_mesh
from kernels.spheres import render_spheres

SOURCES = sorted(Path(kernels.__file__).parent.glob("*.py"))
REORDERING = {"fast", "reassoc", "contract", "arcp", "afn"}


def test_every_kernel_uses_the_common_flags() -> None:
    seen = set()
    for source in SOURCES:
        for node in ast.walk(ast.parse(source.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in ("njit", "jit"):
                seen.add(ast.unparse(node))
    assert seen == {"njit(**KERNEL)", "njit(**INLINED)"}


def test_flags_release_the_gil_and_keep_ieee_results() -> None:
    for flags in (KERNEL, INLINED):
        assert flags["nogil"] is True
        assert flags["cache"] is True
        assert not flags["fastmath"] & REORDERING


def test_compiled_kernels_are_kept_apart_by_their_sources() -> None:
    """A stale callee would otherwise be loaded with its caller from the cache."""
    assert Path(numba.config.CACHE_DIR).name == sources_digest()
    for kernel in (render_spheres, render_mesh):
        assert sources_digest() in Path(kernel.stats.cache_path).parts
