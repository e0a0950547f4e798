"""Makes the pictures of the documentation, in ``docs/pictures``: ``python docs/pictures.py``.

They are of real runs, of digits and of spirals, and come out the same on every machine that has the same matplotlib.
"""

from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure

import fastnn as fn
from fastnn import plot

WIDTH, HEIGHT = plot.FIGURE_SIZE


def digits():
    """A network for digits: the run, what it confuses, and which units are dead."""
    X, y = fn.data.load_digits()
    X_train, X_test, y_train, y_test = fn.data.split(X / 16, y, 0.2, seed=0, stratify=True)
    net = fn.Network([fn.Input(64), fn.Dense(128, "relu"), fn.Dropout(0.2), fn.Dense(64, "relu"), fn.Dense(10)])
    trainer = fn.Trainer(net, "cross_entropy", fn.Adam(fn.OneCycle(5e-3, 30 * 20)), batch_size=64)
    history = trainer.fit(X_train, y_train, epochs=30, validation_fraction=0.1)
    figure = Figure(figsize=(2 * WIDTH, 2 * HEIGHT), layout="constrained")
    figure.get_layout_engine().set(hspace=0.06, wspace=0.04)
    ((curve, confusion), (diagram, activations)) = figure.subplots(2, 2)
    plot.learning_curve(history, curve)
    plot.confusion_matrix(y_test, net.predict(X_test).argmax(axis=1), ax=confusion)
    plot.network(net, diagram)
    plot.activations(net, X_test, activations)
    return figure


def spirals():
    """Three arms of a spiral, told apart by two features; and how sure a network of one output is about two."""
    figure = Figure(figsize=(2 * WIDTH, HEIGHT), layout="constrained")
    for ax, arms, turns, loss, activation in zip(
        figure.subplots(1, 2),
        (3, 2),
        (1.2, 1.6),
        ("cross_entropy", "binary_cross_entropy"),
        ("tanh", "relu"),
        strict=True,
    ):
        X, y = spiral(200 * arms, arms, turns)
        layers = [fn.Input(2), fn.Dense(64, activation), fn.Dense(64, activation), fn.Dense(arms if arms > 2 else 1)]
        net = fn.Network(layers, seed=1)
        fn.Trainer(net, loss, fn.Adam(fn.OneCycle(1e-2, 200 * len(X) // 50)), batch_size=50).fit(X, y, epochs=200)
        plot.decision_boundary(net, X, y, ax, labels=[f"arm {i}" for i in range(arms)])
    return figure


def spiral(n, arms, turns):
    """Points along the arms, blurred: (n, 2) float32 and their arms."""
    rng = np.random.default_rng(0)
    y = np.arange(n) % arms
    radius = np.sqrt(rng.uniform(0.01, 1, n))
    angle = 2 * np.pi * (turns * radius + y / arms)
    X = radius[:, None] * np.column_stack([fn.elementary.cos(angle), fn.elementary.sin(angle)])
    return (X + rng.uniform(-0.04, 0.04, (n, 2))).astype(np.float32), y


def main(folder):
    """Writes every picture into a folder."""
    folder.mkdir(exist_ok=True)
    with matplotlib.rc_context({"svg.hashsalt": "fastnn", "font.size": 10.0}):
        for make, suffix, metadata in (
            (digits, "svg", {"Date": None, "Creator": None}),
            (spirals, "png", {"Software": None}),  # of a thousand points, smaller than their outlines
        ):
            path = folder / f"{make.__name__}.{suffix}"
            make().savefig(path, dpi=96, metadata=metadata)
            print(f"{path}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main(Path(__file__).with_name("pictures"))
