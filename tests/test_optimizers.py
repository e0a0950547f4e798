import numpy as np
import pytest

import fastnn as fn
from fastnn.optimizers import OPTIMIZERS

torch = pytest.importorskip("torch", reason="PyTorch is not installed: nothing to compare with")
import mirror  # noqa: E402

optim = torch.optim

# ours, PyTorch's
CASES = [
    (cls(), lambda p, cls=cls: mirror.optimizer_of(cls)(p, lr=cls.learning_rate)) for cls in mirror.OPTIMIZERS.values()
]
CASES += [
    (fn.SGD(0.05), lambda p: optim.SGD(p, 0.05)),
    (fn.SGD(0.05, momentum=0.9), lambda p: optim.SGD(p, 0.05, momentum=0.9)),
    (fn.SGD(0.02, momentum=0.8, nesterov=True), lambda p: optim.SGD(p, 0.02, momentum=0.8, nesterov=True)),
    (fn.SGD(0.05, momentum=0.9, l2=0.03), lambda p: optim.SGD(p, 0.05, momentum=0.9, weight_decay=0.03)),
    (fn.Adam(0.01, 0.8, 0.99, 1e-5), lambda p: optim.Adam(p, 0.01, (0.8, 0.99), 1e-5)),
    (fn.Adam(0.01, amsgrad=True), lambda p: optim.Adam(p, 0.01, amsgrad=True)),
    (fn.Adam(0.01, l2=0.03), lambda p: optim.Adam(p, 0.01, weight_decay=0.03)),
    (fn.AdamW(0.01), lambda p: optim.AdamW(p, 0.01)),
    (fn.AdamW(0.01, weight_decay=0.2, amsgrad=True), lambda p: optim.AdamW(p, 0.01, weight_decay=0.2, amsgrad=True)),
    (
        fn.NAdam(0.01, 0.85, 0.99, momentum_decay=0.01, weight_decay=0.1),
        lambda p: optim.NAdam(
            p, 0.01, (0.85, 0.99), momentum_decay=0.01, weight_decay=0.1, decoupled_weight_decay=True
        ),
    ),
    (fn.RMSprop(0.003), lambda p: optim.RMSprop(p, 0.003)),
    (fn.RMSprop(0.003, 0.9, momentum=0.7), lambda p: optim.RMSprop(p, 0.003, 0.9, momentum=0.7)),
    (fn.RMSprop(0.003, centered=True, l2=0.01), lambda p: optim.RMSprop(p, 0.003, centered=True, weight_decay=0.01)),
    (
        fn.RMSprop(0.003, centered=True, momentum=0.5),
        lambda p: optim.RMSprop(p, 0.003, centered=True, momentum=0.5),
    ),
    (fn.Adagrad(0.05), lambda p: optim.Adagrad(p, 0.05)),
    (
        fn.Adagrad(0.05, learning_rate_decay=0.01, initial_accumulator=0.3, l2=0.02),
        lambda p: optim.Adagrad(p, 0.05, lr_decay=0.01, initial_accumulator_value=0.3, weight_decay=0.02),
    ),
]


def parameter_groups(module, optimizer, decay_all):
    """The optimizer with penalties for weights only, as those who use PyTorch set it up."""
    norms = {id(p) for m in module if isinstance(m, torch.nn.LayerNorm) for p in m.parameters()}
    weights = [p for p in module.parameters() if p.ndim == 2 and id(p) not in norms]
    others = [p for p in module.parameters() if not any(p is w for w in weights)]
    groups = [{"params": weights}, {"params": others} if decay_all else {"params": others, "weight_decay": 0.0}]
    return optimizer(groups)


def compare(ours, make_torch, dtype, rng, after_backward=lambda module: None, decay_all=False, schedule=None):
    layers = [fn.Input(9), fn.Dense(21, "tanh"), fn.LayerNorm(), fn.Dense(17, "gelu"), fn.Dense(4)]
    network = fn.Network(layers, seed=5, dtype=dtype)
    module = mirror.torch_network(network)
    optimizer = parameter_groups(module, make_torch, decay_all)
    scheduler = schedule(optimizer) if schedule else None
    trainer = fn.Trainer(network, "cross_entropy", ours)
    X = rng.normal(size=(200, 33, 9)).astype(dtype)
    y, losses = rng.integers(0, 4, (200, 33)), []
    for xb, yb in zip(X, y, strict=True):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(module(torch.from_numpy(xb)), torch.from_numpy(yb))
        loss.backward()
        after_backward(module)
        optimizer.step()
        if scheduler:
            scheduler.step()
        losses.append((trainer.step(xb, yb), loss.item()))
    assert [value for value, _ in losses] == pytest.approx([expected for _, expected in losses], rel=1e-3)
    tolerance = {"float32": 1e-5, "float64": 1e-11}[dtype]
    for name, parameter in module.named_parameters():
        expected = parameter.detach().numpy()
        scale = np.abs(expected).max()
        worst = np.abs(network.parameters[name] - expected).max()
        assert worst <= tolerance * scale, (name, worst / scale)
    return network, module


