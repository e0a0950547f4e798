"""Parity with PyTorch: 200 updates from the same initial parameters on the same batches.

Afterwards every parameter tensor agrees within 1e-5 in float32 and 1e-11 in float64, relative to the tensor's largest
entry: entries near zero have no relative precision of their own, in either library.

The networks are smooth where the subject is not the activation: behind a kink the two libraries may part for good by a
unit in the last place. In PyTorch, biases and norms are kept out of the weight decay by parameter groups.
"""

import numpy as np
import pytest

import fastnn as fn
from fastnn import schedules

torch = pytest.importorskip("torch", reason="the parity tests compare with PyTorch, which is not installed")
import mirror  # noqa: E402

STEPS, BATCH, ROWS = 200, 32, 320
FEATURES, OUTPUTS = 7, 5
TOLERANCE = {"float32": 1e-5, "float64": 1e-11}


@pytest.fixture(autouse=True)
def torch_settings(dtype):
    """One thread; the dtype as the default one, in which NAdam keeps its product of momenta."""
    before = torch.get_num_threads(), torch.get_default_dtype()
    torch.set_num_threads(1)
    torch.set_default_dtype(getattr(torch, dtype))
    yield
    torch.set_num_threads(before[0])
    torch.set_default_dtype(before[1])


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
    initial = net.digest()
    for arrays in batches(X, y, *([] if weights is None else [weights])):
        value = trainer.step(*arrays)
        algorithm.zero_grad()
        expected = torch_loss(reference(torch.from_numpy(arrays[0])), *map(torch.from_numpy, arrays[1:]))
        np.testing.assert_allclose(value, expected.item(), rtol=100 * TOLERANCE[net.dtype], atol=TOLERANCE[net.dtype])
        expected.backward()
        if clip:
            clip(list(reference.parameters()))
        algorithm.step()
        if after:
            after.step()
    assert net.digest() != initial
    assert trainer.steps == STEPS
    assert_parity(net, reference)


# ------------------------------------------------------------------ optimizers

# PyTorch's class and arguments, then ours. Weight decay comes from the test.
OPTIMIZERS = {
    "sgd": ("SGD", {"lr": 0.05}, lambda **k: fn.SGD(0.05, **k)),
    "momentum": ("SGD", {"lr": 0.02, "momentum": 0.9}, lambda **k: fn.SGD(0.02, momentum=0.9, **k)),
    "nesterov": (
        "SGD",
        {"lr": 0.02, "momentum": 0.8, "nesterov": True},
        lambda **k: fn.SGD(0.02, momentum=0.8, nesterov=True, **k),
    ),
    "adam": ("Adam", {"lr": 3e-3}, lambda **k: fn.Adam(3e-3, **k)),
    "adam, betas": (
        "Adam",
        {"lr": 3e-3, "betas": (0.8, 0.95), "eps": 1e-6},
        lambda **k: fn.Adam(3e-3, beta1=0.8, beta2=0.95, epsilon=1e-6, **k),
    ),
    "amsgrad": (
        "Adam",
        {"lr": 3e-3, "amsgrad": True, "betas": (0.9, 0.9)},
        lambda **k: fn.Adam(3e-3, amsgrad=True, beta2=0.9, **k),
    ),
    "nadam": ("NAdam", {"lr": 2e-3}, lambda **k: fn.NAdam(2e-3, **k)),
    "nadam, momentum decay": (
        "NAdam",
        {"lr": 2e-3, "momentum_decay": 0.05, "betas": (0.95, 0.99)},
        lambda **k: fn.NAdam(2e-3, momentum_decay=0.05, beta1=0.95, beta2=0.99, **k),
    ),
    "rmsprop": ("RMSprop", {"lr": 1e-3}, lambda **k: fn.RMSprop(1e-3, **k)),
    "rmsprop, momentum": (
        "RMSprop",
        {"lr": 1e-3, "momentum": 0.8, "alpha": 0.95},
        lambda **k: fn.RMSprop(1e-3, momentum=0.8, smoothing=0.95, **k),
    ),
    "rmsprop, centered": (
        "RMSprop",
        {"lr": 1e-3, "centered": True},
        lambda **k: fn.RMSprop(1e-3, centered=True, **k),
    ),
    "rmsprop, centered, momentum": (
        "RMSprop",
        {"lr": 1e-3, "centered": True, "momentum": 0.5, "eps": 1e-3},
        lambda **k: fn.RMSprop(1e-3, centered=True, momentum=0.5, epsilon=1e-3, **k),
    ),
    "adagrad": ("Adagrad", {"lr": 0.02}, lambda **k: fn.Adagrad(0.02, **k)),
    "adagrad, decay, accumulator": (
        "Adagrad",
        {"lr": 0.05, "lr_decay": 0.01, "initial_accumulator_value": 0.1},
        lambda **k: fn.Adagrad(0.05, learning_rate_decay=0.01, initial_accumulator=0.1, **k),
    ),
}


