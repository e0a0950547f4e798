import numpy as np
import pytest
from mirror import row_losses, torch_network
from suited import NUMERIC, kind_of_targets

import fastnn as fn
from fastnn.losses import LOSSES

torch = pytest.importorskip("torch", reason="PyTorch is not installed: nothing to compare with")

# loss, outputs of the network, how targets are drawn
CASES = [(cls(), n_outputs, kind_of_targets(cls)) for cls in NUMERIC.values() for n_outputs in (1, 3)]
CASES += [
    (fn.Huber(0.7), 3, "reals"),
    (fn.Pinball(0.3), 2, "reals"),
    (fn.Pinball([0.1, 0.5, 0.9]), 6, "reals 2"),
    (fn.CrossEntropy(), 5, "labels"),
    (fn.CrossEntropy(0.1), 5, "labels"),
    (fn.CrossEntropy(), 5, "soft"),
    (fn.CrossEntropy(0.2), 5, "soft"),
]


def targets(kind, n, n_outputs, rng, dtype):
    if kind == "labels":
        return rng.integers(0, n_outputs, n)
    if kind == "soft":
        return rng.dirichlet(np.ones(n_outputs), n).astype(dtype)
    if kind == "bits":
        return rng.integers(0, 2, (n, n_outputs)).astype(dtype)
    if kind == "counts":
        return rng.poisson(2.0, (n, n_outputs)).astype(dtype)
    return rng.normal(size=(n, int(kind[6:] or n_outputs))).astype(dtype)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]!r}-{case[1]}-{case[2]}")
@pytest.mark.parametrize("weighted", [False, True])
def test_losses_and_their_gradients_are_pytorchs(case, weighted, rng, dtype):
    loss, n_outputs, kind = case
    network = fn.Network([fn.Input(6), fn.Dense(12, "tanh"), fn.Dense(n_outputs)], seed=3, dtype=dtype)
    X = rng.normal(size=(83, 6)).astype(dtype)
    y = targets(kind, 83, n_outputs, rng, dtype)
    weights = rng.uniform(0, 3, 83) if weighted else None
    mirror = torch_network(network)
    losses = row_losses(loss, mirror(torch.from_numpy(X)), torch.from_numpy(y))
    w = torch.from_numpy(np.ones(83) if weights is None else weights).to(losses.dtype)
    expected = (losses * w).sum() / w.sum()
    expected.backward()
    trainer = fn.Trainer(network, loss, fn.SGD(1.0))
    tolerance = {"float32": 2e-5, "float64": 1e-12}[dtype]
    value = trainer.evaluate(X, y, weights)["loss"]
    assert value == pytest.approx(expected.item(), rel=tolerance)
    assert trainer.step(X, y, weights) == pytest.approx(value, rel=1e-12)
    for name, parameter in mirror.named_parameters():
        stepped = (parameter - parameter.grad).detach().numpy()
        np.testing.assert_allclose(network.parameters[name], stepped, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]!r}-{case[1]}-{case[2]}")
def test_gradients_hold_against_central_differences(case, rng):
    loss, n_outputs, kind = case
    network = fn.Network(
        [fn.Input(6), fn.Dense(9, "gelu"), fn.LayerNorm(), fn.Dropout(0.2), fn.Dense(n_outputs)], seed=3
    )
    y = targets(kind, 20, n_outputs, rng, "float64")
    assert fn.gradient_check(network, loss, rng.normal(size=(20, 6)), y, rng.uniform(0.5, 2, 20)).max < 2e-6


@pytest.mark.parametrize(
    ("loss", "ending", "kind", "n_outputs"),
    [("cross_entropy", "softmax", "labels", 4), ("binary_cross_entropy", "sigmoid", "bits", 3)],
)
def test_an_activation_that_the_loss_undoes(loss, ending, kind, n_outputs, rng, dtype):
    y = targets(kind, 40, n_outputs, rng, dtype)
    X = (100 * rng.normal(size=(40, 6))).astype(dtype)  # far into saturation
    raw = fn.Network([fn.Input(6), fn.Dense(n_outputs)], dtype=dtype)
    ended = fn.Network([fn.Input(6), fn.Dense(n_outputs, ending)], dtype=dtype)
    trainers = [fn.Trainer(network, loss, "adam", batch_size=8) for network in (raw, ended)]
    histories = [dict(trainer.fit(X, y, epochs=3, validation_data=(X, y))) for trainer in trainers]
    assert histories[0] == histories[1]
    for name, array in raw.parameters.items():
        np.testing.assert_array_equal(ended.parameters[name], array)
    assert ended.predict(X).max() <= 1


def test_integer_labels_one_hot_and_their_kinds_agree(rng):
    y = rng.integers(0, 3, 50)
    X = rng.normal(size=(50, 4)).astype(np.float32)
    digests = set()
    for given in (y, y.astype(np.uint8), y.astype(np.int32), y[:, None], y.tolist(), np.repeat(y, 2)[::2]):
        trainer = fn.Trainer(fn.Network([fn.Input(4), fn.Dense(3)]), "cross_entropy", batch_size=7)
        trainer.fit(X, given, epochs=2)
        digests.add(trainer.network.digest())
    assert len(digests) == 1
    losses = [trainer.evaluate(X, given)["loss"] for given in (y, np.eye(3)[y], np.eye(3, dtype=int)[y])]
    assert losses[0] == pytest.approx(losses[1], rel=1e-12)
    assert losses[1] == losses[2]


