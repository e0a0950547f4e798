"""Draws two small networks by their units: one that has learned XOR, one as it begins."""

import style

import fastnn as fn
from fastnn import plot


def main(folder=style.PICTURES):
    xor = fn.Network([fn.Input(2), fn.Dense(3, "tanh"), fn.Dense(1)], seed=0)
    trainer = fn.Trainer(xor, loss="binary_cross_entropy", optimizer=fn.Adam(0.05), batch_size="full")
    trainer.fit([[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0], epochs=200)
    hidden = [fn.Dense(8, "relu"), fn.Dropout(0.2), fn.Dense(8, "relu")]
    made, [left, right] = style.figure(columns=2, width=9.6, height=3.6)
    plot.network(xor, left)
    plot.network(fn.Network([fn.Input(4), *hidden, fn.Dense(3, "softmax")], seed=2), right)
    style.save(made, "units", folder)


if __name__ == "__main__":
    main()
