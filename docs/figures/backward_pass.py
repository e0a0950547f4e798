"""Draws the backward pass of the same row: the derivative of the loss by everything that it was computed from."""

import style
from forward_pass import HIDDEN, INPUTS, LAST, LOSS, OUTPUT, ROW, TARGET, canvas, passed


def main(folder=style.PICTURES):
    _, outputs, output, _ = passed()
    made, axes = canvas()
    of_output = 2 * (output - TARGET)
    of_sums = [of_output * LAST[unit] * (1 - outputs[unit] ** 2) for unit in range(2)]
    for source, start in enumerate(INPUTS):
        for unit, end in enumerate(HIDDEN):
            style.arrow(
                axes, start, end, style.number(of_sums[unit] * ROW[source]), style.ORANGE, along=0.38, is_backward=True
            )
    for unit, start in enumerate(HIDDEN):
        gradient = style.number(of_output * outputs[unit])
        style.arrow(axes, start, OUTPUT, gradient, style.ORANGE, along=0.36, is_backward=True)
    style.arrow(axes, OUTPUT, LOSS, "", style.GREY, is_backward=True)
    for at, name, value in zip(INPUTS, ("x₁", "x₂"), ROW, strict=True):
        style.circle(axes, at, f"{name}\n{value}", style.GREY)
    for unit, at in enumerate(HIDDEN):
        style.circle(axes, at, f"δ{'₁₂'[unit]}\n{style.number(of_sums[unit])}", style.ORANGE)
        text = f"δ · {style.number(LAST[unit], 1)} · (1 − {style.number(outputs[unit])}²)"
        style.note(axes, (at[0], at[1] + (0.75, -0.75)[unit]), f"{text}\nalso of its bias", is_above=unit == 0)
    style.circle(axes, OUTPUT, f"δ\n{style.number(of_output)}", style.ORANGE)
    style.note(axes, (OUTPUT[0], OUTPUT[1] - 0.75), "2 · (y − target)\nalso of its bias")
    style.circle(axes, LOSS, "loss", style.ORANGE)
    axes.annotate("", (1.5, 6.45), (10.5, 6.45), arrowprops={"arrowstyle": "-|>", "color": style.DARK_GREY})
    style.label(axes, (6.0, 6.45), "backward: from the loss to the parameters", style.DARK_GREY)
    style.save(made, "backward_pass", folder)


if __name__ == "__main__":
    main()
