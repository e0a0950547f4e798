"""What a layer is: frozen descriptions. `fastnn.Network` turns a list of them into parameters and a program."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

from fastnn._input import checks
from fastnn._storage.descriptions import Description, description
from fastnn.activations import ACTIVATIONS as ACTIVATIONS
from fastnn.initializers import INITIALIZERS, Constant, Initializer, Zeros, resolved

if TYPE_CHECKING:
    from fastnn._input.names import ActivationName, InitializerName
    from fastnn._lowering.program import Program

_ALIASES = {None: "identity", "linear": "identity"}


class Layer(Description):
    """The base of every layer."""

    #: The activation that the layer ends in.
    activation_name: ClassVar[str] = "identity"
    #: Whether it changes what a network predicts; else it works in training alone.
    predicts: ClassVar[bool] = True

    def lower(self, program: Program) -> None:
        """Add the layer's operations to a program in the making."""
        raise NotImplementedError


@description
class Input(Layer):
    """The input layer: always the first, and only there.

    Parameters
    ----------
    features : int
        Numbers in a row of the data.
    """

    features: int

    def __post_init__(self) -> None:
        if isinstance(self.features, (tuple, list)) and all(isinstance(size, int) for size in self.features):
            hint = f"fn.Input({math.prod(self.features)}) takes rows of as many numbers, X.reshape(len(X), -1)"
            raise TypeError(f"Input features must be an integer; got {checks.described(self.features)}: {hint}")
        self._set(features=checks.integer(self.features, "Input features"))

    def lower(self, program: Program) -> None:
        program.begin(self.features)


@description
class Activation(Layer):
    """An elementwise function as a layer, or, with a parameter, as the ``activation`` of a `Dense`.

    Parameters
    ----------
    name : str
        One of ``fastnn.layers.ACTIVATIONS``: ``"relu"``, ``"gelu"``, ``"tanh"``, …; ``None`` and ``"linear"`` are
        ``"identity"``. ``"softmax"`` is over the units of a row, and only at the end of a network.
    alpha : float, optional
        The parameter of those that have one, at least 0: the slope of ``"leaky_relu"`` below 0, minus the limit of
        ``"elu"`` to the left. The defaults are those of PyTorch.

    Examples
    --------
    >>> fn.Dense(32, activation=fn.Activation("leaky_relu", alpha=0.2))
    """

    name: ActivationName
    alpha: float | None = None

    def __post_init__(self) -> None:
        known = self.name is None or isinstance(self.name, str)
        name = checks.choice(_ALIASES.get(self.name, self.name) if known else self.name, ACTIVATIONS, "activation name")
        alpha = ACTIVATIONS[name].alpha
        if self.alpha is not None:
            if alpha is None:
                taking = ", ".join(repr(key) for key, kind in ACTIVATIONS.items() if kind.alpha is not None)
                raise ValueError(
                    f"alpha is a parameter of the activations {taking}; got alpha={self.alpha!r} for {name!r}"
                )
            alpha = checks.number(self.alpha, "alpha", 0.0)
        self._set(name=name, alpha=alpha)

    def __repr__(self) -> str:
        return f"Activation({self.name!r}" + (")" if self.is_default else f", alpha={self.alpha!r})")

    @property
    def is_default(self) -> bool:
        """Whether the name says it all."""
        return self.alpha == ACTIVATIONS[self.name].alpha

    @property
    def activation_name(self) -> str:  # type: ignore[override]
        return self.name

    def lower(self, program: Program) -> None:
        if self.name != "identity":
            program.add("activation", activation=self.name, alpha=self.alpha or 0.0)