@pytest.fixture
def float64_scalars():
    """PyTorch keeps NAdam's product of momenta in its default dtype."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.usefixtures("float64_scalars")
@pytest.mark.parametrize(
    ("ours", "make_torch"), CASES, ids=lambda case: repr(case) if isinstance(case, fn.optimizers.Optimizer) else ""
)
def test_200_steps_are_pytorchs(ours, make_torch, dtype, rng):
    compare(ours, make_torch, dtype, rng)


def test_decay_of_all_parameters(dtype, rng):
    compare(
        fn.Adam(0.01, l2=0.05, decay_all=True),
        lambda p: optim.Adam(p, 0.01, weight_decay=0.05),
        dtype,
        rng,
        decay_all=True,
    )


def test_clipping_by_the_norm(dtype, rng):
    compare(
        fn.SGD(0.1, momentum=0.9, clip_norm=0.05, l2=0.01),
        lambda p: optim.SGD(p, 0.1, momentum=0.9, weight_decay=0.01),
        dtype,
        rng,
        lambda module: torch.nn.utils.clip_grad_norm_(module.parameters(), 0.05),
    )


def test_clipping_by_value(dtype, rng):
    compare(
        fn.Adam(0.01, clip_value=0.003),
        lambda p: optim.Adam(p, 0.01),
        dtype,
        rng,
        lambda module: torch.nn.utils.clip_grad_value_(module.parameters(), 0.003),
    )


def test_l1(rng):
    def add_signs(module):
        for parameter in module.parameters():
            if parameter.ndim == 2:
                parameter.grad += 0.01 * parameter.detach().sign()

    compare(fn.SGD(0.05, momentum=0.5, l1=0.01), lambda p: optim.SGD(p, 0.05, momentum=0.5), "float64", rng, add_signs)


@pytest.mark.parametrize(
    ("schedule", "make_torch"),
    [
        (fn.OneCycle(0.02, steps=200), lambda o: optim.lr_scheduler.OneCycleLR(o, 0.02, 200, cycle_momentum=False)),
        (
            fn.Warmup(fn.schedules.Cosine(0.02, steps=150), steps=50, start=0.002),
            lambda o: optim.lr_scheduler.SequentialLR(
                o,
                [optim.lr_scheduler.LinearLR(o, 0.1, total_iters=50), optim.lr_scheduler.CosineAnnealingLR(o, 150)],
                milestones=[50],
            ),
        ),
    ],
    ids=["one-cycle", "warm-up and cosine"],
)
@pytest.mark.filterwarnings("ignore")
def test_schedules_drive_the_optimizer(schedule, make_torch, rng):
    compare(fn.AdamW(schedule), lambda p: optim.AdamW(p, 0.02), "float64", rng, schedule=make_torch)


def test_names_make_the_defaults():
    network = fn.Network([fn.Input(4), fn.Dense(2)])
    for name, cls in OPTIMIZERS.items():
        assert fn.Trainer(network, "mean_squared", name).optimizer == cls()


NAMES = {"lr": "learning_rate", "eps": "epsilon", "alpha": "smoothing", "lr_decay": "learning_rate_decay"}
NAMES |= {"initial_accumulator_value": "initial_accumulator"}


@pytest.mark.parametrize("cls", mirror.OPTIMIZERS.values())
def test_defaults_are_pytorchs(cls):
    ours, theirs = cls(), mirror.optimizer_of(cls)([torch.nn.Parameter(torch.zeros(1))]).defaults
    if "betas" in theirs:
        assert (ours.beta1, ours.beta2) == theirs["betas"]
    if cls is fn.SGD:
        del theirs["lr"]
    shared = {name for name in theirs if hasattr(ours, NAMES.get(name, name))}
    assert "weight_decay" in shared
    assert {name: getattr(ours, NAMES.get(name, name)) for name in shared} == {name: theirs[name] for name in shared}


def test_repr():
    assert repr(fn.AdamW()) == "AdamW()"
    assert repr(fn.AdamW(weight_decay=0.1)) == "AdamW(weight_decay=0.1)"
    assert eval(repr(fn.SGD(fn.OneCycle(0.1, 9), momentum=0.9, clip_norm=1.0)), vars(fn)) == fn.SGD(
        fn.OneCycle(0.1, 9), momentum=0.9, clip_norm=1.0
    )


@pytest.mark.parametrize(
    ("make", "error", "fragments"),
    [
        (lambda: fn.SGD(-0.1), ValueError, ["learning_rate", "at least 0", "-0.1"]),
        (lambda: fn.SGD("fast"), TypeError, ["learning_rate", "number", "'fast'"]),
        (lambda: fn.SGD(float("nan")), ValueError, ["learning_rate", "finite", "nan"]),
        (lambda: fn.SGD(momentum=1.0), ValueError, ["momentum", "below 1", "1.0"]),
        (lambda: fn.SGD(nesterov=True), ValueError, ["nesterov", "momentum"]),
        (lambda: fn.SGD(nesterov=1, momentum=0.9), TypeError, ["nesterov", "True or False", "1"]),
        (lambda: fn.Adam(beta1=1.0), ValueError, ["beta1", "below 1"]),
        (lambda: fn.Adam(beta2=-0.1), ValueError, ["beta2", "at least 0"]),
        (lambda: fn.Adam(epsilon=0), ValueError, ["epsilon", "at least 1e-37"]),
        (lambda: fn.Adam(weight_decay=-1), ValueError, ["weight_decay", "at least 0"]),
        (lambda: fn.Adam(clip_norm=0), ValueError, ["clip_norm", "above 0"]),
        (lambda: fn.Adam(clip_value=float("inf")), ValueError, ["clip_value", "finite"]),
        (lambda: fn.RMSprop(smoothing=1), ValueError, ["smoothing", "below 1"]),
        (lambda: fn.Adagrad(initial_accumulator=-1), ValueError, ["initial_accumulator", "at least 0"]),
    ],
)
def test_bad_arguments(make, error, fragments):
    with pytest.raises(error) as caught:
        make()
    for fragment in fragments:
        assert fragment in str(caught.value)