@pytest.mark.parametrize("l2", [0.0, 0.01], ids=["", "l2"])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizer(dtype, name, l2):
    theirs, arguments, ours = OPTIMIZERS[name]
    train_both(
        smooth_network(dtype),
        "cross_entropy",
        ours(l2=l2),
        torch.nn.CrossEntropyLoss(),
        lambda net: getattr(torch.optim, theirs)(groups(net, l2), **arguments),
        inputs(dtype),
        labels(),
    )


@pytest.mark.parametrize("amsgrad", [False, True])
def test_adamw(dtype, amsgrad):
    train_both(
        smooth_network(dtype),
        "cross_entropy",
        fn.AdamW(3e-3, amsgrad=amsgrad),
        torch.nn.CrossEntropyLoss(),
        lambda net: torch.optim.AdamW(groups(net, 0.01), lr=3e-3, amsgrad=amsgrad),
        inputs(dtype),
        labels(),
    )


def test_nadam_with_decoupled_decay(dtype):
    train_both(
        smooth_network(dtype),
        "cross_entropy",
        fn.NAdam(2e-3, weight_decay=0.1),
        torch.nn.CrossEntropyLoss(),
        lambda net: torch.optim.NAdam(groups(net, 0.1), lr=2e-3, decoupled_weight_decay=True),
        inputs(dtype),
        labels(),
    )


@pytest.mark.parametrize("decoupled", [False, True])
def test_decay_of_all_parameters(dtype, decoupled):
    algorithm = torch.optim.AdamW if decoupled else torch.optim.Adam
    train_both(
        smooth_network(dtype),
        "cross_entropy",
        fn.Adam(3e-3, decay_all=True, **{"weight_decay" if decoupled else "l2": 0.05}),
        torch.nn.CrossEntropyLoss(),
        lambda net: algorithm(groups(net, 0.05, decay_all=True), lr=3e-3),
        inputs(dtype),
        labels(),
    )


# Limits that bind in some updates and not in others.
CLIPPING = {
    "value": ({"clip_value": 0.02}, lambda parameters: torch.nn.utils.clip_grad_value_(parameters, 0.02)),
    "norm": ({"clip_norm": 0.8}, lambda parameters: torch.nn.utils.clip_grad_norm_(parameters, 0.8)),
    "both": (
        {"clip_norm": 0.8, "clip_value": 0.05},
        lambda parameters: (
            torch.nn.utils.clip_grad_norm_(parameters, 0.8),
            torch.nn.utils.clip_grad_value_(parameters, 0.05),
        ),
    ),
}


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam", "rmsprop"])
@pytest.mark.parametrize("clipping", CLIPPING)
def test_clipping(dtype, optimizer, clipping):
    theirs, arguments, ours = OPTIMIZERS[optimizer]
    options, clip = CLIPPING[clipping]
    binding = []

    def counted(parameters):
        before = torch.cat([p.grad.ravel() for p in parameters]).clone()
        clip(parameters)
        binding.append(not torch.equal(before, torch.cat([p.grad.ravel() for p in parameters])))

    train_both(
        smooth_network(dtype),
        "cross_entropy",
        ours(l2=0.001, **options),
        torch.nn.CrossEntropyLoss(),
        lambda net: getattr(torch.optim, theirs)(groups(net, 0.001), **arguments),
        inputs(dtype),
        labels(),
        clip=counted,
    )
    assert any(binding)
    assert clipping != "norm" or not all(binding)


# ---------------------------------------------------------------------- losses


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


def many_labels(dtype):
    return (regression_targets("float64") > 1.1).astype(dtype)


F = torch.nn.functional
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


# ----------------------------------------------------------------- activations

