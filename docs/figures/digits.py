"""Draws some digits, and what a trained network says of them."""

import numpy as np
import style

import fastnn as fn


def main(folder=style.PICTURES):
    X, y = fn.data.load_digits()
    X_train, X_test, y_train, y_test = fn.data.split(X / 16, y, 0.2, seed=0, stratify=True)
    net = fn.Network([fn.Input(64), fn.Dense(32, "relu"), fn.Dense(10)], seed=0)
    fn.Trainer(net, loss="cross_entropy", batch_size=32, seed=0).fit(X_train, y_train, epochs=20)
    found = net.predict(X_test).argmax(axis=1)
    # Eight of those that are right, and the first four that are wrong.
    rows = [*np.flatnonzero(found == y_test)[:8], *np.flatnonzero(found != y_test)[:4]]
    made, axes = style.figure(columns=6, rows=2, width=7.0, height=2.9)
    for place, row in zip(axes, rows, strict=True):
        place.imshow(X_test[row].reshape(8, 8), cmap="Greys", vmin=0, vmax=1)
        place.set(xticks=[], yticks=[])
        right = found[row] == y_test[row]
        text = f"{found[row]}" if right else f"{found[row]}, is {y_test[row]}"
        place.set_title(text, color=style.BLUE if right else style.ORANGE)
    style.save(made, "digits", folder)


if __name__ == "__main__":
    main()
