"""Calls that must fail, by what their error has to say; and that nothing changed."""

import numpy as np
import pytest

import fastnn as fn

X = np.ones((12, 5), dtype=np.float32)
Y = np.arange(12) % 3


def classifier(**options):
    network = fn.Network([fn.Input(5), fn.Dense(4, "relu"), fn.Dense(3)])
    return fn.Trainer(network, "cross_entropy", batch_size=4, **options)


def changed(array, value, *place, dtype=np.float32):
    array = array.astype(dtype)
    array[place] = value
    return array


NETWORK = fn.Network([fn.Input(5), fn.Dense(3)])
ONE_OUTPUT = fn.Network([fn.Input(5), fn.Dense(1)])
SIGMOID = fn.Network([fn.Input(5), fn.Dense(3, "sigmoid")])
SOFTMAX = fn.Network([fn.Input(5), fn.Dense(3, "softmax")])


@pytest.mark.parametrize(
    ("make", "error", "fragments"),
    [
        (lambda: fn.Trainer([fn.Dense(3)], "huber"), TypeError, ["network", "Network", "list"]),
        (lambda: fn.Trainer(NETWORK, "crossentropy"), ValueError, ["loss", "did you mean 'cross_entropy'"]),
        (lambda: fn.Trainer(NETWORK, fn.Huber), TypeError, ["loss", "class", "Huber(...)"]),
        (lambda: fn.Trainer(NETWORK, None), TypeError, ["loss", "'huber'", "a Loss", "None"]),
        (lambda: fn.Trainer(NETWORK, fn.Adam()), TypeError, ["loss", "Adam()"]),
        (lambda: fn.Trainer(ONE_OUTPUT, "cross_entropy"), ValueError, ["at least 2", "binary_cross_entropy"]),
        (lambda: fn.Trainer(SIGMOID, "cross_entropy"), ValueError, ["logits", "'sigmoid'"]),
        (lambda: fn.Trainer(SOFTMAX, "binary_cross_entropy"), ValueError, ["logits", "'softmax'"]),
        (lambda: fn.Trainer(NETWORK, fn.Pinball([0.1, 0.9])), ValueError, ["pinball", "2 outputs", "got 3"]),
        (lambda: fn.Trainer(NETWORK, "huber", "adm"), ValueError, ["optimizer", "did you mean 'adam'"]),
        (lambda: fn.Trainer(NETWORK, "huber", fn.Adam), TypeError, ["optimizer", "class", "Adam(...)"]),
        (lambda: fn.Trainer(NETWORK, "huber", batch_size=0), ValueError, ["batch_size", "at least 1", "0"]),
        (lambda: fn.Trainer(NETWORK, "huber", batch_size="all"), ValueError, ["batch_size", "'full'", "'all'"]),
        (lambda: fn.Trainer(NETWORK, "huber", batch_size=8.0), TypeError, ["batch_size", "integer", "8.0"]),
        (lambda: fn.Trainer(NETWORK, "huber", seed=-1), ValueError, ["seed", "at least 0"]),
        (lambda: fn.Trainer(NETWORK, "huber", threads=0), ValueError, ["threads", "at least 1"]),
        (lambda: fn.Trainer(NETWORK, "huber", threads=65), ValueError, ["threads", "at most 64"]),
        (lambda: fn.Trainer(NETWORK, "huber", threads="many"), ValueError, ["threads", "'auto'", "'many'"]),
        (lambda: fn.Trainer(NETWORK, "huber", shuffle=1), TypeError, ["shuffle", "True or False"]),
        (lambda: fn.Trainer(NETWORK, "huber", class_weight={0: 1}), ValueError, ["class_weight", "'huber'"]),
        (lambda: classifier(class_weight={3: 1.0}), ValueError, ["class_weight", "at most 2", "3"]),
        (lambda: classifier(class_weight={"a": 1.0}), TypeError, ["class_weight", "integer", "'a'"]),
        (lambda: classifier(class_weight={0: -1.0}), ValueError, ["class_weight", "at least 0", "-1.0"]),
        (lambda: classifier(class_weight=[1, 2]), ValueError, ["class_weight", "3 classes", "(2,)"]),
        (lambda: classifier(class_weight=[0, 0, 0]), ValueError, ["class_weight", "every class"]),
        (lambda: classifier(class_weight="even"), ValueError, ["class_weight", "'balanced'", "'even'"]),
    ],
)
def test_bad_trainers(make, error, fragments):
    with pytest.raises(error) as caught:
        make()
    for fragment in fragments:
        assert fragment in str(caught.value)


