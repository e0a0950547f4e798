"""Draws the paths that batch, stochastic and mini-batch gradient descent take over the same loss."""

import numpy as np
import style

import fastnn as fn

# Batch size, learning rate, epochs.
KINDS = (("full", 0.1, 60), (1, 0.02, 2), (20, 0.1, 6))
TITLES = ("batch", "stochastic", "mini-batch of 20")


def make_data():
    random = np.random.default_rng(0)
    x = random.uniform(-0.7, 2.0, (200, 1))
    return x, 1.5 * x[:, 0] - 0.5 + random.normal(0.0, 0.6, 200)


def make_net():
    net = fn.Network([fn.Input(1), fn.Dense(1)])
    net.parameters.update({"0.weight": [[-1.0]], "0.bias": [1.5]})
    return net


def path_of(batch_size, rate, epochs):
    """Return weight and bias after each update, shape (updates + 1, 2), and the loss at the end."""
    X, y = make_data()
    trainer = fn.Trainer(make_net(), loss="mean_squared", optimizer=fn.SGD(rate), batch_size=batch_size, seed=0)
    path = [(-1.0, 1.5)]

    def note(trainer, step):
        parameters = trainer.network.parameters
        path.append((parameters["0.weight"][0, 0], parameters["0.bias"][0]))

    trainer.fit(X, y, epochs=epochs, callbacks=[fn.LambdaCallback(on_step_end=note)])
    return np.array(path), trainer.evaluate(X, y)["loss"]


def main(folder=style.PICTURES):
    X, y = make_data()
    weights, biases = np.linspace(-1.5, 2.5, 60), np.linspace(-1.5, 2.0, 60)
    losses = ((y - weights[:, None, None] * X[:, 0] - biases[:, None]) ** 2).mean(axis=2)
    made, axes = style.figure(columns=3, width=8.0, height=3.2, sharey=True)
    for place, kind, title in zip(axes, KINDS, TITLES, strict=True):
        path, loss = path_of(*kind)
        place.contour(weights, biases, losses.T, levels=np.geomspace(0.4, 20, 14), colors=style.GREY, linewidths=0.7)
        place.plot(*path.T, color=style.BLUE, linewidth=0.9, marker=".", markersize=3)
        place.plot(*path[0], "o", color=style.ORANGE)
        place.set_title(f"{title}: {kind[2]} epochs,\n{len(path) - 1} updates, loss {loss:.3f}", fontsize=10)
        place.set_xlabel("weight")
    axes[0].set_ylabel("bias")
    style.save(made, "descent", folder)


if __name__ == "__main__":
    main()