ACTIVATIONS = [
    *(name for name in fn.layers.ACTIVATIONS if name != "softmax"),
    fn.Activation("leaky_relu", alpha=0.2),
    fn.Activation("elu", alpha=0.7),
]


@pytest.mark.parametrize("apart", [False, True], ids=["", "apart"])
@pytest.mark.parametrize("activation", ACTIVATIONS, ids=str)
def test_activation(dtype, activation, apart):
    hidden = [fn.Dense(16, activation), fn.Dense(12, activation)]
    if apart:
        as_layer = activation if isinstance(activation, fn.Activation) else fn.Activation(activation)
        hidden = [fn.Dense(16), as_layer, fn.Dense(12), fn.LayerNorm(), as_layer]
    net = with_biases(fn.Network([fn.Input(FEATURES), *hidden, fn.Dense(OUTPUTS)], seed=3, dtype=dtype))
    train_both(
        net,
        "mean_squared",
        fn.SGD(0.05, momentum=0.5),
        torch.nn.MSELoss(),
        lambda reference: torch.optim.SGD(reference.parameters(), lr=0.05, momentum=0.5),
        inputs(dtype),
        regression_targets(dtype),
    )


@pytest.mark.parametrize("activation", [*ACTIVATIONS, "softmax"], ids=str)
def test_activation_of_the_output(dtype, activation):
    net = with_biases(
        fn.Network([fn.Input(FEATURES), fn.Dense(9, "tanh"), fn.Dense(5, activation)], seed=3, dtype=dtype)
    )
    train_both(
        net,
        "mean_squared",
        fn.SGD(0.05),
        torch.nn.MSELoss(),
        lambda reference: torch.optim.SGD(reference.parameters(), lr=0.05),
        inputs(dtype),
        regression_targets(dtype),
    )


@pytest.mark.parametrize("epsilon", [1e-5, 0.1])
def test_layer_norm(dtype, epsilon):
    layers = [fn.LayerNorm(epsilon), fn.Dense(12, "tanh"), fn.LayerNorm(epsilon), fn.Dense(OUTPUTS), fn.LayerNorm()]
    train_both(
        with_biases(fn.Network([fn.Input(FEATURES), *layers], seed=3, dtype=dtype)),
        "mean_squared",
        fn.Adam(3e-3),
        torch.nn.MSELoss(),
        lambda reference: torch.optim.Adam(reference.parameters(), lr=3e-3),
        inputs(dtype),
        regression_targets(dtype),
    )


# ------------------------------------------------------------------- schedules

lr = torch.optim.lr_scheduler
RATE = 0.05
BY_STEP = {
    "step": (schedules.Step(RATE, every=30, factor=0.5, unit="step"), lambda o: lr.StepLR(o, 30, 0.5)),
    "exponential": (schedules.Exponential(RATE, factor=0.99, unit="step"), lambda o: lr.ExponentialLR(o, 0.99)),
    "cosine": (
        schedules.Cosine(RATE, steps=STEPS, minimum=1e-3),
        lambda o: lr.CosineAnnealingLR(o, STEPS, eta_min=1e-3),
    ),
    "warm-up": (
        schedules.Warmup(RATE, steps=40, start=0.1 * RATE),
        lambda o: lr.LinearLR(o, start_factor=0.1, total_iters=40),
    ),
    "warm-up, cosine": (
        schedules.Warmup(schedules.Cosine(RATE, steps=150), steps=50, start=0.2 * RATE),
        lambda o: lr.SequentialLR(o, [lr.LinearLR(o, 0.2, total_iters=50), lr.CosineAnnealingLR(o, 150)], [50]),
    ),
    "one-cycle": (
        schedules.OneCycle(RATE, steps=STEPS),
        lambda o: lr.OneCycleLR(o, RATE, total_steps=STEPS, cycle_momentum=False),
    ),
    "one-cycle, options": (
        schedules.OneCycle(RATE, steps=STEPS, warmup_fraction=0.4, start_divisor=10, end_divisor=50),
        lambda o: lr.OneCycleLR(
            o, RATE, total_steps=STEPS, pct_start=0.4, div_factor=10, final_div_factor=50, cycle_momentum=False
        ),
    ),
    "inverse": (
        schedules.InverseScaling(RATE, power=0.5),
        lambda o: lr.LambdaLR(o, lambda t: (t + 1) ** -0.5),
    ),
}