@pytest.mark.parametrize("call", ["fit", "step", "evaluate"])
@pytest.mark.parametrize(
    ("X", "y", "sample_weight", "error", "fragments"),
    [
        (X[:, :4], Y, None, ValueError, ["X", "5 features", "got 4"]),
        (X[0], Y, None, ValueError, ["X", "(n, 5)", "(5,)", "X[None, :]"]),
        (X[:0], Y[:0], None, ValueError, ["X", "at least one row", "(0, 5)"]),
        ([], [], None, ValueError, ["X", "(n, 5)", "(0,)"]),
        (changed(X, np.nan, 7, 3), Y, None, ValueError, ["X", "nan", "row 7, column 3"]),
        (changed(X, np.inf, 11, 4), Y, None, ValueError, ["X", "inf", "row 11, column 4"]),
        (changed(X, 1e39, 2, 0, dtype=float), Y, None, ValueError, ["X", "float32", "1e+39", "row 2, column 0"]),
        (X.astype(str), Y, None, TypeError, ["X", "real numbers"]),
        (X.astype(object), Y, None, TypeError, ["X", "real numbers", "object"]),
        (X.astype(complex), Y, None, TypeError, ["X", "real numbers", "complex"]),
        (X.astype("datetime64[s]"), Y, None, TypeError, ["X", "real numbers", "datetime"]),
        (X, Y[:11], None, ValueError, ["y", "as many rows as X, 12", "11"]),
        (X, Y + 1, None, ValueError, ["y", "labels from 0 to 2", "got 3 in row 2"]),
        (X, Y.astype(float), None, ValueError, ["y", "integer labels", "float64"]),
        (X, None, None, TypeError, ["y", "real numbers"]),
        (X, Y, np.ones(11), ValueError, ["sample_weight", "(12,)", "(11,)"]),
        (X, Y, np.ones((12, 1)), ValueError, ["sample_weight", "(12,)", "(12, 1)"]),
        (X, Y, changed(np.ones(12), -0.5, 4), ValueError, ["sample_weight", "at least 0", "-0.5", "row 4"]),
        (X, Y, changed(np.ones(12), np.nan, 4), ValueError, ["sample_weight", "finite", "row 4"]),
        (X, Y, np.zeros(12), ValueError, ["sample_weight", "not be 0 in every row"]),
        (X, Y, ["a"] * 12, TypeError, ["sample_weight", "real numbers"]),
    ],
)
def test_bad_data_change_nothing(call, X, y, sample_weight, error, fragments):
    trainer = classifier()
    before = trainer.network.digest()
    with pytest.raises(error) as caught:
        getattr(trainer, call)(X, y, sample_weight=sample_weight)
    for fragment in fragments:
        assert fragment in str(caught.value)
    assert (trainer.network.digest(), trainer.steps, trainer.epoch, len(trainer.history)) == (before, 0, 0, 0)


