"""Draws three arms of a spiral, told apart by two features; and how sure a network of one output is about two."""

import numpy as np
import style

import fastnn as fn
from fastnn import plot

# Arms, turns, loss and activation of each network.
RUNS = ((3, 1.2, "cross_entropy", "tanh"), (2, 1.6, "binary_cross_entropy", "relu"))


def spiral(n, arms, turns):
    """Return points along the arms, blurred: (n, 2) float32 and their arms."""
    rng = np.random.default_rng(0)
    y = np.arange(n) % arms
    radius = np.sqrt(rng.uniform(0.01, 1, n))
    angle = 2 * np.pi * (turns * radius + y / arms)
    X = radius[:, None] * np.column_stack([fn.elementary.cos(angle), fn.elementary.sin(angle)])
    return (X + rng.uniform(-0.04, 0.04, (n, 2))).astype(np.float32), y


def main(folder=style.PICTURES):
    made, axes = style.figure(columns=2, width=12.0, height=4.0)
    for ax, (arms, turns, loss, activation) in zip(axes, RUNS, strict=True):
        X, y = spiral(200 * arms, arms, turns)
        layers = [fn.Input(2), fn.Dense(64, activation), fn.Dense(64, activation), fn.Dense(arms if arms > 2 else 1)]
        net = fn.Network(layers, seed=1)
        fn.Trainer(net, loss, fn.Adam(fn.OneCycle(1e-2, 200 * len(X) // 50)), batch_size=50).fit(X, y, epochs=200)
        plot.decision_boundary(net, X, y, ax, labels=[f"arm {i}" for i in range(arms)])
    style.save(made, "boundaries", folder)


if __name__ == "__main__":
    main()
