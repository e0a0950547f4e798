"""What the golden cases of the kernels share: how a case is declared, and arrays as the kernels have them.

Sizes are about those of vectors and panels. What is digested are logical values, never the padding of a panel: P
differs between instruction sets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np

from fastnn._engine.environment import standard_environment
from fastnn._runtime import instruction_sets
from fastnn._verify.cases import DTYPES, Arrays, Case, single
from fastnn._verify.harness import KERNEL_STRUCTS, LISTS, STRUCTS, kernels, pack
from fastnn._verify.inputs import reals, scaled, with_specials

SIZES = (1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 67)  # about one panel, more or less, in each instruction set
WHOLE = 64  # a multiple of P in each instruction set
SHARDED = ((1, 64), (63, 64), (64, 64), (65, 64), (129, 64), (200, 64), (257, 64), (1000, 64), (100, 7), (100, 16))
TILE_ROWS = 8  # no instruction set has more


def fields() -> set[str]:
    """Return every function of every table and of its list's entries, as ``module.field``."""
    structs = [*KERNEL_STRUCTS.items(), *LISTS.items()]
    return {f"{module}.{field}" for module, s in structs for field, kind in STRUCTS[s] if isinstance(kind, tuple)}


def names(module: str) -> tuple[str, ...]:
    """Return what stands in the list of activations, losses or optimizers; the same in every build."""
    return tuple(getattr(kernels(instruction_sets.current(), "float32"), module).entries)


class KernelCases:
    """The cases of some of the tables' functions."""

    def __init__(self) -> None:
        self.fields: set[str] = set()
        self._functions: dict[str, Callable[[SimpleNamespace], Arrays]] = {}

    def of(self, field: str, variants: Iterable[str] = ("",)) -> Callable[[Callable[..., Arrays]], None]:
        """Declare the case of ``module.field``: a function of the kernels; with variants, of those too."""

        def declare(function: Callable[..., Arrays]) -> None:
            self.fields.add(field)
            for variant in variants:
                name = f"{field.replace('.', '/')} {variant}".rstrip()
                arguments = (variant,) if variant else ()
                self._functions[name] = lambda k, arguments=arguments: function(k, *arguments)  # type: ignore[misc]

        return declare

    def cases(self) -> Iterator[Case]:
        for name, function in self._functions.items():
            for dtype in DTYPES:

                def run(function: Any = function, dtype: str = dtype) -> Arrays:
                    with standard_environment():  # as the engine does before it calls a kernel
                        return function(kernels(instruction_sets.current(), dtype))

                yield single(f"{name}/{dtype}", run)


def rotated(k: int) -> tuple[int, ...]:
    return SIZES[k:] + SIZES[:k]


def panels(k: SimpleNamespace, n: int, rows: int) -> np.ndarray:
    """Allocate room for n columns of results."""
    return np.zeros((-(-n // k.panel), rows, k.panel), k.dtype)


def padded(k: SimpleNamespace, vector: np.ndarray) -> np.ndarray:
    """Return a bias: zeros up to whole panels."""
    return pack(vector[None, :], k.panel).reshape(-1)


def scratch(k: SimpleNamespace) -> np.ndarray:
    return np.zeros(64 * TILE_ROWS * k.panel, k.dtype)


def parts(rows: int) -> tuple[tuple[int, int], ...]:
    """Return the rows in two parts, the second of one row where that can be: threads split rows anywhere."""
    middle = rows - 1 if rows % 2 else rows // 2
    return (0, middle), (middle, rows)


def whole(*arrays: np.ndarray) -> np.ndarray:
    """Return arrays one after the other, the last value again up to a whole number of panels."""
    flat = np.concatenate(arrays)
    return np.concatenate([flat, np.full(-len(flat) % WHOLE, flat[-1])])


def rows_of_units(k: SimpleNamespace, key: str) -> Iterator[tuple[int, int, np.ndarray]]:
    """Yield (rows, n, values) at every size; then of many magnitudes, whose sums are inexact, and special values."""
    for n in SIZES:
        rows = 2 + n % 4
        yield rows, n, reals((rows, n), f"{key} {n}", k.dtype.name)
    yield 5, 83, scaled((5, 83), f"{key} scaled", k.dtype.name, -30, 30)
    yield 40, 9, with_specials((40, 9), f"{key} special", k.dtype.name)


def gradient_sizes() -> Iterator[tuple[int, int, int, int]]:
    """Yield (rows, shard, n_in, n_out): one shard or several, the last one ragged."""
    for i, (rows, shard) in enumerate(SHARDED):
        yield rows, shard, SIZES[i], rotated(6)[i]
