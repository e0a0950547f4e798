"""Optimizers: how parameters follow the gradient.

Every one takes, by keyword, the penalties and clipping of `Optimizer`, in this order within a step: the gradient is
scaled to the global norm, then clipped by value; L1 and L2 penalties are added to it; decoupled weight decay shrinks
the parameter; then the rule of the optimizer applies. Penalties and decay leave biases and normalisation layers alone
unless ``decay_all``.
"""

from __future__ import annotations

from dataclasses import field
from typing import Any, ClassVar

from fastnn._input import checks
from fastnn._storage.descriptions import Description, description
from fastnn.schedules import SCHEDULES, Constant, Schedule

SMALLEST_EPSILON = 1e-37  # what float32 still holds: a smaller one could round to a division by zero


@description(kw_only=True)
class Optimizer(Description):
    """The base of every optimizer, with the arguments that all share.

    Parameters
    ----------
    l1, l2 : float, default 0.0
        Penalties added to the gradient, l1 · sign(w) + l2 · w. ``l2`` is what PyTorch's optimizers other than AdamW
        call ``weight_decay``.
    l2_total : float, default 0.0
        ``l2`` as a penalty on the total loss of a batch instead of its mean: l2_total / (sum of the batch's sample
        weights) · w is added to the gradient, so that rows of integer weights count like rows repeated. ``alpha`` of
        scikit-learn's ``MLPClassifier``.
    weight_decay : float, default 0.0
        Decoupled: a step first multiplies the parameter by 1 - learning rate · weight_decay.
        Loshchilov and Hutter, arXiv:1711.05101.
    decay_all : bool, default False
        Whether the above also apply to biases and to the parameters of normalisation layers.
    clip_value : float, optional
        Each entry of the gradient is limited to [-clip_value, clip_value].
    clip_norm : float, optional
        The whole gradient is scaled so that its norm is at most this. Pascanu et al., arXiv:1211.5063;
        ``torch.nn.utils.clip_grad_norm_``.
    """

    l1: float = 0.0
    l2: float = 0.0
    l2_total: float = 0.0
    weight_decay: float = 0.0
    decay_all: bool = False
    clip_value: float | None = None
    clip_norm: float | None = None

    kind: ClassVar[str]
    learning_rate: ClassVar[float | Schedule]

    def __post_init__(self) -> None:
        rate = self.learning_rate
        if not isinstance(rate, Schedule):
            if isinstance(rate, type) and issubclass(rate, Schedule):
                raise TypeError(
                    f"learning_rate must be a number or a schedule, not a class: write {rate.__name__}(...)"
                )
            if isinstance(rate, str) or callable(rate):
                raise TypeError(
                    f"learning_rate must be a number or a schedule; got {checks.described(rate)}: "
                    "schedules are objects, fn.schedules.Cosine(1e-3, steps)"
                )
            rate = checks.number(rate, "learning_rate", 0.0)
        self._set(learning_rate=rate, decay_all=checks.boolean(self.decay_all, "decay_all"))
        self._numbers("l1", "l2", "l2_total", "weight_decay")
        for name in ("clip_value", "clip_norm"):
            if getattr(self, name) is not None:
                self._numbers(name, above=True)

    def _numbers(self, *names: str, low: float = 0.0, high: float = float("inf"), above: bool = False) -> None:
        """Check fields: at least (or above) ``low``, below ``high``."""
        for name in names:
            value = checks.number(getattr(self, name), name, low, high, above=above, below=high < float("inf"))
            self._set(**{name: value})

    @property
    def schedule(self) -> Schedule:
        """The learning rate as a schedule."""
        rate = self.learning_rate
        return rate if isinstance(rate, Schedule) else Constant(rate)

    def specification(self) -> dict[str, Any]:
        """Return what the engine is told.

        ``states``: which of the three arrays of state the optimizer keeps. ``numbers``: how those of a step follow from
        the steps before. ``keeps_without_gradient``: whether parameters and state keep their bits where the gradient is
        zero.
        """
        return {
            "kind": self.kind,
            "states": (False, False, False),
            "numbers": "plain",
            "keeps_without_gradient": False,
            "l1": self.l1,
            "l2": self.l2,
            "l2_total": self.l2_total,
            "decoupled": self.weight_decay,
            "decay_all": self.decay_all,
            "clip_value": self.clip_value,
            "clip_norm": self.clip_norm,
        }

    def _shrinks(self) -> bool:
        """Return whether parameters change without a gradient, by a penalty or decay."""
        return any((self.l1, self.l2, self.l2_total, self.weight_decay))

    def _named(self, *names: str) -> dict[str, Any]:
        return {name: getattr(self, name) for name in names}


