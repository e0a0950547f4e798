"""The activations: a line for each, from which all follows but what it computes, which its kernels say."""

from __future__ import annotations

from fastnn._storage.descriptions import Description, description


@description
class ActivationKind(Description):
    """What there is to know of an activation beside its kernels.

    Parameters
    ----------
    initializer : str
        What ``"auto"`` chooses for the weight of a layer that the activation follows.
    torch : str
        Its class in ``torch.nn``; empty if it has none.
    onnx : str
        Its operator in ONNX; empty if it has none.
    formula : str
        How ONNX files spell it where there is no operator for it, or in float64, for which runtimes lack most of them.
        An expression in Python of ``x``, ``alpha``, numbers, other activations and the functions abs, erf, exp, log,
        maximum and minimum.
    formula64 : str
        How ONNX files spell it in float64, if otherwise than by ``formula``.
    alpha : float, optional
        The default of its parameter; None if it has no parameter.
    """

    initializer: str = "glorot_uniform"
    torch: str = ""
    onnx: str = ""
    formula: str = ""
    formula64: str = ""
    alpha: float | None = None


_ELU = "relu(x) + (exp(minimum(x, 0)) - 1) * alpha"
_SELU = "relu(x) * 1.0507009873554805 + (exp(minimum(x, 0)) - 1) * 1.7580993408473768"  # as in the kernels
_GELU = "x * 0.5 * (erf(x * 0.7071067811865476) + 1)"
_SILU = "x / (exp(-x) + 1)"  # for x * sigmoid(x) ONNX Runtime may take an operator that it has for float32 alone

ACTIVATIONS: dict[str, ActivationKind] = {
    "identity": ActivationKind(),
    "relu": ActivationKind("he_normal", "ReLU", "Relu"),
    "leaky_relu": ActivationKind("he_normal", "LeakyReLU", "LeakyRelu", "relu(x) + minimum(x, 0) * alpha", alpha=0.01),
    "elu": ActivationKind("he_normal", "ELU", "Elu", _ELU, alpha=1.0),
    "selu": ActivationKind("lecun_normal", "SELU", "Selu", _SELU),
    "gelu": ActivationKind("he_normal", "GELU", "Gelu", _GELU),
    "silu": ActivationKind("he_normal", "SiLU", "", "x * sigmoid(x)", formula64=_SILU),
    "mish": ActivationKind("he_normal", "Mish", "Mish", "x * tanh(softplus(x))"),
    "hard_swish": ActivationKind("he_normal", "Hardswish", "HardSwish", "x * minimum(maximum(x / 6 + 0.5, 0), 1)"),
    "softsign": ActivationKind("glorot_uniform", "Softsign", "Softsign", "x / (abs(x) + 1)"),
    "tanh": ActivationKind("glorot_uniform", "Tanh", "Tanh"),
    "sigmoid": ActivationKind("glorot_uniform", "Sigmoid", "Sigmoid"),
    "softplus": ActivationKind("glorot_uniform", "Softplus", "Softplus", "relu(x) + log(exp(-abs(x)) + 1)"),
    "softmax": ActivationKind("glorot_uniform", "Softmax", "Softmax"),
}
