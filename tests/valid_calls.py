"""A valid call of everything public that takes parameters, with a value for each of them."""

import copy
import inspect
from pathlib import Path

import matplotlib
import numpy as np
import torch
from matplotlib.figure import Figure

import fastnn as fn
import fastnn.onnx
import fastnn.plot
import fastnn.sklearn
from fastnn import (
    data,
    elementary,
    gradients,
    initializers,
    inspection,
    losses,
    metrics,
    optimizers,
    records,
    reproduction,
    schedules,
    tables,
)
from fastnn.tables import scores

matplotlib.use("Agg")
X = np.linspace(-1, 1, 60, dtype=np.float32).reshape(12, 5)
Y = np.arange(12) % 3
W = np.ones(12)
NUMBERS = np.linspace(0.5, 1.5, 12)
OUTPUTS = np.linspace(0.1, 0.9, 36).reshape(12, 3)
LAYERS = [fn.Input(5), fn.Dense(4, "tanh"), fn.Dense(3)]
NET = fn.Network(LAYERS)
PLANE = fn.Network([fn.Input(2), fn.Dense(3)])
TRAINER = fn.Trainer(fn.Network(LAYERS), "cross_entropy", batch_size=4)
TRAINER.fit(X, Y)
RECORD = records.run_record(TRAINER, X, Y, sample_weight=None)
VALIDATED = fn.Trainer(fn.Network(LAYERS), "cross_entropy", batch_size=4)
VALIDATED.fit(X, Y, sample_weight=W, validation_data=(X, Y))
VALIDATED_RECORD = records.run_record(VALIDATED, X, Y, sample_weight=W, validation_data=(X, Y))
TABLE = {"size": [1.0, 2.5, 4.0] * 4, "town": ["Bonn", "Kiel", "Bonn"] * 4, "kind": ["a", "b", "c"] * 4}
PREPROCESSOR = tables.Preprocessor(min_rows=2, unused=["kind"]).fit(TABLE)
CLASSES = tables.Classes.fit("kind", TABLE["kind"])
QUANTITY = tables.Quantity.fit("size", TABLE["size"])
MODEL = tables.TableModel(PREPROCESSOR, fn.Network([fn.Input(3), fn.Dense(3)]), CLASSES)
DATE = {"name": "sold", "first": "2020-01-01", "fill": "2020-01-03T10:30:00", "parts": ["days", "month"]}
DATE |= {"mean": [3.5], "scale": [0.5], "indicator": True, "format": tables.NumberFormat(words=["unknown"])}
AXES = Figure().subplots()
CLASSIFIER = fastnn.sklearn.MLPClassifier((4,), max_iter=1, tol=0.0, random_state=0, batch_size=4)
REGRESSOR = fastnn.sklearn.MLPRegressor("squared_error", (4,), max_iter=1, tol=0.0, random_state=0, batch_size=4)
FITTED = fastnn.sklearn.MLPClassifier((4,), max_iter=1, random_state=0).partial_fit(X, Y, classes=[0, 1, 2])
FITTED_REGRESSOR = fastnn.sklearn.MLPRegressor("squared_error", (4,), random_state=0).partial_fit(X, NUMBERS)


def write_files(folder):
    """The files that the calls read."""
    NET.save(folder / "network.safetensors")
    TRAINER.save(folder / "trainer.safetensors")
    copy.deepcopy(MODEL).save(folder / "model.safetensors")
    records.write(folder / "record.json", RECORD)
    fastnn.onnx.export(NET, folder / "network.onnx")


def fitting(estimator, y):
    """What checks the parameters of a constructor, as scikit-learn has it: a fit of what it made."""

    def fit(**parameters):
        return type(estimator)(**parameters).fit(X, y)

    fit.__module__, fit.__qualname__ = type(estimator).__module__, type(estimator).__qualname__
    fit.__signature__ = inspect.signature(type(estimator))
    return fit


DATA = {"X": X, "y": Y, "sample_weight": W}
ROWS_AND_LABELS = {"outputs": OUTPUTS, "targets": Y, "weights": W}
VALUES = {"outputs": OUTPUTS, "targets": OUTPUTS, "weights": W}
FORMAT = tables.NumberFormat(",", "€", ["unknown"], usual=False)
ENCODER = {"name": "size", "fill": 1.0, "mean": 1.0, "scale": 1.0, "indicator": True, "format": FORMAT}
DRAWN = {"shape": (4, 5), "seed": 0, "stream": 1}
ESTIMATED = {"X": X, "sample_weight": W}
OF_OPTIMIZERS = {"learning_rate": 0.1, "momentum": 0.1, "nesterov": True, "beta1": 0.9, "beta2": 0.9, "epsilon": 1e-8}
OF_OPTIMIZERS |= {"amsgrad": True, "momentum_decay": 0.1, "smoothing": 0.9, "centered": True}
OF_OPTIMIZERS |= {"learning_rate_decay": 0.1, "initial_accumulator": 0.1, "clip_value": 1.0, "clip_norm": 1.0}
OF_OPTIMIZERS |= {"l1": 0.1, "l2": 0.1, "l2_total": 0.1, "weight_decay": 0.1, "decay_all": True}
OF_LOSSES = {"label_smoothing": 0.1, "delta": 0.1, "quantiles": [0.1, 0.9]}


