"""The parameters of a network, by name."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from fastnn._input import checks
from fastnn._lowering.plan import Plan

if TYPE_CHECKING:
    from typing import Protocol

    from numpy.typing import ArrayLike

    from fastnn._engine.model import Model

    class _Network(Protocol):
        """What has parameters: a `fastnn.Network`."""

        plan: Plan
        model: Model


class Parameters(MutableMapping[str, np.ndarray]):
    """The parameters of a network: names and shapes as in the equivalent ``torch.nn.Sequential``.

    Every `Dense`, every activation other than the identity, every `Dropout` and `LayerNorm` counts as a module; `Input`
    does not. Weights have the shape (outputs, inputs). Reading an entry gives a copy, which is read-only because
    writing into it would change nothing. To change values, change a copy of your own and assign it to the entry.

    Examples
    --------
    >>> bias = net.parameters["0.bias"].copy()
    >>> bias[:3] = 1.0
    >>> net.parameters["0.bias"] = bias
    """

    def __init__(self, network: _Network) -> None:
        if not isinstance(getattr(network, "plan", None), Plan):
            raise TypeError(f"network must be a Network; got {checks.described(network)}")
        self._network = network

    if not TYPE_CHECKING:

        def __call__(self) -> NoReturn:
            raise TypeError("parameters are not called: net.parameters.items() are names and arrays, .values() arrays")

    def __getitem__(self, name: str) -> np.ndarray:
        array = self._network.model.read(*self._tensor(name))
        array.flags.writeable = False
        return array

    def __setitem__(self, name: str, value: ArrayLike) -> None:
        self.update({name: value})

    def update(self, other: Any = (), /, **more: Any) -> None:
        """Set several entries, all or, if one does not fit, none."""
        try:
            given = dict(other, **more)
        except (TypeError, ValueError):
            raise TypeError(
                f"other must be a mapping of names to arrays, or pairs of these; got {checks.described(other)}"
            ) from None
        checked = [(self._tensor(name), self._checked(name, value)) for name, value in given.items()]
        for tensor, array in checked:
            self._network.model.write(*tensor, array)

    def _tensor(self, name: str) -> tuple[int, str]:
        names = self._network.plan.tensors
        if name not in names:
            is_like = isinstance(name, str) and len(names) <= checks.LISTED
            hint = checks.nearest(name, names) if is_like else ""
            raise KeyError(f"the parameters are {checks.listing(names)}; got {name!r}{hint}")
        return names[name]

    def _checked(self, name: str, value: ArrayLike) -> np.ndarray:
        argument = f"the value of parameter {name!r}"
        given = checks.numeric(value, argument)
        shape = self._network.plan.shapes[name]
        if given.shape != shape:
            raise ValueError(f"{argument} must have shape {shape}; got shape {given.shape}")
        array = checks.converted(given, self._network.plan.dtype)
        checks.finite(array, argument, given)
        return array

    def __delitem__(self, name: str) -> None:
        raise TypeError("parameters can be set but not removed")

    def __iter__(self) -> Iterator[str]:
        return iter(self._network.plan.tensors)

    def __len__(self) -> int:
        return len(self._network.plan.tensors)

    def __repr__(self) -> str:
        return f"Parameters({', '.join(f'{name}: {shape}' for name, shape in self._network.plan.shapes.items())})"
