"""Trains several networks on the handwritten digits and compares them; draws the learning curves of the best.

It shows how data are kept apart: networks learn from the training rows, the validation rows choose among them, and the
test rows, which nobody has looked at, say how good the chosen one is.

Run it with ``python examples/digits.py``; the extra ``plot`` is needed for the picture.
"""

import argparse

import fastnn as fn
from fastnn import plot

BATCH_SIZE = 64
NETWORKS = {
    "no hidden layer": [],
    "64 relu": [fn.Dense(64, "relu")],
    "128 gelu, dropout": [fn.Dense(128, "gelu"), fn.Dropout(0.3)],
    "64 + 64, layer norm": [fn.Dense(64), fn.LayerNorm(), fn.Activation("silu"), fn.Dense(64, "silu"), fn.Dropout(0.2)],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--picture", default="digits.png", help="where the learning curve goes; '' for none")
    chosen = parser.parse_args()

    X, y = fn.data.load_digits()
    X_train, X_test, y_train, y_test = fn.data.split(X / 16, y, fraction=0.2, seed=0, stratify=True)
    X_train, X_val, y_train, y_val = fn.data.split(X_train, y_train, fraction=0.1, seed=0, stratify=True)
    steps = chosen.epochs * -(-len(X_train) // BATCH_SIZE)

    trainers = {}
    for name, hidden in NETWORKS.items():
        network = fn.Network([fn.Input(64), *hidden, fn.Dense(10)], seed=0)
        optimizer = fn.AdamW(fn.schedules.Cosine(3e-3, steps))
        trainer = fn.Trainer(network, loss="cross_entropy", optimizer=optimizer, batch_size=BATCH_SIZE, seed=0)
        history = trainer.fit(X_train, y_train, epochs=chosen.epochs, validation_data=(X_val, y_val))
        print(f"{name:20} {network.n_parameters:6,} parameters, validation loss {history['val_loss'][-1]:.4f}")
        trainers[name] = trainer

    # Chosen by the validation data, so that the test data stay unseen until the last line.
    best = min(trainers, key=lambda name: trainers[name].history["val_loss"][-1])
    result = trainers[best].evaluate(X_test, y_test)
    print(f"\nbest by validation: {best}; test accuracy {100 * result['accuracy']:.2f} %")
    print(f"digest {trainers[best].network.digest()}")

    if chosen.picture:
        axes = plot.learning_curve(trainers[best].history)
        axes.set_title(best)
        axes.figure.savefig(chosen.picture, dpi=120)
        print(f"written to {chosen.picture}")


if __name__ == "__main__":
    main()
