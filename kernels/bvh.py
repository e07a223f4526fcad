"""Second half of building a bounding volume hierarchy: the binary tree collapsed to eight children per node.

Owns the memory layout that rays walk: 256-byte nodes whose eight boxes are tested at once, leaves that are one block of
eight triangles. Wald, Benthin, Boulos, "Getting Rid of Packets", RT 2008; a node opens the child of largest surface.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from kernels.bvh_binary import BLOCK, HUGE, STACK, BinaryTree, Bounds, area, build_tree, triangle_bounds
from kernels.flags import INLINED, KERNEL
from kernels.lanes import LANES

NODE_FLOATS = 64
"""48 for the boxes' planes, 8 for the children, 8 to fill four cache lines."""
CHILDREN = 48
BLOCK_FLOATS = 9 * LANES
ALIGNMENT_BYTES = 64
EMPTY_LEAF = -1
"""Child of an unused lane: leaf block 0. Its box holds nothing; if a NaN passed it all the same, no walk could loop."""


class Bvh(NamedTuple):
    """`nodes` float32 (n, 64): 6 × 8 planes, then 8 children; `links` is the same memory as int32.

    A child ≥ 0 is a node, ~child of a negative one a block. `blocks` float32 (m, 72): corners of 8 triangles by
    coordinate; `triangles` int32 (m, 8) their numbers. `stack` is how many entries a walk can need.
    """

    nodes: np.ndarray
    links: np.ndarray
    blocks: np.ndarray
    triangles: np.ndarray
    stack: int


def build_bvh(triangles: np.ndarray) -> Bvh:
    """The hierarchy over finite float32 triangles (n, 3, 3), n ≥ 1."""
    count = len(triangles)
    bounds = Bounds(np.empty((count, 6), np.float32), np.empty((count, 3), np.float32))
    triangle_bounds(triangles, bounds)
    tree = BinaryTree(
        np.empty((2 * count, 6), np.float32),
        np.empty(2 * count, np.int32),
        np.empty(2 * count, np.int32),
        np.arange(count, dtype=np.int32),
    )
    _, leaves = build_tree(tree, bounds)
    nodes = _aligned(max(leaves, 1), NODE_FLOATS)
    packed = Bvh(nodes, nodes.view(np.int32), _aligned(leaves, BLOCK_FLOATS), np.empty((leaves, LANES), np.int32), 0)
    used, depth = collapse(tree, triangles, packed)
    return Bvh(nodes[:used], packed.links[:used], packed.blocks, packed.triangles, depth * (LANES - 1) + LANES)


def _aligned(rows: int, columns: int) -> np.ndarray:
    """float32 zeros whose rows start at whole cache lines, as vector loads demand; untouched pages cost no memory."""
    raw = np.zeros(rows * columns * 4 + ALIGNMENT_BYTES, np.uint8)
    skip = -raw.ctypes.data % ALIGNMENT_BYTES
    return raw[skip : skip + rows * columns * 4].view(np.float32).reshape(rows, columns)


@njit(**KERNEL)
def open_children(tree: BinaryTree, node: int, children: np.ndarray) -> int:
    """Fills `children` with up to eight descendants of `node` that together hold all of it; returns how many."""
    children[0] = node
    count = 1
    while count < LANES:
        widest, width = -1, np.float32(-1)
        for i in range(count):
            if tree.count[children[i]] == 0 and area(tree.boxes[children[i]]) > width:
                widest, width = i, area(tree.boxes[children[i]])
        if widest < 0:
            break
        first = tree.first[children[widest]]
        children[widest] = first
        children[count] = first + 1
        count += 1
    return count


@njit(**INLINED)
def pack_box(planes: np.ndarray, lane: int, box: np.ndarray) -> None:
    """Writes a box into lane `lane` of a node."""
    for axis in range(6):
        planes[axis * LANES + lane] = box[axis]


@njit(**KERNEL)
def pack_leaf(tree: BinaryTree, leaf: int, triangles: np.ndarray, bvh: Bvh, block: int) -> None:
    """Writes a leaf's triangles into a block; the last one fills the lanes that are left."""
    for lane in range(BLOCK):
        triangle = tree.order[tree.first[leaf] + min(lane, tree.count[leaf] - 1)]
        bvh.triangles[block, lane] = triangle
        for corner in range(3):
            for axis in range(3):
                bvh.blocks[block, (3 * corner + axis) * LANES + lane] = triangles[triangle, corner, axis]


@njit(**KERNEL)
def collapse(tree: BinaryTree, triangles: np.ndarray, bvh: Bvh) -> tuple[int, int]:
    """Packs `tree` into `bvh`; returns the number of nodes and the depth in nodes."""
    capacity = STACK * LANES
    stack = np.empty((capacity, 3), np.int32)
    children = np.empty(LANES, np.int32)
    nothing = np.array([HUGE, HUGE, HUGE, -HUGE, -HUGE, -HUGE], np.float32)
    stack[0, 0], stack[0, 1], stack[0, 2] = 0, 0, 1
    top, nodes, blocks, deepest = 1, 1, 0, 1
    while top > 0:
        top -= 1
        source, target, depth = stack[top, 0], stack[top, 1], stack[top, 2]
        deepest = max(deepest, depth)
        count = open_children(tree, source, children)
        for lane in range(LANES):
            link = EMPTY_LEAF
            if lane >= count:
                pack_box(bvh.nodes[target], lane, nothing)
            elif tree.count[children[lane]] > 0:
                pack_leaf(tree, children[lane], triangles, bvh, blocks)
                link = ~blocks
                blocks += 1
            else:
                link = nodes
                stack[top, 0], stack[top, 1], stack[top, 2] = children[lane], nodes, depth + 1
                top += 1
                nodes += 1
            if lane < count:
                pack_box(bvh.nodes[target], lane, tree.boxes[children[lane]])
            bvh.links[target, CHILDREN + lane] = link
    return nodes, deepest
