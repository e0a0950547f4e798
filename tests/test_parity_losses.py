"""Parity with PyTorch: losses, with sample weights and class weights."""

import numpy as np
import pytest
from parity import (
    FEATURES,
    OUTPUTS,
    ROWS,
    F,
    inputs,
    labels,
    many_labels,
    regression_targets,
    smooth_network,
    torch,
    train_both,
    with_biases,
)

import fastnn as fn

pytestmark = pytest.mark.usefixtures("torch_settings")


def train_on_loss(dtype, loss, torch_loss, y, outputs=OUTPUTS, **options):
    train_both(
        smooth_network(dtype, outputs),
        loss,
        fn.SGD(0.02, momentum=0.9),
        torch_loss,
        lambda net: torch.optim.SGD(net.parameters(), lr=0.02, momentum=0.9),
        inputs(dtype),
        y,
        **options,
    )


def sample_weights():
    weights = np.random.default_rng(8).uniform(0, 2, ROWS)
    weights[::7] = 0
    return weights


def weighted(rows):
    """A loss of (outputs, targets, weights) from one of rows without reduction."""

    def loss(outputs, targets, weights=None):
        values = rows(outputs, targets)
        values = values.reshape(len(values), -1).mean(1)
        if weights is None:
            return values.mean()
        return (values * weights).sum() / weights.sum()

    return loss


def pinball(quantiles):
    def rows(outputs, targets):
        q = torch.tensor(quantiles, dtype=outputs.dtype)
        error = targets[:, :, None] - outputs.reshape(len(outputs), targets.shape[1], len(quantiles))
        return torch.maximum(q * error, (q - 1) * error)

    return rows


def probabilities(dtype):
    z = 2 * regression_targets("float64")
    return (np.exp(z) / np.exp(z).sum(1, keepdims=True)).astype(dtype)


# Loss, PyTorch's without reduction, targets, outputs.
LOSSES = {
    "mean_squared": ("mean_squared", torch.nn.MSELoss(reduction="none"), regression_targets, 5),
    "mean_squared, 1": (
        "mean_squared",
        torch.nn.MSELoss(reduction="none"),
        lambda dtype: regression_targets(dtype, 1),
        1,
    ),
    "mean_absolute": ("mean_absolute", torch.nn.L1Loss(reduction="none"), regression_targets, 5),
    "huber": ("huber", torch.nn.HuberLoss(reduction="none"), regression_targets, 5),
    "huber, delta": (fn.Huber(0.3), torch.nn.HuberLoss(reduction="none", delta=0.3), regression_targets, 5),
    "pinball": ("pinball", pinball([0.5]), regression_targets, 5),
    "pinball, quantiles": (
        fn.Pinball([0.1, 0.5, 0.9]),
        pinball([0.1, 0.5, 0.9]),
        lambda dtype: regression_targets(dtype, 2),
        6,
    ),
    "poisson": (
        "poisson",
        torch.nn.PoissonNLLLoss(reduction="none"),
        lambda dtype: np.random.default_rng(1).poisson(1.5, (ROWS, 5)).astype(dtype),
        5,
    ),
    "cross_entropy": ("cross_entropy", torch.nn.CrossEntropyLoss(reduction="none"), lambda dtype: labels(), 5),
    "cross_entropy, smoothing": (
        fn.CrossEntropy(label_smoothing=0.1),
        torch.nn.CrossEntropyLoss(reduction="none", label_smoothing=0.1),
        lambda dtype: labels(),
        5,
    ),
    "cross_entropy, one-hot": (
        "cross_entropy",
        torch.nn.CrossEntropyLoss(reduction="none"),
        lambda dtype: np.eye(5, dtype=dtype)[labels()],
        5,
    ),
    "cross_entropy, soft": ("cross_entropy", torch.nn.CrossEntropyLoss(reduction="none"), probabilities, 5),
    "cross_entropy, soft, smoothing": (
        fn.CrossEntropy(label_smoothing=0.2),
        torch.nn.CrossEntropyLoss(reduction="none", label_smoothing=0.2),
        probabilities,
        5,
    ),
    "binary_cross_entropy": (
        "binary_cross_entropy",
        torch.nn.BCEWithLogitsLoss(reduction="none"),
        lambda dtype: many_labels(dtype)[:, :1],
        1,
    ),
    "binary_cross_entropy, many labels": (
        "binary_cross_entropy",
        torch.nn.BCEWithLogitsLoss(reduction="none"),
        many_labels,
        5,
    ),
    "binary_cross_entropy, soft": (
        "binary_cross_entropy",
        torch.nn.BCEWithLogitsLoss(reduction="none"),
        probabilities,
        5,
    ),
}


@pytest.mark.parametrize("with_weights", [False, True], ids=["", "sample weights"])
@pytest.mark.parametrize("name", LOSSES)
def test_loss(dtype, name, with_weights):
    loss, rows, targets, outputs = LOSSES[name]
    weights = sample_weights() if with_weights else None
    train_on_loss(dtype, loss, weighted(rows), targets(dtype), outputs, weights=weights)


def test_class_weights(dtype):
    class_weight = np.array([0.5, 1, 2, 3, 0.25])
    train_on_loss(
        dtype,
        "cross_entropy",
        torch.nn.CrossEntropyLoss(weight=torch.from_numpy(class_weight.astype(dtype))),
        labels(),
        class_weight=class_weight,
    )


def test_class_weights_of_two_classes(dtype):
    y = many_labels(dtype)[:, :1]

    def loss(outputs, targets):
        weights = torch.where(targets == 1, 3.0, 0.5)
        values = F.binary_cross_entropy_with_logits(outputs, targets, reduction="none")
        return (values * weights).sum() / weights.sum()

    train_on_loss(dtype, "binary_cross_entropy", loss, y, 1, class_weight={0: 0.5, 1: 3.0})


@pytest.mark.parametrize("kind", ["softmax", "sigmoid"])
def test_losses_that_undo_the_last_activation(dtype, kind):
    """PyTorch computes them from the outputs; it is exact enough where nothing saturates."""
    net = with_biases(fn.Network([fn.Input(FEATURES), fn.Dense(9, "tanh"), fn.Dense(5, kind)], seed=4, dtype=dtype))
    if kind == "softmax":
        loss, theirs, y = "cross_entropy", lambda p, t: F.nll_loss(torch.log(p), t), labels()
    else:
        loss, theirs, y = "binary_cross_entropy", torch.nn.BCELoss(), many_labels(dtype)
    train_both(
        net,
        loss,
        fn.SGD(0.05),
        theirs,
        lambda reference: torch.optim.SGD(reference.parameters(), lr=0.05),
        inputs(dtype),
        y,
    )
