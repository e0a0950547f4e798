"""``coefs_`` and ``intercepts_``: the network's parameters in scikit-learn's shapes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastnn._input import checks
from fastnn.network import Network


class Coefficients:
    """Arrays of the parameters that were handed out, and what they were like: so that edits in place are noticed."""

    def __init__(self, network: Network) -> None:
        arrays = [array.copy() for array in network.parameters.values()]  # to be written into, as scikit-learn's
        self.lists = [weight.T for weight in arrays[::2]], arrays[1::2]
        self.before = self._copies()

    def _copies(self) -> tuple[list[np.ndarray], ...]:
        return tuple([array.copy() for array in arrays] for arrays in self.lists)

    def write_edits(self, network: Network) -> None:
        """Give the network what was changed since."""
        for kind, (arrays, before) in enumerate(zip(self.lists, self.before, strict=True)):
            same = len(arrays) == len(before) and all(map(np.array_equal, arrays, before))
            if not same:
                write(network, kind, arrays)
                self.before = self._copies()


def write(network: Network, kind: int, arrays: Any) -> None:
    """Set all weights (``kind`` 0, each of shape (n_in, n_out)) or all biases (1), or none if one does not fit."""
    name = ("coefs_", "intercepts_")[kind]
    keys = list(network.parameters)[kind::2]
    if not isinstance(arrays, Sequence) or len(arrays) != len(keys):
        raise ValueError(f"{name} must be a list of {len(keys)} arrays; got {checks.described(arrays)}")
    found = {}
    for number, (key, array) in enumerate(zip(keys, arrays, strict=True)):
        values, shape = checks.numeric(array, f"{name}[{number}]"), network.plan.shapes[key][::-1]
        if values.shape != shape:
            raise ValueError(f"{name}[{number}] must have shape {shape}; got shape {values.shape}")
        found[key] = values.T
    network.parameters.update(found)
