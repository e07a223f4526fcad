"""Eight boxes or eight triangles against one ray, as explicit `<8 x float>` LLVM IR behind Numba intrinsics.

LLVM splits the vectors on machines with narrower registers, so results are the same everywhere. Neither test lets a ray
slip through where surfaces meet: the box test widens by its rounding error (Ize, "Robust BVH Ray Traversal", JCGT 2(2),
2013), and the triangle test is that of Woop, Benthin and Wald, "Watertight Ray/Triangle Intersection", JCGT 2(1), 2013,
in which edges and corners come out alike for all triangles that share them. Addresses are byte addresses of 32-byte
aligned float32 blocks.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

LANES = 8
PLANE_BYTES = 4 * LANES
FAR_PLANE_BYTES = 3 * PLANE_BYTES
"""Upper planes of a node's boxes lie this far behind the lower ones."""

# Three roundings lie between a box and its distance; 2^-21 is more than twice their sum (Ize, section 3).
_WIDEN = 1.0 + 2.0**-21

_F32 = ir.FloatType()
_I32 = ir.IntType(32)
_V8 = ir.VectorType(_F32, LANES)
_VECTOR = types.UniTuple(types.float32, 3)
_OFFSETS = types.UniTuple(types.int64, 3)


def _splat(b: Any, value: Any) -> Any:
    one = b.insert_element(ir.Constant(_V8, ir.Undefined), value, _I32(0))
    return b.shuffle_vector(one, ir.Constant(_V8, ir.Undefined), ir.Constant(ir.VectorType(_I32, LANES), [0] * LANES))


def _constant(b: Any, value: float) -> Any:
    return _splat(b, ir.Constant(_F32, value))


def _load(b: Any, address: Any, offset: Any) -> Any:
    where = b.add(address, offset if isinstance(offset, ir.Value) else ir.Constant(address.type, offset))
    loaded = b.load(b.inttoptr(where, _V8.as_pointer()))
    loaded.align = PLANE_BYTES
    return loaded


def _store(b: Any, value: Any, address: Any) -> None:
    b.store(value, b.inttoptr(address, _V8.as_pointer())).align = 4


def _mask(b: Any, condition: Any) -> Any:
    return b.zext(b.bitcast(condition, ir.IntType(LANES)), _I32)


def _fma(b: Any, x: Any, y: Any, z: Any) -> Any:
    kind = ir.FunctionType(_V8, [_V8] * 3)
    return b.call(cgutils.get_or_insert_function(b.module, kind, f"llvm.fma.v{LANES}f32"), [x, y, z])


def _larger(b: Any, x: Any, y: Any) -> Any:
    return b.select(b.fcmp_ordered(">", x, y), x, y)


def _smaller(b: Any, x: Any, y: Any) -> Any:
    return b.select(b.fcmp_ordered("<", x, y), x, y)


@intrinsic
def box_hits(typingctx: Any, node: Any, near: Any, origin: Any, inverse: Any, reach: Any, entries: Any) -> Any:
    """int32 mask of the node's boxes that a ray meets within `reach`; entry distances go to `entries` (8 float32).

    `node` is the address of 6 × 8 float32: lower x, y, z, upper x, y, z planes. `near` holds per axis 0 where the ray
    goes up, `FAR_PLANE_BYTES` where it goes down; `inverse` is 1 / direction, finite.
    """

    def codegen(context: Any, b: Any, signature: Any, args: Any) -> Any:
        node_, near_, origin_, inverse_, reach_, entries_ = args
        start, stop = _constant(b, 0.0), _splat(b, reach_)
        widen = _constant(b, _WIDEN)
        for axis in range(3):
            base = ir.Constant(node_.type, axis * PLANE_BYTES)
            lower = b.extract_value(near_, axis)
            upper = b.sub(ir.Constant(node_.type, FAR_PLANE_BYTES), lower)
            from_ = _splat(b, b.extract_value(origin_, axis))
            times = _splat(b, b.extract_value(inverse_, axis))
            enter = b.fmul(b.fsub(_load(b, node_, b.add(base, lower)), from_), times)
            leave = b.fmul(b.fsub(_load(b, node_, b.add(base, upper)), from_), times)
            start = _larger(b, enter, start)
            stop = _smaller(b, b.fmul(leave, widen), stop)
        _store(b, start, entries_)
        return _mask(b, b.fcmp_ordered("<=", start, stop))

    return types.int32(types.intp, _OFFSETS, _VECTOR, _VECTOR, types.float32, types.intp), codegen


@intrinsic
def triangle_hits(typingctx: Any, block: Any, origin: Any, axes: Any, shear: Any, reach: Any, distances: Any) -> Any:
    """int32 mask of the block's triangles that a ray meets in (0, reach); distances go to `distances` (8 float32).

    `block` is the address of 9 × 8 float32: x, y, z of the first, second and third corners. `axes` are byte offsets of
    two axes and the ray's dominant one, `shear` = (d0 / d2, d1 / d2, 1 / d2) of the direction along these axes.
    """

    def codegen(context: Any, b: Any, signature: Any, args: Any) -> Any:
        block_, origin_, axes_, shear_, reach_, distances_ = args
        offsets = [b.extract_value(axes_, k) for k in range(3)]
        eye = [_splat(b, b.extract_value(origin_, k)) for k in range(3)]
        lean = [_splat(b, b.fneg(b.extract_value(shear_, k))) for k in range(2)]
        xs, ys, depths = [], [], []
        for corner in range(3):
            base = b.add(block_, ir.Constant(block_.type, 3 * corner * PLANE_BYTES))
            x, y, depth = (b.fsub(_load(b, base, offsets[k]), eye[k]) for k in range(3))
            xs.append(_fma(b, lean[0], depth, x))
            ys.append(_fma(b, lean[1], depth, y))
            depths.append(depth)
        # Two rounded products and a difference, never fused: rounding is monotonic, so no sign can come out wrong.
        areas = [b.fsub(b.fmul(xs[i], ys[j]), b.fmul(ys[i], xs[j])) for i, j in ((2, 1), (0, 2), (1, 0))]
        lowest = _smaller(b, areas[0], _smaller(b, areas[1], areas[2]))
        highest = _larger(b, areas[0], _larger(b, areas[1], areas[2]))
        whole = b.fadd(areas[0], b.fadd(areas[1], areas[2]))
        weighted = b.fmul(areas[0], depths[0])
        weighted = _fma(b, areas[2], depths[2], _fma(b, areas[1], depths[1], weighted))
        distance = b.fmul(b.fdiv(weighted, whole), _splat(b, b.extract_value(shear_, 2)))
        zero = _constant(b, 0.0)
        hit = b.or_(b.fcmp_ordered(">=", lowest, zero), b.fcmp_ordered("<=", highest, zero))
        for condition in (
            b.fcmp_ordered("!=", whole, zero),
            b.fcmp_ordered(">", distance, zero),
            b.fcmp_ordered("<", distance, _splat(b, reach_)),
        ):
            hit = b.and_(hit, condition)
        _store(b, distance, distances_)
        return _mask(b, hit)

    return types.int32(types.intp, _VECTOR, _OFFSETS, _VECTOR, types.float32, types.intp), codegen


@intrinsic
def lowest_lane(typingctx: Any, mask: Any) -> Any:
    """Number of the lowest set bit of an int32 that is not zero."""

    def codegen(context: Any, b: Any, signature: Any, args: Any) -> Any:
        return b.cttz(args[0], ir.Constant(ir.IntType(1), 1))

    return types.int32(types.int32), codegen