@pytest.mark.parametrize(
    ("options", "error", "fragments"),
    [
        ({"epochs": -1}, ValueError, ["epochs", "at least 0"]),
        ({"epochs": 1.5}, TypeError, ["epochs", "integer"]),
        ({"max_seconds": 0}, ValueError, ["max_seconds", "above 0"]),
        ({"max_seconds": "1"}, TypeError, ["max_seconds", "number"]),
        ({"progress": "yes"}, ValueError, ["progress", "'auto'"]),
        ({"progress": 1}, TypeError, ["progress", "'auto'"]),
        ({"validation_data": X}, TypeError, ["validation_data", "(X, y)"]),
        ({"validation_data": (X,)}, TypeError, ["validation_data", "(X, y)"]),
        ({"validation_data": (X[:, :4], Y)}, ValueError, ["validation X", "5 features", "4"]),
        ({"validation_data": (X, Y[1:])}, ValueError, ["validation y", "as many rows as validation X", "11"]),
        ({"validation_data": (changed(X, np.nan, 1, 2), Y)}, ValueError, ["validation X", "row 1, column 2"]),
        ({"validation_data": (X, Y, np.zeros(12))}, ValueError, ["validation sample_weight", "every row"]),
        ({"validation_fraction": 1.0}, ValueError, ["validation_fraction", "below 1"]),
        ({"validation_fraction": 0.01}, ValueError, ["validation_fraction", "at least one row", "0.01 of 12"]),
        ({"validation_fraction": 0.5, "validation_data": (X, Y)}, ValueError, ["exclude each other"]),
        ({"callbacks": 3}, TypeError, ["callbacks", "int 3"]),
    ],
)
def test_bad_fits_change_nothing(options, error, fragments):
    trainer = classifier()
    before = trainer.network.digest()
    with pytest.raises(error) as caught:
        trainer.fit(X, Y, **options)
    for fragment in fragments:
        assert fragment in str(caught.value)
    assert (trainer.network.digest(), trainer.steps, trainer.epoch, len(trainer.history)) == (before, 0, 0, 0)


def test_class_weights_that_do_not_fit_the_targets():
    with pytest.raises(ValueError, match="class labels, not probabilities"):
        classifier(class_weight=[1, 2, 3]).fit(X, np.eye(3)[Y])
    with pytest.raises(ValueError, match="must not make every row's weight 0"):
        classifier(class_weight=[0, 0, 1]).fit(X[:4], np.zeros(4, dtype=int))
    many = fn.Network([fn.Input(5), fn.Dense(3)])
    with pytest.raises(ValueError, match="'binary_cross_entropy' with 3 outputs"):
        fn.Trainer(many, "binary_cross_entropy", class_weight={0: 2.0})


def test_a_bad_step_after_good_ones_changes_nothing():
    trainer = classifier()
    trainer.step(X, Y)
    before = trainer.network.digest(), trainer.steps
    for bad in (changed(X, np.nan, 0, 0), X[:, :3], X.astype(str)):
        with pytest.raises((ValueError, TypeError)):
            trainer.step(bad, Y)
    with pytest.raises(ValueError, match="got -1 in row 5"):
        trainer.step(X, changed(Y, -1, 5, dtype=np.int64))
    with pytest.raises(ValueError, match="got 3 in row 5"):
        trainer.step(X, changed(Y, 3, 5, dtype=np.int64))
    assert (trainer.network.digest(), trainer.steps) == before


@pytest.mark.parametrize(
    ("options", "error", "fragments"),
    [
        ({"network": "net"}, TypeError, ["network", "'net'"]),
        ({"loss": "hubr"}, ValueError, ["loss", "did you mean 'huber'"]),
        ({"epsilon": 0}, ValueError, ["epsilon", "above 0"]),
        ({"seed": "a"}, TypeError, ["seed", "integer"]),
        ({"X": X[:, :2]}, ValueError, ["X", "5 features"]),
        ({"y": Y + 5}, ValueError, ["y", "labels"]),
        ({"sample_weight": np.zeros(12)}, ValueError, ["sample_weight"]),
    ],
)
def test_bad_gradient_checks(options, error, fragments):
    arguments = {"network": NETWORK, "loss": "cross_entropy", "X": X, "y": Y} | options
    with pytest.raises(error) as caught:
        fn.gradient_check(**arguments)
    for fragment in fragments:
        assert fragment in str(caught.value)


@pytest.mark.parametrize("n", [0, 65, 1.5, "2", True, None])
def test_bad_numbers_of_threads(n):
    before = fn.get_num_threads()
    with pytest.raises((ValueError, TypeError), match="from 1 to 64"):
        fn.set_num_threads(n)
    assert fn.get_num_threads() == before
