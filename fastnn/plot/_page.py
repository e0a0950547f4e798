"""All that can be drawn of a run, on one page."""

from __future__ import annotations

import base64
import errno
import io
import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn import inspection
from fastnn._display import notebook
from fastnn._input import checks
from fastnn._storage import durable
from fastnn._version import __version__
from fastnn.layers import Dense
from fastnn.losses import BinaryCrossEntropy, CrossEntropy, Loss, Pinball
from fastnn.metrics import is_maximised
from fastnn.plot import _diagram, _distributions, _html, _run, _style, _units
from fastnn.plot._arguments import targets_of
from fastnn.plot._boundary import decision_boundary
from fastnn.plot._confusion import confusion_matrix
from fastnn.plot._curves import best_epoch, learning_curve
from fastnn.plot._predicted import predicted
from fastnn.plot._schedule import schedule
from fastnn.plot._weights import size_of, weights
from fastnn.training import Trainer

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

    from fastnn.plot._arguments import Estimator

_MOST_TARGETS = 4  # of a regression that are drawn
_GRADIENT_ROWS = 4096  # the rows of the batch that gradients are of


@dataclass
class _Rows:
    """Data to look at a network with: rows and targets as it takes them, and what it makes of them."""

    X: np.ndarray
    y: ArrayLike
    targets: np.ndarray | None
    outputs: np.ndarray


def page(
    run: Trainer | Estimator | str | os.PathLike[str],
    path: str | os.PathLike[str],
    *,
    data: Sequence[ArrayLike] | None = None,
    labels: Sequence[Any] | None = None,
    image_shape: Sequence[int] | None = None,
    title: str | None = None,
) -> Path:
    """Write all that can be drawn of a run, and its record, into one HTML file that needs nothing else.

    Parameters
    ----------
    run : Trainer, fitted estimator of `fastnn.sklearn` or path-like
        A trainer or an estimator after its ``fit``; or the folder that ``fastnn train`` wrote, or the record in it.
    path : path-like
        The file to write; an existing one is replaced in one go.
    data : (X, y), optional
        Rows as the network takes them, best such as it was not trained on, and targets as the loss takes them. Without
        them there is no picture of predictions, activations and gradients; the page says so.
    labels : sequence of str, optional
        What the classes are called. They also tell a classifier that was trained with a loss for numbers.
    image_shape : (int, int), optional
        Height and width, where the features are the pixels of an image.
    title : str, optional

    Returns
    -------
    Path
        ``path``.

    Raises
    ------
    OSError
        If a file cannot be read or written.
    TypeError, ValueError
        If an argument does not fit, a file is damaged, or the folder holds another model than its record says.
    ImportError
        If matplotlib is missing; the message says how to install it.
    """
    _style.matplotlib()
    path = Path(checks.path(path))
    if not path.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), os.fspath(path.parent))
    if title is not None:
        checks.text(title, "title")
    found = _run.of(run)
    if image_shape is not None:
        image_shape = size_of(image_shape, found.network.n_features, "image_shape")
    rows = _looked_at(found, data, run) if data is not None and found.is_trained else None
    if labels is not None:
        found.classes = [str(label) for label in _style.classes(labels)]
        n_classes = max(2, found.network.n_outputs)
        if len(found.classes) != n_classes:
            raise ValueError(f"labels must name {n_classes} classes; got {len(found.classes)}")
    pictures: list[str] = []
    missing: list[str] = []
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # of a class's name, in the font at hand
        for heading, caption, inches, draw in _panels(found, rows, image_shape, missing):
            pictures.append(_html.figure(heading, *_drawn(draw, inches), caption=caption))
    network = found.network
    size = notebook.counted(network.n_features, "feature"), notebook.counted(network.n_outputs, "output"), network.dtype
    body = [
        _html.tiles(_summary(found)),
        _html.section("Pictures", "pictures", pictures),
        *(_html.note(text) for text in missing),
        _html.section("Record", "tables", list(_tables(found, rows))),
        _history_table(found),
    ]
    version, digest = found.record["environment"].get("fastnn"), found.record["network"]["digest"]
    heading, footer = title or found.name, f"Drawn by fastnn {__version__} of a run of {version}, digest {digest}."
    content = _html.document(heading, ", ".join(size), filter(None, body), footer)
    durable.replace(path, content)
    return path


