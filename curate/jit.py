"""numba's one home: compiled functions that are cached where that is possible, and three machine instructions.

A module with kernels is compiled at its first use and cached beside itself, or in the user's cache folder where it
is installed read-only; where neither can be written, each process compiles anew and nothing is said.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

F = TypeVar("F", bound=Callable[..., Any])
S = TypeVar("S", bound=np.generic)


def kernel(function: F) -> F:
    """Compile without the interpreter lock, so that threads run beside each other; arithmetic wraps, unchecked."""
    try:
        compiled: F = njit(function, nogil=True, cache=True)
    except RuntimeError:  # numba: no folder can be written
        compiled = njit(function, nogil=True)
    return compiled


def inlined(function: F) -> F:
    """A few instructions, copied into whatever calls them."""
    compiled: F = njit(function, nogil=True, inline="always")
    return compiled


def part(function: F) -> F:
    """A part of kernels, compiled once for all that call it."""
    compiled: F = njit(function, nogil=True)
    return compiled


def read_only(array: NDArray[S]) -> NDArray[S]:
    """The array as kernels take it, in one piece and read-only: each other form would be compiled anew."""
    view = np.ascontiguousarray(array).view()
    view.flags.writeable = False
    return view


def _load64(_typing: Any, array: Any, index: Any) -> Any:
    """Eight bytes of a uint8 array from any index, the first one lowest; the caller checks that they are there."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = cgutils.create_struct_proxy(array)(  # type: ignore[no-untyped-call]
            context, builder, value=arguments[0]
        ).data
        place = builder.gep(data, [arguments[1]])
        pointer = builder.bitcast(place, ir.IntType(64).as_pointer())
        return builder.load(pointer, align=1)

    return types.uint64(array, types.int64), codegen


def _trailing_zeros(_typing: Any, value: Any) -> Any:
    """Zero bits below the lowest set bit of a uint64; 64 for zero."""

    def codegen(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 0))

    return types.int64(types.uint64), codegen


load64: Any = intrinsic(_load64)
trailing_zeros: Any = intrinsic(_trailing_zeros)
