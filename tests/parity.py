"""Parity with PyTorch: 200 updates from the same initial parameters on the same batches.

Afterwards every parameter tensor agrees within 1e-5 in float32 and 1e-11 in float64, relative to the tensor's largest
entry: entries near zero have no relative precision of their own, in either library.

The networks are smooth where the subject is not the activation: behind a kink the two libraries may part for good by a
unit in the last place. In PyTorch, biases and norms are kept out of the weight decay by parameter groups.
"""

import mirror
import numpy as np
from mirror import torch

import fastnn as fn

STEPS, BATCH, ROWS = 200, 32, 320
FEATURES, OUTPUTS = 7, 5
TOLERANCE = {"float32": 1e-5, "float64": 1e-11}


def smooth_network(dtype, outputs=OUTPUTS):
    layers = [fn.Input(FEATURES), fn.Dense(13, "tanh"), fn.LayerNorm(), fn.Dense(11, "softplus"), fn.Dense(outputs)]
    return with_biases(fn.Network(layers, seed=2, dtype=dtype))


def with_biases(net):
    """Biases and gains that are not all equal, so that nothing about them goes unseen."""
    rng = np.random.default_rng(11)
    for name, array in net.parameters.items():
        if array.ndim == 1:
            net.parameters[name] = array + (0.1 * rng.normal(size=array.shape)).astype(array.dtype)
    return net


def inputs(dtype):
    return np.random.default_rng(5).normal(size=(ROWS, FEATURES)).astype(dtype)


def regression_targets(dtype, outputs=OUTPUTS):
    """A function of the inputs, with noise; its mean is not 0, nor will be the bias that learns it."""
    X, rng = inputs("float64"), np.random.default_rng(6)
    noise = 0.3 * rng.normal(size=(ROWS, outputs))
    return (1 + np.sin(X @ rng.normal(size=(FEATURES, outputs))) + noise).astype(dtype)


def labels():
    return regression_targets("float64").argmax(axis=1)


def batches(*arrays):
    """STEPS batches of consecutive rows, over and over."""
    for step in range(STEPS):
        start = step * BATCH % ROWS
        yield tuple(array[start : start + BATCH] for array in arrays)


def assert_parity(net, reference):
    theirs = {name: tensor.detach().numpy() for name, tensor in reference.state_dict().items()}
    ours = dict(net.parameters)
    assert ours.keys() == theirs.keys()
    errors = {name: np.abs(ours[name] - theirs[name]).max() / np.abs(theirs[name]).max() for name in ours}
    assert max(errors.values()) <= TOLERANCE[net.dtype], errors


def groups(reference, decay, decay_all=False):
    """Weight decay for the matrices alone, or for everything."""
    decayed = [p for p in reference.parameters() if decay_all or p.ndim == 2]
    others = [p for p in reference.parameters() if not (decay_all or p.ndim == 2)]
    return [{"params": decayed, "weight_decay": decay}, *([{"params": others, "weight_decay": 0.0}] if others else [])]


def train_both(
    net, loss, optimizer, torch_loss, torch_optimizer, X, y, weights=None, clip=None, scheduler=None, **options
):
    """STEPS updates by both; ``clip`` takes the PyTorch parameters between gradient and update."""
    reference = mirror.torch_network(net)
    trainer = fn.Trainer(net, loss, optimizer, batch_size=BATCH, **options)
    algorithm = torch_optimizer(reference)
    after = scheduler(algorithm) if scheduler else None
    initial, losses = net.digest(), []
    for arrays in batches(X, y, *([] if weights is None else [weights])):
        value = trainer.step(*arrays)
        algorithm.zero_grad()
        expected = torch_loss(reference(torch.from_numpy(arrays[0])), *map(torch.from_numpy, arrays[1:]))
        losses.append((value, expected.item()))
        expected.backward()
        if clip:
            clip(list(reference.parameters()))
        algorithm.step()
        if after:
            after.step()
    ours, theirs = np.transpose(losses)
    np.testing.assert_allclose(ours, theirs, rtol=100 * TOLERANCE[net.dtype], atol=TOLERANCE[net.dtype])
    assert net.digest() != initial
    assert trainer.steps == STEPS
    assert_parity(net, reference)


def many_labels(dtype):
    return (regression_targets("float64") > 1.1).astype(dtype)


F = torch.nn.functional
