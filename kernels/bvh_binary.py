"""First half of building a bounding volume hierarchy: a binary tree by the binned surface area heuristic.

Wald, "On fast Construction of SAH-based Bounding Volume Hierarchies", 2007. The cost of a leaf counts blocks of `BLOCK`
triangles, because that is what a ray tests at once; plain SAH fills such blocks to a third. The tree is the same on
every machine: serial, and exact comparisons only.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from kernels.flags import INLINED, KERNEL
from kernels.vectors import larger, smaller

F = np.float32
BLOCK = 8
BINS = 16
SAH_DEPTH_MAX = 48
"""Deeper nodes are halved by count, so that depth is at most this plus log2 of the triangles, whatever their shape."""
STACK = 128
"""More than `SAH_DEPTH_MAX` + 31, the deepest a tree can be."""
STEP_COST = F(0.5)
"""Cost of visiting a node, in units of testing a block of triangles."""

HUGE = F(3e38)
TINY = F(1e-30)


class BinaryTree(NamedTuple):
    """Nodes: `boxes` float32 (n, 6) as lower and upper corner, `first` and `count` int32 (n).

    A leaf holds `count` > 0 triangles, order[first:first + count]; an inner node has count 0 and the children first and
    first + 1.
    """

    boxes: np.ndarray
    first: np.ndarray
    count: np.ndarray
    order: np.ndarray


class Bounds(NamedTuple):
    """Of every triangle: `boxes` float32 (n, 6) and `centres` float32 (n, 3)."""

    boxes: np.ndarray
    centres: np.ndarray


class Bins(NamedTuple):
    """Room for one node's split: per axis and bin a box and a count; per bin the area and count behind it; per axis the
    centres' lower end and the bins per unit."""

    boxes: np.ndarray
    counts: np.ndarray
    areas: np.ndarray
    behind: np.ndarray
    lower: np.ndarray
    scale: np.ndarray


@njit(**INLINED)
def area(box: np.ndarray) -> float:
    """Half the surface of a box."""
    x, y, z = box[3] - box[0], box[4] - box[1], box[5] - box[2]
    return x * y + y * z + z * x


@njit(**INLINED)
def empty(box: np.ndarray) -> None:
    """Makes `box` hold nothing."""
    for axis in range(3):
        box[axis] = HUGE
        box[axis + 3] = -HUGE


@njit(**INLINED)
def extend(box: np.ndarray, other: np.ndarray) -> None:
    """Makes `box` hold `other` too."""
    for axis in range(3):
        box[axis] = smaller(box[axis], other[axis])
        box[axis + 3] = larger(box[axis + 3], other[axis + 3])


@njit(**INLINED)
def bin_of(bins: Bins, centre: np.ndarray, axis: int) -> int:
    """The bin in which a triangle's centre falls."""
    return min(int((centre[axis] - bins.lower[axis]) * bins.scale[axis]), BINS - 1)


@njit(**KERNEL)
def triangle_bounds(triangles: np.ndarray, bounds: Bounds) -> None:
    """Fills `bounds` from float32 (n, 3, 3)."""
    for i in range(triangles.shape[0]):
        for axis in range(3):
            a, b, c = triangles[i, 0, axis], triangles[i, 1, axis], triangles[i, 2, axis]
            low = smaller(a, smaller(b, c))
            high = larger(a, larger(b, c))
            bounds.boxes[i, axis] = low
            bounds.boxes[i, axis + 3] = high
            bounds.centres[i, axis] = (low + high) * F(0.5)


@njit(**KERNEL)
def fill_bins(bins: Bins, bounds: Bounds, order: np.ndarray) -> bool:
    """Sorts the triangles `order` into bins along the three axes; False if all centres coincide."""
    spread = False
    for axis in range(3):
        low, high = HUGE, -HUGE
        for i in order:
            low = smaller(low, bounds.centres[i, axis])
            high = larger(high, bounds.centres[i, axis])
        wide = high - low > TINY
        spread |= wide
        bins.lower[axis] = low
        bins.scale[axis] = F(BINS * 0.99999) / (high - low) if wide else F(0)
        for k in range(BINS):
            bins.counts[axis, k] = 0
            empty(bins.boxes[axis, k])
    if spread:
        for i in order:
            for axis in range(3):
                k = bin_of(bins, bounds.centres[i], axis)
                bins.counts[axis, k] += 1
                extend(bins.boxes[axis, k], bounds.boxes[i])
    return spread


