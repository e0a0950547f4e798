"""Draws what the page about pictures draws of two networks that learn the digits."""

import style

import fastnn as fn
from fastnn import plot


def train(units):
    X, y = fn.data.load_digits()
    X_train, X_test, y_train, y_test = fn.data.split(X / 16, y, 0.2, seed=0, stratify=True)
    net = fn.Network([fn.Input(64), fn.Dense(units, "relu"), fn.Dense(10)], seed=0)
    trainer = fn.Trainer(net, loss="cross_entropy", optimizer=fn.Adam(3e-3), batch_size=64, seed=0)
    trainer.fit(X_train, y_train, epochs=30, validation_data=(X_test, y_test))
    return trainer, y_test, net.predict(X_test).argmax(axis=1)


def main(folder=style.PICTURES):
    small, _, _ = train(16)
    trainer, true, found = train(64)
    made, [curves, matrix, weights, layers] = style.figure(columns=2, rows=2, width=13.0, height=8.0)
    plot.learning_curves({"16 units": small.history, "64 units": trainer.history}, ax=curves)
    plot.confusion_matrix(true, found, ax=matrix)
    plot.weights(trainer.network, shape=(8, 8), ax=weights)
    plot.network(trainer.network, ax=layers)
    style.save(made, "plots", folder)


if __name__ == "__main__":
    main()