def test_one_output_takes_a_vector(rng):
    X = rng.normal(size=(30, 4)).astype(np.float32)
    y = rng.integers(0, 2, 30)
    for loss in NUMERIC:
        trainer = fn.Trainer(fn.Network([fn.Input(4), fn.Dense(1)]), loss)
        assert trainer.evaluate(X, y) == trainer.evaluate(X, y[:, None]) == trainer.evaluate(X, y.astype(bool))


def test_accuracy_counts_hits(rng):
    X = rng.normal(size=(200, 4)).astype(np.float32)
    network = fn.Network([fn.Input(4), fn.Dense(3)])
    y, weights = rng.integers(0, 3, 200), rng.uniform(size=200)
    hits = network.predict(X).argmax(axis=1) == y
    trainer = fn.Trainer(network, "cross_entropy")
    assert trainer.evaluate(X, y)["accuracy"] == pytest.approx(hits.mean())
    assert trainer.evaluate(X, y, weights)["accuracy"] == pytest.approx(np.average(hits, weights=weights))
    binary = fn.Trainer(network, "binary_cross_entropy")
    bits = rng.integers(0, 2, (200, 3))
    assert binary.evaluate(X, bits)["accuracy"] == pytest.approx(((network.predict(X) > 0) == bits).mean())
    assert "accuracy" not in fn.Trainer(network, "mean_squared").evaluate(X, bits)


def test_names_make_the_defaults():
    network = fn.Network([fn.Input(4), fn.Dense(2)])
    for name, cls in LOSSES.items():
        assert fn.Trainer(network, name).loss == cls()
        assert cls.kind == name


X, N = np.ones((4, 6), dtype=np.float32), np.nan


@pytest.mark.parametrize(
    ("loss", "n_outputs", "y", "error", "fragments"),
    [
        ("mean_squared", 2, [1, 2, 3, 4], ValueError, ["y", "(n, 2)", "(4,)", "mean_squared"]),
        ("mean_squared", 1, np.ones((4, 2)), ValueError, ["y", "(n, 1) or (n,)", "(4, 2)"]),
        ("mean_squared", 1, [1, 2, 3], ValueError, ["y", "as many rows as X, 4", "3"]),
        ("mean_squared", 1, [1, N, 3, 4], ValueError, ["y", "finite", "nan", "row 1"]),
        ("mean_squared", 2, [[1, 1], [1, 1], [1, np.inf], [1, 1]], ValueError, ["y", "inf", "row 2", "column 1"]),
        ("mean_squared", 1, [1, 2, 3, 1e39], ValueError, ["y", "fit in float32", "row 3"]),
        ("mean_squared", 1, list("abcd"), TypeError, ["y", "real numbers"]),
        ("mean_squared", 1, [1, 2, 3, 4j], TypeError, ["y", "real numbers", "complex"]),
        ("mean_squared", 1, [], ValueError, ["y", "as many rows"]),
        ("poisson", 1, [1, 2, -3, 4], ValueError, ["y", "at least 0", "-3", "row 2"]),
        ("cross_entropy", 3, [0, 1, 3, 2], ValueError, ["y", "labels from 0 to 2", "3 outputs", "got 3 in row 2"]),
        ("cross_entropy", 3, [0, -1, 0, 2], ValueError, ["y", "labels from 0 to 2", "got -1 in row 1"]),
        ("cross_entropy", 3, [0.0, 1.0, 0.0, 2.0], ValueError, ["y", "integer labels", "float64", "(4,)"]),
        ("cross_entropy", 3, np.ones((4, 2)), ValueError, ["y", "(n, 3)", "(4, 2)"]),
        ("cross_entropy", 3, np.eye(4, 3) - 0.5, ValueError, ["y", "at least 0", "-0.5", "row 0, column 1"]),
        ("cross_entropy", 3, list("abca"), TypeError, ["y", "real numbers"]),
        ("cross_entropy", 3, np.array([0, 1, 2, 1], dtype=object), TypeError, ["y", "object"]),
        ("binary_cross_entropy", 1, [0, 1, 2, 0], ValueError, ["y", "from 0 to 1", "2.0", "row 2"]),
        ("binary_cross_entropy", 3, [0, 1, 1, 0], ValueError, ["y", "(n, 3)", "(4,)"]),
        (fn.Pinball([0.1, 0.9]), 4, np.ones((4, 4)), ValueError, ["y", "(n, 2)", "(4, 4)"]),
    ],
)
def test_targets_that_do_not_fit_change_nothing(loss, n_outputs, y, error, fragments):
    network = fn.Network([fn.Input(6), fn.Dense(n_outputs)])
    trainer = fn.Trainer(network, loss, batch_size=2)
    before = network.digest()
    for call in (trainer.fit, trainer.step, trainer.evaluate):
        with pytest.raises(error) as caught:
            call(X, y)
        for fragment in fragments:
            assert fragment in str(caught.value)
    assert (network.digest(), trainer.steps, trainer.epoch) == (before, 0, 0)


@pytest.mark.parametrize(
    ("make", "error", "fragments"),
    [
        (lambda: fn.Huber(0), ValueError, ["delta", "above 0"]),
        (lambda: fn.Pinball([]), ValueError, ["quantiles", "at least one"]),
        (lambda: fn.Pinball([0.5, 1.0]), ValueError, ["quantiles", "below 1"]),
        (lambda: fn.Pinball("median"), TypeError, ["quantiles", "number"]),
        (lambda: fn.CrossEntropy(1.0), ValueError, ["label_smoothing", "below 1"]),
    ],
)
def test_bad_arguments(make, error, fragments):
    with pytest.raises(error) as caught:
        make()
    for fragment in fragments:
        assert fragment in str(caught.value)
