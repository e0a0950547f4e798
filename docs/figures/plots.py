"""Draws a network for digits: the run, what it confuses, its layers, and which units are dead."""

import style

import fastnn as fn
from fastnn import plot


def main(folder=style.PICTURES):
    X, y = fn.data.load_digits()
    X_train, X_test, y_train, y_test = fn.data.split(X / 16, y, 0.2, seed=0, stratify=True)
    net = fn.Network([fn.Input(64), fn.Dense(128, "relu"), fn.Dropout(0.2), fn.Dense(64, "relu"), fn.Dense(10)])
    trainer = fn.Trainer(net, "cross_entropy", fn.Adam(fn.OneCycle(5e-3, 30 * 20)), batch_size=64)
    history = trainer.fit(X_train, y_train, epochs=30, validation_fraction=0.1)
    made, [curve, confusion, diagram, activations] = style.figure(columns=2, rows=2, width=13.0, height=8.0)
    plot.learning_curve(history, curve)
    plot.confusion_matrix(y_test, net.predict(X_test).argmax(axis=1), ax=confusion)
    plot.network(net, diagram)
    plot.activations(net, X_test, activations)
    style.save(made, "plots", folder)


if __name__ == "__main__":
    main()