@description
class SGD(Optimizer):
    """Gradient descent, stochastic by the batch size; with momentum, plain or Nesterov's. ``torch.optim.SGD``.

    Sutskever et al., ICML 2013. The keyword arguments of `Optimizer` apply too.

    Parameters
    ----------
    learning_rate : float or Schedule, default 0.01
    momentum : float, default 0.0
        At least 0 and below 1.
    nesterov : bool, default False
        Needs a momentum.
    """

    learning_rate: float | Schedule = 0.01  # type: ignore[misc]
    momentum: float = 0.0
    nesterov: bool = False
    kind = "sgd"

    def __post_init__(self) -> None:
        super().__post_init__()
        self._numbers("momentum", high=1.0)
        self._set(nesterov=checks.boolean(self.nesterov, "nesterov"))
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov needs a momentum above 0; got momentum=0.0")

    def specification(self) -> dict[str, Any]:
        return (
            super().specification()
            | self._named("momentum", "nesterov")
            | {
                "states": (self.momentum > 0, False, False),
                "keeps_without_gradient": not self.momentum and not self._shrinks(),
            }
        )


@description
class Adam(Optimizer):
    """Adaptive moments. Kingma and Ba, arXiv:1412.6980; ``torch.optim.Adam``.

    The keyword arguments of `Optimizer` apply too; ``weight_decay`` is decoupled, PyTorch's is ``l2`` here.

    Parameters
    ----------
    learning_rate : float or Schedule, default 1e-3
    beta1, beta2 : float, default 0.9 and 0.999
        Decay of the moments; at least 0 and below 1.
    epsilon : float, default 1e-8
    amsgrad : bool, default False
        Keep the largest second moment so far. Reddi et al., ICLR 2018, arXiv:1904.09237.
    """

    learning_rate: float | Schedule = 1e-3  # type: ignore[misc]
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    amsgrad: bool = False
    kind = "adam"

    def __post_init__(self) -> None:
        super().__post_init__()
        self._numbers("beta1", "beta2", high=1.0)
        self._numbers("epsilon", low=SMALLEST_EPSILON)
        self._set(amsgrad=checks.boolean(self.amsgrad, "amsgrad"))

    def specification(self) -> dict[str, Any]:
        return (
            super().specification()
            | self._named("beta1", "beta2", "epsilon", "amsgrad")
            | {"states": (True, True, self.amsgrad), "numbers": "adam"}
        )


@description
class AdamW(Adam):
    """`Adam` with a decoupled weight decay of 0.01. Loshchilov and Hutter, arXiv:1711.05101; ``torch.optim.AdamW``."""

    weight_decay: float = field(default=0.01, kw_only=True)


@description
class RAdam(Optimizer):
    """Adam, its steps held back while the second moment is of few gradients. Liu et al., arXiv:1908.03265.

    ``torch.optim.RAdam``. The keyword arguments of `Optimizer` apply too.

    Parameters
    ----------
    learning_rate : float or Schedule, default 1e-3
    beta1, beta2 : float, default 0.9 and 0.999
        Decay of the moments; at least 0 and below 1.
    epsilon : float, default 1e-8
    """

    learning_rate: float | Schedule = 1e-3  # type: ignore[misc]
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    kind = "adam"

    def __post_init__(self) -> None:
        super().__post_init__()
        self._numbers("beta1", "beta2", high=1.0)
        self._numbers("epsilon", low=SMALLEST_EPSILON)

    def specification(self) -> dict[str, Any]:
        return (
            super().specification()
            | self._named("beta1", "beta2", "epsilon")
            | {"states": (True, True, False), "numbers": "radam"}
        )


@description
class NAdam(Optimizer):
    """Adam with Nesterov's momentum. Dozat, ICLR workshop 2016; ``torch.optim.NAdam``.

    The keyword arguments of `Optimizer` apply too.

    Parameters
    ----------
    learning_rate : float or Schedule, default 2e-3
    beta1, beta2 : float, default 0.9 and 0.999
        Decay of the moments; at least 0 and below 1.
    epsilon : float, default 1e-8
    momentum_decay : float, default 4e-3
        How fast the momentum grows to beta1.
    """

    learning_rate: float | Schedule = 2e-3  # type: ignore[misc]
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    momentum_decay: float = 4e-3
    kind = "nadam"

    def __post_init__(self) -> None:
        super().__post_init__()
        self._numbers("beta1", "beta2", high=1.0)
        self._numbers("epsilon", low=SMALLEST_EPSILON)
        self._numbers("momentum_decay")

    def specification(self) -> dict[str, Any]:
        return (
            super().specification()
            | self._named("beta1", "beta2", "epsilon", "momentum_decay")
            | {"states": (True, True, False), "numbers": "nadam"}
        )


