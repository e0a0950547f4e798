"""Draws the forward pass of one row through a 2-2-1 network, with every number."""

import math

import style

ROW, TARGET = (1.0, 0.5), 1.0
WEIGHTS, BIASES = ((0.6, -1.0), (0.8, 0.4)), (0.2, -0.1)  # of the hidden units
LAST, LAST_BIAS = (1.5, -0.5), 0.1  # of the output unit
INPUTS = ((0.9, 4.4), (0.9, 1.2))
HIDDEN = ((4.6, 4.4), (4.6, 1.2))
OUTPUT, LOSS = (8.3, 2.8), (11.1, 2.8)


def passed():
    """Return the sums and outputs of the hidden units, the output and the loss."""
    sums = [sum(w * x for w, x in zip(row, ROW, strict=True)) + b for row, b in zip(WEIGHTS, BIASES, strict=True)]
    outputs = [math.tanh(z) for z in sums]
    output = sum(v * h for v, h in zip(LAST, outputs, strict=True)) + LAST_BIAS
    return sums, outputs, output, (output - TARGET) ** 2


def canvas():
    """Return a figure and axes in which a unit of length is about as long both ways."""
    made, [axes] = style.figure(width=8.0, height=4.7)
    axes.set(xlim=(0, 12), ylim=(-0.3, 6.75))
    axes.set_axis_off()
    return made, axes


def main(folder=style.PICTURES):
    sums, outputs, output, loss = passed()
    made, axes = canvas()
    for source, start in enumerate(INPUTS):
        for unit, end in enumerate(HIDDEN):
            style.arrow(axes, start, end, style.number(WEIGHTS[unit][source], 1), style.BLUE)
    for unit, start in enumerate(HIDDEN):
        style.arrow(axes, start, OUTPUT, style.number(LAST[unit], 1), style.BLUE, along=0.36)
    style.arrow(axes, OUTPUT, LOSS, "", style.GREY)
    for at, name, value in zip(INPUTS, ("x₁", "x₂"), ROW, strict=True):
        style.circle(axes, at, f"{name}\n{value}", style.GREY)
    for unit, at in enumerate(HIDDEN):
        style.circle(axes, at, f"h{'₁₂'[unit]}\n{style.number(outputs[unit])}", style.BLUE)
        text = f"{style.weighted(WEIGHTS[unit], ROW, 1, BIASES[unit])} = {style.number(sums[unit], 1)}"
        style.note(
            axes,
            (at[0], at[1] + (0.75, -0.75)[unit]),
            f"{text}\nh{'₁₂'[unit]} = tanh {style.number(sums[unit], 1)}",
            is_above=unit == 0,
        )
    style.circle(axes, OUTPUT, f"y\n{style.number(output)}", style.BLUE)
    style.note(
        axes, (OUTPUT[0] + 0.1, OUTPUT[1] - 0.75), style.weighted(LAST, outputs, 3, LAST_BIAS).replace(" − ", "\n− ")
    )
    style.circle(axes, LOSS, f"loss\n{style.number(loss)}", style.ORANGE)
    style.note(axes, (LOSS[0], LOSS[1] - 0.75), f"target {TARGET}\n(y − target)²")
    axes.annotate("", (10.5, 6.45), (1.5, 6.45), arrowprops={"arrowstyle": "-|>", "color": style.DARK_GREY})
    style.label(axes, (6.0, 6.45), "forward: from the row to the loss", style.DARK_GREY)
    style.save(made, "forward_pass", folder)


if __name__ == "__main__":
    main()
