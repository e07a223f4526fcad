"""Arithmetic that Numba has no words for: a hash in real 32-bit integers, exact fused multiply-add, narrow counters.

Numba widens every uint32 and int32 expression to 64 bits, which halves the vector width of a loop (measured: 1.4
times slower), hence intrinsics. All results are exact IEEE or integer results, the same on every machine.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

_I32 = ir.IntType(32)
_F32 = ir.FloatType()
_UNIT_16 = 2.0**-16


def _constant(value: int) -> ir.Constant:
    return ir.Constant(_I32, value)


def _mixed(b: Any, x: Any) -> Any:
    """The permutation `lowbias32` of https://github.com/skeeto/hash-prospector."""
    x = b.mul(b.xor(x, b.lshr(x, _constant(16))), _constant(0x7FEB352D))
    x = b.mul(b.xor(x, b.lshr(x, _constant(15))), _constant(0x846CA68B))
    return b.xor(x, b.lshr(x, _constant(16)))


@intrinsic
def hash_counter(typingctx: Any, key: Any, counter: Any) -> Any:
    """uint32 hash of uint32 `key` + integer `counter` (modulo 2^32)."""

    def codegen(context: Any, b: Any, signature: Any, args: Any) -> Any:
        key_, counter_ = args
        low = b.trunc(counter_, _I32) if counter_.type.width > 32 else counter_
        return _mixed(b, b.add(key_, low))

    return types.uint32(types.uint32, counter), codegen


@intrinsic
def unit_upper(typingctx: Any, hashed: Any) -> Any:
    """float32 in [0, 1) from the upper 16 bits of a uint32."""

    def codegen(context: Any, b: Any, signature: Any, args: Any) -> Any:
        bits = b.lshr(args[0], _constant(16))
        return b.fmul(b.sitofp(bits, _F32), ir.Constant(_F32, _UNIT_16))

    return types.float32(types.uint32), codegen


@intrinsic
def scaled_lower(typingctx: Any, hashed: Any, count: Any) -> Any:
    """int32 in [0, count) from the lower 16 bits of a uint32; `count` below 2^15."""

    def codegen(context: Any, b: Any, signature: Any, args: Any) -> Any:
        bits = b.and_(args[0], _constant(0xFFFF))
        return b.lshr(b.mul(bits, b.trunc(args[1], _I32)), _constant(16))

    return types.int32(types.uint32, types.int64), codegen


@intrinsic
def fma(typingctx: Any, a: Any, b: Any, c: Any) -> Any:
    """a * b + c with one rounding (IEEE 754 fusedMultiplyAdd), float32."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.fma(*args)

    return types.float32(types.float32, types.float32, types.float32), codegen


@intrinsic
def count_if(typingctx: Any, total: Any, condition: Any) -> Any:
    """int32 `total` + 1 where the boolean `condition` holds."""

    def codegen(context: Any, b: Any, signature: Any, args: Any) -> Any:
        total_, condition_ = args
        bit = b.trunc(condition_, ir.IntType(1)) if condition_.type.width > 1 else condition_
        return b.add(total_, b.zext(bit, _I32))

    return types.int32(types.int32, types.boolean), codegen
