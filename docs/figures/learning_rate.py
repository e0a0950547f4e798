"""Draws the loss over the updates for four learning rates: too small, small, right and too large."""

import style
from descent import make_data, make_net

import fastnn as fn

RATES = ((0.003, style.GREY), (0.03, style.GREEN), (0.3, style.BLUE), (0.66, style.ORANGE))


def main(folder=style.PICTURES):
    X, y = make_data()
    made, [axes] = style.figure(height=3.4)
    for rate, colour in RATES:
        trainer = fn.Trainer(make_net(), loss="mean_squared", optimizer=fn.SGD(rate), batch_size="full")
        history = trainer.fit(X, y, epochs=30)
        axes.plot(range(1, 31), history["loss"], color=colour, label=f"learning rate {rate}")
    axes.set(xlabel="update", ylabel="loss", yscale="log", ylim=(0.3, 30.0))
    axes.legend(frameon=False, loc="upper right")
    style.tidy(axes)
    style.save(made, "learning_rate", folder)


if __name__ == "__main__":
    main()