@njit(**INLINED)
def blocks(count: int) -> float:
    """Blocks of triangles that `count` triangles take."""
    return F((count + BLOCK - 1) // BLOCK)


@njit(**KERNEL)
def best_split(bins: Bins, box: np.ndarray) -> tuple[float, int, int]:
    """(cost, axis, last bin of the left side) of the cheapest split; the axis is -1 if there is none."""
    best, best_axis, best_bin = HUGE, -1, 0
    for axis in range(3):
        if bins.scale[axis] == F(0):
            continue
        empty(box)
        count = 0
        for k in range(BINS - 1, 0, -1):
            extend(box, bins.boxes[axis, k])
            count += bins.counts[axis, k]
            bins.behind[k] = count
            bins.areas[k] = area(box) if count > 0 else F(0)
        empty(box)
        count = 0
        for k in range(BINS - 1):
            extend(box, bins.boxes[axis, k])
            count += bins.counts[axis, k]
            if count > 0 and bins.behind[k + 1] > 0:
                cost = blocks(count) * area(box) + blocks(bins.behind[k + 1]) * bins.areas[k + 1]
                if cost < best:
                    best, best_axis, best_bin = cost, axis, k
    return best, best_axis, best_bin


@njit(**KERNEL)
def partition(bins: Bins, bounds: Bounds, order: np.ndarray, axis: int, last: int) -> int:
    """Moves the triangles of bins up to `last` to the front of `order`; returns how many they are."""
    i, j = 0, order.shape[0] - 1
    while i <= j:
        if bin_of(bins, bounds.centres[order[i]], axis) <= last:
            i += 1
        else:
            order[i], order[j] = order[j], order[i]
            j -= 1
    return i


@njit(**KERNEL)
def split_count(tree: BinaryTree, bounds: Bounds, bins: Bins, node: int, depth: int) -> int:
    """How many triangles of `node` go left; 0 makes it a leaf. `tree.order` is partitioned accordingly."""
    count = tree.count[node]
    order = tree.order[tree.first[node] : tree.first[node] + count]
    axis, last, cost = -1, 0, HUGE
    if count > 1 and depth < SAH_DEPTH_MAX and fill_bins(bins, bounds, order):
        cost, axis, last = best_split(bins, np.empty(6, np.float32))
    if count <= BLOCK and (axis < 0 or cost >= (F(1) - STEP_COST) * area(tree.boxes[node])):
        return 0
    return count // 2 if axis < 0 else partition(bins, bounds, order, axis, last)


@njit(**KERNEL)
def fit(tree: BinaryTree, bounds: Bounds, node: int, first: int, count: int) -> None:
    """Makes `node` a leaf over order[first:first + count], with its box."""
    tree.first[node] = first
    tree.count[node] = count
    empty(tree.boxes[node])
    for i in tree.order[first : first + count]:
        extend(tree.boxes[node], bounds.boxes[i])


@njit(**KERNEL)
def build_tree(tree: BinaryTree, bounds: Bounds) -> tuple[int, int]:
    """Builds the tree over all triangles into `tree`; returns the numbers of nodes and of leaves."""
    bins = Bins(
        np.empty((3, BINS, 6), np.float32),
        np.empty((3, BINS), np.int32),
        np.empty(BINS, np.float32),
        np.empty(BINS, np.int32),
        np.empty(3, np.float32),
        np.empty(3, np.float32),
    )
    stack = np.empty(STACK, np.int32)
    depths = np.empty(STACK, np.int32)
    fit(tree, bounds, 0, 0, tree.order.shape[0])
    stack[0], depths[0], top, nodes, leaves = 0, 0, 1, 1, 0
    while top > 0:
        top -= 1
        node, depth = stack[top], depths[top]
        left = split_count(tree, bounds, bins, node, depth)
        if left == 0:
            leaves += 1
            continue
        first, count = tree.first[node], tree.count[node]
        fit(tree, bounds, nodes, first, left)
        fit(tree, bounds, nodes + 1, first + left, count - left)
        tree.first[node], tree.count[node] = nodes, 0
        for child in range(2):
            stack[top], depths[top] = nodes + child, depth + 1
            top += 1
        nodes += 2
    return nodes, leaves
