"""Predicts a range instead of a number: three quantiles at once, by the pinball loss.

The noise in the data grows with x and leans to one side, so an average with a fixed margin would be wrong nearly
everywhere. One network with three outputs learns the quantiles 0.1, 0.5 and 0.9; between the outer two, 80 % of new
data should lie. The example counts how many do, overall and in each quarter of the range.

Run it with ``python examples/quantile_regression.py``; the extra ``plot`` is needed for the picture.
"""

import argparse

import numpy as np

import fastnn as fn

QUANTILES = (0.1, 0.5, 0.9)
RANGE = (0.0, 8.0)


def make_data(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return x, shape (rows, 1), and y, shape (rows,): a wave and noise that is wider where x is larger."""
    random = np.random.default_rng(seed)
    x = random.uniform(*RANGE, rows)
    noise = random.gamma(2.0, 0.05 + 0.06 * x)
    return x[:, None], np.sin(x) + noise


def train(epochs: int, seed: int) -> fn.Trainer:
    X, y = make_data(4000, seed)
    X = (X - 4.0) / 4.0  # to [-1, 1]
    network = fn.Network([fn.Input(1), fn.Dense(64, "silu"), fn.Dense(64, "silu"), fn.Dense(3)], seed=seed)
    optimizer = fn.Adam(fn.schedules.Cosine(5e-3, epochs, unit="epoch"))
    trainer = fn.Trainer(network, fn.Pinball(QUANTILES), optimizer, batch_size=100, seed=seed)
    history = trainer.fit(X, y, epochs=epochs, validation_fraction=0.1)
    print(f"{epochs} epochs; pinball loss {history['loss'][-1]:.4f}, on validation data {history['val_loss'][-1]:.4f}")
    return trainer


def coverage(y: np.ndarray, bounds: np.ndarray) -> float:
    """Return the share of ``y`` between the first and the last column of ``bounds``."""
    return float(((bounds[:, 0] <= y) & (y <= bounds[:, -1])).mean())


def draw(path: str, network: fn.Network, X: np.ndarray, y: np.ndarray) -> None:
    from matplotlib.figure import Figure

    grid = np.linspace(*RANGE, 400)[:, None]
    low, middle, high = network.predict((grid - 4.0) / 4.0).T
    axes = Figure(figsize=(7.0, 4.2), layout="constrained").add_subplot()
    axes.plot(X[:, 0], y, ".", color="#9ca3af", markersize=2.5, label="new data")
    axes.fill_between(grid[:, 0], low, high, color="#1f5fa8", alpha=0.2, label="0.1 to 0.9: 80 % should lie here")
    axes.plot(grid[:, 0], middle, color="#1f5fa8", label="0.5: the median")
    axes.set(xlabel="x", ylabel="y", ylim=(-1.5, 4.0))
    axes.legend(loc="upper left")
    axes.figure.savefig(path, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--picture", default="quantiles.png", help="where the picture goes; '' for none")
    chosen = parser.parse_args()

    network = train(chosen.epochs, chosen.seed).network
    X, y = make_data(4000, chosen.seed + 1)
    bounds = network.predict((X - 4.0) / 4.0)
    for quantile, column in zip(QUANTILES, bounds.T, strict=True):
        print(f"below the {quantile} quantile: {100 * (y <= column).mean():5.1f} % of new data")
    for low in range(0, 8, 2):
        inside = (X[:, 0] >= low) & (X[:, 0] < low + 2)
        print(f"coverage for x from {low} to {low + 2}: {100 * coverage(y[inside], bounds[inside]):5.1f} % (80 wanted)")
    print(f"coverage overall: {100 * coverage(y, bounds):.1f} % (80 wanted)")
    if chosen.picture:
        draw(chosen.picture, network, X, y)
        print(f"written to {chosen.picture}")


if __name__ == "__main__":
    main()