class UpToTheLast:
    """A PyTorch scheduler that is not stepped after the last update, which one-cycle refuses."""

    def __init__(self, scheduler):
        self.scheduler, self.steps = scheduler, 0

    def step(self):
        self.steps += 1
        if self.steps < STEPS:
            self.scheduler.step()


@pytest.mark.filterwarnings("ignore:The epoch parameter in:UserWarning")
@pytest.mark.parametrize("name", BY_STEP)
def test_schedule_by_step(dtype, name):
    schedule, scheduler = BY_STEP[name]
    train_both(
        smooth_network(dtype),
        "cross_entropy",
        fn.SGD(schedule),
        torch.nn.CrossEntropyLoss(),
        lambda net: torch.optim.SGD(net.parameters(), lr=RATE),
        inputs(dtype),
        labels(),
        scheduler=lambda optimizer: UpToTheLast(scheduler(optimizer)),
    )


BY_EPOCH = {
    "step": (schedules.Step(RATE, every=6, factor=0.5), lambda o: lr.StepLR(o, 6, 0.5)),
    "exponential": (schedules.Exponential(RATE, factor=0.9), lambda o: lr.ExponentialLR(o, 0.9)),
    "cosine": (schedules.Cosine(RATE, steps=20, unit="epoch"), lambda o: lr.CosineAnnealingLR(o, 20)),
    "warm-up, exponential": (
        schedules.Warmup(schedules.Exponential(RATE, factor=0.9), steps=5, start=0.1 * RATE, unit="epoch"),
        lambda o: lr.SequentialLR(o, [lr.LinearLR(o, 0.1, total_iters=5), lr.ExponentialLR(o, 0.9)], [5]),
    ),
    "one-cycle": (
        schedules.OneCycle(RATE, steps=21, unit="epoch"),
        lambda o: lr.OneCycleLR(o, RATE, total_steps=21, cycle_momentum=False),
    ),
    "plateau": (
        schedules.ReduceOnPlateau(RATE, factor=0.3, patience=1, min_delta=0.02, cooldown=2, minimum=1e-3),
        lambda o: lr.ReduceLROnPlateau(
            o, factor=0.3, patience=1, threshold=0.02, threshold_mode="abs", cooldown=2, min_lr=1e-3
        ),
    ),
    "plateau of the accuracy": (
        schedules.ReduceOnPlateau(RATE, factor=0.5, patience=0, monitor="accuracy"),
        lambda o: lr.ReduceLROnPlateau(o, mode="max", factor=0.5, patience=0, threshold=0, threshold_mode="abs"),
    ),
}


@pytest.mark.filterwarnings("ignore:The epoch parameter in:UserWarning")
@pytest.mark.parametrize("name", BY_EPOCH)
def test_schedule_by_epoch(dtype, name):
    """Through `fit`: 20 epochs of 10 batches, in the order of the rows."""
    schedule, scheduler = BY_EPOCH[name]
    net, X, y, epochs = smooth_network(dtype), inputs(dtype), labels(), STEPS * BATCH // ROWS
    reference = mirror.torch_network(net)
    trainer = fn.Trainer(net, "cross_entropy", fn.SGD(schedule), batch_size=BATCH, shuffle=False)
    history = trainer.fit(X, y, epochs=epochs)
    algorithm = torch.optim.SGD(reference.parameters(), lr=RATE)
    after, seen = scheduler(algorithm), []
    for _ in range(epochs):
        seen.append(algorithm.param_groups[0]["lr"])
        total = hits = 0.0
        for start in range(0, ROWS, BATCH):
            algorithm.zero_grad()
            rows = slice(start, start + BATCH)
            outputs = reference(torch.from_numpy(X[rows]))
            loss = F.cross_entropy(outputs, torch.from_numpy(y[rows]))
            total += loss.item() * BATCH
            hits += (outputs.argmax(1) == torch.from_numpy(y[rows])).sum().item()
            loss.backward()
            algorithm.step()
        if isinstance(after, lr.ReduceLROnPlateau):
            after.step(hits / ROWS if schedule.monitor == "accuracy" else total / ROWS)
        else:
            after.step()
    np.testing.assert_allclose(history["learning_rate"], seen, rtol=1e-12)
    assert len(set(seen)) > 3 or "plateau" in name
    assert len(set(seen)) > 1
    assert_parity(net, reference)