def some(cls, values):
    """Of values by name, those that a description takes, in its order."""
    return {name: values[name] for name in inspect.signature(cls).parameters}


CALLS = [
    (fn.set_num_threads, {"n": fn.get_num_threads()}),
    (fn.Checkpoint, {"path": Path("x"), "epochs": 1, "steps": 1, "seconds": 1.0, "monitor": None, "mode": "min"}),
    (fn.EarlyStopping, {"patience": 1, "monitor": "loss", "min_delta": 0.1, "restore_best": True, "mode": "min"}),
    (
        fn.LambdaCallback,
        {f"on_{name}": print for name in ("fit_begin", "epoch_begin", "step_end", "pause", "epoch_end", "fit_end")},
    ),
    (fn.History, {"columns": {"loss": [1.0]}}),
    (TRAINER.history.__getitem__, {"name": "loss"}),
    (fn.GradientCheck({"0.weight": 0.1}).__getitem__, {"name": "0.weight"}),
    (fn.gradient_check, {"network": NET, "loss": "cross_entropy", **DATA, "epsilon": 1e-5, "seed": 0}),
    (gradients.gradient, {"network": NET, "loss": "cross_entropy", **DATA, "seed": 0}),
    (inspection.activations, {"network": NET, "X": X}),
    (inspection.dead_units, {"network": NET, "X": X}),
    # ------------------------------------------------------------------ descriptions
    (fn.Input, {"features": 1}),
    (fn.Dense, {"units": 1, "activation": "relu", "weight_initializer": "zeros", "bias_initializer": "zeros"}),
    (fn.Activation, {"name": "elu", "alpha": 0.1}),
    (fn.Dropout, {"rate": 0.1}),
    (fn.LayerNorm, {"epsilon": 0.1}),
    (fn.RMSNorm, {"epsilon": 0.1}),
    *((cls, given) for cls in losses.LOSSES.values() if (given := some(cls, OF_LOSSES))),
    (losses.Huber().targets, {"y": OUTPUTS, "n_outputs": 3, "dtype": np.dtype("float32"), "argument": "y"}),
    (losses.CrossEntropy().targets, {"y": Y, "n_outputs": 3, "dtype": np.dtype("float32"), "argument": "y"}),
    (losses.Huber().predictions, {"outputs": OUTPUTS}),
    (losses.Poisson().predictions, {"outputs": OUTPUTS}),
    (metrics.TopK, {"k": 1}),
    (metrics.Accuracy().__call__, ROWS_AND_LABELS),
    (metrics.TopK(1).__call__, ROWS_AND_LABELS),
    (metrics.MeanAbsoluteError().__call__, VALUES),
    (metrics.RootMeanSquaredError().__call__, VALUES),
    (metrics.R2().__call__, VALUES),
    (metrics.mean, {"values": NUMBERS, "weights": W}),
    (initializers.Constant, {"value": 0.1}),
    (initializers.Orthogonal, {"gain": 0.1}),
    (initializers.GlorotUniform().values, DRAWN),
    *((cls, some(cls, OF_OPTIMIZERS)) for cls in optimizers.OPTIMIZERS.values()),
    (schedules.Constant, {"learning_rate": 0.1}),
    (schedules.Step, {"learning_rate": 0.1, "every": 2, "factor": 0.1, "unit": "step"}),
    (schedules.Exponential, {"learning_rate": 0.1, "factor": 0.1, "unit": "step"}),
    (schedules.Cosine, {"learning_rate": 0.1, "steps": 5, "minimum": 0.01, "unit": "step"}),
    (
        schedules.OneCycle,
        {
            **{"learning_rate": 0.1, "steps": 5, "warmup_fraction": 0.3},
            **{"start_divisor": 2.0, "end_divisor": 2.0, "unit": "step"},
        },
    ),
    (schedules.InverseScaling, {"learning_rate": 0.1, "power": 0.5, "unit": "step"}),
    (
        schedules.ReduceOnPlateau,
        {
            **{"learning_rate": 0.1, "factor": 0.1, "patience": 1, "min_delta": 0.1, "cooldown": 1},
            **{"minimum": 0.01, "monitor": "loss", "mode": "min"},
        },
    ),
    (schedules.Warmup, {"schedule": 0.1, "steps": 5, "start": 0.1, "unit": "step"}),
    (schedules.Step(0.1, 2).rates, {"start": 0, "stop": 3}),
    (schedules.Warmup(0.1, 2).rates, {"start": 0, "stop": 3}),
    # ---------------------------------------------------------- networks and training
    (fn.Network, {"layers": LAYERS, "seed": 0, "dtype": "float32"}),
    (NET.astype, {"dtype": "float64"}),
    (fn.Network.from_torch, {"module": torch.nn.Linear(2, 1)}),
    (fn.Network.load, {"path": Path("network.safetensors")}),
    (NET.predict, {"X": X, "out": np.zeros((12, 3), dtype=np.float32)}),
    (NET.save, {"path": Path("written")}),
    (fn.Parameters, {"network": NET}),
    (NET.parameters.__getitem__, {"name": "0.weight"}),
    (NET.parameters.__setitem__, {"name": "2.bias", "value": np.ones(3)}),
    (NET.parameters.update, {"other": {"2.bias": np.ones(3)}}),
    (
        fn.Trainer,
        {
            **{"network": NET, "loss": "cross_entropy", "optimizer": "adam", "batch_size": 4, "seed": 0, "threads": 1},
            **{"shuffle": True, "metrics": ["top_k"][:0], "class_weight": {0: 2.0}},
        },
    ),
    (
        TRAINER.fit,
        {
            **{**DATA, "epochs": 1, "validation_data": (X, Y), "validation_fraction": None, "callbacks": []},
            **{"progress": False, "max_seconds": 10.0},
        },
    ),
    (TRAINER.fit, {**DATA, "max_epochs": 1}),
    (TRAINER.step, DATA),
    (TRAINER.evaluate, DATA),
    (TRAINER.set_learning_rate, {"rate": 0.1, "scales_momentum": True}),
    (TRAINER.save, {"path": Path("written"), "keep_previous": True}),
    (fn.Trainer.load, {"path": Path("trainer.safetensors"), "threads": 1}),
    # ---------------------------------------------------------------- data and records
    (data.split, {"X": X, "y": Y, "fraction": 0.5, "seed": 0, "stratify": True}),
    (data.Standardizer().fit, {"X": X}),
    (data.Standardizer().fit(X).transform, {"X": X, "argument": "X"}),
    (data.standardize, {"X": X, "others": X}),
    (data.fingerprint, DATA),
    *((getattr(elementary, name), {"x": X}) for name in elementary.__all__),
    (
        records.run_record,
        {"trainer": TRAINER, **DATA, "validation_data": (X, Y), "validation_fraction": 0.5, "callbacks": []},
    ),
    (records.write, {"path": Path("written"), "record": RECORD}),
    (records.read, {"path": Path("record.json")}),
    (
        reproduction.reproduce,
        {"record": VALIDATED_RECORD, **DATA, "validation_data": (X, Y), "callbacks": [], "threads": 1},
    ),
    # ---------------------------------------------------------------------------- tables
    (tables.Numeric, ENCODER),
    (tables.Boolean, ENCODER),
    (
        tables.Categorical,
        {"name": "town", "categories": ["Bonn", "Kiel"], "other": True, "missing": True, "format": FORMAT},
    ),
    (tables.Date, DATE),
    (tables.NumberFormat, {"decimal": ",", "unit": "€", "words": ["unknown"], "usual": False}),
    (tables.Unused, {"name": "town", "reason": "chosen", "detail": "so"}),
    (
        tables.Preprocessor,
        {
            "max_categories": 5,
            "min_rows": 2,
            "categorical": ["size"],
            "unused": ["kind"],
            "numeric": ["id"],
            "missing": ["unknown"],
            "decimal": ",",
        },
    ),
    (tables.Preprocessor().fit, {"table": TABLE, "training": np.arange(6)}),
    (PREPROCESSOR.transform, {"table": TABLE, "dtype": "float64"}),
    (PREPROCESSOR.unseen_categories, {"table": TABLE}),
    (PREPROCESSOR.extra_columns, {"names": ["size", "more"]}),
    (tables.Preprocessor.from_description, {"description": PREPROCESSOR.describe()}),
    (tables.Preprocessor.from_json, {"text": PREPROCESSOR.to_json()}),
    (tables.TableModel, {"preprocessor": PREPROCESSOR, "network": MODEL.network, "target": CLASSES}),
    (tables.TableModel.load, {"path": Path("model.safetensors")}),
    (MODEL.predict, {"table": TABLE}),
    (MODEL.outputs, {"table": TABLE}),
    (MODEL.predict_proba, {"table": TABLE}),
    (MODEL.evaluate, {"table": TABLE}),
    (MODEL.save, {"path": Path("written")}),
    (tables.Classes, {"name": "kind", "labels": ["a", "b"], "kind": "text", "counts": [1, 2], "format": FORMAT}),
    (tables.Classes.fit, {"name": "kind", "column": TABLE["kind"], "training": np.arange(6), "missing": ["?"]}),
    (CLASSES.encode, {"column": TABLE["kind"]}),
    (CLASSES.decode, {"numbers": Y}),
    (
        tables.Quantity,
        {"name": "size", "mean": 0.1, "scale": 0.1, "typical": [0.1], "quantiles": [0.5], "format": FORMAT},
    ),
    (tables.Quantity, {"name": "size", "mean": 0.0, "scale": 0.1, "typical": [0.1], "log": False, "rate": True}),
    (
        tables.Quantity.fit,
        {
            "name": "size",
            "column": TABLE["size"],
            "quantiles": (0.5,),
            "absolute": True,
            "missing": ["?"],
            "decimal": ".",
        },
    ),
    (tables.Quantity.fit, {"name": "size", "column": [0, 1, 2], "log": True, "rate": False}),
    (CLASSES.present, {"column": TABLE["kind"]}),
    (QUANTITY.present, {"column": TABLE["size"]}),
    (CLASSES.values, {"column": TABLE["kind"]}),
    (QUANTITY.encode, {"column": TABLE["size"]}),
    (QUANTITY.values, {"column": TABLE["size"]}),
    (scores.of_classes, {"labels": Y, "probabilities": OUTPUTS}),
    (scores.of_quantities, {"y": NUMBERS, "predicted": NUMBERS + 0.1}),
    (scores.of_rates, {"y": abs(NUMBERS), "predicted": abs(NUMBERS) + 0.1}),
    (scores.of_quantiles, {"y": NUMBERS, "predicted": OUTPUTS[:, :2], "quantiles": (0.1, 0.9)}),
    # -------------------------------------------------------------------------- adapters
    (fastnn.onnx.export, {"model": NET, "path": Path("written"), "activation": "softmax"}),
    (fastnn.onnx.load, {"path": Path("network.onnx"), "output": "outputs", "external_data": True}),
    (
        fastnn.plot.decision_boundary,
        {
            **{"network": PLANE, "X": X[:, :2], "y": Y, "ax": AXES, "kind": "classes"},
            **{"labels": ["a", "b", "c"], "resolution": 4},
        },
    ),
    (fastnn.plot.confusion_matrix, {"y_true": Y, "y_pred": Y, "labels": ["a", "b", "c"], "ax": AXES}),
    (fastnn.plot.best_epoch, {"values": [1.0, 0.5], "larger_is_better": True}),
    (fastnn.plot.learning_curve, {"history": {"loss": [1.0, 0.5]}, "ax": AXES, "metric": "loss"}),
    (fastnn.plot.learning_curves, {"runs": {"a": {"loss": [1.0, 0.5]}}, "metric": "loss", "ax": AXES}),
    (fastnn.plot.network, {"network": NET, "ax": AXES, "kind": "units"}),
    (fastnn.plot.activations, {"network": NET, "X": X, "ax": AXES}),
    (fastnn.plot.gradients, {"network": NET, "loss": "cross_entropy", **DATA, "ax": AXES, "seed": 0}),
    (
        fastnn.plot.page,
        {
            **{"run": TRAINER, "path": Path("written"), "data": (X, Y), "labels": ["a", "b", "c"]},
            **{"image_shape": (1, 5), "title": "so"},
        },
    ),
    (fastnn.plot.predicted, {"y_true": NUMBERS, "y_pred": OUTPUTS[:, :2], "ax": AXES, "quantiles": [0.1, 0.9]}),
    (
        fastnn.plot.schedule,
        {
            **{"schedule": schedules.ReduceOnPlateau(0.1), "epochs": 2, "steps_per_epoch": 3, "ax": AXES},
            **{"history": {"loss": [1.0, 0.5]}},
        },
    ),
    (fastnn.plot.weights, {"network": NET, "shape": (1, 5), "ax": AXES, "units": [0, 1]}),
    (fastnn.plot.weights, {"network": NET, "features": ["a", "b", "c", "d", "e"]}),
    (fitting(CLASSIFIER, Y), CLASSIFIER.get_params()),
    (fitting(REGRESSOR, NUMBERS), REGRESSOR.get_params()),
    (CLASSIFIER.fit, {**ESTIMATED, "y": Y, "X_val": X, "y_val": Y}),
    (CLASSIFIER.partial_fit, {**ESTIMATED, "y": Y, "classes": [0, 1, 2]}),
    (REGRESSOR.fit, {**ESTIMATED, "y": NUMBERS, "X_val": X, "y_val": NUMBERS}),
    (REGRESSOR.partial_fit, {**ESTIMATED, "y": NUMBERS}),
    *((getattr(FITTED, name), {"X": X}) for name in ("predict", "predict_proba", "predict_log_proba")),
    (FITTED_REGRESSOR.predict, {"X": X}),
]
