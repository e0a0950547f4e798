"""Bad calls across the public interface, and that each error names the argument, what was expected and what came."""

import inspect
import re

import numpy as np
import pytest

import fastnn as fn
import fastnn.onnx
import fastnn.plot
import fastnn.sklearn
from fastnn import callbacks, data, initializers, losses, metrics, optimizers, records, reproduction, schedules, tables

X = np.ones((12, 5), dtype=np.float32)
Y = np.arange(12) % 3
NET = fn.Network([fn.Input(5), fn.Dense(3)])
TRAINER = fn.Trainer(NET, "cross_entropy", batch_size=4)
OPTIMIZERS = [optimizers.SGD, optimizers.Adam, optimizers.AdamW, optimizers.NAdam, optimizers.RMSprop]

# The callable, arguments, what names the argument, what was expected, what came.
ROWS = [
    (fn.Input, {"features": 0}, "Input features", "at least 1", "0"),
    (fn.Dense, {"units": 2.5}, "Dense units", "an integer", "2.5"),
    (fn.Dense, {"units": 2, "activation": "rleu"}, "activation", "'relu'", "'rleu'"),
    (fn.Dense, {"units": 2, "weight_initializer": 7}, "weight_initializer", "an? Initializer", "int 7"),
    (fn.Dropout, {"rate": 1.0}, "Dropout rate", "below 1", "1.0"),
    (fn.LayerNorm, {"epsilon": 0}, "LayerNorm epsilon", "above 0", "0.0"),
    (fn.Activation, {"name": "rleu"}, "activation", "'relu'", "'rleu'"),
    (fn.Network, {"layers": 5}, "layers", "a sequence of layers", "int 5"),
    (fn.Network, {"layers": [fn.Input(1), fn.Dense(1)], "seed": -1}, "seed", "at least 0", "-1"),
    (fn.Network, {"layers": [fn.Input(1), fn.Dense(1)], "dtype": "float16"}, "dtype", "'float32'", "'float16'"),
    (NET.predict, {"X": X[:, :2]}, "X", "5 features", "got 2"),
    (NET.predict, {"X": X, "out": [1]}, "out", "ndarray of shape", "list"),
    (NET.astype, {"dtype": "int"}, "dtype", "'float64'", "'int'"),
    (NET.save, {"path": "/no/such/folder/x"}, "No such file", "/no/such", "x"),
    (fn.Network.load, {"path": "/no/such"}, "No such file", "", "/no/such"),
    (fn.Network.from_torch, {"module": 5}, "module", "torch", "int 5"),
    (fn.Trainer, {"network": 5, "loss": "huber"}, "network", "a Network", "int 5"),
    (fn.Trainer, {"network": NET, "loss": "hubr"}, "loss", "'huber'", "'hubr'"),
    (fn.Trainer, {"network": NET, "loss": "huber", "threads": 65}, "threads", "at most 64", "65"),
    (TRAINER.fit, {"X": X, "y": Y, "epochs": -1}, "epochs", "at least 0", "-1"),
    (TRAINER.fit, {"X": X, "y": Y, "callbacks": 5}, "callbacks", "Callback|sequence", "5"),
    (TRAINER.fit, {"X": X, "y": Y, "progress": "x"}, "progress", "'auto'", "'x'"),
    (TRAINER.fit, {"X": X, "y": Y, "max_seconds": 0}, "max_seconds", "above 0", "0.0"),
    (TRAINER.fit, {"X": X, "y": Y, "validation_fraction": 2}, "validation_fraction", "below 1", "2"),
    (TRAINER.step, {"X": X, "y": Y[:3]}, "y", "as many rows as X, 12", "3"),
    (TRAINER.evaluate, {"X": X, "y": Y + 1}, "y", "labels from 0 to 2", "3"),
    (TRAINER.save, {"path": "x", "keep_previous": 1}, "keep_previous", "True or False", "int 1"),
    (fn.Trainer.load, {"path": "x", "threads": "all"}, "threads", "'auto'", "'all'"),
    (fn.gradient_check, {"network": 5, "loss": "huber", "X": X, "y": X}, "network", "Network", "5"),
    (fn.set_num_threads, {"n": 0}, "threads|n ", "from 1 to 64", "0"),
    (callbacks.LambdaCallback, {"on_fit_end": 5}, "on_fit_end", "a function", "int 5"),
    (callbacks.EarlyStopping, {"patience": 0}, "patience", "at least 1", "0"),
    (callbacks.EarlyStopping, {"mode": "best"}, "mode", "'min'", "'best'"),
    (callbacks.Checkpoint, {"path": 5}, "path", "path of a file", "int 5"),
    (callbacks.Checkpoint, {"path": "x", "seconds": 0}, "seconds", "above 0", "0.0"),
    *((cls, {"learning_rate": -1.0}, "learning_rate", "at least 0", "-1.0") for cls in OPTIMIZERS),
    *((cls, {"learning_rate": 0.1, "l2": "a"}, "l2", "a number", "'a'") for cls in OPTIMIZERS),
    (optimizers.Adagrad, {"epsilon": 0.0}, "epsilon", "at least", "0.0"),
    (schedules.Constant, {"learning_rate": -1}, "learning_rate", "at least 0", "-1.0"),
    (schedules.Step, {"learning_rate": -1, "every": 2}, "learning_rate", "at least 0", "-1.0"),
    (schedules.Exponential, {"learning_rate": -1, "factor": 0.5}, "learning_rate", "at least 0", "-1.0"),
    (schedules.Cosine, {"learning_rate": 0.1, "steps": 0}, "steps", "at least 1", "0"),
    (schedules.OneCycle, {"learning_rate": 0.1, "steps": "9"}, "steps", "an integer", "'9'"),
    (schedules.InverseScaling, {"learning_rate": -1}, "learning_rate", "at least 0", "-1.0"),
    (schedules.ReduceOnPlateau, {"learning_rate": 0.1, "patience": -1}, "patience", "at least", "-1"),
    (schedules.Warmup, {"schedule": 0.1, "steps": 2, "start": -1}, "start", "at least 0", "-1.0"),
    (losses.CrossEntropy, {"label_smoothing": 1.5}, "label_smoothing", "below 1|at most 1", "1.5"),
    (losses.Huber, {"delta": 0}, "delta", "above 0", "0.0"),
    (losses.Pinball, {"quantiles": [1.5]}, "quantile", "below 1", "1.5"),
    (losses.MeanSquaredError, {"x": 1}, "unexpected argument", "", "'x'"),
    (losses.MeanAbsoluteError, {"x": 1}, "unexpected argument", "", "'x'"),
    (losses.Poisson, {"x": 1}, "unexpected argument", "", "'x'"),
    (losses.BinaryCrossEntropy, {"x": 1}, "unexpected argument", "", "'x'"),
    (metrics.TopK, {"k": 0}, "k ", "at least 1", "0"),
    (initializers.Constant, {"value": "a"}, "value", "a number", "'a'"),
    (data.split, {"X": X, "y": Y, "fraction": 0}, "fraction", "above 0", "0.0"),
    (data.standardize, {"X": X[0]}, "X", r"\(n, n_features\)", r"\(5,\)"),
    (data.fingerprint, {"X": X.astype(object), "y": Y}, "X", "numbers or strings", "object"),
    (data.Standardizer().fit, {"X": np.full((2, 2), np.nan)}, "X", "finite", "nan"),
    (tables.Preprocessor, {"min_rows": 0}, "min_rows", "at least 1", "0"),
    (tables.Preprocessor().fit, {"table": 5}, "table", "mapping of column names", "int 5"),
    (tables.Preprocessor.from_json, {"text": "{"}, "description", "JSON", "char 1"),
    (tables.TableModel, {"preprocessor": 5, "network": NET, "target": 5}, "preprocessor", "Preprocessor", "int 5"),
    (tables.Numeric, {"name": 5, "fill": 0, "mean": 0, "scale": 1}, "name", "a string", "int 5"),
    (tables.Boolean, {"name": "a", "fill": 0, "mean": 0, "scale": 0}, "scale", "above 0", "0.0"),
    (tables.Categorical, {"name": "a", "categories": [1]}, "categories", "different strings", "list"),
    (tables.Unused, {"name": "a", "reason": "x"}, "reason", "'constant'", "'x'"),
    (tables.Unused, {"name": "a", "reason": "constant", "detail": 5}, "detail", "a string", "int 5"),
    (fastnn.onnx.export, {"model": 5, "path": "x"}, "model", "Network or a TableModel", "int 5"),
    (fastnn.onnx.load, {"path": "/no/such"}, "No such file", "", "/no/such"),
    (fastnn.plot.page, {"run": 5, "path": "x"}, "run", "a Trainer", "int 5"),
    (fastnn.plot.confusion_matrix, {"y_true": [1.5], "y_pred": [1]}, "y_true", "integers or strings", "float64"),
    (fastnn.plot.learning_curve, {"history": {"loss": [1.0]}, "metric": "x"}, "metric", "column of history", "'x'"),
    (fastnn.plot.network, {"network": 5}, "network", "Network", "int 5"),
    (fastnn.plot.weights, {"network": NET, "shape": 7}, "shape", "height, width", "7"),
    (fastnn.plot.schedule, {"schedule": "x", "epochs": 2, "steps_per_epoch": 1}, "schedule", "chedule", "'x'"),
    (fastnn.plot.predicted, {"y_true": ["a"], "y_pred": [1.0]}, "y_true", "real numbers", "str|U1"),
    (fastnn.sklearn.MLPClassifier(max_iter=-1).fit, {"X": X, "y": Y}, "max_iter", "range|at least", "-1"),
    (fastnn.sklearn.MLPRegressor(activation="x").fit, {"X": X, "y": Y}, "activation", "relu", "'x'"),
    (records.read, {"path": "/no/such"}, "No such file", "", "/no/such"),
    (reproduction.reproduce, {"record": {}, "X": X, "y": Y}, "record", "version 1|knows 1", "None"),
]