def _looked_at(run: _run.Run, data: Sequence[ArrayLike], source: Any = None) -> _Rows:
    """Return the rows to look at; ``source`` is what the run was made of, which may name the classes in them."""
    if not isinstance(data, (tuple, list)) or len(data) != 2:
        raise TypeError(f"data must be (X, y); got {checks.described(data)}")
    network = run.network
    dense = checks.numeric(data[0], "X of data")
    X = checks.features(dense, network.n_features, network.plan.dtype, "X of data")
    y = targets_of(source, data[1], "y of data")
    targets = None
    if run.loss is not None:
        targets = run.loss.targets(y, network.n_outputs, network.plan.dtype, "y of data")
        checks.same_rows(len(X), len(targets), "y of data", "X of data")
    return _Rows(X, y, targets, network.predict(X))


_Panel = tuple[str, str, tuple[float, float], Callable[["Axes"], Any]]


def _panels(
    run: _run.Run, rows: _Rows | None, image_shape: Sequence[int] | None, missing: list[str]
) -> Iterator[_Panel]:
    """Yield heading, caption, size and drawing of each picture; what there is none of goes to ``missing``."""
    network, size = run.network, _style.FIGURE_SIZE
    yield from _of_history(run, missing)
    if run.is_trained and _units.is_small(network):
        units = "Lines are weights, the wider the larger: blue above 0, orange below. The ring of a unit is its bias."
        yield "Network", units, size, lambda ax: _diagram.network(network, ax, "units")
    else:
        diagram = "From the input at the top to the output; a box is the wider, the more units a layer has."
        yield "Network", diagram, _diagram.size_of(network), lambda ax: _diagram.network(network, ax, "layers")
    if not run.is_trained:
        missing.append(f"No weights, activations and gradients: there is no {_run.MODEL} beside the record.")
    else:
        first = next(layer for layer in network.layers if isinstance(layer, Dense))
        of_units = f"Of the first dense layer, {notebook.counted(first.units, 'unit')}: blue positive, orange negative."
        features = run.features if first is network.layers[1] else None
        yield (
            "Weights of the first layer",
            of_units,
            size,
            lambda ax: weights(network, image_shape, ax, features=features),
        )
    if rows is None:
        counts = run.confusion
        if counts is not None:
            true, guessed = np.divmod(np.repeat(np.arange(counts.size), counts.ravel()), len(counts))
            named = run.classes is not None and len(run.classes) == len(counts)
            names = run.classes if named else range(len(counts))
            if len(true):
                caption = "Of the rows of the run's own test, as its record counts them."
                yield "Confusion matrix", caption, size, lambda ax: confusion_matrix(true, guessed, names, ax)
        if run.is_trained:
            missing.append("No predictions, activations and gradients: the data are not at hand.")
    else:
        yield from _of_data(run, rows, missing)


def _of_history(run: _run.Run, missing: list[str]) -> Iterator[_Panel]:
    history, size = run.history, _style.FIGURE_SIZE
    if not run.epochs:
        missing.append("No learning curve: no epoch was completed.")
        return
    names = [name.removeprefix("val_") for name in history if name != "learning_rate"]
    for metric in dict.fromkeys(names):
        has_both = metric in history and f"val_{metric}" in history
        caption = f"After each epoch{', on training and validation data' if has_both else ''}; the best is marked."
        yield (
            f"Learning curve: {metric.replace('_', ' ')}",
            caption,
            size,
            partial(learning_curve, history, metric=metric),
        )
    optimizer = run.optimizer
    if optimizer is None:
        missing.append("No learning-rate schedule: the record only names the optimizer.")
    else:
        yield (
            "Learning rate",
            f"Of each update, by {type(optimizer).__name__}'s {type(optimizer.schedule).__name__} schedule.",
            size,
            lambda ax: schedule(optimizer, run.epochs, run.steps_per_epoch, ax, history),
        )