@description
class Dense(Layer):
    """A fully connected layer, ``activation(x Wᵀ + b)``.

    Parameters
    ----------
    units : int
        Outputs of the layer. The weight has shape (units, inputs), the bias (units,).
    activation : str or Activation, default "identity"
        Function applied to the sums; see `Activation` for the names.
    weight_initializer : str or Initializer, default "auto"
        Initial values of the weight; ``"auto"`` chooses by the activation that follows (see `fastnn.initializers`).
    bias_initializer : str or Initializer, default "zeros"
        Initial values of the bias.
    """

    units: int
    activation: ActivationName | Activation | None = "identity"
    weight_initializer: InitializerName | Initializer = "auto"
    bias_initializer: InitializerName | Initializer = "zeros"

    def __post_init__(self) -> None:
        activation = self.activation
        if not isinstance(activation, Activation):
            if activation is not None and not isinstance(activation, str):
                came = checks.described(activation)
                hint = ": the layer before says how wide the rows are" if isinstance(activation, int) else ""
                if not hint and not isinstance(activation, type):
                    hint = checks.hint(getattr(activation, "__name__", type(activation).__name__), ACTIVATIONS, "")
                raise TypeError(f"activation must be a name, such as 'relu', or an Activation; got {came}{hint}")
            activation = Activation(activation)  # type: ignore[arg-type]
        for argument in ("weight_initializer", "bias_initializer"):
            value = getattr(self, argument)
            if not isinstance(value, Initializer):
                checks.one_of(value, Initializer, INITIALIZERS, argument)
        if self.bias_initializer == "orthogonal":
            raise ValueError("bias_initializer must suit a vector; got 'orthogonal', which is for matrices")
        self._set(
            units=checks.integer(self.units, "Dense units"),
            activation=activation.name if activation.is_default else activation,
        )

    def __repr__(self) -> str:
        return super().__repr__().replace("activation=", "", 1)

    @property
    def activation_name(self) -> str:  # type: ignore[override]
        return activation_of(self).name

    def lower(self, program: Program) -> None:
        activation = activation_of(self)
        tensors = {
            "weight": ((self.units, program.current), resolved(self.weight_initializer, program.following)),
            "bias": ((self.units,), resolved(self.bias_initializer, program.following)),
        }
        program.add("dense", tensors, units=self.units, activation=activation.name, alpha=activation.alpha or 0.0)
        if activation.name != "identity":
            program.skip_module()


@description
class Dropout(Layer):
    """Set each unit to 0 with probability ``rate`` in training, and scale the others by 1 / (1 - rate).

    The mask is a function of the trainer's seed, the layer, the update, the row of the batch and the unit. Outside of
    training the layer does nothing. Srivastava et al., *Dropout*, JMLR 15 (2014).

    Parameters
    ----------
    rate : float
        At least 0 and below 1.
    """

    rate: float
    predicts = False

    def __post_init__(self) -> None:
        is_percentage = isinstance(self.rate, (int, float)) and 1 < self.rate < 100
        hint = f": {self.rate:g} % are fn.Dropout({self.rate / 100:g})" if is_percentage else ""
        self._set(rate=checks.number(self.rate, "Dropout rate", 0.0, 1.0, below=True, hint=hint))

    def lower(self, program: Program) -> None:
        program.add("dropout", rate=self.rate, stream=program.stream)


@description
class LayerNorm(Layer):
    """Normalise the units of each row to mean 0 and variance 1, then apply a gain and a bias to each unit.

    Ba, Kiros and Hinton, *Layer Normalization*, arXiv:1607.06450. The gain, named ``weight`` as in PyTorch, begins at
    1 and the bias at 0.

    Parameters
    ----------
    epsilon : float, default 1e-5
        Added to the variance; above 0 and below 1. How wide the rows are is known from the layer before.
    """

    epsilon: float = 1e-5

    def __post_init__(self) -> None:
        self._set(epsilon=_epsilon(self))

    def lower(self, program: Program) -> None:
        size = (program.current,)
        program.add("layer_norm", {"weight": (size, Constant(1.0)), "bias": (size, Zeros())}, epsilon=self.epsilon)


@description
class RMSNorm(Layer):
    """Divide the units of each row by their root mean square, then multiply each unit by a gain.

    Zhang and Sennrich, *Root Mean Square Layer Normalization*, arXiv:1910.07467. The gain, named ``weight`` as in
    PyTorch, begins at 1.

    Parameters
    ----------
    epsilon : float, default 1e-5
        Added to the mean of the squares; above 0 and below 1. How wide the rows are is known from the layer before.
    """

    epsilon: float = 1e-5

    def __post_init__(self) -> None:
        self._set(epsilon=_epsilon(self))

    def lower(self, program: Program) -> None:
        program.add("rms_norm", {"weight": ((program.current,), Constant(1.0))}, epsilon=self.epsilon)


LAYERS = (Input, Dense, Activation, Dropout, LayerNorm, RMSNorm)


def _epsilon(layer: LayerNorm | RMSNorm) -> float:
    """Return the epsilon of a normalisation; 1 or more is what the width of the rows looks like."""
    name = type(layer).__name__
    hint = f": the layer before says how wide the rows are, fn.{name}() is enough"
    return checks.number(layer.epsilon, f"{name} epsilon", 0.0, 1.0, above=True, below=True, hint=hint)


def activation_of(layer: Dense | Activation) -> Activation:
    """Return the activation of a layer that has one."""
    if isinstance(layer, Activation):
        return layer
    return layer.activation if isinstance(layer.activation, Activation) else Activation(layer.activation)  # type: ignore[arg-type]
