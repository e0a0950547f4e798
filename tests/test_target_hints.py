"""Targets that do not fit: the error says how they, or the network, come to; and that is true."""

import re

import numpy as np
import pytest

import fastnn as fn

X = np.arange(8.0).reshape(4, 2)
Y = np.array([0, 1, 0, 1])
ONE_HOT = np.eye(2)[Y]
NUMBERED = r"np\.unique\(y, return_inverse=True\)\[1\]"


def trainer(n_outputs, loss):
    return fn.Trainer(fn.Network([fn.Input(2), fn.Dense(n_outputs)]), loss)


@pytest.mark.parametrize(
    ("n_outputs", "loss", "y", "hint"),
    [
        (3, "cross_entropy", ["a", "b", "a", "b"], rf"dtype <U1: {NUMBERED} numbers the classes from 0; fn\.sklearn"),
        (3, "cross_entropy", np.array(["a", "b", "a", "b"], object), rf"dtype object: {NUMBERED} numbers the classes"),
        (1, "binary_cross_entropy", ["a", "b", "a", "b"], rf": {NUMBERED} numbers the classes"),
        (1, "mean_squared", ["1", "2", "3", "4"], r": np\.asarray\(y, dtype=float\) reads numbers written as text$"),
        (3, "cross_entropy", [1, 2, 3, 1], r"got 3 in row 2: classes are numbered from 0, y - 1$"),
        (3, "cross_entropy", [0, 1, 4, 1], r"got 4 in row 2: 5 classes take as many outputs, fn\.Dense\(5\)"),
        (2, "cross_entropy", [-1, 1, 1, -1], rf"got -1 in row 0: {NUMBERED} numbers the classes from 0$"),
        (3, "cross_entropy", Y.astype(float), r"float64 of shape \(4,\): y\.astype\(int\) makes labels"),
        (3, "cross_entropy", [0.5, 1.5, 2.0, 0.0], r"of shape \(4,\): numbers are for the loss 'mean_squared'$"),
        (3, "cross_entropy", ONE_HOT, r"of shape \(4, 2\): the network would have to end in fn\.Dense\(2\)$"),
        (1, "binary_cross_entropy", Y + 1, rf"got 2\.0 in row 1, column 0: two classes are 0 and 1, {NUMBERED}$"),
        (1, "binary_cross_entropy", [0, 1, 2, 3], r": more than two classes are for the loss 'cross_entropy'"),
        (1, "binary_cross_entropy", [0.5, 1.5, 0.0, 1.0], r"got 1\.5 in row 1, column 0$"),
        (1, "binary_cross_entropy", ONE_HOT, r"one-hot rows are for the loss 'cross_entropy' .* fn\.Dense\(2\)$"),
        (3, "binary_cross_entropy", Y, r": labels of one class a row are for the loss 'cross_entropy'$"),
        (3, "mean_squared", Y, r"got shape \(4,\): the network ends in 3 units; fn\.Dense\(1\) would fit$"),
        (1, "mean_squared", X, r"got shape \(4, 2\): the network ends in 1 unit; fn\.Dense\(2\) would fit$"),
        (3, fn.Pinball([0.1, 0.5, 0.9]), X, r"the network ends in 3 units; fn\.Dense\(6\) would fit$"),
        (1, "mean_squared", np.ones((4, 1, 1)), r"got shape \(4, 1, 1\)$"),
        (1, "mean_squared", None, r"^y must be an array of real numbers; got None$"),
        (1, "mean_squared", iter([1.0]), r"got a list_iterator: np\.array\(list\(…\)\) makes an array of all rows"),
    ],
)
def test_what_makes_them_fit_is_said(n_outputs, loss, y, hint):
    with pytest.raises((TypeError, ValueError)) as caught:
        trainer(n_outputs, loss).fit(X, y)
    assert re.search(hint, str(caught.value)), str(caught.value)


def test_what_is_said_helps():
    numbered = np.unique(["b", "a", "b", "a"], return_inverse=True)[1]
    trainer(2, "cross_entropy").fit(X, numbered)
    trainer(2, "cross_entropy").fit(X, ONE_HOT)
    trainer(1, "binary_cross_entropy").fit(X, numbered)
    trainer(3, "cross_entropy").fit(X, np.array([1, 2, 3, 1]) - 1)
    trainer(5, "cross_entropy").fit(X, [0, 1, 4, 1])
    trainer(6, fn.Pinball([0.1, 0.5, 0.9])).fit(X, X)
    trainer(2, "mean_squared").fit(X, X)
    for y in (Y, Y[:, None]):
        trainer(1, "mean_squared").fit(X, y)


def test_data_in_pieces():
    with pytest.raises(
        TypeError, match=r"^X must be an array of real numbers; got a generator: np\.array\(list\(…\)\)"
    ):
        trainer(1, "mean_squared").fit((row for row in X), Y)
    with pytest.raises(TypeError, match=r"is missing the argument 'y': the rows and their targets are two arrays"):
        trainer(1, "mean_squared").fit(zip(X, Y, strict=True))


@pytest.mark.parametrize(
    ("callbacks", "hint"),
    [
        (fn.schedules.Cosine(0.1, 9), r"for the optimizer, optimizer=fn\.Adam\(Cosine\(0\.1, 9\)\)$"),
        (fn.EarlyStopping, r"write EarlyStopping\(\.\.\.\)$"),
        ("early_stopping", "got str 'early_stopping'$"),
        (lambda trainer, epoch, values: None, r"fn\.LambdaCallback\(on_epoch_end=…\) makes one of a function$"),
        (fn.EarlyStopping(monitor="val_loss"), "got 'val_loss': fit has no validation data$"),
        (fn.EarlyStopping(monitor="val_accuracy"), "got 'val_accuracy': fit has no validation data$"),
        (fn.EarlyStopping(monitor="acc"), r"got 'acc' \(did you mean 'accuracy'\?\)$"),
    ],
)
def test_callbacks(callbacks, hint):
    with pytest.raises((TypeError, ValueError)) as caught:
        trainer(2, "cross_entropy").fit(X, Y, callbacks=callbacks)
    assert re.search(hint, str(caught.value)), str(caught.value)


def test_missing_labels():
    with pytest.raises(ValueError, match=r"got float64 of shape .*: nan in row 1 is no label$"):
        trainer(2, "cross_entropy").fit(X[:3], [0.0, np.nan, 1.0])


def test_a_monitor_of_validation_data():
    early = fn.EarlyStopping(monitor="val_acc")
    with pytest.raises(ValueError, match=r"got 'val_acc' \(did you mean 'val_accuracy'\?\)$"):
        trainer(2, "cross_entropy").fit(X, Y, validation_data=(X, Y), callbacks=early)


def test_layers_of_more_than_numbers():
    with pytest.raises(TypeError, match=r"got tuple \(28, 28\): fn\.Input\(784\) takes rows of as many numbers"):
        fn.Input((28, 28))
    with pytest.raises(TypeError, match=r"got ufunc <ufunc 'tanh'> \(did you mean 'tanh'\?\)$"):
        fn.Dense(3, np.tanh)
    with pytest.raises(TypeError, match=r"network must be a Network; got .*: fn\.Network\(layers\) makes one$"):
        fn.Trainer([fn.Input(2), fn.Dense(1)], "huber")
