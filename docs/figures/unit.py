"""Draws what one unit computes: inputs times weights, plus a bias, through an activation."""

import style


def main(folder=style.PICTURES):
    made, [axes] = style.figure(width=7.0, height=2.9)
    axes.set(xlim=(0, 10), ylim=(0, 4))
    axes.set_axis_off()
    for y, name, value, weight in ((3.0, "x₁", "1.0", "0.6"), (1.0, "x₂", "0.5", "−1.0")):
        axes.plot([0.6, 3.6], [y, 2.0], color=style.GREY, linewidth=1.5, zorder=0)
        style.circle(axes, (0.6, y), f"{name}\n{value}", style.GREY)
        style.label(axes, (2.0, y + (2.0 - y) * 0.47), f"× {weight}", style.BLUE)
    axes.plot([3.6, 9.4], [2.0, 2.0], color=style.GREY, linewidth=1.5, zorder=0)
    style.circle(axes, (3.6, 2.0), "sum", style.BLUE)
    axes.plot([3.6, 3.6], [2.0, 0.5], color=style.GREY, linewidth=1.5, zorder=0)
    style.label(axes, (3.6, 0.5), "+ bias 0.2", style.ORANGE)
    style.label(axes, (5.1, 2.0), "0.3", "black")
    style.circle(axes, (6.6, 2.0), "tanh", style.BLUE)
    style.label(axes, (8.0, 2.0), "0.291", "black")
    style.circle(axes, (9.4, 2.0), "out", style.GREY)
    for x, text in ((0.6, "inputs"), (2.1, "weights"), (3.6, "sum and bias"), (6.6, "activation"), (9.4, "output")):
        axes.text(x, 3.95, text, ha="center", va="top", fontsize=12, color=style.DARK_GREY)
    style.save(made, "unit", folder)


if __name__ == "__main__":
    main()
