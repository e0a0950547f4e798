"""Draws the loss after ten epochs over the learning rate, for batch, stochastic and mini-batch gradient descent."""

import math

import numpy as np
import style

import fastnn as fn

KINDS = (
    ("batch", "full", style.BLUE, "o"),
    ("stochastic", 1, style.ORANGE, "^"),
    ("mini-batch of 32", 32, style.GREEN, "s"),
)
RATES = np.geomspace(1e-3, 3.16, 8)


def loss_after(batch_size, rate, X, y):
    """Return the loss after ten epochs, infinite if training has diverged."""
    net = fn.Network([fn.Input(64), fn.Dense(32, "relu"), fn.Dense(10)], seed=0)
    trainer = fn.Trainer(net, loss="cross_entropy", optimizer=fn.SGD(rate), batch_size=batch_size, seed=0)
    try:
        trainer.fit(X, y, epochs=10)
    except fn.DivergedError:
        return math.inf
    return trainer.evaluate(X, y)["loss"]


def main(folder=style.PICTURES):
    X, y = fn.data.load_digits()
    X, _, y, _ = fn.data.split(X / 16, y, 0.2, seed=0, stratify=True)
    made, [axes] = style.figure(height=3.8)
    for name, batch_size, colour, marker in KINDS:
        losses = np.array([loss_after(batch_size, float(rate), X, y) for rate in RATES])
        best = int(losses.argmin())
        axes.plot(RATES, losses, color=colour, marker=marker, markersize=5, label=name)
        axes.plot(RATES[best], losses[best], marker, color=colour, markersize=11)
    axes.axhline(math.log(10), color=style.GREY, linewidth=1.2, linestyle=(0, (4, 3)))
    axes.text(RATES[0], math.log(10) * 1.15, "guessing: ln 10", ha="left", va="bottom", fontsize=10)
    axes.set(xlabel="learning rate", ylabel="loss after ten epochs", xscale="log", yscale="log", ylim=(0.01, 8.0))
    axes.legend(frameon=False, loc="lower left")
    style.tidy(axes)
    style.save(made, "rates", folder)


if __name__ == "__main__":
    main()
