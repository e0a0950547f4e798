"""Watches a network bend its decision boundary around three spirals, as an animation.

No straight line separates the arms of a spiral, so this is what hidden layers are for. The network trains for some
epochs, a frame is drawn, and so on. You can call `Trainer.fit` as often as you like: the network is the same, to the
last bit, as after a single call.

Run it with ``python examples/spirals.py``; the extra ``plot`` is needed. It writes ``spirals.gif``.
"""

import argparse

import numpy as np

import fastnn as fn

CLASSES, ROWS = 3, 200  # arms, and points on each
COLOURS = ("#1f5fa8", "#d1620b", "#3d8b40")
FRAMES = 40
SIDE = 150  # points of the grid along an edge


def make_spirals(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return points, shape (CLASSES · ROWS, 2), within about [-1, 1], and the arm that each lies on."""
    random = np.random.default_rng(seed)
    labels = np.repeat(np.arange(CLASSES), ROWS)
    radius = np.tile(np.linspace(0.05, 1.0, ROWS), CLASSES)
    angle = 2 * np.pi * (labels / CLASSES + 0.9 * radius) + random.normal(0.0, 0.12, len(labels))
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1), labels


def make_trainer(seed: int) -> fn.Trainer:
    layers = [fn.Input(2), fn.Dense(32, "tanh"), fn.Dense(32, "tanh"), fn.Dense(CLASSES, "softmax")]
    network = fn.Network(layers, seed=seed)
    return fn.Trainer(network, loss="cross_entropy", optimizer=fn.Adam(1e-2), batch_size=50, seed=seed)


def grid() -> np.ndarray:
    edge = np.linspace(-1.15, 1.15, SIDE)
    return np.stack(np.meshgrid(edge, edge), axis=-1).reshape(-1, 2).astype(np.float32)


def animate(path: str, trainer: fn.Trainer, X: np.ndarray, y: np.ndarray, epochs: int) -> None:
    """Train, and write a GIF with a frame for every ``epochs / FRAMES`` epochs."""
    from matplotlib.animation import PillowWriter
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.colors import to_rgb
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.2, 4.4), dpi=80, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    colours, points = np.array([to_rgb(colour) for colour in COLOURS]), grid()
    # The network ends in a softmax: how sure it is of each class mixes the colours.
    surface = axes.imshow(
        np.ones((SIDE, SIDE, 3)), extent=(-1.15, 1.15, -1.15, 1.15), origin="lower", interpolation="bilinear"
    )
    axes.scatter(*X.T, c=colours[y], s=9, edgecolors="white", linewidths=0.4)
    axes.set(xticks=[], yticks=[])
    writer = PillowWriter(fps=8)
    with writer.saving(figure, path, dpi=80):
        for frame in range(FRAMES + 1):
            if frame:
                trainer.fit(X, y, max_epochs=epochs * frame // FRAMES)
            chances = trainer.network.predict(points).reshape(SIDE, SIDE, CLASSES)
            surface.set_data(0.35 + 0.65 * (chances @ colours))
            accuracy = trainer.evaluate(X, y)["accuracy"]
            axes.set_title(f"epoch {trainer.epoch}: {100 * accuracy:.1f} % right", fontsize=11)
            writer.grab_frame()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", default="spirals.gif", help="where the animation goes")
    chosen = parser.parse_args()

    X, y = make_spirals(chosen.seed)
    trainer = make_trainer(chosen.seed)
    animate(chosen.output, trainer, X, y, chosen.epochs)
    new_X, new_y = make_spirals(chosen.seed + 1)
    accuracy = trainer.evaluate(new_X, new_y)["accuracy"]
    print(f"{trainer.epoch} epochs; accuracy on other points of the spirals: {100 * accuracy:.1f} %")
    print(f"digest {trainer.network.digest()}")
    print(f"written to {chosen.output}")


if __name__ == "__main__":
    main()