def _of_data(run: _run.Run, rows: _Rows, missing: list[str]) -> Iterator[_Panel]:
    """Yield what takes rows of data."""
    network, loss, size = run.network, run.loss, _style.FIGURE_SIZE
    caption = f"Of {notebook.counted(len(rows.X), 'row')} given."
    classes = _classes(run, rows)
    if classes is not None:
        names: Sequence[Any] = run.classes or range(max(2, network.n_outputs))
        yield "Confusion matrix", caption, size, lambda ax: confusion_matrix(*classes, names, ax)
    elif loss is not None and not loss.classifies:
        yield from _regression(rows, loss, caption)
    elif loss is not None:
        missing.append("No confusion matrix: the outputs are not one class of several.")
    if network.n_features == 2 and (classes is not None or network.n_outputs == 1):
        y = classes[0] if classes is not None else np.asarray(rows.y)
        yield (
            "Decision boundary",
            "What the network predicts around the rows given, and these.",
            size,
            lambda ax: decision_boundary(network, rows.X, y, ax, labels=run.classes if classes is not None else None),
        )
    caption = f"Of {notebook.counted(len(rows.X), 'row')} given. A dead unit puts out 0 for each of them."
    n_computing = len(inspection.dead_units(network, rows.X[:1]))
    height = _distributions.size_of(n_computing)
    yield "Activations", caption, height, lambda ax: _distributions.activations(network, rows.X, ax)
    if loss is None:
        missing.append("No predictions and gradients: the record only names the loss.")
        return
    batch = rows.X[:_GRADIENT_ROWS], np.asarray(rows.y)[:_GRADIENT_ROWS]
    caption = f"Of the loss on a batch of {len(batch[0]):,} of the rows given, by each tensor of the parameters."
    height = _distributions.size_of(len(network.parameters))
    seed = run.record["seeds"]["trainer"]
    yield "Gradients", caption, height, lambda ax: _distributions.gradients(network, loss, *batch, ax, seed=seed)