def identity(row):
    name = getattr(row[0], "__qualname__", repr(row[0]))
    return f"{name}-{'-'.join(row[1])}"


@pytest.mark.parametrize("row", ROWS, ids=identity)
def test_errors_name_argument_expectation_and_what_came(row, tmp_path, monkeypatch):
    call, arguments, argument, expected, came = row
    monkeypatch.chdir(tmp_path)
    before = NET.digest(), TRAINER.steps
    with pytest.raises((ValueError, TypeError, OSError)) as caught:
        call(**arguments)
    message = str(caught.value)
    for pattern in (argument, expected, came):
        assert re.search(pattern, message), (pattern, message)
    assert (NET.digest(), TRAINER.steps) == before
    assert not any(tmp_path.iterdir())


# Not for users to call with arguments that could be wrong.
WITHOUT_ARGUMENTS = {"Callback", "DivergedError", "GradientCheck", "History", "Parameters", "show_config", "config"}
WITHOUT_ARGUMENTS |= {"get_num_threads"}


def test_every_public_name_has_a_row():
    covered = {getattr(row[0], "__qualname__", "").split(".")[0] for row in ROWS}
    public = {name for name, value in vars(fn).items() if callable(value) and not name.startswith("_")}
    missing = {name for name in public - covered - WITHOUT_ARGUMENTS if not inspect.ismodule(getattr(fn, name))}
    assert not missing
