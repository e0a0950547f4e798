"""Parity with PyTorch: losses, with sample weights and class weights."""

import functools

import mirror
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
from suited import kind_of_targets

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


def probabilities(dtype):
    z = 2 * regression_targets("float64")
    return (np.exp(z) / np.exp(z).sum(1, keepdims=True)).astype(dtype)


TARGETS = {
    "reals": regression_targets,
    "counts": lambda dtype: np.random.default_rng(1).poisson(1.5, (ROWS, 5)).astype(dtype),
    "bits": many_labels,
    "labels": lambda dtype: labels(),
}
# Loss, targets, outputs.
LOSSES = {name: (cls(), TARGETS[kind_of_targets(cls)], 5) for name, cls in fn.losses.LOSSES.items()}
LOSSES |= {
    "mean_squared, 1": (fn.MeanSquaredError(), lambda dtype: regression_targets(dtype, 1), 1),
    "huber, delta": (fn.Huber(0.3), regression_targets, 5),
    "pinball, quantiles": (fn.Pinball([0.1, 0.5, 0.9]), lambda dtype: regression_targets(dtype, 2), 6),
    "cross_entropy, smoothing": (fn.CrossEntropy(label_smoothing=0.1), TARGETS["labels"], 5),
    "cross_entropy, one-hot": (fn.CrossEntropy(), lambda dtype: np.eye(5, dtype=dtype)[labels()], 5),
    "cross_entropy, soft": (fn.CrossEntropy(), probabilities, 5),
    "cross_entropy, soft, smoothing": (fn.CrossEntropy(label_smoothing=0.2), probabilities, 5),
    "binary_cross_entropy, 1": (fn.BinaryCrossEntropy(), lambda dtype: many_labels(dtype)[:, :1], 1),
    "binary_cross_entropy, soft": (fn.BinaryCrossEntropy(), probabilities, 5),
}


@pytest.mark.parametrize("with_weights", [False, True], ids=["", "sample weights"])
@pytest.mark.parametrize("name", LOSSES)
def test_loss(dtype, name, with_weights):
    loss, targets, outputs = LOSSES[name]
    weights = sample_weights() if with_weights else None
    train_on_loss(
        dtype, loss, weighted(functools.partial(mirror.row_losses, loss)), targets(dtype), outputs, weights=weights
    )


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
