"""Draws what the bits of a trained network depend on, and what they do not."""

import style

DECIDE = (
    ("seed of the network", "the initial parameters"),
    ("seed of the trainer", "order of the rows, dropout masks"),
    ("the data", "values, dtype and order of the rows"),
    ("hyperparameters", "layers, loss, optimizer, batch size, …"),
    ("numerics contract", "the order of every sum, each function"),
)
INDIFFERENT = ("number of threads", "instruction set", "compiler, system", "interruptions", "other programs")


def main(folder=style.PICTURES):
    made, [axes] = style.figure(width=8.0, height=4.2)
    axes.set(xlim=(0, 16), ylim=(-0.4, 6.4))
    axes.set_axis_off()
    axes.text(3.2, 6.2, "decides the bits", ha="center", fontsize=13, weight="bold", color=style.BLUE)
    axes.text(13.9, 6.2, "does not matter", ha="center", fontsize=13, weight="bold", color=style.DARK_GREY)
    style.box(axes, (9.3, 2.7), (2.6, 1.7), "the trained\nnetwork:\none digest", style.BLUE, is_filled=True)
    for row, (title, detail) in enumerate(DECIDE):
        y = 5.2 - 1.25 * row
        style.box(axes, (3.2, y), (6.3, 1.05), f"{title}\n{detail}", style.BLUE)
        axes.annotate(
            "", (7.9, 2.7 + 0.28 * (2 - row)), (6.4, y), arrowprops={"arrowstyle": "-|>", "color": style.BLUE}
        )
    for row, title in enumerate(INDIFFERENT):
        y = 5.2 - 1.25 * row
        style.box(axes, (13.9, y), (4.1, 0.8), title, style.GREY)
    axes.plot([11.2, 11.2], [-0.3, 5.8], color=style.GREY, linewidth=1.2, linestyle=(0, (4, 3)))
    style.save(made, "same_bits", folder)


if __name__ == "__main__":
    main()
