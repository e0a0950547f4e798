"""Draws a network that overfits: its learning curves, and what it makes of x at the best epoch and at the end."""

import numpy as np
import style

import fastnn as fn


def make_data(rows, seed):
    random = np.random.default_rng(seed)
    x = random.uniform(-1.0, 1.0, (rows, 1))
    return x, np.sin(3.0 * x[:, 0]) + random.normal(0.0, 0.3, rows)


def main(folder=style.PICTURES):
    X, y = make_data(30, 0)
    validation = make_data(200, 1)
    net = fn.Network([fn.Input(1), fn.Dense(128, "gelu"), fn.Dense(128, "gelu"), fn.Dense(1)], seed=0)
    trainer = fn.Trainer(net, loss="mean_squared", optimizer=fn.Adam(2e-3), batch_size="full")
    grid, drawn = np.linspace(-1.0, 1.0, 300)[:, None], []

    best = fn.EarlyStopping(patience=10_000)  # never stops, but puts the best parameters back at the end
    note = fn.LambdaCallback(on_fit_end=lambda trainer: drawn.append(trainer.network.predict(grid)))
    history = trainer.fit(X, y, epochs=4000, validation_data=validation, callbacks=[note, best])
    drawn.append(net.predict(grid))

    made, [curves, fits] = style.figure(columns=2, width=8.0, height=3.4)
    epochs = range(1, len(history["loss"]) + 1)
    curves.plot(epochs, history["loss"], color=style.BLUE, label="training")
    curves.plot(epochs, history["val_loss"], color=style.ORANGE, label="validation")
    curves.axvline(best.best_epoch, color=style.GREY, linestyle="--", label=f"best: epoch {best.best_epoch}")
    curves.set(xlabel="epoch", ylabel="loss", xscale="log", yscale="log")
    fits.plot(X, y, "o", color=style.GREY, label="30 rows trained on")
    fits.plot(grid, drawn[0], color=style.ORANGE, label=f"after {len(epochs):,} epochs")
    fits.plot(grid, drawn[1], color=style.BLUE, label=f"after {best.best_epoch} epochs")
    fits.plot(grid, np.sin(3.0 * grid), ":", color="black", linewidth=1.0, label="without noise")
    fits.set(xlabel="x", ylabel="y", ylim=(-2.2, 2.9))
    for place in (curves, fits):
        place.legend(frameon=False, fontsize=8, loc="upper left" if place is fits else "lower left")
        style.tidy(place)
    style.save(made, "overfitting", folder)


if __name__ == "__main__":
    main()
