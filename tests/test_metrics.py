import numpy as np
import pytest
from sklearn import metrics as sk

import fastnn as fn
from fastnn import metrics


@pytest.fixture(params=[None, "weighted"])
def weights(request, rng):
    return None if request.param is None else rng.uniform(0, 2, 97)


@pytest.mark.parametrize("k", [1, 2, 5, 7])
def test_top_k(rng, weights, k):
    outputs, y = rng.normal(size=(97, 7)), rng.integers(0, 7, 97)
    metric = metrics.TopK(k)
    assert metric.name == f"top_{k}"
    found = metric(outputs.astype(np.float32), y, weights)
    expected = sk.top_k_accuracy_score(y, outputs, k=k, labels=range(7), sample_weight=weights) if k < 7 else 1.0
    assert found == pytest.approx(expected, rel=1e-12)
    assert metric(outputs, np.eye(7)[y], weights) == pytest.approx(expected, rel=1e-12)


def test_of_equal_outputs_the_earlier_comes_first():
    outputs, y = np.zeros((3, 3)), np.arange(3)
    assert metrics.TopK(1)(outputs, y) == pytest.approx(1 / 3)
    assert metrics.TopK(2)(outputs, y) == pytest.approx(2 / 3)


@pytest.mark.parametrize("columns", [1, 3])
def test_regression_metrics_are_scikit_learns(rng, weights, columns):
    y = rng.normal(size=(97, columns)) * [[5.0, 1.0, 0.1][:columns]]
    outputs = (y + 0.3 * rng.normal(size=y.shape)).astype(np.float32)
    options = {"sample_weight": weights}
    assert metrics.MeanAbsoluteError()(outputs, y, weights) == pytest.approx(
        sk.mean_absolute_error(y, outputs, **options), rel=1e-12
    )
    assert metrics.RootMeanSquaredError()(outputs, y, weights) == pytest.approx(
        np.sqrt(sk.mean_squared_error(y, outputs, **options)), rel=1e-12
    )
    assert metrics.R2()(outputs, y, weights) == pytest.approx(sk.r2_score(y, outputs, **options), rel=1e-12)


def test_r2_of_a_constant():
    y = np.ones((5, 1))
    assert metrics.R2()(y, y) == sk.r2_score(y, y) == 1.0
    assert metrics.R2()(y + 1, y) == sk.r2_score(y, y + 1) == 0.0


def test_values_do_not_depend_on_the_layout(rng):
    y, outputs = rng.normal(size=(97, 3)), rng.normal(size=(97, 3))
    for metric in (metrics.MeanAbsoluteError(), metrics.RootMeanSquaredError(), metrics.R2()):
        assert metric(outputs, y) == metric(np.asfortranarray(outputs), np.repeat(y, 2, axis=0)[::2])


def test_metrics_in_evaluate_and_history(rng):
    X, y = rng.normal(size=(97, 4)).astype(np.float32), rng.normal(size=(97, 2)).astype(np.float32)
    network = fn.Network([fn.Input(4), fn.Dense(2)])
    trainer = fn.Trainer(network, "mean_squared", metrics=["mae", "rmse", metrics.R2()])
    history = trainer.fit(X, y, epochs=2, validation_data=(X, y))
    found = trainer.evaluate(X, y)
    outputs = network.predict(X)
    assert found["mae"] == history["val_mae"][-1] == pytest.approx(sk.mean_absolute_error(y, outputs), rel=1e-6)
    assert found["r2"] == history["val_r2"][-1] == pytest.approx(sk.r2_score(y, outputs), rel=1e-6)
    assert found["rmse"] ** 2 == pytest.approx(found["loss"], rel=1e-6)


def test_poisson_metrics_are_about_rates(rng):
    X, y = rng.normal(size=(97, 4)).astype(np.float32), rng.poisson(3.0, 97)
    network = fn.Network([fn.Input(4), fn.Dense(1)])
    found = fn.Trainer(network, "poisson", metrics="mae").evaluate(X, y)["mae"]
    assert found == pytest.approx(sk.mean_absolute_error(y, np.exp(network.predict(X).astype(float))), rel=1e-12)


def test_accuracy_is_reported_anyway():
    network = fn.Network([fn.Input(4), fn.Dense(3)])
    trainer = fn.Trainer(network, "cross_entropy", metrics=["accuracy"])
    assert trainer.evaluate(np.ones((2, 4)), [0, 1]).keys() == {"loss", "accuracy"}


def test_what_is_maximised():
    for column in ("accuracy", "val_accuracy", "val_top_5", "r2", "val_r2"):
        assert metrics.is_maximised(column)
    for column in ("loss", "val_loss", "val_mae", "val_rmse", "learning_rate"):
        assert not metrics.is_maximised(column)


@pytest.mark.parametrize(
    ("loss", "given", "error", "fragments"),
    [
        ("cross_entropy", "acuracy", ValueError, ["metrics", "did you mean 'accuracy'"]),
        ("cross_entropy", ["mae"], ValueError, ["'mae'", "number", "CrossEntropy"]),
        ("mean_squared", ["accuracy"], ValueError, ["'accuracy'", "classes", "mean_squared"]),
        ("binary_cross_entropy", ["top_k"], ValueError, ["'top_5'", "classes"]),
        (fn.Pinball([0.2, 0.8]), ["mae"], ValueError, ["'mae'", "Pinball"]),
        ("cross_entropy", metrics.TopK(5), ValueError, ["k", "at most", "4", "got 5"]),
        ("mean_squared", ["mae", "mae"], ValueError, ["twice", "mae, mae"]),
        ("mean_squared", [metrics.R2], TypeError, ["class", "R2(...)"]),
        ("mean_squared", [3], TypeError, ["metrics", "int 3"]),
    ],
)
def test_metrics_that_do_not_fit(loss, given, error, fragments):
    with pytest.raises(error) as caught:
        fn.Trainer(fn.Network([fn.Input(3), fn.Dense(4)]), loss, metrics=given)
    for fragment in fragments:
        assert fragment in str(caught.value)


def test_a_mean_of_ones_own():
    values = np.array([1.0, 3.0])
    assert fn.metrics.mean([1, 3]) == 2.0
    assert fn.metrics.mean(values, [0.0, 2.0]) == 3.0
    with pytest.raises(ValueError, match="weights must not be 0 in every row"):
        fn.metrics.mean(values, np.zeros(2))
    with pytest.raises(ValueError, match="weights must have shape"):  # rather than be stretched over the rows
        fn.metrics.mean(values, [1.0])
    for none in ([], [values, values]):
        with pytest.raises(ValueError, match="values must have shape"):
            fn.metrics.mean(none)
