"""Draws activations: each is a network of one unit whose weight is 1."""

import numpy as np
import style

import fastnn as fn

SHOWN = (("relu", "gelu", "silu"), ("tanh", "sigmoid", "softplus"))


def main(folder=style.PICTURES):
    x = np.linspace(-4, 4, 401)[:, None]
    made, axes = style.figure(columns=2, height=3.0)
    for place, names in zip(axes, SHOWN, strict=True):
        for name, colour in zip(names, (style.BLUE, style.ORANGE, style.GREEN), strict=True):
            net = fn.Network([fn.Input(1), fn.Dense(1, name)], dtype="float64")
            net.parameters.update({"0.weight": [[1.0]], "0.bias": [0.0]})
            place.plot(x, net.predict(x), color=colour, label=name)
        place.set_xlabel("sum of a unit")
        place.legend(loc="upper left", frameon=False)
        style.tidy(place)
    axes[0].set_ylabel("output")
    style.save(made, "activations", folder)


if __name__ == "__main__":
    main()
