"""What a golden case is, and its digest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fastnn._storage import files

if TYPE_CHECKING:
    from fastnn._input.names import DtypeName

Arrays = Mapping[str, np.ndarray]
DTYPES: tuple[DtypeName, ...] = ("float32", "float64")


@dataclass(frozen=True)
class Case:
    """Something to compute whose results have golden digests.

    Attributes
    ----------
    goldens : tuple of str
        The names of the digests.
    run : callable
        Gives named arrays for each golden, computed by the present instruction set; its argument is the number of
        threads.
    threaded : bool
        Whether threads take part.
    """

    goldens: tuple[str, ...]
    run: Callable[[int], Mapping[str, Arrays]]
    threaded: bool = False

    def digests(self, threads: int) -> dict[str, str]:
        """Return the SHA-256 of what `run` gives, by golden; what went wrong instead, where something did."""
        try:
            found = {name: files.digest(arrays) for name, arrays in self.run(threads).items()}
        except Exception as error:
            return dict.fromkeys(self.goldens, f"{type(error).__name__}: {error}")
        if found.keys() != set(self.goldens):
            raise AssertionError(f"expected {self.goldens}; got {tuple(found)}")
        return found


def single(name: str, function: Callable[[], Arrays]) -> Case:
    """Return a case of one golden, without threads."""
    return Case((name,), lambda threads: {name: function()})


def arrays_of(**values: object) -> dict[str, np.ndarray]:
    """Return numbers, and sequences of them, as arrays; a float as float64, exactly."""
    return {name: np.asarray(value) for name, value in values.items()}
