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
from fastnn.tables import scores

X = np.ones((12, 5), dtype=np.float32)
Y = np.arange(12) % 3
NET = fn.Network([fn.Input(5), fn.Dense(3)])
TRAINER = fn.Trainer(NET, "cross_entropy", batch_size=4)
W = np.arange(12.0)
DATE = {"name": "a", "first": "2020-01-01", "fill": "2020-01-02", "parts": ["days"], "mean": [1.0], "scale": [2.0]}
TABLES = tables.Preprocessor(min_rows=1).fit({"town": ["Bonn", "Kiel", "Kiel"]})
PLATEAU = schedules.ReduceOnPlateau(0.1)
OPTIMIZERS = optimizers.OPTIMIZERS.values()

# The callable, arguments, what names the argument, what was expected, what came.
ROWS = [
    (fn.Input, {"features": 0}, "Input features", "at least 1", "0"),
    (fn.Dense, {"units": 2.5}, "Dense units", "an integer", "2.5"),
    (fn.Dense, {"units": 2, "activation": "rleu"}, "activation", "'relu'", "'rleu'"),
    (fn.Dense, {"units": 2, "weight_initializer": 7}, "weight_initializer", "an? Initializer", "int 7"),
    (fn.Dropout, {"rate": 1.0}, "Dropout rate", "below 1", "1.0"),
    (fn.LayerNorm, {"epsilon": 0}, "LayerNorm epsilon", "above 0", "0.0"),
    (fn.RMSNorm, {"epsilon": 0}, "RMSNorm epsilon", "above 0", "0.0"),
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
    *((cls, {"x": 1}, "unexpected argument", "", "'x'") for cls in losses.LOSSES.values()),
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
    (tables.Date, DATE | {"first": "1.1.2020"}, "first", "ISO format", "'1.1.2020'"),
    (tables.Date, DATE | {"fill": "2021-02-29"}, "fill", "ISO format", "'2021-02-29'"),
    (tables.Date, DATE | {"parts": ["hour", "days"]}, "parts", "in this order", "hour, days"),
    (tables.Date, DATE | {"parts": []}, "parts", "weekday", "none"),
    (tables.Date, DATE | {"mean": [1.0, 2.0]}, "mean", "1 numbers", "(1.0, 2.0)"),
    (tables.Date, DATE | {"scale": [0.0]}, "scale", "above 0", "0.0"),
    (tables.Preprocessor, {"numeric": ["a"], "unused": ["a"]}, "numeric", "unused names too", "'a'"),
    (tables.Preprocessor().fit, {"table": {"a": [1, 2]}, "training": np.arange(0)}, "training", "at least 1", "(0,)"),
    (tables.Unused, {"name": "a", "reason": "x"}, "reason", "'constant'", "'x'"),
    (tables.Unused, {"name": "a", "reason": "constant", "detail": 5}, "detail", "a string", "int 5"),
    (fastnn.onnx.export, {"model": 5, "path": "x"}, "model", "Network, a TableModel or an estimator", "int 5"),
    (fastnn.onnx.load, {"path": "/no/such"}, "No such file", "", "/no/such"),
    (fastnn.onnx.load, {"path": "/no/such", "output": 5}, "output", "a string, the name of an output", "int 5"),
    (fastnn.plot.page, {"run": 5, "path": "x"}, "run", "a Trainer", "int 5"),
    (fastnn.plot.confusion_matrix, {"y_true": [1.5], "y_pred": [1]}, "y_true", "integers or strings", "float64"),
    (fastnn.plot.learning_curve, {"history": {"loss": [1.0]}, "metric": "x"}, "metric", "column of history", "'x'"),
    (fastnn.plot.network, {"network": 5}, "network", "Network", "int 5"),
    (fastnn.plot.network, {"network": NET, "kind": "unit"}, "kind", "'layers'", "'unit'"),
    (fastnn.plot.weights, {"network": NET, "shape": 7}, "shape", "height, width", "7"),
    (fastnn.plot.schedule, {"schedule": "x", "epochs": 2, "steps_per_epoch": 1}, "schedule", "chedule", "'x'"),
    (fastnn.plot.predicted, {"y_true": ["a"], "y_pred": [1.0]}, "y_true", "real numbers", "str|U1"),
    (fastnn.sklearn.MLPClassifier(max_iter=-1).fit, {"X": X, "y": Y}, "max_iter", "range|at least", "-1"),
    (fastnn.sklearn.MLPRegressor(activation="x").fit, {"X": X, "y": Y}, "activation", "relu", "'x'"),
    (records.read, {"path": "/no/such"}, "No such file", "", "/no/such"),
    # ------------------------------------------------------------------- values out of range
    (fn.Network, {"layers": [fn.Input(1), fn.Dense(1)], "dtype": None}, "dtype", "'float32'", "None"),
    (NET.save, {"path": ""}, "path", "path of a file", "''"),
    (NET.save, {"path": "."}, "directory", "", "'.'"),
    (TRAINER.save, {"path": ".", "keep_previous": True}, "directory", "", "'.'"),
    (fn.Network.load, {"path": "a\0b"}, "path", "path of a file", r"'a\\x00b'"),
    (fn.History, {"columns": {"loss": 5}}, "columns", "lists of values", "int 5"),
    (
        fn.gradient_check,
        {"network": NET, "loss": "huber", "X": X, "y": X, "epsilon": 1},
        "epsilon",
        "below|most 0.1",
        "1.0",
    ),
    (
        fn.gradient_check,
        {"network": NET, "loss": "huber", "X": X, "y": X, "seed": 2**64},
        "seed",
        "at most",
        str(2**64),
    ),
    (fn.Dense, {"units": -(10**5000)}, "Dense units", "at least 1", "int"),
    (optimizers.Adam, {"beta2": 1.0}, "beta2", "below 1", "1.0"),
    (optimizers.NAdam, {"beta1": 1.0}, "beta1", "below 1", "1.0"),
    (optimizers.NAdam, {"momentum_decay": -1}, "momentum_decay", "at least 0", "-1.0"),
    (optimizers.RMSprop, {"smoothing": 1.0}, "smoothing", "below 1", "1.0"),
    (optimizers.SGD, {"momentum": 1.0}, "momentum", "below 1", "1.0"),
    (optimizers.SGD, {"nesterov": True}, "nesterov", "momentum above 0", "0.0"),
    (optimizers.SGD, {"clip_norm": 0}, "clip_norm", "above 0", "0.0"),
    (optimizers.SGD, {"clip_value": 0}, "clip_value", "above 0", "0.0"),
    (optimizers.SGD, {"weight_decay": 10**400}, "weight_decay", "fit in float64", "int"),
    (optimizers.Adagrad, {"initial_accumulator": -1}, "initial_accumulator", "at least 0", "-1.0"),
    (schedules.Step, {"learning_rate": 1, "every": 0}, "every", "at least 1", "0"),
    (schedules.Step, {"learning_rate": 1, "every": 2, "factor": 1.5}, "factor", "at most 1", "1.5"),
    (schedules.Exponential, {"learning_rate": 1, "factor": 0}, "factor", "above 0", "0.0"),
    (schedules.Cosine, {"learning_rate": 1, "steps": 5, "minimum": 2}, "minimum", "at most 1", "2.0"),
    (schedules.OneCycle, {"learning_rate": 1, "steps": 1}, "steps", "at least 2", "1"),
    (schedules.OneCycle, {"learning_rate": 1, "steps": 9, "warmup_fraction": 2}, "warmup_fraction", "at most 1", "2.0"),
    (schedules.OneCycle, {"learning_rate": 1, "steps": 9, "end_divisor": 0.5}, "end_divisor", "at least 1", "0.5"),
    (schedules.InverseScaling, {"learning_rate": 1, "power": -1}, "power", "at least 0", "-1.0"),
    (schedules.ReduceOnPlateau, {"learning_rate": 1, "factor": 1}, "factor", "below 1", "1.0"),
    (schedules.ReduceOnPlateau, {"learning_rate": 1, "monitor": 5}, "monitor", "a string", "int 5"),
    (schedules.Warmup, {"schedule": 0.1, "steps": 0}, "steps", "at least 1", "0"),
    (schedules.Step(1, 2).rates, {"start": -3, "stop": 2}, "start", "at least 0", "-3"),
    (schedules.Warmup(1, 2).rates, {"start": 3, "stop": 2}, "stop", "at least 3", "2"),
    (
        initializers.Zeros().values,
        {"shape": (1, 2, 3), "seed": 0, "stream": 0},
        "shape",
        r"\(outputs,\)",
        r"\(1, 2, 3\)",
    ),
    (initializers.Zeros().values, {"shape": (1, 0), "seed": 0, "stream": 0}, "shape", "at least 1", "0"),
    (initializers.Zeros().values, {"shape": (1,), "seed": 0, "stream": 2**32}, "stream", "at most", str(2**32)),
    (losses.Huber().targets, {"y": Y, "n_outputs": 0, "dtype": "float32"}, "n_outputs", "at least 1", "0"),
    (metrics.TopK(1), {"outputs": X, "targets": Y + 3}, "targets", "from 0 to 4", "5"),
    (metrics.TopK(1), {"outputs": X, "targets": Y + 0.5}, "targets", "integers", "float64"),
    (metrics.R2(), {"outputs": X, "targets": X[1:]}, "targets", "shape of outputs", r"\(11, 5\)"),
    (metrics.R2(), {"outputs": X, "targets": W}, "targets", "shape of outputs", r"\(12,\)"),
    (metrics.R2(), {"outputs": X, "targets": X, "weights": [1.0]}, "weights", r"\(12,\)", r"\(1,\)"),
    (data.split, {"X": X, "y": Y[:3]}, "y", "as many rows as X, 12", "3"),
    (data.split, {"X": X, "y": X, "stratify": True}, "y", "1-D", r"\(12, 5\)"),
    (data.split, {"X": X, "y": [{}] * 12, "stratify": True}, "y", "sorted", "dict"),
    (data.standardize, {"X": X[:0]}, "X", "at least 1", r"\(0, 5\)"),
    (data.Standardizer().fit(X).transform, {"X": X[:, :2]}, "X", "5 features", "2"),
    (
        records.run_record,
        {"trainer": TRAINER, "X": X, "y": Y, "validation_fraction": 2},
        "validation_fraction",
        "below 1",
        "2",
    ),
    (records.write, {"path": "x", "record": {"a": {1}}}, "record", "JSON", "set"),
    (tables.Classes, {"name": "a", "labels": ["x"], "kind": "text", "counts": [1]}, "labels", "two different", "x"),
    (tables.Classes, {"name": "a", "labels": "xy", "kind": "text", "counts": [1]}, "labels", "two different", "xy"),
    (
        tables.Classes,
        {"name": "a", "labels": ["x", "y"], "kind": "text", "counts": [0, 0]},
        "counts",
        "not all 0",
        "0, 0",
    ),
    (tables.Classes.fit, {"name": "a", "column": []}, "target 'a'", "two classes", "no row"),
    (tables.Classes.fit, {"name": "a", "column": ["x", "y"], "training": [2]}, "training", "from 0 to 1", "2"),
    (tables.Quantity, {"name": "a", "mean": 0, "scale": 0, "typical": [1]}, "scale", "above 0", "0.0"),
    (
        tables.Quantity,
        {"name": "a", "mean": 0, "scale": 1, "typical": [1, 2]},
        "typical",
        "each output, 1",
        r"\(1.0, 2.0\)",
    ),
    (tables.Quantity.fit, {"name": "a", "column": [1, 2], "quantiles": [1.5]}, "quantiles", "below 1", "1.5"),
    (tables.Quantity.fit, {"name": "a", "column": [1, -2], "log": True}, "'a', row 1", "at least 0", "-2"),
    (tables.Quantity.fit, {"name": "a", "column": [1, -2], "rate": True}, "'a', row 1", "as a count", "-2"),
    (tables.Quantity, {"name": "a", "mean": 1, "scale": 1, "typical": [1], "rate": True}, "rate", "mean 0", "already"),
    (scores.of_rates, {"y": -W, "predicted": W}, "y", "at least 0", "-"),
    (tables.Quantity.fit, {"name": "a", "column": []}, "target 'a'", "at least one row", "none"),
    (tables.Preprocessor, {"unused": {"a": 5}}, "unused", "Unused", "int 5"),
    (tables.Preprocessor, {"categorical": [5]}, "categorical", "strings", "int 5"),
    (TABLES.unseen_categories, {"table": {"a": [1]}}, "table", "lacks", "'town'"),
    (TABLES.transform, {"table": {"twn": ["x"]}}, "table", "lacks", "did you mean 'twn'"),
    (scores.of_classes, {"labels": Y + 3, "probabilities": X}, "labels", "from 0 to 4", "5"),
    (scores.of_classes, {"labels": Y[:3], "probabilities": X}, "labels", r"\(12,\)", r"\(3,\)"),
    (scores.of_quantities, {"y": W, "predicted": W[:3]}, "predicted", r"\(12,\)", r"\(3,\)"),
    (scores.of_quantiles, {"y": W, "predicted": X, "quantiles": [0.5]}, "quantiles", "5 columns", "got 1"),
    (scores.of_quantiles, {"y": W, "predicted": X[:, :1], "quantiles": [2]}, "quantiles", "at most 1", "2.0"),
    (fastnn.plot.best_epoch, {"values": ["a"]}, "values", "numbers", "str 'a'"),
    (fastnn.plot.learning_curve, {"history": {"loss": []}}, "history", "at least one epoch", "empty"),
    (fastnn.plot.learning_curve, {"history": {"loss": ["a"]}}, "history", "numbers", "str 'a'"),
    (fn.History, {"columns": {"loss": [1.0], "acc": []}}, "columns", "one value for each epoch", "0 of 'acc'"),
    (fastnn.plot.weights, {"network": NET, "features": ["a"]}, "features", "each of 5 features", "a"),
    (fastnn.plot.weights, {"network": NET, "units": [3]}, "units", "at most 2", "3"),
    (
        fastnn.plot.schedule,
        {"schedule": PLATEAU, "epochs": 2, "steps_per_epoch": 1, "history": {}},
        "history",
        "'loss'",
        "none",
    ),
    (fastnn.sklearn.MLPClassifier(alpha=10**400).fit, {"X": X, "y": Y}, "alpha", "fit in float64", "int"),
    (fastnn.sklearn.MLPClassifier().fit, {"X": X, "y": Y, "X_val": X[:, :2], "y_val": Y}, "X_val", "5 features", "2"),
    (reproduction.reproduce, {"record": {}, "X": X, "y": Y}, "record", "version 1|knows 1", "None"),
]


def identity(row):
    name = getattr(row[0], "__qualname__", repr(row[0]))
    return f"{name}-{'-'.join(row[1])}"


@pytest.mark.parametrize("row", ROWS, ids=identity)
def test_errors_name_argument_expectation_and_what_came(row, tmp_path, monkeypatch):
    call, arguments, argument, expected, came = row
    if call == fn.Network.from_torch:
        pytest.importorskip("torch")
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