def _classes(run: _run.Run, rows: _Rows) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the true and the predicted class of each row, if outputs mean classes."""
    n_outputs, y = run.network.n_outputs, rows.targets
    if y is None:
        return None
    if n_outputs == 1 and isinstance(run.loss, BinaryCrossEntropy):
        is_probability = run.network.plan.output_activation == "sigmoid"
        return (y[:, 0] > 0.5).astype(np.int64), (rows.outputs[:, 0] > (0.5 if is_probability else 0)).astype(np.int64)
    if isinstance(run.loss, CrossEntropy) or (run.classes is not None and y.shape == (len(y), n_outputs)):
        return y if y.ndim == 1 else y.argmax(axis=1), rows.outputs.argmax(axis=1)
    return None


def _regression(rows: _Rows, loss: Loss, caption: str) -> Iterator[_Panel]:
    targets, outputs, size = rows.targets, loss.predictions(rows.outputs), _style.FIGURE_SIZE
    assert targets is not None
    quantiles: Any = loss.quantiles if isinstance(loss, Pinball) else None
    per_target = outputs.shape[1] // targets.shape[1]
    for target in range(min(targets.shape[1], _MOST_TARGETS)):
        of_target = outputs[:, target * per_target : (target + 1) * per_target]
        heading = "Predicted and true values" + (f", target {target}" if targets.shape[1] > 1 else "")
        yield (
            heading,
            f"{caption} The line is where they would be equal.",
            size,
            partial(predicted, targets[:, target], of_target, quantiles=quantiles),
        )


def _drawn(draw: Callable[[Axes], Any], size: tuple[float, float]) -> tuple[str, str]:
    """Return a picture as data URIs, for light and for dark screens."""
    canvas = _style.matplotlib("backends.backend_svg").FigureCanvasSVG

    def drawn(colours: _style.Palette) -> str:
        with _style.matplotlib().rc_context({**_style.parameters(colours), "svg.hashsalt": "fastnn"}):
            figure = _style.matplotlib("figure").Figure(figsize=size, layout="constrained")
            canvas(figure)
            draw(figure.add_subplot())
            buffer = io.BytesIO()
            figure.savefig(buffer, format="svg", dpi=144, metadata={"Date": None, "Creator": None})
        return f"data:image/svg+xml;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"

    return drawn(_style.LIGHT), drawn(_style.DARK)


def _summary(run: _run.Run) -> dict[str, Any]:
    results = run.record.get("results")
    results = results if isinstance(results, Mapping) else {}
    shown: dict[str, Any] = {}
    accuracy = results.get("test_accuracy")
    if isinstance(accuracy, (int, float)):
        shown["test accuracy"] = f"{accuracy:.1%}"
    scores = results.get("test_scores")
    for name, score in scores.items() if isinstance(scores, Mapping) else ():
        if isinstance(score, (int, float)):
            shown[f"test {name.replace('_', ' ')}"] = f"{score:.4g}"
    judged = next((name for name in ("val_accuracy", "accuracy", "val_loss", "loss") if name in run.history), None)
    if judged and run.epochs:
        epoch = best_epoch(run.history[judged], is_maximised(judged))
        if epoch >= 0:
            words = judged.replace("val_", "validation ")
            shown[f"best {words}, epoch {epoch + 1}"] = f"{run.history[judged][epoch]:.4g}"
    shown["epochs"] = run.epochs
    shown["updates"] = f"{run.record['training']['steps']:,}"
    shown["parameters"] = f"{run.network.n_parameters:,}"
    shown["digest"] = f"{run.record['network']['digest'][:8]}…"
    return shown


def _tables(run: _run.Run, rows: _Rows | None) -> Iterator[str]:
    network = run.network
    layers = [
        (repr(row.layer), f"(n, {row.units})", f"{row.n_parameters:,}" if row.n_parameters else "")
        for row in network.plan.rows
    ]
    yield _html.rows(
        "Network", ("layer", "output shape", "parameters"), [*layers, ("in all", "", f"{network.n_parameters:,}")]
    )
    if rows is not None:
        dead = inspection.dead_units(network, rows.X)
        body = [
            (f"{place}: {network.layers[place]!r}", f"{len(units)}", _style.numbers(units.tolist(), 10**9) or "–")
            for place, units in dead.items()
        ]
        yield _html.rows("Dead units", ("layer", "dead", "which"), body)
    shown_elsewhere = {"network": {"layers"}, "results": {"confusion"}}
    order = ("results", "hyperparameters", "training", "seeds", "data", "network", "environment")
    rest = [name for name in run.record if name not in (*order, "history", "record_version")]
    for name in (*order, *rest):
        values = run.record.get(name)
        if isinstance(values, Mapping):
            left_out = shown_elsewhere.get(name, set())
            heading = "Parameters" if name == "network" else name.replace("_", " ").capitalize()
            yield _html.table(heading, {key: value for key, value in values.items() if key not in left_out})
        elif values is not None:
            yield _html.table(name.replace("_", " ").capitalize(), {name: values})


def _history_table(run: _run.Run) -> str:
    if not run.epochs:
        return ""
    columns = list(run.history)
    body = [(epoch + 1, *(run.history[name][epoch] for name in columns)) for epoch in range(run.epochs)]
    table = _html.rows("History", ("epoch", *(name.replace("_", " ") for name in columns)), body)
    return _html.details("The history, epoch by epoch", table)
