"""Draws the parts of a network with their names: layers, units, weights and biases."""

import style

import fastnn as fn
from fastnn import plot


def main(folder=style.PICTURES):
    net = fn.Network([fn.Input(3), fn.Dense(4, "tanh"), fn.Dense(2)], seed=5)
    net.parameters["0.bias"] = [0.9, -0.5, 0.4, -0.8]
    net.parameters["2.bias"] = [0.6, -0.6]
    made, [axes] = style.figure(width=7.0, height=4.6)
    plot.network(net, axes)
    style.point_at(axes, "a feature", (0.09, 0.765), (0.09, 0.86))
    style.point_at(axes, "a weight", (0.3, 0.728), (0.31, 0.9))
    style.point_at(axes, "a unit", (0.525, 0.825), (0.62, 0.93))
    style.point_at(axes, "its bias is the ring", (0.52, 0.37), (0.69, 0.27))
    style.point_at(axes, "an output", (0.91, 0.7), (0.91, 0.86))
    style.save(made, "parts", folder)


if __name__ == "__main__":
    main()