@description
class RMSprop(Optimizer):
    """Steps divided by a running root mean square of the gradient. Tieleman and Hinton (2012); ``torch.optim.RMSprop``.

    The keyword arguments of `Optimizer` apply too.

    Parameters
    ----------
    learning_rate : float or Schedule, default 0.01
    smoothing : float, default 0.99
        Decay of the mean square (PyTorch's ``alpha``); at least 0 and below 1.
    epsilon : float, default 1e-8
    momentum : float, default 0.0
        At least 0 and below 1.
    centered : bool, default False
        Divide by the root of the variance instead. Graves, arXiv:1308.0850.
    """

    learning_rate: float | Schedule = 0.01  # type: ignore[misc]
    smoothing: float = 0.99
    epsilon: float = 1e-8
    momentum: float = 0.0
    centered: bool = False
    kind = "rmsprop"

    def __post_init__(self) -> None:
        super().__post_init__()
        self._numbers("smoothing", "momentum", high=1.0)
        self._numbers("epsilon", low=SMALLEST_EPSILON)
        self._set(centered=checks.boolean(self.centered, "centered"))

    def specification(self) -> dict[str, Any]:
        return (
            super().specification()
            | self._named("epsilon", "momentum", "centered")
            | {"beta2": self.smoothing, "states": (True, self.momentum > 0, self.centered)}
        )


@description
class Adagrad(Optimizer):
    """Steps divided by the root of the sum of squared gradients. Duchi et al., JMLR 12 (2011); ``torch.optim.Adagrad``.

    The keyword arguments of `Optimizer` apply too.

    Parameters
    ----------
    learning_rate : float or Schedule, default 0.01
    learning_rate_decay : float, default 0.0
        The rate of update t, from 0, is divided by 1 + t · learning_rate_decay.
    initial_accumulator : float, default 0.0
        Where the sum begins.
    epsilon : float, default 1e-10
    """

    learning_rate: float | Schedule = 0.01  # type: ignore[misc]
    learning_rate_decay: float = 0.0
    initial_accumulator: float = 0.0
    epsilon: float = 1e-10
    kind = "adagrad"

    def __post_init__(self) -> None:
        super().__post_init__()
        self._numbers("learning_rate_decay", "initial_accumulator")
        self._numbers("epsilon", low=SMALLEST_EPSILON)

    def specification(self) -> dict[str, Any]:
        return (
            super().specification()
            | self._named("learning_rate_decay", "initial_accumulator", "epsilon")
            | {
                "states": (True, False, False),
                "numbers": "adagrad",
                "keeps_without_gradient": self.epsilon > 0 and not self._shrinks(),
            }
        )


@description
class Lion(Optimizer):
    """Steps of one size, by the sign of a running mean of the gradient. Chen et al., arXiv:2302.06675.

    The keyword arguments of `Optimizer` apply too. Learning rates are a third to a tenth of `AdamW`'s, and
    ``weight_decay`` is as many times as large.

    Parameters
    ----------
    learning_rate : float or Schedule, default 1e-4
    beta1, beta2 : float, default 0.9 and 0.99
        Decay of the mean within a step, and from one to the next; at least 0 and below 1.
    """

    learning_rate: float | Schedule = 1e-4  # type: ignore[misc]
    beta1: float = 0.9
    beta2: float = 0.99
    kind = "lion"

    def __post_init__(self) -> None:
        super().__post_init__()
        self._numbers("beta1", "beta2", high=1.0)

    def specification(self) -> dict[str, Any]:
        return super().specification() | self._named("beta1", "beta2") | {"states": (True, False, False)}


#: Every optimizer by its name.
OPTIMIZERS: dict[str, type[Optimizer]] = {
    "sgd": SGD,
    "adam": Adam,
    "adamw": AdamW,
    "radam": RAdam,
    "nadam": NAdam,
    "rmsprop": RMSprop,
    "adagrad": Adagrad,
    "lion": Lion,
}
CLASSES = (*OPTIMIZERS.values(), *SCHEDULES)  # what the description of an optimizer is made of
